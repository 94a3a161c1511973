// One collection cycle after the other over many series. A series that is still being waited for when a cycle's time is
// over keeps its place and is left alone by the next cycle: it delays nobody, and is never collected twice at once.
import pLimit, { type LimitFunction } from "p-limit";
import { systemClock, type Clock } from "../core/clock.js";
import { formatMarketName } from "../core/model/market.js";
import type { Random } from "../core/random.js";
import type { PassOutcome, Series } from "./candle-keeper.js";
import { doneWhileMoving } from "./places.js";

export interface CollectionCycleOptions {
  /** Collects one series once. */
  readonly collect: (series: Series, signal: AbortSignal) => Promise<PassOutcome>;
  /** Names a series. */
  readonly nameOf: (series: Series) => string;
  readonly clock: Clock;
  readonly random: Random;
  /** What tells that a series hangs; default the machine's clock. */
  readonly timer?: Clock;
}

/** Where a cycle is one of many: its requests are spread, and it ends after `withinMs`. */
export interface Pace {
  readonly withinMs: number;
}

export interface SeriesFailure {
  readonly series: Series;
  readonly error: unknown;
}

/** What has ended since the last cycle's end. */
export interface CollectionOutcome {
  readonly candles: number;
  readonly rejected: number;
  /** Series that could not be asked for at all, with the error. */
  readonly failures: readonly SeriesFailure[];
  /** Series still at work. */
  readonly unfinished: number;
}

/** Series fetched side by side; the rate limit, not this, is the bound. One that hangs goes on without a place. */
const SERIES_AT_ONCE = 16;
/** Of one market: where one of its series hangs, the others will too. */
const SERIES_OF_A_MARKET_AT_ONCE = 2;
/** Starts are spread over so much for each series, at most a tenth of the cycle: no burst at each full minute. */
const SPREAD_PER_SERIES_MS = 50;

export class CollectionCycle {
  readonly #options: CollectionCycleOptions;
  readonly #places = pLimit(SERIES_AT_ONCE);
  readonly #markets = new Map<string, LimitFunction>();
  readonly #atWork = new Map<string, Promise<void>>();
  #ended: { readonly series: Series; readonly outcome?: PassOutcome; readonly error?: unknown }[] = [];

  constructor(options: CollectionCycleOptions) {
    this.#options = options;
  }

  /**
   * Collects every series that is not at work yet, and waits for all; with a pace, at most that long.
   * @throws the signal's reason; the errors of single series are part of the outcome
   */
  async run(series: readonly Series[], signal: AbortSignal, pace?: Pace): Promise<CollectionOutcome> {
    const { clock, nameOf, random } = this.#options;
    const spreadMs = pace ? Math.min(pace.withinMs / 10, series.length * SPREAD_PER_SERIES_MS) : 0;
    for (const each of series) {
      const name = nameOf(each);
      if (this.#atWork.has(name)) continue;
      const work = this.#collectOne(each, { delayMs: spreadMs * random.next() }, signal);
      this.#atWork.set(
        name,
        work.finally(() => this.#atWork.delete(name)),
      );
    }
    if (pace === undefined) await this.settled();
    else await within(this.settled(), { durationMs: pace.withinMs, clock, signal });
    signal.throwIfAborted();
    return this.#takeOutcome();
  }

  /** Resolves when nothing is at work any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#atWork.values());
  }

  /** Never rejects. */
  async #collectOne(series: Series, { delayMs }: { delayMs: number }, signal: AbortSignal): Promise<void> {
    const { collect, clock } = this.#options;
    try {
      if (delayMs > 0) await clock.sleep(delayMs, signal);
      const outcome = await this.#limitOf(series)(() =>
        this.#inPlace(async () => {
          signal.throwIfAborted();
          return collect(series, signal);
        }),
      );
      this.#ended.push({ series, outcome });
    } catch (error) {
      if (!signal.aborted) this.#ended.push({ series, error });
    }
  }

  /** Begins when there is a place, and gives it up when it takes long. */
  #inPlace(work: () => Promise<PassOutcome>): Promise<PassOutcome> {
    const timer = this.#options.timer ?? systemClock;
    return new Promise((resolve, reject) => {
      void this.#places(async () => {
        const begunMs = timer.nowMs();
        const working = work();
        working.then(resolve, reject);
        await doneWhileMoving(working, { movedMs: () => begunMs, timer }).catch(() => undefined);
      });
    });
  }

  #limitOf({ market }: Series): LimitFunction {
    const name = formatMarketName(market);
    const known = this.#markets.get(name);
    if (known) return known;
    const created = pLimit(SERIES_OF_A_MARKET_AT_ONCE);
    this.#markets.set(name, created);
    return created;
  }

  #takeOutcome(): CollectionOutcome {
    const ended = this.#ended;
    this.#ended = [];
    return {
      candles: ended.reduce((sum, { outcome }) => sum + (outcome?.candles ?? 0), 0),
      rejected: ended.reduce((sum, { outcome }) => sum + (outcome?.rejected ?? 0), 0),
      failures: ended
        .filter(({ outcome }) => outcome === undefined)
        .map(({ series, error }) => ({ series, error })),
      unfinished: this.#atWork.size,
    };
  }
}

async function within(
  work: Promise<void>,
  { durationMs, clock, signal }: { durationMs: number; clock: Clock; signal: AbortSignal },
): Promise<void> {
  const over = new AbortController();
  const timer = clock
    .sleep(durationMs, AbortSignal.any([signal, over.signal]))
    // Ended early, because the work is done or everything stops: both are seen by whoever waits.
    .catch(() => undefined);
  await Promise.race([work, timer]);
  over.abort();
}
