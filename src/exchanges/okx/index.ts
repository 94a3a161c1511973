// OKX v5 by REST: spot and linear swaps. The venue contract over public endpoints, which need no key.
import assert from "node:assert/strict";
import type { Decimal } from "../../core/decimal.js";
import { TickwellError } from "../../core/fault.js";
import type { MarketInfo } from "../../core/model/market.js";
import type { Exchange, ExchangeOptions } from "../exchange.js";
import { OKX_TIMEFRAMES } from "./bars.js";
import { fetchBookPage } from "./book-page.js";
import { OKX_BOOK_RULES } from "./book-rules.js";
import { CANDLES_MAX, OkxCandles } from "./candle-page.js";
import { decodeInstruments, decodeMaintenance, decodeServerTime } from "./decode.js";
import { createOkxRest, OKX_ENDPOINTS } from "./rest.js";
import { createOkxDialect } from "./stream.js";
import { fetchTradePage } from "./trade-page.js";

/** OKX changes the size of a contract now and then, and announces it days ahead. */
const CONTRACT_SIZES_KEPT_MS = 3_600_000;

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createOkx(options: ExchangeOptions): Exchange {
  const { clock, log } = options;
  const { client, condition } = createOkxRest(options);
  let swaps: { readonly sizes: ReadonlyMap<string, Decimal | undefined>; readonly atMs: number } | undefined;

  async function fetchInstruments(
    instType: "SPOT" | "SWAP",
    signal: AbortSignal,
  ): Promise<readonly MarketInfo[]> {
    const { markets, unreadable } = await client.get(
      {
        endpoint: OKX_ENDPOINTS.instruments,
        weight: 1,
        params: { instType },
        read: (json) => decodeInstruments(json, instType),
      },
      signal,
    );
    if (unreadable.length > 0)
      log.warn({ count: unreadable.length, first: unreadable[0] }, "okx lists markets we cannot read");
    if (instType === "SWAP") {
      const sizes = new Map(markets.map(({ nativeSymbol, contractSize }) => [nativeSymbol, contractSize]));
      swaps = { sizes, atMs: clock.nowMs() };
    }
    return markets;
  }

  /** Base units of one contract; undefined on the spot market, whose quantities are in base units. */
  async function contractSizeOf(nativeSymbol: string, signal: AbortSignal): Promise<Decimal | undefined> {
    if (!isSwap(nativeSymbol)) return undefined;
    if (swaps === undefined || clock.nowMs() - swaps.atMs > CONTRACT_SIZES_KEPT_MS)
      await fetchInstruments("SWAP", signal);
    const size = swaps?.sizes.get(nativeSymbol);
    if (size !== undefined) return size;
    throw new TickwellError(
      { kind: "bad_symbol", code: undefined },
      `okx ${nativeSymbol}: it is not among the linear swaps OKX lists, so that the size of its contracts is unknown; check the symbol`,
    );
  }

  return {
    id: "okx",
    restUrl: client.restUrl,
    traits: { candlePageRowsMax: CANDLES_MAX, timeframes: OKX_TIMEFRAMES, tradeNumbering: "fill" },

    async fetchMarkets(signal) {
      return [...(await fetchInstruments("SPOT", signal)), ...(await fetchInstruments("SWAP", signal))];
    },

    fetchServerTime(signal) {
      return client.get(
        { endpoint: OKX_ENDPOINTS.time, weight: 1, params: {}, read: decodeServerTime },
        signal,
      );
    },

    fetchCandles(request, signal) {
      assert(request.fromMs < request.toMs, `candles asked from ${request.fromMs} to ${request.toMs}`);
      assert(request.limit >= 1, `candles asked with a limit of ${request.limit}`);
      const { nativeSymbol, timeframe } = request;
      const market = { nativeSymbol, timeframe, isSwap: isSwap(nativeSymbol) };
      const candles = new OkxCandles(client, market, { nowMs: clock.nowMs(), signal });
      return candles.fetchPage({ ...request, limit: Math.min(request.limit, CANDLES_MAX) });
    },

    async fetchTrades(request, signal) {
      assert(request.fromMs < request.toMs, `trades asked from ${request.fromMs} to ${request.toMs}`);
      const contractSize = await contractSizeOf(request.nativeSymbol, signal);
      return fetchTradePage(client, request, { contractSize, nowMs: clock.nowMs() }, signal);
    },

    live: {
      dialect: createOkxDialect(options.trades ?? "raw"),
      bookRules: OKX_BOOK_RULES,
      fetchBook: (request, signal) => fetchBookPage(client, request, signal),
    },

    fetchMaintenance(signal) {
      return client.get(
        { endpoint: OKX_ENDPOINTS.status, weight: 1, params: {}, read: decodeMaintenance },
        signal,
      );
    },

    condition,

    close: () => client.close(),
  };
}

function isSwap(nativeSymbol: string): boolean {
  return nativeSymbol.endsWith("-SWAP");
}
