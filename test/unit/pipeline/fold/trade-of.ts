// A trade with everything that a test does not care about filled in.
import type { Trade } from "../../../../src/core/model/trade.js";
import { decimal } from "../../../support/candles.js";

/** @param id also the id of its only fill */
export function tradeOf(
  id: number,
  timeMs: number,
  {
    price = "100",
    qty = "1",
    ...change
  }: Partial<Omit<Trade, "price" | "qty">> & { price?: string; qty?: string } = {},
): Trade {
  return {
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs,
    microsecond: 0,
    side: "buy",
    ...change,
    price: decimal(price),
    qty: decimal(qty),
  };
}
