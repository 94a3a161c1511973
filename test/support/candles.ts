// Small candles for tests, and the batches they travel in.
import { parseDecimal, type Decimal } from "../../src/core/decimal.js";
import type { Candle } from "../../src/core/model/candle.js";
import type { CandleBatch } from "../../src/core/model/candle-batch.js";
import type { MarketInfo } from "../../src/core/model/market.js";

export const MINUTE_MS = 60_000;
/** 2024-01-01T00:00:00Z */
export const DAY_START_MS = 1_704_067_200_000;

export const BTC_USDT: MarketInfo = {
  symbol: "BTC/USDT",
  nativeSymbol: "BTCUSDT",
  baseAsset: "BTC",
  quoteAsset: "USDT",
  marketType: "spot",
  isActive: true,
};

export function decimal(text: string): Decimal {
  const value = parseDecimal(text);
  if (value === undefined) throw new Error(`"${text}" is no decimal`);
  return value;
}

/** Minute `minute` of 2024-01-01, as epoch ms. */
export function minuteMs(minute: number): number {
  return DAY_START_MS + minute * MINUTE_MS;
}

export function candleAt(minute: number, change: Partial<Candle> = {}): Candle {
  return {
    kind: "candle",
    openTimeMs: minuteMs(minute),
    open: decimal("100.5"),
    high: decimal("101"),
    low: decimal("99.25"),
    close: decimal("100"),
    volume: decimal("12.345"),
    quoteVolume: decimal("1234.5"),
    tradeCount: 7,
    ...change,
  };
}

/** Candles of the minutes `from` up to, not including, `to`. */
export function candlesBetween(from: number, to: number): Candle[] {
  return Array.from({ length: to - from }, (_, i) => candleAt(from + i));
}

export function batchOf(
  marketId: number,
  candles: readonly Candle[],
  change: Partial<CandleBatch> = {},
): CandleBatch {
  return {
    kind: "candles",
    marketId,
    timeframe: "1m",
    source: "rest",
    evidence: "rest_page",
    candles,
    voids: [],
    missing: [],
    rejected: [],
    receivedMs: minuteMs(1_440),
    ...change,
  };
}
