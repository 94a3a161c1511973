// How Binance writes times and quantities in streams: milliseconds, or microseconds where the client asked for them.
import type { SimulatedMarket } from "../simulated-market.js";
import { fixedText, gridText } from "../fixed-text.js";

export interface StreamText {
  /** A time without microseconds of its own. */
  time(timeMs: number): number;
  /** A time that has them. */
  timeOfTrade(timeUs: number): number;
  price(market: SimulatedMarket, ticks: number): string;
  qty(market: SimulatedMarket, lots: number): string;
  notional(market: SimulatedMarket, notional: bigint): string;
}

export function streamText({
  isSpot,
  inMicroseconds,
}: {
  isSpot: boolean;
  inMicroseconds: boolean;
}): StreamText {
  const text = isSpot ? fixedText : gridText;
  return {
    time: (timeMs) => (inMicroseconds ? timeMs * 1_000 : timeMs),
    timeOfTrade: (timeUs) => (inMicroseconds ? timeUs : Math.floor(timeUs / 1_000)),
    price: ({ spec }, ticks) => text(ticks, spec.priceDecimals),
    qty: ({ spec }, lots) => text(lots, spec.qtyDecimals),
    notional: (market, notional) => text(notional, market.notionalDecimals),
  };
}
