// What is right in the end, whatever the wire said on the way: for tests to compare with.
import type { Decimal } from "../src/core/decimal.js";
import type { Candle } from "../src/core/model/candle.js";
import { timeframeMs, type Timeframe } from "../src/core/timeframe.js";
import { canonicalText } from "./fixed-text.js";
import type { FaultPlan } from "./fault-plan.js";
import { outageMinutes } from "./market-oddities.js";
import type { OpenedBar, SimulatedMarket } from "./simulated-market.js";
import { MINUTE_MS } from "./trade-tape.js";

/** One trade as it happened. Ids have no holes; an aggregate's trades share its price, time and taker side. */
export interface TruthTrade {
  readonly id: number;
  readonly aggregateId: number;
  readonly timeMs: number;
  readonly price: Decimal;
  readonly qty: Decimal;
  /** The taker's side, not the resting one's. */
  readonly side: "buy" | "sell";
}

/** `[startMs, endMs)` without trading. */
export interface OutageRange {
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Asks by unified (`BTC/USDT`) or native (`BTCUSDT`) symbol; an unknown one is an error. Quantities are in base units,
 * also where the venue counts contracts.
 */
export interface GroundTruth {
  /** Closed candles that open in `[fromMs, toMs)`, as they finally are; no row for what an outage swallowed. */
  candles(symbol: string, timeframe: Timeframe, fromMs: number, toMs: number): Candle[];
  /** Trades whose time is in `[fromMs, toMs)`, up to the exchange's present. */
  trades(symbol: string, fromMs: number, toMs: number): TruthTrade[];
  /** The market's outages, merged and in order. */
  outages(symbol: string): readonly OutageRange[];
  /** When the market began to trade. */
  listedMs(symbol: string): number;
}

export function groundTruth(
  find: (symbol: string) => SimulatedMarket,
  { nowMs, plan }: { nowMs: () => number; plan: FaultPlan },
): GroundTruth {
  return {
    candles(symbol, timeframe, fromMs, toMs) {
      const market = find(symbol);
      const now = nowMs();
      const candles: Candle[] = [];
      for (const opened of market.barsFrom(fromMs, timeframe, now)) {
        if (opened.openTimeMs >= toMs || opened.openTimeMs + timeframeMs(timeframe) > now) break;
        candles.push(candleOf(market, opened));
      }
      return candles;
    },
    trades(symbol, fromMs, toMs) {
      const market = find(symbol);
      const trades: TruthTrade[] = [];
      for (const aggregate of market.aggregatesFrom(fromMs, Math.min(nowMs(), toMs - 1))) {
        const firstId = market.tape.firstTradeId(aggregate.id);
        for (const [i, lots] of market.tape.fillsOf(aggregate).entries()) {
          trades.push({
            id: firstId + i,
            aggregateId: aggregate.id,
            timeMs: aggregate.timeMs,
            price: canonicalText(aggregate.ticks, market.spec.priceDecimals),
            qty: canonicalText(lots, market.spec.qtyDecimals),
            side: aggregate.isBuyerMaker ? "sell" : "buy",
          });
        }
      }
      return trades;
    },
    outages(symbol) {
      const { spec, venue } = find(symbol);
      return outageMinutes(plan, spec, venue).map(({ fromMinute, toMinute }) => ({
        startMs: fromMinute * MINUTE_MS,
        endMs: toMinute * MINUTE_MS,
      }));
    },
    listedMs: (symbol) => find(symbol).spec.listedMs,
  };
}

function candleOf(market: SimulatedMarket, { openTimeMs, bar }: OpenedBar): Candle {
  const { priceDecimals, qtyDecimals } = market.spec;
  return {
    kind: "candle",
    openTimeMs,
    open: canonicalText(bar.open, priceDecimals),
    high: canonicalText(bar.high, priceDecimals),
    low: canonicalText(bar.low, priceDecimals),
    close: canonicalText(bar.close, priceDecimals),
    volume: canonicalText(bar.lots, qtyDecimals),
    quoteVolume: canonicalText(bar.notional, market.notionalDecimals),
    tradeCount: bar.trades,
  };
}
