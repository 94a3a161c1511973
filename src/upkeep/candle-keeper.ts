// Keeps series of candles complete: what is expected and not proven is fetched, absences are asked for again, and the
// last closed candles are compared. Whether a range is complete is read from coverage, never concluded from a request
// that went well.
import type { Clock } from "../core/clock.js";
import type { CandleBatch } from "../core/model/candle-batch.js";
import { ceilToTimeframe, floorToTimeframe, timeframeMs, type Timeframe } from "../core/timeframe.js";
import { intersectRanges, mergeRanges, subtractRanges, type TimeRange } from "../core/range.js";
import type { Log } from "../core/log.js";
import type { RestExchange } from "../exchanges/exchange.js";
import { CandleFeed } from "../pipeline/feed/candle-feed.js";
import { ExchangeClock } from "../pipeline/feed/exchange-clock.js";
import type { Testimony } from "../pipeline/feed/void-witness.js";
import type { Validation } from "../pipeline/gate/validation.js";
import type { Stage } from "../pipeline/stage/stage.js";
import type { OpenGap, SeriesKey, Store, StoredMarket, SeriesState } from "../store/store.js";

export interface CandleKeeperOptions {
  readonly store: Store;
  readonly stage: Stage;
  readonly exchange: RestExchange;
  readonly clock: Clock;
  readonly log: Log;
  /** Requests for one series under way at once. */
  readonly concurrency: number;
  /** Rows a page; the venue's maximum when undefined. */
  readonly pageRowsMax?: number | undefined;
  /** How long after the first answer an absent candle is asked for again, ms. */
  readonly voidConfirmAfterMs: number;
  /** What happens to a row that breaks a rule, and which rows are flagged; {@link DEFAULT_VALIDATION} when absent. */
  readonly validationOf?: (series: Series) => Validation;
}

export interface Series {
  readonly market: StoredMarket;
  readonly timeframe: Timeframe;
}

export interface CollectRequest {
  /** The start of what this series should hold; epoch ms. */
  readonly sinceMs: number;
  /** How many of the last closed candles are fetched again and compared. */
  readonly overlap: number;
  /** A pause in collecting longer than this is a gap worth recording, ms. */
  readonly pauseMaxMs: number;
}

/** What a pass over a series did. */
export interface PassOutcome {
  readonly candles: number;
  readonly rejected: number;
  readonly failures: number;
  /** What stays missing, with what is known about each. */
  readonly remaining: readonly TimeRange[];
  /** When the next of the remaining may be asked for; undefined when none remains. */
  readonly nextAskMs: number | undefined;
}

/** How many candles before its present a collection cycle looks after by itself; older holes become tasks. */
export const HEAD_CANDLES = 10;
/** A time to ask again that lies further off was written while our clock was wrong. */
const ASK_AHEAD_MAX_MS = 2 * 3_600_000;
/** The last candles asked for to see whether the exchange has later ones than a range in question. */
const PROBE_CANDLES = 10;

export class CandleKeeper {
  readonly #options: CandleKeeperOptions;
  readonly #exchangeClock: ExchangeClock;
  readonly #feed: CandleFeed;

