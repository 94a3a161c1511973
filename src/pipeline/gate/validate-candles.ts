// The check by itself, for those who bring their own rows: each row's verdict, and which rule broke how often. Nothing is
// fetched or stored.
import type { Candle, CandleCandidate } from "../../core/model/candle.js";
import type { Timeframe } from "../../core/timeframe.js";
import { flagCandles, type Neighbour } from "./candle-flags.js";
import { checkCandles, type CandleRule } from "./candle-gate.js";
import { DEFAULT_VALIDATION } from "./validation.js";

/** A row of anybody's. Prices and volumes are decimal text: no exponent, nothing that has been a double. */
export interface CandleRow {
  /** Epoch ms. */
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  /** In quote units; left out where the source does not tell. */
  readonly quoteVolume?: string | undefined;
  /** Left out where the source does not tell. */
  readonly tradeCount?: number | undefined;
  /** False while the candle is forming. */
  readonly isClosed?: boolean | undefined;
}

export interface ValidateCandlesOptions {
  readonly timeframe: Timeframe;
  /** A candle that ends after it is not closed; epoch ms. */
  readonly nowMs: number;
  /** From how many times the usual return on a price is said to jump; 20. */
  readonly maxPriceJump?: number | undefined;
  /** From how many times the usual volume on a volume is said to spike; 50. */
  readonly maxVolumeSpike?: number | undefined;
  /** Candles known before the first row, ascending: what is usual is measured by them. */
  readonly before?: readonly Neighbour[] | undefined;
}

/** What is said of one row. `flags` are bits of CANDLE_FLAGS. */
export type CandleVerdict =
  | { readonly verdict: "accept"; readonly candle: Candle; readonly flags: number }
  | { readonly verdict: "quarantine"; readonly rule: CandleRule; readonly detail: string };

export interface CandleValidation {
  /** One for each row, in their order. */
  readonly verdicts: readonly CandleVerdict[];
  /** The rows let through, ascending. */
  readonly candles: readonly Candle[];
  /** How many rows broke each rule; only rules that were broken. */
  readonly broken: ReadonlyMap<CandleRule, number>;
}

/**
 * Checks rows as the collector checks a page, in the order given: every row is either accepted, its figures canonical, or
 * refused with one rule. Two rows for one time that differ are both refused.
 */
export function validateCandles(
  rows: readonly CandleRow[],
  options: ValidateCandlesOptions,
): CandleValidation {
  // The gate keeps a row's record with its rejection: here that is its place.
  const { candles, rejected } = checkCandles(
    rows.map((row, index) => toCandidate(row, String(index))),
    { timeframe: options.timeframe, exchangeNowMs: options.nowMs },
  );
  const flags = flagCandles(candles, {
    timeframe: options.timeframe,
    maxPriceJump: options.maxPriceJump ?? DEFAULT_VALIDATION.maxPriceJump,
    maxVolumeSpike: options.maxVolumeSpike ?? DEFAULT_VALIDATION.maxVolumeSpike,
    before: options.before ?? [],
  });
  const refused = new Map(rejected.map((rejection) => [Number(rejection.raw), rejection]));
  const broken = new Map<CandleRule, number>();
  for (const { rule } of rejected) broken.set(rule, (broken.get(rule) ?? 0) + 1);
  let next = 0;
  const verdicts = rows.map((_, index): CandleVerdict => {
    const rejection = refused.get(index);
    if (rejection) return { verdict: "quarantine", rule: rejection.rule, detail: rejection.detail };
    // Accepted rows ascend in the order given, or they would have been refused as out of order.
    const candle = candles[next++];
    if (!candle) throw new Error("broken invariant: the gate neither keeps nor refuses a row");
    return { verdict: "accept", candle, flags: flags.get(candle.openTimeMs) ?? 0 };
  });
  return { verdicts, candles, broken };
}

function toCandidate(row: CandleRow, raw: string): CandleCandidate {
  return {
    openTimeMs: row.openTimeMs,
    open: textOf(row.open),
    high: textOf(row.high),
    low: textOf(row.low),
    close: textOf(row.close),
    volume: textOf(row.volume),
    quoteVolume: row.quoteVolume === undefined ? null : textOf(row.quoteVolume),
    tradeCount: row.tradeCount ?? null,
    isClosed: row.isClosed,
    raw,
  };
}

/** Rows come from outside, where types are promises: a number is no decimal text, it may have lost digits already. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
