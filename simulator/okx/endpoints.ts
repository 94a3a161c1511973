// Every endpoint of OKX v5 that is simulated, by path.
import { candles, historyCandles } from "./candles.js";
import type { OkxEndpoint } from "./endpoint.js";
import { instruments, status, time } from "./public-data.js";
import { books, ticker, tickers } from "./tickers.js";
import { historyTrades, trades } from "./trades.js";

export const OKX_ENDPOINTS: ReadonlyMap<string, OkxEndpoint> = new Map(
  [time, instruments, status, candles, historyCandles, trades, historyTrades, ticker, tickers, books].map(
    (endpoint) => [endpoint.path, endpoint],
  ),
);
