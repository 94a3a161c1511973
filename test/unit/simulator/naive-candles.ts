// Candles from trades the slow and obvious way, in text and bigint only: what the simulator's own are compared with.
import type { Decimal } from "../../../src/core/decimal.js";
import { parseDecimal } from "../../../src/core/decimal.js";
import type { Candle } from "../../../src/core/model/candle.js";
import { timeframeMs, type Timeframe } from "../../../src/core/timeframe.js";
import type { TruthTrade } from "../../../simulator/ground-truth.js";

const SCALE = 16;

function scaled(text: string): bigint {
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(SCALE, "0"));
}

function unscaled(value: bigint, scale: number): Decimal {
  const digits = value.toString().padStart(scale + 1, "0");
  const decimal = parseDecimal(`${digits.slice(0, -scale)}.${digits.slice(-scale)}`);
  if (decimal === undefined) throw new Error(`no decimal: ${digits}`);
  return decimal;
}

const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** The candle that opens at a time, of the trades in it; flat at the price of the last trade before when there are none. */
export function naiveCandle(
  openTimeMs: number,
  timeframe: Timeframe,
  trades: readonly Pick<TruthTrade, "timeMs" | "price" | "qty">[],
): Candle | undefined {
  const endMs = openTimeMs + timeframeMs(timeframe);
  const inside = trades.filter((trade) => trade.timeMs >= openTimeMs && trade.timeMs < endMs);
  const before = trades.filter((trade) => trade.timeMs < openTimeMs).at(-1);
  const prices = inside.map((trade) => scaled(trade.price)).sort(byValue);
  const open = inside[0]?.price ?? before?.price;
  const close = inside.at(-1)?.price ?? before?.price;
  if (open === undefined || close === undefined) return undefined;
  const volume = inside.reduce((sum, trade) => sum + scaled(trade.qty), 0n);
  const quoteVolume = inside.reduce((sum, trade) => sum + scaled(trade.qty) * scaled(trade.price), 0n);
  return {
    kind: "candle",
    openTimeMs,
    open,
    high: unscaled(prices.at(-1) ?? scaled(open), SCALE),
    low: unscaled(prices[0] ?? scaled(open), SCALE),
    close,
    volume: unscaled(volume, SCALE),
    quoteVolume: unscaled(quoteVolume, 2 * SCALE),
    tradeCount: inside.length,
  };
}
