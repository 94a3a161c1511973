// GET /api/v3/aggTrades, /trades and /historicalTrades: the truth itself. Ids have no holes.
import { fixedText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { AggregateTrade } from "../trade-tape.js";
import { ApiError } from "./api-error.js";
import { findMarket, take, type Endpoint } from "./endpoint.js";

const LIMITS = { fallback: 500, max: 1_000 };

/** fromId inclusive, or startTime and endTime inclusive, or neither: the latest. */
export const aggTrades: Endpoint = {
  path: "/api/v3/aggTrades",
  parameters: ["symbol", "fromId", "startTime", "endTime", "limit"],
  weight: () => 4,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    const fromId = parameters.integer("fromId");
    const fromMs = parameters.timeMs("startTime");
    const endMs = parameters.timeMs("endTime");
    const limit = parameters.limit(LIMITS);
    if (fromId !== undefined && (fromMs !== undefined || endMs !== undefined)) {
      throw new ApiError(-1128, "Combination of optional parameters invalid.");
    }
    const toMs = Math.min(endMs ?? Infinity, venue.nowMs);
    const aggregates =
      fromId !== undefined
        ? take(market.aggregatesFromId(fromId, venue.nowMs), limit)
        : fromMs !== undefined
          ? take(market.aggregatesFrom(fromMs, toMs), limit)
          : take(market.aggregatesBackFrom(toMs), limit).reverse();
    return aggregates.map((aggregate) => writeAggregate(market, aggregate));
  },
};

export const trades: Endpoint = {
  path: "/api/v3/trades",
  parameters: ["symbol", "limit"],
  weight: () => 25,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    return latestTrades(market, parameters.limit(LIMITS), venue.nowMs);
  },
};

export const historicalTrades: Endpoint = {
  path: "/api/v3/historicalTrades",
  parameters: ["symbol", "fromId", "limit"],
  weight: () => 25,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    const limit = parameters.limit(LIMITS);
    const fromId = parameters.integer("fromId");
    if (fromId === undefined) return latestTrades(market, limit, venue.nowMs);
    const aggregates = market.aggregatesFromId(market.tape.aggregateOfTrade(fromId), venue.nowMs);
    return take(writeTrades(market, aggregates, fromId), limit);
  },
};

function latestTrades(market: SimulatedMarket, limit: number, nowMs: number): object[] {
  const aggregates = take(market.aggregatesBackFrom(nowMs), limit).reverse();
  return [...writeTrades(market, aggregates, 0)].slice(-limit);
}

function writeAggregate(market: SimulatedMarket, aggregate: AggregateTrade): object {
  return {
    a: aggregate.id,
    p: fixedText(aggregate.ticks, market.spec.priceDecimals),
    q: fixedText(aggregate.lots, market.spec.qtyDecimals),
    f: market.tape.firstTradeId(aggregate.id),
    l: market.tape.firstTradeId(aggregate.id + 1) - 1,
    T: aggregate.timeMs,
    m: aggregate.isBuyerMaker,
    M: true,
  };
}

function* writeTrades(
  market: SimulatedMarket,
  aggregates: Iterable<AggregateTrade>,
  fromId: number,
): Generator<object> {
  const { priceDecimals, qtyDecimals } = market.spec;
  for (const aggregate of aggregates) {
    const firstId = market.tape.firstTradeId(aggregate.id);
    for (const [i, lots] of market.tape.fillsOf(aggregate).entries()) {
      if (firstId + i < fromId) continue;
      yield {
        id: firstId + i,
        price: fixedText(aggregate.ticks, priceDecimals),
        qty: fixedText(lots, qtyDecimals),
        quoteQty: fixedText(BigInt(aggregate.ticks) * BigInt(lots), market.notionalDecimals),
        time: aggregate.timeMs,
        isBuyerMaker: aggregate.isBuyerMaker,
        isBestMatch: true,
      };
    }
  }
}
