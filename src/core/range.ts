// Half-open ranges of time and their set algebra: what coverage, voids and gaps are made of.

/** `[startMs, endMs)` in epoch milliseconds. */
export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

/** Sorts, drops empty ranges, and joins those that overlap or touch. */
export function mergeRanges(ranges: readonly TimeRange[]): TimeRange[] {
  const sorted = ranges.filter((range) => range.startMs < range.endMs).sort((a, b) => a.startMs - b.startMs);
  const merged: { startMs: number; endMs: number }[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last && range.startMs <= last.endMs) last.endMs = Math.max(last.endMs, range.endMs);
    else merged.push({ startMs: range.startMs, endMs: range.endMs });
  }
  return merged;
}

/** What of `whole` is in none of `parts`, merged and in order. */
export function subtractRanges(whole: readonly TimeRange[], parts: readonly TimeRange[]): TimeRange[] {
  const holes = mergeRanges(parts);
  const rest: TimeRange[] = [];
  let hole = 0;
  for (const range of mergeRanges(whole)) {
    let startMs = range.startMs;
    while (hole < holes.length && (holes[hole]?.endMs ?? 0) <= startMs) hole++;
    for (let i = hole; i < holes.length && startMs < range.endMs; i++) {
      const next = holes[i];
      if (!next || next.startMs >= range.endMs) break;
      if (next.startMs > startMs) rest.push({ startMs, endMs: next.startMs });
      startMs = Math.max(startMs, next.endMs);
    }
    if (startMs < range.endMs) rest.push({ startMs, endMs: range.endMs });
  }
  return rest;
}

/** What lies both in `a` and in `b`. */
export function intersectRanges(a: readonly TimeRange[], b: readonly TimeRange[]): TimeRange[] {
  return subtractRanges(a, subtractRanges(a, b));
}

/** The summed length in milliseconds of ranges that do not overlap. */
export function totalMs(ranges: readonly TimeRange[]): number {
  return ranges.reduce((sum, range) => sum + range.endMs - range.startMs, 0);
}
