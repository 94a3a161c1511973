// The gate for trades: one pass over a page, each field read once. What is impossible is refused with a named rule and
// kept; nothing is corrected, nothing dropped. Where fills are numbered without holes, the holes found are told.
import { inspect } from "node:util";
import { isPositive, parseDecimal } from "../../core/decimal.js";
import type { Trade, TradeCandidate } from "../../core/model/trade.js";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";

/** Every rule a trade can break, with the sentence that explains it to a user. */
export const TRADE_RULES = {
  "trade.malformed": "a field is missing or of the wrong type",
  "trade.not_a_decimal": "the price or the quantity is not decimal text",
  "trade.price_not_positive": "the price is zero or negative",
  "trade.qty_not_positive": "the quantity is zero or negative",
  "trade.not_yet": "the time is after the exchange's clock",
  "trade.outside_range": "the time is not within what was asked for",
  "trade.duplicate": "the id stands in the page twice",
  "trade.out_of_order": "the id, or that of a fill in it, is not above those of the row above",
} as const satisfies Record<string, string>;

export type TradeRule = keyof typeof TRADE_RULES;

export interface TradeGateContext {
  /** The exchange's clock, epoch ms: a trade after it has not happened. Not looked at when absent. */
  readonly exchangeNowMs?: number | undefined;
  /** What was asked for. Not looked at when absent. */
  readonly range?: TimeRange | undefined;
  /** True where the venue numbers fills one by one: then a missing number is a trade that is missing. */
  readonly hasContiguousIds: boolean;
  /** The last trade of the page before: ids go on from there. */
  readonly previous?: Pick<Trade, "id" | "lastFillId"> | undefined;
}

/** A row the gate refused. */
export interface TradeRejection {
  readonly rule: TradeRule;
  /** What was found and what would have been right. */
  readonly detail: string;
  readonly id: number | undefined;
  readonly timeMs: number | undefined;
  /** The row as received, as JSON text. */
  readonly raw: string;
}

/** Fills that stand nowhere between two neighbours of a page: `[firstMissingId, lastMissingId]`. */
export interface IdGap {
  readonly firstMissingId: number;
  readonly lastMissingId: number;
}

export interface TradeGateResult {
  /** Ascending by id, each once. */
  readonly trades: readonly Trade[];
  readonly rejected: readonly TradeRejection[];
  /** Empty where ids are not contiguous; a refused row's own ids stand here too. */
  readonly idGaps: readonly IdGap[];
}

interface Verdict {
  readonly rule: TradeRule;
  readonly detail: string;
}

/**
 * The exchange's clock is known to us through a question that takes as long as it takes. Ids decide what is complete: a good trade refused
 * for a slow answer costs more than one that is a few seconds early.
 */
const CLOCK_TOLERANCE_MS = 10_000;

/**
 * Checks a page of trades in the order of their ids.
 *
 * A row repeated unchanged is refused once and kept once. Two rows with one id that differ are both refused: there is no
 * telling which is right.
 */
export function validateTrades(
  candidates: readonly TradeCandidate[],
  context: TradeGateContext,
): TradeGateResult {
  const accepted: { readonly trade: Trade; readonly raw: unknown }[] = [];
  const byId = new Map<number, Trade>();
  const contradicted = new Set<number>();
  const rejected: TradeRejection[] = [];
  let lastId = context.previous?.id ?? -1;
  let lastFillId = context.previous?.lastFillId ?? -1;
  for (const candidate of candidates) {
    const checked = checkTrade(candidate, context);
    if ("rule" in checked) {
      rejected.push(toRejection(checked, candidate));
      continue;
    }
    const earlier = byId.get(checked.id);
    if (earlier !== undefined) {
      const isSame = isSameTrade(earlier, checked);
      if (!isSame) contradicted.add(checked.id);
      rejected.push(toRejection(duplicateOf(checked.id, isSame), candidate));
      continue;
    }
    if (checked.id <= lastId || checked.firstFillId <= lastFillId) {
      const detail = `trade ${checked.id} with fills from ${checked.firstFillId} comes after trade ${lastId} with fills to ${lastFillId}`;
      rejected.push(toRejection({ rule: "trade.out_of_order", detail }, candidate));
      continue;
    }
    ({ id: lastId, lastFillId } = checked);
    byId.set(checked.id, checked);
    accepted.push({ trade: checked, raw: candidate.raw });
  }
  const trades: Trade[] = [];
  for (const { trade, raw } of accepted) {
    if (contradicted.has(trade.id)) {
      rejected.push(toRejection(duplicateOf(trade.id, false), { ...trade, raw }));
    } else trades.push(trade);
  }
  return { trades, rejected, idGaps: context.hasContiguousIds ? findIdGaps(trades, context.previous) : [] };
}

