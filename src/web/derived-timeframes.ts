// Which longer candles can be made of what is stored of a market.
import type { Timeframe } from "../core/timeframe.js";
import { DERIVED_FROM, DERIVED_TIMEFRAMES } from "../store/api/derived-candles.js";
import type { Market } from "./contract.js";

/** None without minutes; a stored series of the same timeframe takes the place of what could be made. Shortest first. */
export function derivedTimeframes(series: Market["series"]): Timeframe[] {
  const stored = new Set(series.map(({ timeframe }) => timeframe));
  return stored.has(DERIVED_FROM) ? DERIVED_TIMEFRAMES.filter((timeframe) => !stored.has(timeframe)) : [];
}
