// Which minutes a deep check looks at: drawn at random, a quarter each from the last hour, from voids and from flagged
// candles as far as there are any, the rest from everything that should be held.
import type { Random } from "../../core/random.js";
import { intersectRanges, mergeRanges, totalMs, type TimeRange } from "../../core/range.js";

export interface SamplePlanInput {
  readonly count: number;
  /** What should be held of the range that is checked, on full minutes. */
  readonly expected: readonly TimeRange[];
  readonly voids: readonly TimeRange[];
  /** Open times of flagged candles, epoch ms. */
  readonly flagged: readonly number[];
  readonly random: Random;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Of four parts, three are for minutes that are more often wrong than others. */
const SHARE = 4;
/** Draws for one minute before a crowded range is left. */
const DRAWS_MAX = 20;

/** Open times in order, each once; fewer than `count` only where there are no more minutes. */
export function planSamples({ count, expected, voids, flagged, random }: SamplePlanInput): number[] {
  const whole = mergeRanges(expected);
  const endMs = whole.at(-1)?.endMs ?? 0;
  const taken = new Set<number>();
  const draw = (ranges: readonly TimeRange[], wanted: number): void =>
    drawMinutes(ranges, wanted, taken, random);
  const part = Math.floor(count / SHARE);
  draw(intersectRanges(whole, [{ startMs: endMs - HOUR_MS, endMs }]), part);
  draw(intersectRanges(whole, voids), part);
  const flaggedRanges = flagged.map((startMs) => ({ startMs, endMs: startMs + MINUTE_MS }));
  draw(intersectRanges(whole, flaggedRanges), part);
  draw(whole, count - taken.size);
  return [...taken].sort((a, b) => a - b);
}

function drawMinutes(ranges: readonly TimeRange[], wanted: number, taken: Set<number>, random: Random): void {
  const minutes = totalMs(ranges) / MINUTE_MS;
  const end = taken.size + wanted;
  // A range of few minutes is gone through in order instead: drawing would find the last of them by luck only.
  if (minutes <= 2 * wanted) {
    for (let i = 0; i < minutes && taken.size < end; i++) taken.add(minuteAt(ranges, i));
    return;
  }
  for (let draws = 0; draws < wanted * DRAWS_MAX && taken.size < end; draws++)
    taken.add(minuteAt(ranges, Math.floor(random.next() * minutes)));
}

/** The open time of the minute at this place among the ranges' minutes. */
function minuteAt(ranges: readonly TimeRange[], place: number): number {
  let left = place * MINUTE_MS;
  for (const { startMs, endMs } of ranges) {
    if (left < endMs - startMs) return startMs + left;
    left -= endMs - startMs;
  }
  throw new RangeError(`minute ${place} of ${totalMs(ranges) / MINUTE_MS}`);
}
