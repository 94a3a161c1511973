// GET /api/v5/market/ticker and /market/tickers: plausible, and no part of the ground truth. GET /market/books: the
// market's book at this moment, the same that the streams change.
import { floorToTimeframe } from "../../src/core/timeframe.js";
import { canonicalText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { take } from "../take.js";
import { findMarket, liveMarkets, sizeText, type OkxEndpoint } from "./endpoint.js";
import { writeSides } from "./levels.js";
import { instrumentType } from "./public-data.js";

const HOUR_MS = 3_600_000;

export const ticker: OkxEndpoint = {
  path: "/api/v5/market/ticker",
  requests: 20,
  answer: (parameters, venue) => [writeTicker(findMarket(venue, parameters.required("instId")), venue.nowMs)],
};

export const tickers: OkxEndpoint = {
  path: "/api/v5/market/tickers",
  requests: 20,
  answer(parameters, venue) {
    const type = parameters.required("instType");
    return liveMarkets(venue)
      .filter((market) => instrumentType(market) === type)
      .map((market) => writeTicker(market, venue.nowMs));
  },
};

export const books: OkxEndpoint = {
  path: "/api/v5/market/books",
  requests: 40,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.required("instId"));
    const size = parameters.limit({ fallback: 1, max: 400 }, "sz");
    const step = market.bookStepAt(venue.nowMs);
    if (step === undefined) return [{ asks: [], bids: [], ts: String(venue.nowMs), seqId: 0 }];
    const { asks, bids } = writeSides(market, market.book.at(step, size));
    return [{ asks, bids, ts: String(step * market.book.stepMs), seqId: market.bookSequence.of(step) }];
  },
};

/** From the first full hour of the last 24 to now: near enough for a ticker, and consistent in itself. */
export function writeTicker(market: SimulatedMarket, nowMs: number): object {
  const { priceDecimals, qtyDecimals, typicalLots } = market.spec;
  const price = (ticks: number): string => canonicalText(ticks, priceDecimals);
  const last = market.lastTicks(nowMs) ?? 1;
  const best = market.bestLevels(nowMs);
  const hours = take(market.barsFrom(nowMs - 24 * HOUR_MS, "1h", nowMs), 25).map(({ bar }) => bar);
  const lots = hours.reduce((sum, bar) => sum + bar.lots, 0);
  const notional = hours.reduce((sum, bar) => sum + bar.notional, 0n);
  const openAt = (dayMs: number): string => price(market.barAt(dayMs, "1m", nowMs)?.open ?? last);
  const todayMs = floorToTimeframe(nowMs, "1d");
  const hongKongMs = floorToTimeframe(nowMs + 8 * HOUR_MS, "1d") - 8 * HOUR_MS;
  return {
    instType: instrumentType(market),
    instId: market.nativeSymbol,
    last: price(last),
    lastSz: sizeText(market, typicalLots),
    askPx: best === undefined ? "" : price(best.ask.ticks),
    askSz: best === undefined ? "" : sizeText(market, best.ask.lots),
    bidPx: best === undefined ? "" : price(best.bid.ticks),
    bidSz: best === undefined ? "" : sizeText(market, best.bid.lots),
    open24h: price(hours[0]?.open ?? last),
    high24h: price(Math.max(last, ...hours.map((bar) => bar.high))),
    low24h: price(Math.min(last, ...hours.map((bar) => bar.low))),
    volCcy24h:
      market.settleAsset === undefined
        ? canonicalText(notional, market.notionalDecimals)
        : canonicalText(lots, qtyDecimals),
    vol24h: sizeText(market, lots),
    ts: String(nowMs),
    sodUtc0: openAt(todayMs),
    sodUtc8: openAt(hongKongMs),
  };
}
