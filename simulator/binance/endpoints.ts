// Every endpoint of Binance spot and of its USDⓈ-M futures that is simulated, by path.
import { depth, futuresDepth } from "./depth.js";
import type { Endpoint } from "./endpoint.js";
import { exchangeInfo, pingAt, timeAt } from "./exchange-info.js";
import { futuresExchangeInfo } from "./futures-info.js";
import { futuresKlines, klines, uiKlines } from "./klines.js";
import { bookTicker, ticker24hr, tickerPrice } from "./tickers.js";
import { aggTrades, futuresAggTrades, historicalTrades, trades } from "./trades.js";

export type EndpointMap = ReadonlyMap<string, Endpoint>;

export const SPOT_ENDPOINTS: EndpointMap = byPath([
  pingAt("/api/v3"),
  timeAt("/api/v3"),
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
]);

export const FUTURES_ENDPOINTS: EndpointMap = byPath([
  pingAt("/fapi/v1"),
  timeAt("/fapi/v1"),
  futuresExchangeInfo,
  futuresKlines,
  futuresAggTrades,
  futuresDepth,
]);

function byPath(endpoints: readonly Endpoint[]): EndpointMap {
  return new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
}
