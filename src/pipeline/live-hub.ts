// What the process sees live, for those who look on: last prices, books, trades as they come, candles as they are stored.
// Bounded and never waited for: trades are gathered only of markets that somebody watches, and handed on together every few
// milliseconds; what is beyond the bound is dropped and counted.
import type { Candle } from "../core/model/candle.js";
import type { RecordBatch } from "../core/model/record-batch.js";
import type { Trade } from "../core/model/trade.js";
import type { Timeframe } from "../core/timeframe.js";
import type { StoredMarket } from "../store/store.js";
import type { FollowedFeed, LiveTap } from "./feed/live/live-tap.js";
import type { MarketStreams } from "./feed/live/market-streams.js";
import type { StagedBatch } from "./stage/stage.js";

/** The last trade of a market. */
export interface LivePrice {
  readonly price: string;
  /** The exchange's time, epoch ms. */
  readonly timeMs: number;
}

/** The best levels of a book that is valid now, quantities in base units, best first. */
export interface LiveBook {
  readonly timeMs: number;
  readonly sequence: number;
  readonly bids: readonly (readonly [price: string, qty: string])[];
  readonly asks: readonly (readonly [price: string, qty: string])[];
}

/** Whoever looks on. None of these may throw. */
export interface LiveWatcher {
  /** Whether trades of this market are wanted. */
  wants(marketId: number): boolean;
  /** In the order in which they came. `dropped`: how many more there were than could be held. */
  trades(market: StoredMarket, trades: readonly Trade[], dropped: number): void;
  /** Closed candles that have been stored. */
  candles(marketId: number, timeframe: Timeframe, source: string, candles: readonly Candle[]): void;
}

/** Short beside what a person sees, long enough for a burst to become one message. */
const HAND_ON_EVERY_MS = 20;
const TRADES_HELD_MAX = 2_000;
/** Candles of one commit that are worth telling one by one; more of them are history being fetched. */
const CANDLES_TOLD_MAX = 500;

interface Held {
  readonly market: StoredMarket;
  trades: Trade[];
  dropped: number;
}

export class LiveHub implements LiveTap {
  readonly #feeds = new Set<FollowedFeed>();
  readonly #streams = new Map<number, MarketStreams>();
  readonly #prices = new Map<number, LivePrice>();
  readonly #changed = new Set<number>();
  readonly #watchers = new Set<LiveWatcher>();
  readonly #held = new Map<number, Held>();
  #timer: NodeJS.Timeout | undefined;

  began(feed: FollowedFeed): void {
    this.#feeds.add(feed);
    for (const streams of feed.markets()) this.#streams.set(streams.market.id, streams);
  }

  ended(feed: FollowedFeed): void {
    this.#feeds.delete(feed);
    for (const streams of feed.markets()) this.#streams.delete(streams.market.id);
  }

  trade(market: StoredMarket, trade: Trade): void {
    const { id } = market;
    const last = this.#prices.get(id);
    if (last === undefined || trade.timeMs >= last.timeMs) {
      this.#prices.set(id, { price: trade.price, timeMs: trade.timeMs });
      this.#changed.add(id);
    }
    if (this.#watchers.size > 0) this.#hold(market, trade);
  }

  /** After each commit. */
  committed(staged: readonly StagedBatch[]): void {
    if (this.#watchers.size === 0) return;
    for (const { batch } of staged) this.#tellCandles(batch);
  }

  /** Feeds at work now. */
  feeds(): readonly FollowedFeed[] {
    return [...this.#feeds];
  }

  /** A market's streams; undefined where this process follows none. */
  streams(marketId: number): MarketStreams | undefined {
    return this.#streams.get(marketId);
  }

  price(marketId: number): LivePrice | undefined {
    return this.#prices.get(marketId);
  }

  /** Markets whose price has changed since the last call. */
  takeChanged(): number[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** @returns undefined where no book is followed; `book` undefined while it is not valid */
  book(marketId: number, levels: number): { readonly book: LiveBook | undefined } | undefined {
    const keeper = this.streams(marketId)?.book;
    return keeper && { book: keeper.view(levels) };
  }

  /** @returns ends it */
  watch(watcher: LiveWatcher): () => void {
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#held.clear();
    };
  }

  #hold(market: StoredMarket, trade: Trade): void {
    let held = this.#held.get(market.id);
    if (held === undefined) {
      if (!this.#isWanted(market.id)) return;
      held = { market, trades: [], dropped: 0 };
      this.#held.set(market.id, held);
    }
    if (held.trades.length < TRADES_HELD_MAX) held.trades.push(trade);
    else held.dropped++;
    this.#timer ??= setTimeout(() => this.#handOn(), HAND_ON_EVERY_MS).unref();
  }

  #isWanted(marketId: number): boolean {
    for (const watcher of this.#watchers) if (watcher.wants(marketId)) return true;
    return false;
  }

  #handOn(): void {
    this.#timer = undefined;
    const all = [...this.#held.values()];
    this.#held.clear();
    for (const { market, trades, dropped } of all)
      for (const watcher of this.#watchers)
        if (watcher.wants(market.id)) watcher.trades(market, trades, dropped);
  }

  #tellCandles(batch: RecordBatch): void {
    if (batch.kind !== "candles" || batch.candles.length === 0 || batch.candles.length > CANDLES_TOLD_MAX)
      return;
    for (const watcher of this.#watchers)
      watcher.candles(batch.marketId, batch.timeframe, batch.source, batch.candles);
  }
}
