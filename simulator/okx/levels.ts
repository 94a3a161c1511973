// Levels of a book as OKX writes them: [price, size, "0", orders], best first.
import { shortText } from "../fixed-text.js";
import type { BookLevel, BookSides } from "../simulated-book.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { sizeText } from "./endpoint.js";

export type OkxLevel = readonly [price: string, size: string, deprecated: "0", orders: string];

const ORDERS_MAX = 9;

export function writeSides(
  market: SimulatedMarket,
  { bids, asks }: BookSides,
): { readonly asks: readonly OkxLevel[]; readonly bids: readonly OkxLevel[] } {
  const write = ({ ticks, lots }: BookLevel): OkxLevel => [
    shortText(ticks, market.spec.priceDecimals),
    sizeText(market, lots),
    "0",
    String(lots === 0 ? 0 : 1 + (lots % ORDERS_MAX)),
  ];
  return { asks: asks.map(write), bids: bids.map(write) };
}
