// Candles out of trades: integer ticks and lots in, exact sums out. A span without trades is flat at the price before
// it; a span in which the market did not trade at all has no bar.
import { MINUTE_MS, type TradeTape } from "./trade-tape.js";

/** One candle in ticks, lots and notional (ticks × lots). */
export interface Bar {
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly lots: number;
  readonly notional: bigint;
  readonly trades: number;
  readonly takerBuyLots: number;
  readonly takerBuyNotional: bigint;
}

const DAY_MINUTES = 1_440;
/** Whole days kept ready, so that a second page of daily or weekly candles costs nothing. */
const DAY_BARS_MAX = 4_096;
/** A sum in a double moves on to a bigint before it could become inexact; no trade is above 2^52. */
const EXACT_MAX = 2 ** 52;

/** Sums up trades or bars, oldest first. */
class BarSum {
  isEmpty = true;
  #open = 0;
  #high = 0;
  #low = 0;
  #close = 0;
  #lots = 0;
  #buyLots = 0;
  #trades = 0;
  #notional = 0;
  #notionalSettled = 0n;
  #buyNotional = 0;
  #buyNotionalSettled = 0n;

  readonly addTrade = (ticks: number, lots: number, isBuyerMaker: boolean): void => {
    this.#widen(ticks, ticks, ticks, ticks);
    const notional = ticks * lots;
    this.#lots += lots;
    this.#notional += notional;
    if (this.#notional > EXACT_MAX) {
      this.#notionalSettled += BigInt(this.#notional);
      this.#notional = 0;
    }
    if (isBuyerMaker) return;
    this.#buyLots += lots;
    this.#buyNotional += notional;
    if (this.#buyNotional > EXACT_MAX) {
      this.#buyNotionalSettled += BigInt(this.#buyNotional);
      this.#buyNotional = 0;
    }
  };

  addBar(bar: Bar): void {
    this.#widen(bar.open, bar.high, bar.low, bar.close);
    this.#lots += bar.lots;
    this.#buyLots += bar.takerBuyLots;
    this.#trades += bar.trades;
    this.#notionalSettled += bar.notional;
    this.#buyNotionalSettled += bar.takerBuyNotional;
  }

  countTrades(trades: number): void {
    this.#trades += trades;
  }

  bar(): Bar {
    return {
      open: this.#open,
      high: this.#high,
      low: this.#low,
      close: this.#close,
      lots: this.#lots,
      notional: this.#notionalSettled + BigInt(this.#notional),
      trades: this.#trades,
      takerBuyLots: this.#buyLots,
      takerBuyNotional: this.#buyNotionalSettled + BigInt(this.#buyNotional),
    };
  }

  #widen(open: number, high: number, low: number, close: number): void {
    if (this.isEmpty) {
      this.isEmpty = false;
      this.#open = open;
      this.#high = high;
      this.#low = low;
    } else {
      if (high > this.#high) this.#high = high;
      if (low < this.#low) this.#low = low;
    }
    this.#close = close;
  }
}

export class BarMaker {
  readonly #tape: TradeTape;
  /**
   * Bars of whole past days by their first minute (a day may begin at any hour); undefined for a day that trades, but in
   * which nobody did. Oldest out first.
   */
  readonly #days = new Map<number, Bar | undefined>();

  constructor(tape: TradeTape) {
    this.#tape = tape;
  }

  /**
   * The bar of minutes `[fromMinute, toMinute)`, of the trades up to `untilMs`.
   * @returns undefined when the market did not trade in that span, or has not had its first trade yet
   */
  bar(fromMinute: number, toMinute: number, untilMs: number): Bar | undefined {
    const live = this.#tape.liveMinuteFrom(fromMinute);
    if (live === undefined || live >= toMinute || live * MINUTE_MS > untilMs) return undefined;
    const sum = new BarSum();
    const isWholeDays = (toMinute - fromMinute) % DAY_MINUTES === 0;
    if (isWholeDays && toMinute * MINUTE_MS <= untilMs) {
      for (let minute = fromMinute; minute < toMinute; minute += DAY_MINUTES) {
        const bar = this.#day(minute);
        if (bar) sum.addBar(bar);
      }
    } else sum.countTrades(this.#tape.replay({ fromMinute, toMinute, untilMs }, sum.addTrade));
    if (!sum.isEmpty) return sum.bar();
    const ticks = this.#closeBefore(live);
    if (ticks === undefined) return undefined;
    return {
      open: ticks,
      high: ticks,
      low: ticks,
      close: ticks,
      lots: 0,
      notional: 0n,
      trades: 0,
      takerBuyLots: 0,
      takerBuyNotional: 0n,
    };
  }

  #day(fromMinute: number): Bar | undefined {
    if (this.#days.has(fromMinute)) return this.#days.get(fromMinute);
    const sum = new BarSum();
    const minutes = { fromMinute, toMinute: fromMinute + DAY_MINUTES, untilMs: Infinity };
    sum.countTrades(this.#tape.replay(minutes, sum.addTrade));
    const bar = sum.isEmpty ? undefined : sum.bar();
    if (this.#days.size >= DAY_BARS_MAX) {
      const oldest = this.#days.keys().next();
      if (oldest.done !== true) this.#days.delete(oldest.value);
    }
    this.#days.set(fromMinute, bar);
    return bar;
  }

  /** The price of the last trade before a minute. */
  #closeBefore(minute: number): number | undefined {
    const lastId = this.#tape.aggregatesBefore(minute) - 1;
    const holder = lastId < 0 ? undefined : this.#tape.minuteOfAggregate(lastId);
    return holder === undefined ? undefined : this.#tape.aggregatesOf(holder).at(-1)?.ticks;
  }
}
