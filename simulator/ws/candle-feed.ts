// A candle stream: the forming candle whenever it changed, at the venue's pace, and every candle once more as closed, a
// moment after its end; also one without trades. Faults push the close late, or with other figures first.
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../src/core/timeframe.js";
import type { Bar } from "../bar-maker.js";
import { fraction, hash2 } from "../hash.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { Feed, Topic } from "./feed.js";
import type { StreamFaults } from "./stream-faults.js";

export interface CandleFeedOptions {
  readonly market: SimulatedMarket;
  readonly timeframe: Timeframe;
  /** How far the clock by which days begin is ahead of UTC. */
  readonly aheadMs?: number;
  readonly fromMs: number;
  /** Pushes of the forming candle are at least so far apart. */
  readonly everyMs: number;
  readonly topic: Topic;
  readonly faults: StreamFaults;
  readonly write: (candle: PushedCandle) => string;
}

export interface PushedCandle {
  readonly openTimeMs: number;
  readonly bar: Bar;
  readonly isClosed: boolean;
  /** When it is pushed. */
  readonly eventMs: number;
}

interface Close {
  readonly openTimeMs: number;
  readonly atMs: number;
  /** False for the second push of a candle, which is right. */
  readonly isFirst: boolean;
}

/** Closed candles come 5 to 405 ms after their end. */
const CLOSE_LAG_MIN_MS = 5;
const CLOSE_LAG_SPAN_MS = 400;

export class CandleFeed implements Feed {
  readonly #options: CandleFeedOptions;
  #formingMs: number;
  #endMs: number;
  /** Pushes of closed candles to come, the next one first. */
  #closes: readonly Close[] = [];
  #pushedOpenMs = -1;
  #pushedTrades = 0;

  constructor(options: CandleFeedOptions) {
    this.#options = options;
    this.#formingMs = options.fromMs;
    this.#endMs = this.#floor(options.fromMs) + timeframeMs(options.timeframe);
  }

  get dueMs(): number {
    return Math.min(this.#formingMs, this.#endMs, this.#closes[0]?.atMs ?? Infinity);
  }

  next(): readonly string[] {
    const { dueMs } = this;
    if (dueMs === this.#endMs) {
      this.#planClose();
      return [];
    }
    const [close, ...later] = this.#closes;
    if (close?.atMs === dueMs) {
      this.#closes = later;
      return this.#writeClosed(close);
    }
    this.#formingMs += this.#options.everyMs;
    return this.#writeForming(dueMs);
  }

  #writeForming(eventMs: number): readonly string[] {
    const { market, timeframe, write } = this.#options;
    const openTimeMs = this.#floor(eventMs);
    const bar = market.barAt(openTimeMs, timeframe, eventMs);
    if (bar === undefined || bar.trades === 0) return [];
    if (openTimeMs === this.#pushedOpenMs && bar.trades === this.#pushedTrades) return [];
    this.#pushedOpenMs = openTimeMs;
    this.#pushedTrades = bar.trades;
    return [write({ openTimeMs, bar, isClosed: false, eventMs })];
  }

  #writeClosed({ openTimeMs, atMs, isFirst }: Close): readonly string[] {
    const { market, timeframe, write, faults, topic } = this.#options;
    const bar = market.barAt(openTimeMs, timeframe, atMs);
    if (bar === undefined) return [];
    const closed = { openTimeMs, bar, isClosed: true, eventMs: atMs };
    // A candle without trades is flat by definition; there is nothing in it to revise.
    const revision =
      isFirst && bar.trades > 0
        ? faults.strike("ws_revised_close", topic, { key: String(openTimeMs), nowMs: atMs })
        : undefined;
    if (revision === undefined) return [write(closed)];
    if (revision.corrected) this.#add({ openTimeMs, atMs: atMs + revision.delay_ms, isFirst: false });
    const close = bar.close + 1;
    return [write({ ...closed, bar: { ...bar, close, high: Math.max(bar.high, close) } })];
  }

  #planClose(): void {
    const { market, timeframe, faults, topic } = this.#options;
    const endMs = this.#endMs;
    const openTimeMs = endMs - timeframeMs(timeframe);
    this.#endMs = endMs + timeframeMs(timeframe);
    const chance = fraction(hash2(market.spec.baseTicks, endMs / 1_000));
    const lagMs = CLOSE_LAG_MIN_MS + Math.floor(chance * CLOSE_LAG_SPAN_MS);
    const late = faults.strike("ws_late_close", topic, { key: String(openTimeMs), nowMs: endMs });
    this.#add({ openTimeMs, atMs: endMs + lagMs + (late?.delay_ms ?? 0), isFirst: true });
  }

  #add(close: Close): void {
    this.#closes = [...this.#closes, close].sort((a, b) => a.atMs - b.atMs);
  }

  #floor(timeMs: number): number {
    const { timeframe, aheadMs = 0 } = this.#options;
    return floorToTimeframe(timeMs + aheadMs, timeframe) - aheadMs;
  }
}
