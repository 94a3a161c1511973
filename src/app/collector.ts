// One collector of the config, running: finds its markets, then keeps their series complete, cycle after cycle.
import pLimit from "p-limit";
import { setMaxListeners } from "node:events";
import type { Clock } from "../core/clock.js";
import { classifyError, describeError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import type { CandleBatch } from "../core/model/candle-batch.js";
import { formatMarketName } from "../core/model/market.js";
import { timeframeMs } from "../core/timeframe.js";
import type { Exchange } from "../exchanges/exchange.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { SeriesState, Store } from "../store/store.js";
import { CandleKeeper, type PassOutcome, type Series } from "../upkeep/candle-keeper.js";
import { historySinceMs } from "./config-resolve.js";
import type { CollectorConfig } from "./config-types.js";
import { findMarket } from "./market-lookup.js";

export interface CollectorOptions {
  readonly config: CollectorConfig;
  readonly exchange: Exchange;
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly log: Log;
  /** Marks the markets as simulated, for good. */
  readonly isSimulated?: boolean;
  /** After each page, for progress. */
  readonly onPage?: (series: Series, batch: CandleBatch) => void;
}

/** What one collection cycle came to. */
export interface CycleReport {
  readonly series: number;
  readonly candles: number;
  readonly rejected: number;
  /** Candles still missing, over all series. */
  readonly missingCandles: number;
  /** Series that could not be asked for at all, with the error. */
  readonly failures: readonly { readonly series: Series; readonly error: unknown }[];
}

/** Series fetched side by side; the rate limit, not this, is the bound. */
const SERIES_AT_ONCE = 4;

/** How often the exchange is asked for its markets: all trade; one does not. */
const LIST_EVERY_MS = 3_600_000;
const LIST_SUSPENDED_EVERY_MS = 300_000;

export class Collector {
  readonly config: CollectorConfig;
  readonly #options: CollectorOptions;
  readonly #keeper: CandleKeeper;
  /** By series, so that it outlasts a new listing. */
  readonly #sinceMs = new Map<string, number>();
  #listedMs = -Infinity;
  #series: readonly Series[] | undefined;

  constructor(options: CollectorOptions) {
    const { config, exchange, store, pipeline, clock, log } = options;
    this.config = config;
    this.#options = options;
    this.#keeper = new CandleKeeper({
      store,
      stage: pipeline.stage,
      exchange,
      clock,
      log,
      concurrency: config.backfill.concurrency,
      pageRowsMax: config.request.limit,
      voidConfirmAfterMs: config.backfill.voidConfirmAfterMs,
    });
  }

  /**
   * Asks the exchange for its markets and enters those of the config. Done once; repeated calls return the same.
   * @throws TickwellError `config` for a symbol the exchange does not list; the exchange's error when it cannot be asked
   */
  async prepare(signal: AbortSignal): Promise<readonly Series[]> {
    if (this.#series) return this.#series;
    this.#series = await this.#listSeries(signal);
    this.#listedMs = this.#options.clock.nowMs();
    return this.#series;
  }

  /** Markets are suspended and come back: what was listed at the start is not true for ever. */
  async #keepListed(signal: AbortSignal): Promise<readonly Series[]> {
    const { clock, log, config } = this.#options;
    const series = await this.prepare(signal);
    const everyMs = series.every(({ market }) => market.isActive) ? LIST_EVERY_MS : LIST_SUSPENDED_EVERY_MS;
    if (Math.abs(clock.nowMs() - this.#listedMs) < everyMs) return series;
    this.#listedMs = clock.nowMs();
    try {
      this.#series = await this.#listSeries(signal);
    } catch (error) {
      signal.throwIfAborted();
      log.warn(
        `${config.name}: the markets could not be listed anew, going on with those of before: ${describeError(error)}`,
      );
    }
    return this.#series ?? series;
  }

  async #listSeries(signal: AbortSignal): Promise<readonly Series[]> {
    const { config, exchange, store } = this.#options;
    const listed = await exchange.fetchMarkets(signal);
    const chosen = config.symbols.map(({ symbol }) => findMarket(exchange.id, listed, symbol));
    const stored = await store.putMarkets(exchange.id, chosen, {
      isSimulated: this.#options.isSimulated ?? false,
    });
    const bySymbol = new Map(stored.map((market) => [market.symbol, market]));
    const series: Series[] = [];
    config.symbols.forEach(({ timeframes, channels }, i) => {
      const market = bySymbol.get(chosen[i]?.symbol ?? "");
      if (market && channels.includes("candles"))
        for (const timeframe of timeframes) series.push({ market, timeframe });
    });
    return series;
  }

  /** One collection cycle over all series of the collector. */
  async runCollectionCycle(signal: AbortSignal): Promise<CycleReport> {
    const bounded = this.#bounded(signal);
    const series = await this.#keepListed(bounded);
    const limit = pLimit(SERIES_AT_ONCE);
    const failures: { series: Series; error: unknown }[] = [];
    const outcomes = await Promise.all(
      series.map((each) =>
        limit(async () => {
          try {
            return await this.#collect(each, bounded);
          } catch (error) {
            bounded.throwIfAborted();
            failures.push({ series: each, error });
            return undefined;
          }
        }),
      ),
    );
    const done = outcomes.filter((outcome) => outcome !== undefined);
    const states = await Promise.all(series.map((each) => this.#state(each)));
    return {
      series: series.length,
      candles: done.reduce((sum, outcome) => sum + outcome.candles, 0),
      rejected: done.reduce((sum, outcome) => sum + outcome.rejected, 0),
      missingCandles: states.reduce(
        (sum, state) => sum + (state ? state.expectedCandles - state.coveredCandles - state.voidCandles : 0),
        0,
      ),
      failures,
    };
  }

  /** Runs collection cycles until the signal is aborted; a failed cycle is reported and followed by the next. */
  async run(signal: AbortSignal, onCycle: (report: CycleReport) => void): Promise<void> {
    const { clock, log, config, store } = this.#options;
    const bounded = this.#bounded(signal);
    let startedMs = clock.nowMs();
    while (!bounded.aborted) {
      try {
        onCycle(await this.runCollectionCycle(bounded));
      } catch (error) {
        if (bounded.aborted) break;
        log.error(`${config.name}: ${describeError(error)}; trying again in the next cycle`);
        // The writer brings a dead server back when it has something to write; a cycle that cannot even read has not.
        if (classifyError(error).kind === "database")
          await store.revive(bounded).catch((cause: unknown) => log.debug(describeError(cause)));
      }
      const everyMs = config.mode.intervals.collectMs;
      // From start to start, so that the pace does not depend on how long a cycle takes; missed beats are left out.
      startedMs += everyMs * Math.max(1, Math.ceil((clock.nowMs() - startedMs) / everyMs));
      await clock.sleep(startedMs - clock.nowMs(), bounded).catch(() => undefined);
    }
    this.#options.pipeline.failure.throwIfAborted();
  }

  /** Stops with the caller, and when the writer has failed for good. */
  #bounded(signal: AbortSignal): AbortSignal {
    const bounded = AbortSignal.any([signal, this.#options.pipeline.failure]);
    // Each series and each of its requests listens to it.
    setMaxListeners(0, bounded);
    return bounded;
  }

  async #collect(series: Series, signal: AbortSignal): Promise<PassOutcome> {
    const { config } = this.#options;
    return this.#keeper.collect(
      series,
      {
        sinceMs: await this.#since(series, signal),
        overlap: config.request.overlap,
        pauseMaxMs: 2 * config.mode.intervals.collectMs,
      },
      signal,
      (batch) => this.#options.onPage?.(series, batch),
    );
  }

  /** Where a series begins: as configured, or a few candles ago, so that the first cycle shows something. */
  async #since(series: Series, signal: AbortSignal): Promise<number> {
    const known = this.#sinceMs.get(formatSeries(series));
    if (known !== undefined) return known;
    const { config } = this.#options;
    const endMs = await this.#keeper.closedEndMs(series.timeframe, signal);
    const { since } = config.mode.history;
    const configured = since === undefined ? undefined : historySinceMs(since, endMs);
    const sinceMs = configured ?? endMs - config.request.overlap * timeframeMs(series.timeframe);
    this.#sinceMs.set(formatSeries(series), sinceMs);
    return sinceMs;
  }

  async #state({ market, timeframe }: Series): Promise<SeriesState | undefined> {
    const [state] = await this.#options.store.seriesStates({ marketId: market.id, timeframe });
    return state;
  }
}

/** `binance:BTC/USDT 1m` */
export function formatSeries({ market, timeframe }: Series): string {
  return `${formatMarketName(market)} ${timeframe}`;
}
