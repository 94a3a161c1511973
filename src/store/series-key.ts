// What names a series.
import type { Timeframe } from "../core/timeframe.js";

/** Candles of one market and timeframe. */
export interface SeriesKey {
  readonly marketId: number;
  readonly timeframe: Timeframe;
}
