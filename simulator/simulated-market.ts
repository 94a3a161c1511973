// One market as the endpoints and the ground truth ask for it: its trades by id and by time, its candles by open time.
import { ceilToTimeframe, floorToTimeframe, timeframeMs, type Timeframe } from "../src/core/timeframe.js";
import { BarMaker, type Bar } from "./bar-maker.js";
import { BookSequence } from "./book-sequence.js";
import type { FaultPlan } from "./fault-plan.js";
import { hash2, hashText } from "./hash.js";
import { delistedBy, marketOddities } from "./market-oddities.js";
import { assetsOf, nativeSymbolOf, type MarketSpec } from "./market-spec.js";
import { SimulatedBook, type BookLevel } from "./simulated-book.js";
import { MINUTE_MS, TradeTape, type AggregateTrade } from "./trade-tape.js";
import type { VenueName } from "./venue-name.js";

/** A candle of a market, still in ticks and lots. */
export interface OpenedBar {
  readonly openTimeMs: number;
  readonly bar: Bar;
}

export class SimulatedMarket {
  readonly spec: MarketSpec;
  readonly venue: VenueName;
  readonly nativeSymbol: string;
  /** Both of its names, by which a fault plan may mean it. */
  readonly names: readonly string[];
  readonly baseAsset: string;
  readonly quoteAsset: string;
  /** Undefined for spot. */
  readonly settleAsset: string | undefined;
  readonly tape: TradeTape;
  readonly book: SimulatedBook;
  /** How the venue numbers the states of the book. */
  readonly bookSequence: BookSequence;
  readonly #bars: BarMaker;

  /** @param slot the market's place among those of its venue */
  constructor(
    seed: number,
    wanted: MarketSpec,
    { venue, plan, slot = 0 }: { venue: VenueName; plan: FaultPlan; slot?: number },
  ) {
    const spec = delistedBy(plan, wanted, venue);
    const { base, quote, settle } = assetsOf(spec.symbol);
    const { outages, ...oddities } = marketOddities(plan, spec, venue);
    this.spec = spec;
    this.venue = venue;
    this.nativeSymbol = nativeSymbolOf(spec.symbol, venue);
    this.names = [spec.symbol, this.nativeSymbol];
    this.settleAsset = settle;
    this.baseAsset = base;
    this.quoteAsset = quote;
    // A venue's prices are its own; Binance spot keeps the seed as it is.
    this.tape = new TradeTape(venue === "binance" ? seed : hashText(seed, venue), spec, outages, oddities);
    this.#bars = new BarMaker(this.tape);
    const bookSeed = hash2(hashText(hashText(seed, venue), spec.symbol), 0x51ed270b);
    this.book = new SimulatedBook(bookSeed, spec, this.tape);
    const firstStep = spec.listedMs / this.book.stepMs;
    this.bookSequence = new BookSequence({ venue, seed: bookSeed, firstStep, slot });
  }

  isListedAt(nowMs: number): boolean {
    return nowMs >= this.spec.listedMs;
  }

  isTradingAt(nowMs: number): boolean {
    return this.isListedAt(nowMs) && nowMs < (this.spec.suspendedMs ?? Infinity);
  }

  /** The step its book shows at a time; undefined while the market has none: not listed yet, or no longer trading. */
  bookStepAt(nowMs: number): number | undefined {
    return this.isTradingAt(nowMs) ? this.book.stepAt(nowMs) : undefined;
  }

  /** The best level of either side at a time; undefined while the market has no book. */
  bestLevels(nowMs: number): { readonly bid: BookLevel; readonly ask: BookLevel } | undefined {
    const step = this.bookStepAt(nowMs);
    const {
      bids: [bid],
      asks: [ask],
    } = step === undefined ? { bids: [], asks: [] } : this.book.at(step, 1);
    return bid && ask ? { bid, ask } : undefined;
  }

  /** Digits after the point of a notional. */
  get notionalDecimals(): number {
    return this.spec.priceDecimals + this.spec.qtyDecimals;
  }

  /** The candle that opens at a time on the grid, of the trades up to `nowMs`; undefined when there is none. */
  barAt(openTimeMs: number, timeframe: Timeframe, nowMs: number): Bar | undefined {
    const endMs = openTimeMs + timeframeMs(timeframe);
    return this.#bars.bar(openTimeMs / MINUTE_MS, endMs / MINUTE_MS, nowMs);
  }

