// Binance by REST, spot or USDⓈ-M: one protocol on two hosts. In: what the two differ in. Out: the venue contract.
import assert from "node:assert/strict";
import { TIMEFRAMES } from "../../core/timeframe.js";
import type { Exchange, ExchangeOptions } from "../exchange.js";
import { pathOf } from "../rest-client.js";
import type { BookRules } from "../book-rules.js";
import { fetchBookPage, type DepthEndpoint } from "./book-page.js";
import { readCandlePage } from "./candle-page.js";
import { decodeServerTime, type ExchangeInfo } from "./decode.js";
import { createBinanceRest, type BinanceHost } from "./rest.js";
import { createBinanceDialect, type BinanceStreams } from "./stream.js";
import { fetchRawTradePage } from "./raw-trade-page.js";
import { fetchTradePage } from "./trade-page.js";
import type { TradesEndpoint } from "./trade-rows.js";

/** What spot and USDⓈ-M differ in. */
export interface BinanceVenue extends BinanceHost {
  /** `/api/v3` or `/fapi/v1`. */
  readonly pathPrefix: string;
  readonly candlePageRowsMax: number;
  readonly weights: {
    readonly time: number;
    readonly exchangeInfo: number;
    readonly aggTrades: number;
    /** Undefined where raw trades of the past are not told without a key. */
    readonly historicalTrades: number | undefined;
    readonly klines: (limit: number) => number;
  };
  /** Longest range trades may be asked for by time, ms; undefined where any may. */
  readonly tradeWindowMs: number | undefined;
  /** Whether trades are asked for, and told, in microseconds. */
  readonly hasMicroseconds: boolean;
  readonly decodeMarkets: (json: unknown) => ExchangeInfo;
  readonly depth: DepthEndpoint["limits"];
  readonly bookRules: BookRules;
  readonly streams: BinanceStreams;
}

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createBinanceVenue(venue: BinanceVenue, options: ExchangeOptions): Exchange {
  const rest = createBinanceRest(venue, options);
  const { client } = rest;
  const { pathPrefix, weights, candlePageRowsMax } = venue;
  const tradeGrain = options.trades ?? "aggregated";
  const aggTrades: TradesEndpoint = {
    endpoint: `${pathPrefix}/aggTrades`,
    weight: weights.aggTrades,
    windowMs: venue.tradeWindowMs,
    hasMicroseconds: venue.hasMicroseconds,
  };
  const { historicalTrades } = weights;
  const rawTrades: TradesEndpoint | undefined =
    tradeGrain === "raw" && historicalTrades !== undefined
      ? { ...aggTrades, endpoint: `${pathPrefix}/historicalTrades`, weight: historicalTrades }
      : undefined;
  return {
    id: venue.id,
    restUrl: client.restUrl,
    // Binance knows every timeframe of ours, and by the same names.
    traits: { candlePageRowsMax, timeframes: TIMEFRAMES, tradeNumbering: rawTrades ? "fill" : "record" },

    async fetchMarkets(signal) {
      const info = await client.get(
        {
          endpoint: `${pathPrefix}/exchangeInfo`,
          weight: weights.exchangeInfo,
          params: {},
          read: venue.decodeMarkets,
        },
        signal,
      );
      if (info.weightLimit !== undefined) rest.setWeightLimit(info.weightLimit);
      if (info.unreadable.length > 0) {
        options.log.warn(
          { count: info.unreadable.length, first: info.unreadable[0] },
          `${venue.id} lists markets we cannot read`,
        );
      }
      return info.markets;
    },

    fetchServerTime(signal) {
      return client.get(
        { endpoint: `${pathPrefix}/time`, weight: weights.time, params: {}, read: decodeServerTime },
        signal,
      );
    },

    fetchCandles(request, signal) {
      assert(request.fromMs < request.toMs, `candles asked from ${request.fromMs} to ${request.toMs}`);
      assert(request.limit >= 1, `candles asked with a limit of ${request.limit}`);
      const limit = Math.min(request.limit, candlePageRowsMax);
      const question = {
        endpoint: `${pathPrefix}/klines`,
        nativeSymbol: request.nativeSymbol,
        weight: weights.klines(limit),
        params: {
          symbol: request.nativeSymbol,
          interval: request.timeframe,
          startTime: String(request.fromMs),
          // Both ends are inclusive on the open time.
          endTime: String(request.toMs - 1),
          limit: String(limit),
        },
      };
      const path = pathOf(question);
      return client.get(
        { ...question, read: (json) => readCandlePage(json, { ...request, limit, path }) },
        signal,
      );
    },

    fetchTrades(request, signal) {
      assert(request.fromMs < request.toMs, `trades asked from ${request.fromMs} to ${request.toMs}`);
      return rawTrades
        ? fetchRawTradePage(client, { aggTrades, rawTrades }, request, signal)
        : fetchTradePage(client, aggTrades, request, signal);
    },

    live: {
      dialect: createBinanceDialect(venue.streams, tradeGrain),
      bookRules: venue.bookRules,
      fetchBook: (request, signal) =>
        fetchBookPage(client, { endpoint: `${pathPrefix}/depth`, limits: venue.depth }, request, signal),
    },

    condition: rest.condition,

    close: () => client.close(),
  };
}
