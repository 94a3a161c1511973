// What is right in the end, whatever the wire said on the way: for tests to compare with.
import type { Decimal } from "../src/core/decimal.js";
import type { Candle } from "../src/core/model/candle.js";
import { timeframeMs, type Timeframe } from "../src/core/timeframe.js";
import { canonicalText } from "./fixed-text.js";
import type { FaultPlan } from "./fault-plan.js";
import { outageMinutes } from "./market-oddities.js";
import type { OpenedBar, SimulatedMarket } from "./simulated-market.js";
import type { BookLevel } from "./simulated-book.js";
import { MINUTE_MS, type AggregateTrade } from "./trade-tape.js";

/** One trade as it happened. Ids have no holes; an aggregate's trades share its price, time and taker side. */
export interface TruthTrade {
  readonly id: number;
  readonly aggregateId: number;
  readonly timeMs: number;
  /** As Binance spot tells it when asked for microseconds; full milliseconds elsewhere. */
  readonly timeUs: number;
  readonly price: Decimal;
  readonly qty: Decimal;
  /** The taker's side, not the resting one's. */
  readonly side: "buy" | "sell";
}

/** One aggregate trade as it happened: fills of one taker order at one price. */
export interface TruthAggregate extends Omit<TruthTrade, "aggregateId"> {
  readonly firstTradeId: number;
  readonly lastTradeId: number;
}

/** Price and quantity of a level. */
export type TruthLevel = readonly [price: Decimal, qty: Decimal];

/** An order book as it was when it had that number. Best levels first. */
export interface TruthBook {
  /** `lastUpdateId` or `seqId`; of a number between two states, that of the one before. */
  readonly sequence: number;
  /** Since when the book was so. */
  readonly timeMs: number;
  readonly bids: readonly TruthLevel[];
  readonly asks: readonly TruthLevel[];
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
  /** Aggregate trades whose time is in `[fromMs, toMs)`, up to the exchange's present. */
  aggregateTrades(symbol: string, fromMs: number, toMs: number): TruthAggregate[];
  /** The order book with that number, its best `levels` of each side; all of them by default. */
  bookAt(symbol: string, sequence: number, levels?: number): TruthBook;
  /** The number of the book at a time; undefined while the market has none. */
  bookSequenceAt(symbol: string, timeMs: number): number | undefined;
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
        const { firstTradeId, lastTradeId: _, ...whole } = aggregateOf(market, aggregate);
        for (const [i, lots] of market.tape.fillsOf(aggregate).entries()) {
          const qty = canonicalText(lots, market.spec.qtyDecimals);
          trades.push({ ...whole, id: firstTradeId + i, aggregateId: aggregate.id, qty });
        }
      }
      return trades;
    },
    aggregateTrades(symbol, fromMs, toMs) {
      const market = find(symbol);
      const aggregates = market.aggregatesFrom(fromMs, Math.min(nowMs(), toMs - 1));
      return Array.from(aggregates, (aggregate) => aggregateOf(market, aggregate));
    },
    bookAt(symbol, sequence, levels) {
      const { book, bookSequence, spec } = find(symbol);
      const step = bookSequence.stepOf(sequence, book.stepAt(nowMs()) ?? Infinity);
      const { bids, asks } = book.at(step, levels);
      const write = ({ ticks, lots }: BookLevel): TruthLevel => [
        canonicalText(ticks, spec.priceDecimals),
        canonicalText(lots, spec.qtyDecimals),
      ];
      return {
        sequence: bookSequence.of(step),
        timeMs: step * book.stepMs,
        bids: bids.map(write),
        asks: asks.map(write),
      };
    },
    bookSequenceAt(symbol, timeMs) {
      const market = find(symbol);
      const step = market.bookStepAt(timeMs);
      return step === undefined ? undefined : market.bookSequence.of(step);
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

function aggregateOf(market: SimulatedMarket, aggregate: AggregateTrade): TruthAggregate {
  const { id, timeMs } = aggregate;
  return {
    id,
    firstTradeId: market.tape.firstTradeId(id),
    lastTradeId: market.tape.firstTradeId(id + 1) - 1,
    timeMs,
    timeUs: market.timeUsOf(aggregate),
    price: canonicalText(aggregate.ticks, market.spec.priceDecimals),
    qty: canonicalText(aggregate.lots, market.spec.qtyDecimals),
    side: aggregate.isBuyerMaker ? "sell" : "buy",
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
