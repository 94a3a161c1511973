// GET /api/v3/aggTrades, /trades and /historicalTrades, and /fapi/v1/aggTrades: the truth itself. Ids have no holes.
import { fixedText } from "../fixed-text.js";
import { servedTrades } from "../served-trades.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { take } from "../take.js";
import type { AggregateTrade } from "../trade-tape.js";
import { ApiError } from "./api-error.js";
import { findMarket, type Endpoint, type Venue } from "./endpoint.js";
import type { Parameters } from "./parameters.js";

const LIMITS = { fallback: 500, max: 1_000 };

const HOUR_MS = 3_600_000;
/** Futures tell no older trades, whichever way they are asked for. */
const FUTURES_LOOKBACK_MS = 48 * HOUR_MS;

/** fromId inclusive, or startTime and endTime inclusive, or neither: the latest. */
export const aggTrades: Endpoint = {
  path: "/api/v3/aggTrades",
  parameters: ["symbol", "fromId", "startTime", "endTime", "limit"],
  isPage: true,
  weight: () => 4,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    return askedAggregates(market, parameters, venue).map((aggregate) => ({
      ...writeAggregate(market, aggregate, venue),
      M: true,
    }));
  },
};

/** As in spot, but times lie less than an hour apart, and what is older than two days is refused. */
export const futuresAggTrades: Endpoint = {
  path: "/fapi/v1/aggTrades",
  parameters: ["symbol", "fromId", "startTime", "endTime", "limit"],
  isPage: true,
  weight: () => 20,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    const fromMs = parameters.timeMs("startTime");
    const endMs = parameters.timeMs("endTime");
    if (fromMs !== undefined && endMs !== undefined && endMs - fromMs >= HOUR_MS) {
      throw new ApiError(-1127, "More than 1 hours between startTime and endTime.");
    }
    const oldestMs = venue.nowMs - FUTURES_LOOKBACK_MS;
    const tooOld = new ApiError(-4166, "Search window is restricted to recent 2 days only.");
    if (fromMs !== undefined && fromMs < oldestMs) throw tooOld;
    const aggregates = askedAggregates(market, parameters, venue);
    if (aggregates.some((aggregate) => aggregate.timeMs < oldestMs)) throw tooOld;
    return aggregates.map((aggregate) => {
      const row = writeAggregate(market, aggregate, venue);
      return { ...row, nq: row.q };
    });
  },
};

function askedAggregates(
  market: SimulatedMarket,
  parameters: Parameters,
  venue: Venue,
): readonly AggregateTrade[] {
  const fromId = parameters.integer("fromId");
  const fromMs = parameters.timeMs("startTime");
  const endMs = parameters.timeMs("endTime");
  const limit = parameters.limit(LIMITS);
  if (fromId !== undefined && (fromMs !== undefined || endMs !== undefined)) {
    throw new ApiError(-1128, "Combination of optional parameters invalid.");
  }
  const toMs = Math.min(endMs ?? Infinity, venue.nowMs);
  const served = (aggregates: Iterable<AggregateTrade>): AggregateTrade[] =>
    take(servedTrades(aggregates, { market, ...venue }), limit);
  if (fromId !== undefined) return served(market.aggregatesFromId(fromId, venue.nowMs));
  return fromMs !== undefined
    ? served(market.aggregatesFrom(fromMs, toMs))
    : served(market.aggregatesBackFrom(toMs)).reverse();
}

export const trades: Endpoint = {
  path: "/api/v3/trades",
  parameters: ["symbol", "limit"],
  isPage: true,
  weight: () => 25,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    return latestTrades(market, parameters.limit(LIMITS), venue);
  },
};

export const historicalTrades: Endpoint = {
  path: "/api/v3/historicalTrades",
  parameters: ["symbol", "fromId", "limit"],
  isPage: true,
  weight: () => 25,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    const limit = parameters.limit(LIMITS);
    const fromId = parameters.integer("fromId");
    if (fromId === undefined) return latestTrades(market, limit, venue);
    const aggregates = market.aggregatesFromId(market.tape.aggregateOfTrade(fromId), venue.nowMs);
    return take(
      writeTrades(market, servedTrades(aggregates, { market, ...venue }), { fromId, venue }),
      limit,
    );
  },
};

function latestTrades(market: SimulatedMarket, limit: number, venue: Venue): object[] {
  const newestFirst = servedTrades(market.aggregatesBackFrom(venue.nowMs), { market, ...venue });
  const aggregates = take(newestFirst, limit).reverse();
  return [...writeTrades(market, aggregates, { fromId: 0, venue })].slice(-limit);
}

function writeAggregate(market: SimulatedMarket, aggregate: AggregateTrade, venue: Venue) {
  const { text } = venue;
  return {
    a: aggregate.id,
    p: text(aggregate.ticks, market.spec.priceDecimals),
    q: text(aggregate.lots, market.spec.qtyDecimals),
    f: market.tape.firstTradeId(aggregate.id),
    l: market.tape.firstTradeId(aggregate.id + 1) - 1,
    T: timeOf(market, aggregate, venue),
    m: aggregate.isBuyerMaker,
  };
}

function timeOf(market: SimulatedMarket, aggregate: AggregateTrade, { inMicroseconds }: Venue): number {
  return inMicroseconds === true ? market.timeUsOf(aggregate) : aggregate.timeMs;
}

function* writeTrades(
  market: SimulatedMarket,
  aggregates: Iterable<AggregateTrade>,
  { fromId, venue }: { fromId: number; venue: Venue },
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
        time: timeOf(market, aggregate, venue),
        isBuyerMaker: aggregate.isBuyerMaker,
        isBestMatch: true,
      };
    }
  }
}
