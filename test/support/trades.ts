// Trades as a venue hands them over, with everything that a test does not care about filled in.
import type { TradeCandidate } from "../../src/core/model/trade.js";

/** @param id also the id of its only fill */
export function tradeCandidate(id: number, timeMs: number): TradeCandidate {
  return {
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs,
    price: "100",
    qty: "1",
    side: "buy",
    raw: id,
  };
}
