// The longer candles that the database derives from minutes: views, or continuous aggregates of the same names.
import type { Timeframe } from "../core/timeframe.js";

/** Shortest first; the migrations create them. */
export const AGGREGATE_VIEWS = [
  { view: "ohlcv_5m", timeframe: "5m" },
  { view: "ohlcv_15m", timeframe: "15m" },
  { view: "ohlcv_1h", timeframe: "1h" },
  { view: "ohlcv_4h", timeframe: "4h" },
  { view: "ohlcv_1d", timeframe: "1d" },
] as const satisfies readonly { view: string; timeframe: Timeframe }[];
