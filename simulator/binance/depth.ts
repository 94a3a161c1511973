// GET /api/v3/depth and /fapi/v1/depth: the market's book at this moment, the same that the streams change.
import type { BookLevel } from "../simulated-book.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { ApiError } from "./api-error.js";
import { findMarket, type Endpoint, type Venue } from "./endpoint.js";

const SPOT_LIMIT_MAX = 5_000;
/** Futures take no other depth than these; each has its weight. */
const FUTURES_WEIGHTS: ReadonlyMap<number, number> = new Map([
  [5, 2],
  [10, 2],
  [20, 2],
  [50, 2],
  [100, 5],
  [500, 10],
  [1_000, 20],
]);

export const depth: Endpoint = {
  path: "/api/v3/depth",
  parameters: ["symbol", "limit"],
  weight(query) {
    const limit = Number(query.get("limit") ?? 100);
    if (limit <= 100) return 5;
    if (limit <= 500) return 25;
    return limit <= 1_000 ? 50 : 250;
  },
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    return askedBook(market, parameters.limit({ fallback: 100, max: SPOT_LIMIT_MAX }), venue);
  },
};

export const futuresDepth: Endpoint = {
  path: "/fapi/v1/depth",
  parameters: ["symbol", "limit"],
  weight: (query) => FUTURES_WEIGHTS.get(Number(query.get("limit") ?? 500)) ?? 10,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.symbol());
    const limit = parameters.integer("limit") ?? 500;
    if (!FUTURES_WEIGHTS.has(limit)) throw new ApiError(-4021, `${limit} is not valid depth limit.`);
    const { lastUpdateId, ...sides } = askedBook(market, limit, venue);
    return { lastUpdateId, E: venue.nowMs, T: venue.nowMs, ...sides };
  },
};

/** A market that does not trade has an empty book. */
function askedBook(market: SimulatedMarket, limit: number, { nowMs, text }: Venue) {
  const step = market.bookStepAt(nowMs);
  if (step === undefined) return { lastUpdateId: -1, bids: [], asks: [] };
  const { priceDecimals, qtyDecimals } = market.spec;
  const write = ({ ticks, lots }: BookLevel): [string, string] => [
    text(ticks, priceDecimals),
    text(lots, qtyDecimals),
  ];
  const { bids, asks } = market.book.at(step, limit);
  return {
    lastUpdateId: market.bookSequence.of(step),
    bids: bids.map(write),
    asks: asks.map(write),
  };
}