  /** Candles that open at or after `fromMs`, oldest first, without end; stops at `nowMs`. */
  *barsFrom(fromMs: number, timeframe: Timeframe, nowMs: number): Generator<OpenedBar> {
    let openTimeMs = ceilToTimeframe(fromMs, timeframe);
    while (openTimeMs <= nowMs) {
      const bar = this.barAt(openTimeMs, timeframe, nowMs);
      if (bar) {
        yield { openTimeMs, bar };
        openTimeMs += timeframeMs(timeframe);
      } else {
        // Nothing traded here: on to the candle that holds the next minute in which it does.
        const nextMs = openTimeMs + timeframeMs(timeframe);
        const liveMinute = this.tape.liveMinuteFrom(nextMs / MINUTE_MS);
        if (liveMinute === undefined) return;
        openTimeMs = floorToTimeframe(liveMinute * MINUTE_MS, timeframe);
      }
    }
  }

  /**
   * Candles that open at or before `toMs`, newest first; starts no later than `nowMs`.
   * @param aheadMs how far the clock by which days begin is ahead of UTC
   */
  *barsBackFrom(toMs: number, timeframe: Timeframe, nowMs: number, aheadMs = 0): Generator<OpenedBar> {
    const floor = (timeMs: number): number => floorToTimeframe(timeMs + aheadMs, timeframe) - aheadMs;
    let openTimeMs = floor(Math.min(toMs, nowMs));
    for (;;) {
      const bar = this.barAt(openTimeMs, timeframe, nowMs);
      if (bar) {
        yield { openTimeMs, bar };
        openTimeMs -= timeframeMs(timeframe);
      } else {
        const liveMinute = this.tape.liveMinuteUpTo(openTimeMs / MINUTE_MS - 1);
        if (liveMinute === undefined) return;
        openTimeMs = floor(liveMinute * MINUTE_MS);
      }
    }
  }

  /** Aggregate trades from an id upwards, up to `nowMs`. */
  *aggregatesFromId(id: number, nowMs: number): Generator<AggregateTrade> {
    const minute = this.tape.minuteOfAggregate(id);
    if (minute === undefined) return;
    const fromMs = (minute - this.tape.strayMinutes) * MINUTE_MS;
    for (const aggregate of this.aggregatesFrom(fromMs, nowMs)) {
      if (aggregate.id >= id) yield aggregate;
    }
  }

  /** Aggregate trades at or after a time, oldest first, up to `nowMs`. */
  *aggregatesFrom(fromMs: number, nowMs: number): Generator<AggregateTrade> {
    const { strayMinutes } = this.tape;
    let minute = this.tape.liveMinuteFrom(Math.floor(fromMs / MINUTE_MS) - strayMinutes);
    while (minute !== undefined && (minute - strayMinutes) * MINUTE_MS <= nowMs) {
      for (const aggregate of this.tape.aggregatesOf(minute)) {
        if (aggregate.timeMs > nowMs) return;
        if (aggregate.timeMs >= fromMs) yield aggregate;
      }
      minute = this.tape.liveMinuteFrom(minute + 1);
    }
  }

  /** Aggregate trades at or before a time, newest first. */
  *aggregatesBackFrom(toMs: number): Generator<AggregateTrade> {
    let minute = this.tape.liveMinuteUpTo(Math.floor(toMs / MINUTE_MS) + this.tape.strayMinutes);
    while (minute !== undefined) {
      for (const aggregate of this.tape.aggregatesOf(minute).reverse()) {
        if (aggregate.timeMs <= toMs) yield aggregate;
      }
      minute = this.tape.liveMinuteUpTo(minute - 1);
    }
  }

  /** When an aggregate traded, in microseconds; only Binance spot tells more than milliseconds. */
  timeUsOf({ id, timeMs }: AggregateTrade): number {
    return timeMs * 1_000 + (this.venue === "binance" ? this.tape.microsOf(id) : 0);
  }

  /** The price of the last trade at or before a time, in ticks; undefined before the first one. */
  lastTicks(nowMs: number): number | undefined {
    const next = this.aggregatesBackFrom(nowMs).next();
    return next.done === true ? undefined : next.value.ticks;
  }
}