  constructor(options: CandleKeeperOptions) {
    this.#options = options;
    this.#exchangeClock = new ExchangeClock(options);
    this.#feed = new CandleFeed({
      ...options,
      exchangeClock: this.#exchangeClock,
      recentCandles: (key, beforeMs, count) => options.store.recentCandles(key, beforeMs, count),
    });
  }

  /** The end of the last candle that is closed by the exchange's clock, epoch ms. */
  async closedEndMs(timeframe: Timeframe, signal: AbortSignal): Promise<number> {
    await this.#exchangeClock.keepMeasured(signal);
    return floorToTimeframe(this.#exchangeClock.nowMs(), timeframe);
  }

  /**
   * One collection cycle of one series: what is new, what is missing among the last {@link HEAD_CANDLES} before it, and the
   * overlap that is compared. At most a page: what lies further back is the repair tasks' business, so that a long past
   * never holds up the present.
   * @param onPage after each page, for progress
   */
  async collect(
    series: Series,
    request: CollectRequest,
    signal: AbortSignal,
    onPage?: (batch: CandleBatch) => void,
  ): Promise<PassOutcome> {
    const { store } = this.#options;
    const key = keyOf(series);
    const lengthMs = timeframeMs(series.timeframe);
    const endMs = await this.closedEndMs(series.timeframe, signal);
    const startMs = ceilToTimeframe(request.sinceMs, series.timeframe);
    if (endMs <= startMs) return NOTHING_DONE;
    const followedMs = await store.follow(key, { startMs, endMs });
    if (followedMs !== undefined && endMs - followedMs > request.pauseMaxMs + lengthMs) {
      const nowMs = this.#exchangeClock.nowMs();
      const pause = {
        startMs: followedMs,
        endMs,
        reason: "not_collected",
        detail: "nothing was collecting",
        nextAskMs: nowMs,
      } as const;
      await this.#record(key, { missing: [pause], receivedMs: nowMs }, signal);
    }
    const range = { startMs: this.#headStartMs(followedMs, { endMs, lengthMs }), endMs };
    return this.#pass(series, { range, overlap: request.overlap }, signal, onPage);
  }

  /** The first time of a page of candles up to `endMs`, or less where the series was followed a short while ago. */
  #headStartMs(
    followedMs: number | undefined,
    { endMs, lengthMs }: { endMs: number; lengthMs: number },
  ): number {
    return Math.max(endMs - this.pageRows * lengthMs, (followedMs ?? -Infinity) - HEAD_CANDLES * lengthMs);
  }

  /**
   * One pass over a range that should be filled.
   * @param onPage after each page, for progress
   */
  async fill(
    series: Series,
    range: TimeRange,
    signal: AbortSignal,
    onPage?: (batch: CandleBatch) => void,
  ): Promise<PassOutcome> {
    await this.#exchangeClock.keepMeasured(signal);
    await this.#options.store.expect(keyOf(series), range);
    return this.#pass(series, { range, overlap: 0 }, signal, onPage);
  }

  /** Asks again about voids of a series, see {@link CandleFeed.hearVoids}. */
  async hearVoids<T extends TimeRange>(
    series: Series,
    voids: readonly T[],
    signal: AbortSignal,
  ): Promise<Testimony<T>> {
    await this.#exchangeClock.keepMeasured(signal);
    const [state] = await this.#options.store.seriesStates(keyOf(series));
    return this.#feed.hearVoids(
      { ...series, latestSeenMs: state?.latestCoveredMs ?? -Infinity },
      voids,
      signal,
    );
  }

  /** Rows a page of the exchange holds at most. */
  get pageRows(): number {
    const { exchange, pageRowsMax } = this.#options;
    return Math.min(pageRowsMax ?? Infinity, exchange.traits.candlePageRowsMax);
  }

  /** Now by the exchange's clock, by which the gap log's times are kept; epoch ms. */
  nowMs(): number {
    return this.#exchangeClock.nowMs();
  }

  /** After an error of the database: brings it back where the server is ours. */
  revive(signal: AbortSignal): Promise<void> {
    return this.#options.store.revive(signal);
  }

  async #pass(
    series: Series,
    { range, overlap }: { range: TimeRange; overlap: number },
    signal: AbortSignal,
    onPage?: (batch: CandleBatch) => void,
  ): Promise<PassOutcome> {
    const { store, stage, validationOf } = this.#options;
    const key = keyOf(series);
    const openGaps = await store.openGaps(key);
    const nowMs = this.#exchangeClock.nowMs();
    const waiting = openGaps.filter((gap) => askTimeMs(gap, nowMs) > nowMs);
    const [state] = await store.seriesStates(key);
    const compared = intersectRanges(lastCandles(state, overlap), state?.expected ?? []);
    const due = mergeRanges([...subtractRanges(await store.missing(key, range), waiting), ...compared]);
    let latestSeenMs = Math.max(
      state?.latestCoveredMs ?? -Infinity,
      await this.#probeLatest(series, due, state, signal),
    );
    let candles = 0;
    let rejected = 0;
    let failures = 0;
    try {
      // Latest first: with a later candle at hand, what is absent before it can be judged.
      for (const part of due.toReversed()) {
        const outcome = await this.#feed.fetchRange(
          { ...series, range: part, openGaps, latestSeenMs, validation: validationOf?.(series) },
          signal,
          (batch) => {
            latestSeenMs = Math.max(latestSeenMs, batch.candles.at(-1)?.openTimeMs ?? -Infinity);
            onPage?.(batch);
          },
        );
        candles += outcome.candles;
        rejected += outcome.rejected;
        failures += outcome.failures.length;
      }
    } finally {
      // Also what a failed part has handed on: the next pass must find it in coverage, not fetch it again.
      if (!signal.aborted) await stage.settled(stage.lastSequence, signal);
    }
    const remaining = await store.missing(key, range);
    return {
      candles,
      rejected,
      failures,
      remaining,
      nextAskMs: earliestAsk(remaining, await store.openGaps(key), this.#exchangeClock.nowMs()),
    };
  }

  /**
   * What is absent can only be judged beside a later candle. Where a range lies in the past and none is known behind it,
   * the exchange is asked for its latest.
   */
  async #probeLatest(
    series: Series,
    due: readonly TimeRange[],
    state: SeriesState | undefined,
    signal: AbortSignal,
  ): Promise<number> {
    const lengthMs = timeframeMs(series.timeframe);
    const endMs = await this.closedEndMs(series.timeframe, signal);
    const dueEndMs = due.at(-1)?.endMs ?? -Infinity;
    const isInThePast = dueEndMs <= endMs - PROBE_CANDLES * lengthMs;
    const isKnown = (state?.latestCoveredMs ?? -Infinity) >= dueEndMs;
    if (due.length === 0 || !isInThePast || isKnown || !series.market.isActive) return -Infinity;
    return this.#feed.latestOpenTimeMs(series, { startMs: endMs - PROBE_CANDLES * lengthMs, endMs }, signal);
  }

  async #record(
    key: SeriesKey,
    facts: Pick<CandleBatch, "missing" | "receivedMs">,
    signal: AbortSignal,
  ): Promise<void> {
    const { stage } = this.#options;
    const sequence = await stage.append(
      {
        kind: "candles",
        ...key,
        source: "rest",
        evidence: "rest_page",
        candles: [],
        voids: [],
        rejected: [],
        ...facts,
      },
      signal,
    );
    await stage.settled(sequence, signal);
  }
}

