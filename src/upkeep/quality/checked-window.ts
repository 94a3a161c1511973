// Which candles a check is about: whole ones, so both bounds lie on the timeframe's grid.
import type { TimeRange } from "../../core/range.js";
import { ceilToTimeframe, floorToTimeframe, timeframeMs, type Timeframe } from "../../core/timeframe.js";

export type CheckedTime = { readonly lookbackMs: number } | { readonly range: TimeRange };

/**
 * The candles that lie wholly in a range; or the last ones closed before `nowMs`, enough of them to fill the lookback, and
 * at least one: or a look back of a day would never see a candle of a day.
 */
export function checkedWindow(
  time: CheckedTime,
  timeframe: Timeframe,
  nowMs: number,
): TimeRange & { readonly timeframe: Timeframe } {
  if ("range" in time) {
    const startMs = ceilToTimeframe(time.range.startMs, timeframe);
    return { timeframe, startMs, endMs: Math.max(startMs, floorToTimeframe(time.range.endMs, timeframe)) };
  }
  const lengthMs = timeframeMs(timeframe);
  const endMs = floorToTimeframe(nowMs, timeframe);
  const candles = Math.max(1, Math.ceil(time.lookbackMs / lengthMs));
  return { timeframe, startMs: endMs - candles * lengthMs, endMs };
}
