// Every endpoint of Binance spot that is simulated, by path.
import { depth } from "./depth.js";
import type { Endpoint } from "./endpoint.js";
import { exchangeInfo, ping, time } from "./exchange-info.js";
import { klines, uiKlines } from "./klines.js";
import { bookTicker, ticker24hr, tickerPrice } from "./tickers.js";
import { aggTrades, historicalTrades, trades } from "./trades.js";

export const BINANCE_ENDPOINTS: ReadonlyMap<string, Endpoint> = new Map(
  [
    ping,
    time,
    exchangeInfo,
    klines,
    uiKlines,
    aggTrades,
    trades,
    historicalTrades,
    depth,
    tickerPrice,
    bookTicker,
    ticker24hr,
  ].map((endpoint) => [endpoint.path, endpoint]),
);
