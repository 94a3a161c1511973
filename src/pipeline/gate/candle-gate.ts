// The gate for candles: one pass over a page, each field read once. What is impossible is refused with a named rule and
// kept; nothing is corrected, nothing dropped. Where the caller asks for it, rows whose fields are all readable but
// contradict each other are let through as well, and named.
import { inspect } from "node:util";
import type { Candle, CandleCandidate } from "../../core/model/candle.js";
import type { Rejection } from "../../core/model/candle-batch.js";
import { compareDecimals, isNegative, isPositive, parseDecimal, type Decimal } from "../../core/decimal.js";
import { formatTime } from "../../core/time.js";
import { isOnGrid, timeframeMs, type Timeframe } from "../../core/timeframe.js";

export interface GateContext {
  readonly timeframe: Timeframe;
  /** The exchange's clock: a candle that ends after it is not closed. Epoch ms. */
  readonly exchangeNowMs: number;
  /** Lets rows through that break a rule about values only, where the page has no sound row for their time. */
  readonly keepsBroken?: boolean | undefined;
}

export interface GateResult {
  /** Ascending, each open time once. */
  readonly candles: readonly Candle[];
  readonly rejected: readonly CandleRejection[];
  /** Open times of those among the candles that break a rule; each is among the rejected as well. */
  readonly broken: ReadonlySet<number>;
}

export interface CandleRejection extends Rejection {
  readonly rule: CandleRule;
}

/** Every rule a candle can break, with the sentence that explains it to a user. */
export const CANDLE_RULES = {
  "candle.malformed": "a field is missing or of the wrong type",
  "candle.not_a_decimal": "a price or volume is not decimal text",
  "candle.off_grid": "the open time does not lie on the timeframe's grid",
  "candle.not_closed": "the candle had not ended by the exchange's clock, or by its own word",
  "candle.out_of_order": "the open time is before that of the row above",
  "candle.duplicate": "the open time stands in the page twice",
  "candle.price_not_positive": "a price is zero or negative",
  "candle.negative_volume": "a volume or a count is negative",
  "candle.high_below_low": "the high is below the low",
  "candle.open_outside": "the open is above the high or below the low",
  "candle.close_outside": "the close is above the high or below the low",
} as const satisfies Record<string, string>;

export type CandleRule = keyof typeof CANDLE_RULES;

interface Verdict {
  readonly rule: CandleRule;
  readonly detail: string;
  /** The row as a candle, where all of its fields can be read and only their values are impossible. */
  readonly candle?: Candle;
}

/**
 * Checks a page of candidates in the order the source gave them.
 *
 * A row repeated unchanged is refused once and kept once. Two rows for one open time that differ are both refused,
 * wherever they stand: there is no telling which is right, so the minute stays missing and is asked for again.
 * The same holds for rows that break a rule and are kept.
 */
export function checkCandles(candidates: readonly CandleCandidate[], context: GateContext): GateResult {
  const candles: Candle[] = [];
  const rejected: CandleRejection[] = [];
  const raws: unknown[] = [];
  const impossible: Candle[] = [];
  let lastOpenTimeMs = -Infinity;
  for (const candidate of candidates) {
    const checked = checkCandle(candidate, context);
    if (isVerdict(checked)) {
      rejected.push(toRejection(checked, candidate.openTimeMs, candidate.raw));
      if (checked.candle && context.keepsBroken) impossible.push(checked.candle);
      continue;
    }
    const { openTimeMs } = checked;
    if (openTimeMs > lastOpenTimeMs) {
      lastOpenTimeMs = openTimeMs;
      candles.push(checked);
      raws.push(candidate.raw);
      continue;
    }
    const at = indexOfTime(candles, openTimeMs);
    const earlier = candles[at];
    const isSame = earlier !== undefined && isSameCandle(earlier, checked);
    const duplicate = duplicateOf(openTimeMs, isSame);
    if (earlier !== undefined && !isSame) {
      candles.splice(at, 1);
      rejected.push(toRejection(duplicate, openTimeMs, raws.splice(at, 1)[0]));
    }
    const verdict = openTimeMs === lastOpenTimeMs ? duplicate : outOfOrder(openTimeMs, lastOpenTimeMs);
    rejected.push(toRejection(verdict, openTimeMs, candidate.raw));
  }
  if (impossible.length === 0) return { candles, rejected, broken: NONE };
  const kept = keptThough(impossible, rejected, candles);
  const all = [...candles, ...kept.values()].sort((a, b) => a.openTimeMs - b.openTimeMs);
  return { candles: all, rejected, broken: new Set(kept.keys()) };
}

