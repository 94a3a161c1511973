// The ledger's arithmetic for trades, without a database: ranges of time that carry the ids they hold. Ids decide what is
// complete, time says where it stands.
import type { Evidence } from "../core/model/candle-batch.js";
import type { TimeRange } from "../core/range.js";

/** A range on record. */
export interface TradeCoverage extends TimeRange {
  readonly evidence: Evidence;
  /** Ids `[firstId, lastId]`, all of which are stored; undefined for a void. */
  readonly ids: { readonly firstId: number; readonly lastId: number } | undefined;
}

/**
 * Adds claims to the ranges on record around them.
 * 1. A claim whose ids and time are on record already changes nothing: batches are delivered more than once.
 * 2. Ranges that touch, whose ids follow each other, and that have the same evidence become one.
 * 3. Ranges that touch and whose ids follow each other, with different evidence, stand side by side.
 * 4. Ranges that touch although ids between them are missing are parted by a millisecond: that is a gap, and will be asked
 *    for. So a batch that was lost shows, also where all of its trades share a millisecond with their neighbours.
 * 5. A void is believed only where nothing is on record.
 * @returns the ranges that stand in the place of all of `onRecord`, in order
 */
export function addTradeClaims(
  onRecord: readonly TradeCoverage[],
  claims: readonly TradeCoverage[],
): TradeCoverage[] {
  let ranges = [...onRecord].sort(byStart);
  for (const claim of claims) {
    if (ranges.some((range) => holds(range, claim))) continue;
    ranges = fold([...ranges, claim].sort(byStart));
  }
  return ranges.filter(({ startMs, endMs }) => startMs < endMs);
}

function byStart(a: TradeCoverage, b: TradeCoverage): number {
  return a.startMs - b.startMs || (a.ids?.firstId ?? 0) - (b.ids?.firstId ?? 0);
}

function holds(range: TradeCoverage, claim: TradeCoverage): boolean {
  if (range.startMs > claim.startMs || range.endMs < claim.endMs) return false;
  if (claim.ids === undefined) return true;
  return (
    range.ids !== undefined && range.ids.firstId <= claim.ids.firstId && range.ids.lastId >= claim.ids.lastId
  );
}

function fold(sorted: readonly TradeCoverage[]): TradeCoverage[] {
  const folded: TradeCoverage[] = [];
  for (const next of sorted) {
    const last = folded.pop();
    if (last === undefined) folded.push(next);
    else folded.push(...meet(last, next));
  }
  return folded;
}

/** Two ranges in order, as one or two that do not overlap. */
function meet(last: TradeCoverage, next: TradeCoverage): TradeCoverage[] {
  if (next.startMs > last.endMs) return [last, next];
  if (last.ids === undefined || next.ids === undefined) return besideVoid(last, next);
  const isContinued = next.ids.firstId <= last.ids.lastId + 1 && next.ids.firstId >= last.ids.firstId;
  if (!isContinued) return parted(last, next);
  const endMs = Math.max(last.endMs, next.endMs);
  const lastId = Math.max(last.ids.lastId, next.ids.lastId);
  const isShort = next.endMs <= last.endMs;
  if (last.evidence === next.evidence || isShort)
    return [{ ...last, endMs, ids: { firstId: last.ids.firstId, lastId } }];
  const firstId = last.ids.lastId + 1;
  // Nothing new but time: the older evidence is stretched.
  if (firstId > next.ids.lastId) return [{ ...last, endMs }];
  return [last, { ...next, startMs: last.endMs, ids: { firstId, lastId: next.ids.lastId } }];
}

function besideVoid(last: TradeCoverage, next: TradeCoverage): TradeCoverage[] {
  // Rows beat a void; of two voids the first stands.
  if (last.ids === undefined && next.ids !== undefined) {
    const before = { ...last, endMs: Math.min(last.endMs, next.startMs) };
    const after = { ...last, startMs: Math.max(next.endMs, last.startMs) };
    return [before, next, after].filter(({ startMs, endMs }) => startMs < endMs);
  }
  return [last, { ...next, startMs: Math.max(next.startMs, last.endMs) }].filter(
    ({ startMs, endMs }) => startMs < endMs,
  );
}

/** A millisecond between the two, taken from the one that can spare it. */
function parted(last: TradeCoverage, next: TradeCoverage): TradeCoverage[] {
  const borderMs = Math.max(next.startMs, Math.min(last.endMs, next.endMs - 1));
  if (borderMs - 1 > last.startMs)
    return [
      { ...last, endMs: borderMs - 1 },
      { ...next, startMs: borderMs },
    ];
  return [
    { ...last, endMs: Math.min(last.endMs, borderMs) },
    { ...next, startMs: borderMs + 1 },
  ];
}
