// The ledger's arithmetic, without a database: how claims change the ranges on record. Ranges of one series never
// overlap; neighbours with the same evidence are one range; a void keeps its own proof and is never merged.
import { mergeRanges, subtractRanges, type TimeRange } from "../core/range.js";
import type { Evidence, VoidClaim } from "../core/model/candle-batch.js";

export interface CoverageRange extends TimeRange {
  readonly evidence: Evidence;
  /** Only for voids. */
  readonly proof: VoidClaim["proof"] | undefined;
}

/** What one page proves. */
export interface Claims {
  /** Filled by rows without a hole. */
  readonly covered: readonly TimeRange[];
  readonly evidence: Exclude<Evidence, "exchange_void">;
  readonly voids: readonly VoidClaim[];
}

/**
 * Applies one page's claims to the ranges on record.
 * 1. Rows beat a void: a candle that exists after all cuts the void it lies in.
 * 2. The exchange's own evidence replaces that of an imported file, never the other way round.
 * 3. A void is believed only where nothing is stored.
 * @param onRecord all ranges of the series that overlap or touch the claims
 * @returns the ranges that stand in their place, in order
 */
export function applyClaims(onRecord: readonly CoverageRange[], claims: Claims): CoverageRange[] {
  const covered = mergeRanges(claims.covered);
  const isReplacedBy = (range: CoverageRange): boolean =>
    range.evidence === "exchange_void" || (range.evidence === "import" && claims.evidence !== "import");

  const next: CoverageRange[] = [];
  for (const range of onRecord) {
    const rest = isReplacedBy(range) ? subtractRanges([range], overlapping(covered, range)) : [range];
    for (const part of rest) next.push({ ...part, evidence: range.evidence, proof: range.proof });
  }
  for (const range of subtractRanges(covered, next))
    next.push({ ...range, evidence: claims.evidence, proof: undefined });
  const taken = mergeRanges(next);
  const claimed: TimeRange[] = [];
  for (const claim of claims.voids) {
    const known = [...overlapping(taken, claim), ...claimed.filter((range) => overlap(range, claim))];
    for (const range of subtractRanges([claim], known))
      next.push({ ...range, evidence: "exchange_void", proof: claim.proof });
    claimed.push(claim);
  }
  return joinNeighbours(next);
}

/** Those of `merged`, as mergeRanges gives them, that overlap `range`; found by halving, for both may be thousands. */
function overlapping(merged: readonly TimeRange[], range: TimeRange): TimeRange[] {
  let from = 0;
  let to = merged.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((merged[middle]?.endMs ?? Infinity) <= range.startMs) from = middle + 1;
    else to = middle;
  }
  let end = from;
  while ((merged[end]?.startMs ?? Infinity) < range.endMs) end++;
  return merged.slice(from, end);
}

function overlap(a: TimeRange, b: TimeRange): boolean {
  return a.startMs < b.endMs && a.endMs > b.startMs;
}

function joinNeighbours(ranges: readonly CoverageRange[]): CoverageRange[] {
  const joined: CoverageRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.startMs - b.startMs)) {
    const last = joined.at(-1);
    const isOneRange =
      last?.endMs === range.startMs && last.evidence === range.evidence && range.evidence !== "exchange_void";
    if (last && isOneRange) joined[joined.length - 1] = { ...last, endMs: range.endMs };
    else
      joined.push({
        startMs: range.startMs,
        endMs: range.endMs,
        evidence: range.evidence,
        proof: range.proof,
      });
  }
  return joined;
}

/** The runs of neighbours among candles in ascending order: what they cover. */
export function runsOf(openTimesMs: Iterable<number>, lengthMs: number): TimeRange[] {
  const runs: { startMs: number; endMs: number }[] = [];
  let last: { startMs: number; endMs: number } | undefined;
  for (const openTimeMs of openTimesMs) {
    if (last?.endMs === openTimeMs) last.endMs = openTimeMs + lengthMs;
    else runs.push((last = { startMs: openTimeMs, endMs: openTimeMs + lengthMs }));
  }
  return runs;
}
