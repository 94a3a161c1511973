// One market as the endpoints and the ground truth ask for it: its trades by id and by time, its candles by open time.
import { ceilToTimeframe, floorToTimeframe, timeframeMs, type Timeframe } from "../src/core/timeframe.js";
import { BarMaker, type Bar } from "./bar-maker.js";
import { assetsOf, nativeSymbolOf, type MarketSpec } from "./market-spec.js";
import { MINUTE_MS, TradeTape, type AggregateTrade, type LiveSpan } from "./trade-tape.js";

/** A candle of a market, still in ticks and lots. */
export interface OpenedBar {
  readonly openTimeMs: number;
  readonly bar: Bar;
}

export class SimulatedMarket {
  readonly spec: MarketSpec;
  readonly nativeSymbol: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
  readonly tape: TradeTape;
  readonly #bars: BarMaker;

  constructor(seed: number, spec: MarketSpec, outages: readonly LiveSpan[]) {
    const { base, quote } = assetsOf(spec.symbol);
    this.spec = spec;
    this.nativeSymbol = nativeSymbolOf(spec.symbol);
    this.baseAsset = base;
    this.quoteAsset = quote;
    this.tape = new TradeTape(seed, spec, outages);
    this.#bars = new BarMaker(this.tape);
  }

  isListedAt(nowMs: number): boolean {
    return nowMs >= this.spec.listedMs;
  }

  isTradingAt(nowMs: number): boolean {
    return this.isListedAt(nowMs) && nowMs < (this.spec.suspendedMs ?? Infinity);
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

  /** Candles that open at or before `toMs`, newest first; starts no later than `nowMs`. */
  *barsBackFrom(toMs: number, timeframe: Timeframe, nowMs: number): Generator<OpenedBar> {
    let openTimeMs = floorToTimeframe(Math.min(toMs, nowMs), timeframe);
    for (;;) {
      const bar = this.barAt(openTimeMs, timeframe, nowMs);
      if (bar) {
        yield { openTimeMs, bar };
        openTimeMs -= timeframeMs(timeframe);
      } else {
        const liveMinute = this.tape.liveMinuteUpTo(openTimeMs / MINUTE_MS - 1);
        if (liveMinute === undefined) return;
        openTimeMs = floorToTimeframe(liveMinute * MINUTE_MS, timeframe);
      }
    }
  }

  /** Aggregate trades from an id upwards, up to `nowMs`. */
  *aggregatesFromId(id: number, nowMs: number): Generator<AggregateTrade> {
    const minute = this.tape.minuteOfAggregate(id);
    if (minute === undefined) return;
    for (const aggregate of this.aggregatesFrom(minute * MINUTE_MS, nowMs)) {
      if (aggregate.id >= id) yield aggregate;
    }
  }

  /** Aggregate trades at or after a time, oldest first, up to `nowMs`. */
  *aggregatesFrom(fromMs: number, nowMs: number): Generator<AggregateTrade> {
    let minute = this.tape.liveMinuteFrom(Math.floor(fromMs / MINUTE_MS));
    while (minute !== undefined && minute * MINUTE_MS <= nowMs) {
      for (const aggregate of this.tape.aggregatesOf(minute)) {
        if (aggregate.timeMs > nowMs) return;
        if (aggregate.timeMs >= fromMs) yield aggregate;
      }
      minute = this.tape.liveMinuteFrom(minute + 1);
    }
  }

  /** Aggregate trades at or before a time, newest first. */
  *aggregatesBackFrom(toMs: number): Generator<AggregateTrade> {
    let minute = this.tape.liveMinuteUpTo(Math.floor(toMs / MINUTE_MS));
    while (minute !== undefined) {
      for (const aggregate of this.tape.aggregatesOf(minute).reverse()) {
        if (aggregate.timeMs <= toMs) yield aggregate;
      }
      minute = this.tape.liveMinuteUpTo(minute - 1);
    }
  }

  /** The price of the last trade at or before a time, in ticks; undefined before the first one. */
  lastTicks(nowMs: number): number | undefined {
    const next = this.aggregatesBackFrom(nowMs).next();
    return next.done === true ? undefined : next.value.ticks;
  }
}