/** Checks one trade by itself, as a live stream hands it over; order and duplicates are the tracker's to see. */
export function judgeTrade(
  candidate: TradeCandidate,
  context: Pick<TradeGateContext, "exchangeNowMs" | "range">,
): Trade | TradeRejection {
  const checked = checkTrade(candidate, context);
  return "rule" in checked ? toRejection(checked, candidate) : checked;
}

function checkTrade(
  candidate: TradeCandidate,
  context: Pick<TradeGateContext, "exchangeNowMs" | "range">,
): Trade | Verdict {
  const { id, firstFillId, lastFillId, timeMs, microsecond = 0, side } = candidate;
  if (!isCount(id)) return malformed("id", "a whole number");
  if (!isCount(firstFillId)) return malformed("first fill id", "a whole number");
  if (!isCount(lastFillId)) return malformed("last fill id", "a whole number");
  if (lastFillId < firstFillId) return malformed("last fill id", `${firstFillId} or above`);
  if (!isCount(timeMs)) return malformed("time", "epoch milliseconds");
  if (candidate.price === undefined) return malformed("price", "decimal text");
  if (candidate.qty === undefined) return malformed("quantity", "decimal text");
  if (side === undefined) return malformed("side", "buy or sell");
  if (!isCount(microsecond) || microsecond > 999) return malformed("microsecond", "0 to 999");
  const price = parseDecimal(candidate.price);
  if (price === undefined) return notADecimal("price", candidate.price);
  const qty = parseDecimal(candidate.qty);
  if (qty === undefined) return notADecimal("quantity", candidate.qty);
  if (!isPositive(price)) return { rule: "trade.price_not_positive", detail: `price ${price}` };
  if (!isPositive(qty)) return { rule: "trade.qty_not_positive", detail: `quantity ${qty}` };
  const { exchangeNowMs = Infinity, range } = context;
  if (timeMs > exchangeNowMs + CLOCK_TOLERANCE_MS) {
    return {
      rule: "trade.not_yet",
      detail: `it is of ${showTime(timeMs)} and the exchange's clock says ${showTime(exchangeNowMs)}`,
    };
  }
  if (range && (timeMs < range.startMs || timeMs >= range.endMs)) {
    return {
      rule: "trade.outside_range",
      detail: `it is of ${showTime(timeMs)}, asked for was ${showTime(range.startMs)} to ${showTime(range.endMs)}`,
    };
  }
  return { kind: "trade", id, firstFillId, lastFillId, timeMs, microsecond, price, qty, side };
}

function findIdGaps(trades: readonly Trade[], previous: TradeGateContext["previous"]): IdGap[] {
  const gaps: IdGap[] = [];
  let lastFillId = previous?.lastFillId;
  for (const trade of trades) {
    if (lastFillId !== undefined && trade.firstFillId > lastFillId + 1)
      gaps.push({ firstMissingId: lastFillId + 1, lastMissingId: trade.firstFillId - 1 });
    lastFillId = trade.lastFillId;
  }
  return gaps;
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value >= 0;
}

/** Whether two records of one id say the same; a time in microseconds and one in milliseconds may. */
export function isSameTrade(a: Trade, b: Trade): boolean {
  return (
    a.firstFillId === b.firstFillId &&
    a.lastFillId === b.lastFillId &&
    a.timeMs === b.timeMs &&
    a.price === b.price &&
    a.qty === b.qty &&
    a.side === b.side
  );
}

function duplicateOf(id: number, isSame: boolean): Verdict {
  const how = isSame ? "unchanged" : "with different values: neither is believed";
  return { rule: "trade.duplicate", detail: `trade ${id} stands in the page twice, ${how}` };
}

function malformed(field: string, expected: string): Verdict {
  return { rule: "trade.malformed", detail: `${field} is missing or not ${expected}` };
}

function notADecimal(field: string, found: string): Verdict {
  return {
    rule: "trade.not_a_decimal",
    detail: `${field} is "${found.slice(0, 40)}", expected digits such as 46319.5`,
  };
}

/** A broken server may send times no calendar knows. */
function showTime(timeMs: number): string {
  return Math.abs(timeMs) <= 8.64e15 ? formatTime(timeMs) : String(timeMs);
}

function toRejection(
  { rule, detail }: Verdict,
  { id, timeMs, raw }: Pick<TradeCandidate, "id" | "timeMs" | "raw">,
): TradeRejection {
  return {
    rule,
    detail,
    id: isCount(id) ? id : undefined,
    timeMs: isCount(timeMs) ? timeMs : undefined,
    raw: textOf(raw),
  };
}

/** A record as its source wrote it, as text. */
export function textOf(raw: unknown): string {
  if (typeof raw === "string") return raw;
  try {
    return JSON.stringify(raw) ?? "undefined";
  } catch {
    // Not from JSON, then: a record that cannot be written must not stop the page it stands in.
    return inspect(raw);
  }
}
