// Which rows of a page count against it, and which of two answers to one question is the cleaner one.
import type { CandleBatch, Rejection } from "../../core/model/candle-batch.js";
import { timeframeMs } from "../../core/timeframe.js";

/**
 * The refused rows that say something is wrong. A candle that is still forming, or was a moment ago, is none of them: some
 * venues add it to every page.
 */
export function pageDoubts(
  { rejected, timeframe }: Pick<CandleBatch, "rejected" | "timeframe">,
  exchangeNowMs: number,
): Rejection[] {
  const settledMs = exchangeNowMs - 2 * timeframeMs(timeframe);
  return rejected.filter(({ rule, openTimeMs }) => {
    const isForming =
      rule === "candle.not_closed" &&
      openTimeMs !== undefined &&
      openTimeMs > settledMs &&
      openTimeMs <= exchangeNowMs;
    return !isForming;
  });
}

/** True when `a` holds more candles than `b`, or as many with fewer refused rows. An empty answer is never the cleaner. */
export function isCleaner(
  a: Pick<CandleBatch, "candles" | "rejected">,
  b: Pick<CandleBatch, "candles" | "rejected">,
): boolean {
  if (a.candles.length !== b.candles.length) return a.candles.length > b.candles.length;
  return a.candles.length > 0 && a.rejected.length < b.rejected.length;
}
