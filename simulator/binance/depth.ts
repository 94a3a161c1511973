// GET /api/v3/depth: a plausible book around the last price, new every second. Not part of the ground truth.
import { fixedText } from "../fixed-text.js";
import { fraction, hash2, hash3, hashText } from "../hash.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { findMarket, type Endpoint } from "./endpoint.js";

const LIMIT_MAX = 5_000;
/** The book's update id advances ten times a second, the pace of the fast depth stream. */
const UPDATE_MS = 100;

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
    const limit = parameters.limit({ fallback: 100, max: LIMIT_MAX });
    const { nowMs } = venue;
    const last = market.isTradingAt(nowMs) ? market.lastTicks(nowMs) : undefined;
    // A market that does not trade has an empty book.
    if (last === undefined) return { lastUpdateId: -1, bids: [], asks: [] };
    const second = Math.floor(nowMs / 1_000);
    const seed = hash2(hashText(0, market.nativeSymbol), second);
    return {
      lastUpdateId: Math.floor((nowMs - market.spec.listedMs) / UPDATE_MS) + 1,
      bids: levels(market, { fromTicks: last - 1, step: -1, limit, seed }),
      asks: levels(market, { fromTicks: last + 1, step: 1, limit, seed: seed + 1 }),
    };
  },
};

/** Levels of one side, best first; the bids end at one tick. */
function levels(
  market: SimulatedMarket,
  { fromTicks, step, limit, seed }: { fromTicks: number; step: 1 | -1; limit: number; seed: number },
): [string, string][] {
  const { priceDecimals, qtyDecimals, typicalLots } = market.spec;
  const side: [string, string][] = [];
  let ticks = fromTicks;
  for (let i = 0; i < limit && ticks >= 1; i++) {
    const lots = 1 + Math.floor(fraction(hash3(seed, i, 0)) * typicalLots * 6);
    side.push([fixedText(ticks, priceDecimals), fixedText(lots, qtyDecimals)]);
    ticks += step * (1 + (hash3(seed, i, 1) & 1));
  }
  return side;
}