const NOTHING_DONE: PassOutcome = {
  candles: 0,
  rejected: 0,
  failures: 0,
  remaining: [],
  nextAskMs: undefined,
};

/** The last stored candles of a series, as a range. */
function lastCandles(state: SeriesState | undefined, count: number): TimeRange[] {
  if (state?.latestCoveredMs === undefined || count === 0) return [];
  const lengthMs = timeframeMs(state.timeframe);
  const endMs = state.latestCoveredMs + lengthMs;
  return [{ startMs: endMs - count * lengthMs, endMs }];
}

/** A series by its key. */
export function keyOf({ market, timeframe }: Series): SeriesKey {
  return { marketId: market.id, timeframe };
}

/** For maps and sets: `17 1m`. */
export function seriesKeyText({ marketId, timeframe }: SeriesKey): string {
  return `${marketId} ${timeframe}`;
}

/** When a gap may be asked for, epoch ms. */
function askTimeMs(gap: OpenGap, nowMs: number): number {
  const { nextAskMs = nowMs } = gap;
  return nextAskMs > nowMs + ASK_AHEAD_MAX_MS ? nowMs : nextAskMs;
}

/** When the first of the remaining ranges may be asked for; at once where the log knows nothing of one. */
function earliestAsk(
  remaining: readonly TimeRange[],
  openGaps: readonly OpenGap[],
  nowMs: number,
): number | undefined {
  const times = remaining.map((range) => {
    const known = openGaps.filter((gap) => gap.startMs < range.endMs && gap.endMs > range.startMs);
    return known.length === 0 || subtractRanges([range], known).length > 0
      ? nowMs
      : Math.min(...known.map((gap) => askTimeMs(gap, nowMs)));
  });
  return times.length === 0 ? undefined : Math.min(...times);
}