const NONE: ReadonlySet<number> = new Set();
const PAIR_RULES = new Set<CandleRule>(["candle.duplicate", "candle.out_of_order"]);

/** Of rows that break a rule, those without a rival: one for their time, or several that say the same. */
function keptThough(
  impossible: readonly Candle[],
  rejected: readonly CandleRejection[],
  sound: readonly Candle[],
): Map<number, Candle> {
  // A time at which sound rows stood, kept or contradicting each other, is not filled by an impossible one.
  const taken = new Set(sound.map(({ openTimeMs }) => openTimeMs));
  for (const { rule, openTimeMs } of rejected)
    if (openTimeMs !== undefined && PAIR_RULES.has(rule)) taken.add(openTimeMs);
  const kept = new Map<number, Candle>();
  for (const candle of impossible) {
    if (taken.has(candle.openTimeMs)) continue;
    const earlier = kept.get(candle.openTimeMs);
    if (earlier === undefined) kept.set(candle.openTimeMs, candle);
    else if (!isSameCandle(earlier, candle)) {
      kept.delete(candle.openTimeMs);
      taken.add(candle.openTimeMs);
    }
  }
  return kept;
}

/** Where the candle of this open time stands among ascending ones; -1 when there is none. */
function indexOfTime(candles: readonly Candle[], openTimeMs: number): number {
  let from = 0;
  let to = candles.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((candles[middle]?.openTimeMs ?? Infinity) < openTimeMs) from = middle + 1;
    else to = middle;
  }
  return candles[from]?.openTimeMs === openTimeMs ? from : -1;
}

function checkCandle(candidate: CandleCandidate, context: GateContext): Candle | Verdict {
  const { openTimeMs } = candidate;
  if (!isTime(openTimeMs)) return malformed("open time", "epoch milliseconds");
  if (candidate.open === undefined) return malformed("open", "decimal text");
  if (candidate.high === undefined) return malformed("high", "decimal text");
  if (candidate.low === undefined) return malformed("low", "decimal text");
  if (candidate.close === undefined) return malformed("close", "decimal text");
  if (candidate.volume === undefined) return malformed("volume", "decimal text");
  if (candidate.quoteVolume === undefined) return malformed("quote volume", "decimal text");
  if (candidate.tradeCount === undefined) return malformed("trade count", "a whole number");
  if (!isOnGrid(openTimeMs, context.timeframe)) {
    return {
      rule: "candle.off_grid",
      detail: `${showTime(openTimeMs)} is not on the grid of ${context.timeframe}`,
    };
  }
  if (openTimeMs + timeframeMs(context.timeframe) > context.exchangeNowMs) {
    return {
      rule: "candle.not_closed",
      detail: `it opens at ${showTime(openTimeMs)} and the exchange's clock says ${showTime(context.exchangeNowMs)}`,
    };
  }
  if (candidate.isClosed === false)
    return {
      rule: "candle.not_closed",
      detail: `the exchange says that the candle of ${showTime(openTimeMs)} is still forming`,
    };

  const open = parseDecimal(candidate.open);
  if (open === undefined) return notADecimal("open", candidate.open);
  const high = parseDecimal(candidate.high);
  if (high === undefined) return notADecimal("high", candidate.high);
  const low = parseDecimal(candidate.low);
  if (low === undefined) return notADecimal("low", candidate.low);
  const close = parseDecimal(candidate.close);
  if (close === undefined) return notADecimal("close", candidate.close);
  const volume = parseDecimal(candidate.volume);
  if (volume === undefined) return notADecimal("volume", candidate.volume);
  const quoteVolume = candidate.quoteVolume === null ? undefined : parseDecimal(candidate.quoteVolume);
  if (candidate.quoteVolume !== null && quoteVolume === undefined)
    return notADecimal("quote volume", candidate.quoteVolume);

  const tradeCount = candidate.tradeCount ?? undefined;
  if (tradeCount !== undefined && !Number.isSafeInteger(tradeCount))
    return malformed("trade count", "a whole number");

  const candle: Candle = {
    kind: "candle",
    openTimeMs,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume,
    tradeCount,
  };
  const broken = checkValues(candle);
  return broken === undefined ? candle : { ...broken, candle };
}

