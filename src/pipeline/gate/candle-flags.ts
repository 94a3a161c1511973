// Which candles are remarkable: a jump of the price or a spike of the volume, measured by what is usual around them.
// Nothing is refused here: markets do jump.
//
// 1. What is usual is the median over the 60 candles before: of the returns |ln(close / previous close)| between directly
//    adjacent ones, and of the volumes that are not zero. The candle's own figures are not among them.
// 2. A candle with 20 known candles before it is judged by those alone, so that the verdict does not depend on how a range
//    was cut into pages. One with fewer (the start of a series) is judged by the candles after it as well.
// 3. With fewer than 10 figures there is no saying what is usual: not judged.
import { CANDLE_FLAGS } from "../../core/model/candle-flags.js";
import { timeframeMs, type Timeframe } from "../../core/timeframe.js";
import { RollingMedian } from "./rolling-median.js";
import type { Validation } from "./validation.js";

/** What the check needs of a candle. Prices above zero, volumes not below; decimal text. */
export interface Neighbour {
  readonly openTimeMs: number;
  readonly close: string;
  readonly volume: string;
}

export interface FlagContext extends Pick<Validation, "maxPriceJump" | "maxVolumeSpike"> {
  readonly timeframe: Timeframe;
  /** The candles known before the first one, ascending; the last {@link NEIGHBOURS} + 1 are enough. */
  readonly before: readonly Neighbour[];
}

/** An hour of 1m candles: long enough for a steady median, short enough to follow a market's mood. */
export const NEIGHBOURS = 60;
/** The candles before a page that its verdicts depend on: one more, for the first return. */
export const CONTEXT_CANDLES = NEIGHBOURS + 1;
/** A median of 20 varies by about a quarter from sample to sample: little beside thresholds of 20 and more. */
const NEIGHBOURS_MIN = 20;
/** Below that, one odd figure moves the median itself. */
const FIGURES_MIN = 10;
/**
 * The least return that is taken for usual. Where nothing moves the median is zero, and one tick would be an endless
 * multiple of it. 2 basis points is what a quiet minute of the most liquid markets moves; no other is held to less.
 */
const RETURN_FLOOR = 0.0002;

/**
 * Judges ascending candles.
 * @returns flags by open time, only of those that have one
 */
export function flagCandles(candles: readonly Neighbour[], context: FlagContext): Map<number, number> {
  const flags = new Map<number, number>();
  const firstMs = candles[0]?.openTimeMs ?? -Infinity;
  const before = context.before.slice(-CONTEXT_CANDLES).filter(({ openTimeMs }) => openTimeMs < firstMs);
  const { returns, volumes } = figuresOf([...before, ...candles], timeframeMs(context.timeframe));
  const usualReturn = usualBefore(returns, before.length);
  const usualVolume = usualBefore(volumes, before.length);
  for (let i = 0; i < candles.length; i++) {
    const at = before.length + i;
    // A figure that is not there, or nothing to measure it by, is NaN, and no comparison with NaN is true.
    const isJump =
      figureAt(returns, at) > context.maxPriceJump * Math.max(figureAt(usualReturn, i), RETURN_FLOOR);
    const isSpike = figureAt(volumes, at) > context.maxVolumeSpike * figureAt(usualVolume, i);
    const bits = (isJump ? CANDLE_FLAGS.price_jump : 0) | (isSpike ? CANDLE_FLAGS.volume_spike : 0);
    if (bits !== 0) flags.set(candles[i]?.openTimeMs ?? NaN, bits);
  }
  return flags;
}

function figureAt(figures: Float64Array, index: number): number {
  return figures[index] ?? NaN;
}

/** NaN stands for a return across a hole and for a volume of zero. */
function figuresOf(
  candles: readonly Neighbour[],
  lengthMs: number,
): { returns: Float64Array; volumes: Float64Array } {
  const returns = new Float64Array(candles.length);
  const volumes = new Float64Array(candles.length);
  let previousMs = NaN;
  let previousLog = NaN;
  candles.forEach(({ openTimeMs, close, volume }, i) => {
    const log = Math.log(Number(close));
    returns[i] = openTimeMs - previousMs === lengthMs ? Math.abs(log - previousLog) : NaN;
    const amount = Number(volume);
    volumes[i] = amount > 0 ? amount : NaN;
    previousMs = openTimeMs;
    previousLog = log;
  });
  return { returns, volumes };
}

/** The median of the figures around each index from `first` on; NaN where there are too few. */
function usualBefore(figures: Float64Array, first: number): Float64Array {
  const usual = new Float64Array(figures.length - first);
  const window = new RollingMedian(NEIGHBOURS);
  for (let at = 0; at < figures.length; at++) {
    if (at >= first)
      usual[at - first] =
        at < NEIGHBOURS_MIN ? medianAround(figures, at) : window.size < FIGURES_MIN ? NaN : window.median();
    const entering = figureAt(figures, at);
    const leaving = figureAt(figures, at - NEIGHBOURS);
    if (!Number.isNaN(leaving)) window.remove(leaving);
    if (!Number.isNaN(entering)) window.add(entering);
  }
  return usual;
}

/** For the first few of a series: the figures before and after, as many as there would be before. */
function medianAround(figures: Float64Array, at: number): number {
  const window = new RollingMedian(NEIGHBOURS);
  for (let i = 0; i < Math.min(figures.length, NEIGHBOURS + 1); i++)
    if (i !== at && !Number.isNaN(figureAt(figures, i))) window.add(figureAt(figures, i));
  return window.size < FIGURES_MIN ? NaN : window.median();
}
