// Live data and its repair together: follows markets by their streams, and fetches at once what the streams have left out.
// Now and then all of a market's trades are looked through, for what was lost on the way to the store, before this process
// began, or could not be fetched at first.
import pLimit from "p-limit";
import type { Clock } from "../core/clock.js";
import { describeError, type TickwellError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import type { MissingTrades } from "../core/model/record-batch.js";
import { formatMarketName } from "../core/model/market.js";
import type { Random } from "../core/random.js";
import type { Exchange } from "../exchanges/exchange.js";
import { ExchangeClock } from "../pipeline/feed/exchange-clock.js";
import { LiveFeed, type LiveMarket } from "../pipeline/feed/live/live-feed.js";
import type { CaptureEvent } from "../pipeline/capture/capture-event.js";
import type { LiveTap } from "../pipeline/feed/live/live-tap.js";
import type { Stage } from "../pipeline/stage/stage.js";
import type { Store, StoredMarket } from "../store/store.js";
import type { TradeGap } from "../pipeline/feed/trade-window.js";
import { TradeRepair } from "./trade-repair.js";

export interface LiveFollowerOptions {
  readonly exchange: Exchange;
  /** Another host or a simulator; the venue's own otherwise. */
  readonly wsUrl: string | undefined;
  readonly markets: readonly LiveMarket[];
  readonly store: Store;
  readonly stage: Stage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Between two looks through all trades, ms. */
  readonly sweepEveryMs: number;
  /** Told of each attempt to connect that failed, of each connection that broke, and of each that was opened. */
  readonly onFailure?: ((failure: { path: string; error: TickwellError }) => void) | undefined;
  readonly onConnected?: ((connection: { path: string }) => void) | undefined;
  /** Told of everything that enters, for captures. Must not throw. */
  readonly record?: ((event: CaptureEvent) => void) | undefined;
  /** A gap was found, or repaired, for those who watch. */
  readonly onGap?: ((market: StoredMarket, gap: MissingTrades) => void) | undefined;
  readonly onRepaired?: ((market: StoredMarket, trades: number) => void) | undefined;
  /** For those who look on. */
  readonly tap?: LiveTap | undefined;
}

/** Gaps repaired at once; the rate limit is the bound. */
const REPAIRS_AT_ONCE = 3;
/** A longer gap is a part of the past, of which one is fetched at a time: it leaves places to what has just been missed. */
const LONG_GAP_MS = 3_600_000;
/** The first look comes when the streams have shown where the present is. */
const FIRST_SWEEP_AFTER_MS = 5_000;
const TELL_EVERY_MS = 60_000;
/** A stream that is about to tell of a trade must not be taken for one that has left it out. */
const SWEEP_MARGIN_MS = 5_000;

export class LiveFollower {
  readonly feed: LiveFeed;
  readonly #options: LiveFollowerOptions;
  readonly #repair: TradeRepair;
  readonly #limit = pLimit(REPAIRS_AT_ONCE);
  readonly #past = pLimit(1);
  /** Markets whose past is being fetched. */
  readonly #pastOf = new Set<number>();
  readonly #underRepair = new Set<string>();
  readonly #exchangeClock: ExchangeClock;
  #repairing = new AbortController();
  #repaired = 0;

  constructor(options: LiveFollowerOptions) {
    const { exchange, stage, clock, log, record } = options;
    this.#options = options;
    const indices = new Map(options.markets.map(({ market }, i) => [market.id, i]));
    this.#exchangeClock = new ExchangeClock({ exchange, clock, log });
    const exchangeNowMs = (): number => this.#exchangeClock.nowMs();
    this.#repair = new TradeRepair({
      exchange,
      stage,
      clock,
      log,
      exchangeNowMs,
      onFetched:
        record &&
        ((market, { marketId: _, ...fetched }) =>
          record({
            kind: "fetched",
            market: indices.get(market.id) ?? -1,
            fetched,
            atMs: fetched.receivedMs,
            exchangeMs: fetched.exchangeNowMs,
          })),
    });
    this.feed = new LiveFeed({
      ...options,
      exchangeClock: this.#exchangeClock,
      onGap: (market, gap) => {
        options.onGap?.(market, gap);
        const { startMs, endMs, firstId, lastId } = gap;
        this.#repairSoon(market, { startMs, endMs, afterId: firstId - 1, beforeId: lastId + 1 });
      },
    });
  }

  /**
   * Follows until the signal is aborted, then hands on what was received.
   * @param deadline gives up handing on
   * @throws what the stage or the store throws
   */
  async run(signal: AbortSignal, deadline: AbortSignal): Promise<void> {
    this.#repairing = new AbortController();
    const either = AbortSignal.any([signal, this.#repairing.signal]);
    const beside = Promise.all([this.#sweeping(either), this.#telling(either)]);
    try {
      await this.feed.run(signal, deadline);
    } finally {
      this.#repairing.abort(new Error("following has ended"));
      await beside;
      await Promise.all([this.#limit(() => undefined), this.#past(() => undefined)]);
    }
  }

  /**
   * Looks through all trades once and fetches what is missing; resolves when that is done. A long stretch of the past, such as a
   * history that was asked for, goes on in the background, one market at a time: what has just been missed never waits for it.
   * @returns trades fetched
   */
  async sweep(signal: AbortSignal): Promise<number> {
    const { store, markets } = this.#options;
    let fetched = 0;
    for (const { market, trades } of markets) {
      if (!trades) continue;
      const untilMs = this.#exchangeClock.nowMs() - SWEEP_MARGIN_MS;
      const gaps = await store.live.missingTrades(market.id, { startMs: 0, endMs: untilMs });
      const isLong = ({ startMs, endMs }: TradeGap): boolean => endMs - startMs > LONG_GAP_MS;
      // The latest first: nearer to what people look at.
      for (const gap of gaps.filter(isLong).toReversed()) this.#repairPast(market, gap);
      const recent = gaps.filter((gap) => !isLong(gap));
      const repaired = await Promise.all(recent.map((gap) => this.#repairOnce(market, gap, signal)));
      fetched += repaired.reduce((sum, count) => sum + count, 0);
    }
    return fetched;
  }

  async #sweeping(signal: AbortSignal): Promise<void> {
    const { clock, sweepEveryMs, log } = this.#options;
    for (let waitMs = FIRST_SWEEP_AFTER_MS; !signal.aborted; waitMs = sweepEveryMs) {
      try {
        await clock.sleep(waitMs, signal);
        await this.sweep(signal);
      } catch (error) {
        if (signal.aborted) return;
        log.warn(`missing trades could not be looked for: ${describeError(error)}; it is tried again`);
      }
    }
  }

  /** One line a minute: what came in, and what had to be mended. */
  async #telling(signal: AbortSignal): Promise<void> {
    const { clock, log, exchange } = this.#options;
    let before = { ...this.feed.counts, repaired: 0 };
    while (true) {
      try {
        await clock.sleep(TELL_EVERY_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      const now = { ...this.feed.counts, repaired: this.#repaired };
      const then = before;
      const of = (key: keyof typeof now): number => now[key] - then[key];
      before = now;
      const mended = [
        of("missingTrades") > 0 ? `${of("missingTrades")} missing` : "",
        of("repaired") > 0 ? `${of("repaired")} fetched by REST` : "",
        of("duplicates") > 0 ? `${of("duplicates")} repeated` : "",
        of("resyncs") > 0 ? `${of("resyncs")} books fetched anew` : "",
      ].filter((part) => part !== "");
      const rest = mended.length > 0 ? `; ${mended.join(", ")}` : "";
      log.info(
        `${exchange.id} live: ${of("trades")} trades, ${of("candles")} closed candles, ${of("books")} order books in a minute${rest}`,
      );
    }
  }

  #repairSoon(market: StoredMarket, gap: TradeGap): void {
    const { signal } = this.#repairing;
    this.#repairOnce(market, gap, signal).catch((error: unknown) => {
      if (!signal.aborted)
        this.#options.log.warn(
          `${formatMarketName(market)}: a gap is left for later: ${describeError(error)}`,
        );
    });
  }

  /** One long gap of a market at a time; the next sweep takes the next. */
  #repairPast(market: StoredMarket, gap: TradeGap): void {
    const { signal } = this.#repairing;
    if (this.#pastOf.has(market.id)) return;
    this.#pastOf.add(market.id);
    this.#past(() => this.#repairOnce(market, gap, signal))
      .catch((error: unknown) => {
        if (!signal.aborted)
          this.#options.log.warn(
            `${formatMarketName(market)}: a part of its past is left for later: ${describeError(error)}`,
          );
      })
      .finally(() => this.#pastOf.delete(market.id));
  }

  /** A gap that is being repaired is not asked for a second time beside it. */
  async #repairOnce(market: StoredMarket, gap: TradeGap, signal: AbortSignal): Promise<number> {
    const key = `${market.id} ${gap.afterId} ${gap.startMs}`;
    if (this.#underRepair.has(key)) return 0;
    this.#underRepair.add(key);
    try {
      const repaired = await this.#limit(() => this.#repair.tryRepair(market, gap, signal));
      this.#repaired += repaired?.trades ?? 0;
      if (repaired && repaired.trades > 0) this.#options.onRepaired?.(market, repaired.trades);
      return repaired?.trades ?? 0;
    } finally {
      this.#underRepair.delete(key);
    }
  }
}