/** The rule that the figures of a readable candle break among themselves; undefined when they are possible. */
function checkValues(candle: Candle): Verdict | undefined {
  const { open, high, low, close, volume, quoteVolume, tradeCount } = candle;
  // With low the least and above zero, the three other prices are above zero too.
  if (compareDecimals(high, low) < 0)
    return { rule: "candle.high_below_low", detail: `high ${high} < low ${low}` };
  if (!isPositive(low)) return { rule: "candle.price_not_positive", detail: `low ${low}` };
  if (isOutside(open, low, high))
    return { rule: "candle.open_outside", detail: `open ${open} is not within ${low} … ${high}` };
  if (isOutside(close, low, high))
    return { rule: "candle.close_outside", detail: `close ${close} is not within ${low} … ${high}` };
  if (isNegative(volume)) return { rule: "candle.negative_volume", detail: `volume ${volume}` };
  if (quoteVolume !== undefined && isNegative(quoteVolume))
    return { rule: "candle.negative_volume", detail: `quote volume ${quoteVolume}` };
  if (tradeCount !== undefined && tradeCount < 0)
    return { rule: "candle.negative_volume", detail: `trade count ${tradeCount}` };
  return undefined;
}

/** Infinity lies on every grid, and a negative year in no database. */
function isTime(openTimeMs: number | undefined): openTimeMs is number {
  return openTimeMs !== undefined && Number.isSafeInteger(openTimeMs) && openTimeMs >= 0;
}

function isVerdict(checked: Candle | Verdict): checked is Verdict {
  return "rule" in checked;
}

function isOutside(price: Decimal, low: Decimal, high: Decimal): boolean {
  return compareDecimals(price, low) < 0 || compareDecimals(price, high) > 0;
}

function isSameCandle(a: Candle, b: Candle): boolean {
  return (
    a.open === b.open &&
    a.high === b.high &&
    a.low === b.low &&
    a.close === b.close &&
    a.volume === b.volume &&
    a.quoteVolume === b.quoteVolume &&
    a.tradeCount === b.tradeCount
  );
}

function duplicateOf(openTimeMs: number, isSame: boolean): Verdict {
  const how = isSame ? "unchanged" : "with different values: neither is believed";
  return { rule: "candle.duplicate", detail: `${formatTime(openTimeMs)} stands in the page twice, ${how}` };
}

function outOfOrder(openTimeMs: number, lastOpenTimeMs: number): Verdict {
  const detail = `${formatTime(openTimeMs)} comes after ${formatTime(lastOpenTimeMs)}`;
  return { rule: "candle.out_of_order", detail };
}

function malformed(field: string, expected: string): Verdict {
  return { rule: "candle.malformed", detail: `${field} is missing or not ${expected}` };
}

function notADecimal(field: string, found: string): Verdict {
  return {
    rule: "candle.not_a_decimal",
    detail: `${field} is "${found.slice(0, 40)}", expected digits such as 46319.5`,
  };
}

/** A broken server may send times no calendar knows. */
function showTime(timeMs: number): string {
  return Math.abs(timeMs) <= 8.64e15 ? formatTime(timeMs) : String(timeMs);
}

function toRejection(
  { rule, detail }: Verdict,
  openTimeMs: number | undefined,
  raw: unknown,
): CandleRejection {
  return { rule, detail, openTimeMs: isTime(openTimeMs) ? openTimeMs : undefined, raw: textOf(raw) };
}

function textOf(raw: unknown): string {
  if (typeof raw === "string") return raw;
  try {
    return JSON.stringify(raw) ?? "undefined";
  } catch {
    // Not from JSON, then: a record that cannot be written must not stop the page it stands in.
    return inspect(raw);
  }
}
