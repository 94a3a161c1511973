// One collector of the config, running: finds its markets, then follows them, repairs what is missing and checks the
// quality of what it has, in three cycles that do not wait for each other.
import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import type { Clock } from "../core/clock.js";
import { classifyError, describeError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import type { CandleBatch } from "../core/model/candle-batch.js";
import { formatMarketName } from "../core/model/market.js";
import type { CycleRun } from "../upkeep/metrics/cycle-times.js";
import { systemRandom, type Random } from "../core/random.js";
import { timeframeMs } from "../core/timeframe.js";
import type { Exchange } from "../exchanges/exchange.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Store } from "../store/store.js";
import type { Alerts } from "../upkeep/alerts/alerts.js";
import { CandleKeeper, type PassOutcome, type Series } from "../upkeep/candle-keeper.js";
import { LiveFollower, type LiveFollowerOptions } from "../upkeep/live-follower.js";
import type { LiveMarket } from "../pipeline/feed/live/live-feed.js";
import { CollectionCycle, type Pace, type SeriesFailure } from "../upkeep/collection-cycle.js";
import { CycleScheduler, type Cycle } from "../upkeep/cycle-scheduler.js";
import { countMissing } from "../upkeep/missing-candles.js";
import { RepairCycle, type RepairReport } from "../upkeep/repair-cycle.js";
import { QualityCycle } from "../upkeep/quality/quality-cycle.js";
import type { QualityReport } from "../upkeep/quality/quality-report.js";
import { historySinceMs, validationFor } from "./config-resolve.js";
import type { CollectorConfig } from "./config-types.js";
import { hasStreams } from "./has-streams.js";
import { MarketList } from "./market-list.js";

export interface CollectorOptions {
  readonly config: CollectorConfig;
  readonly exchange: Exchange;
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly log: Log;
  /** Default: the machine's. */
  readonly random?: Random;
  /** Told what someone has to know; nobody when absent. */
  readonly alerts?: Pick<Alerts, "raise" | "resolve">;
  /** Candles older than this are dropped elsewhere, and must not be expected again, ms; undefined: kept for ever. */
  readonly retainedMs?: number | undefined;
  /** As `retainedMs`, of trades. */
  readonly retainedTradesMs?: number | undefined;
  /** Marks the markets as simulated, for good. */
  readonly isSimulated?: boolean;
  /** Where the config was read from, for messages. */
  readonly configFile?: string | undefined;
  /** Told of each cycle that came to its end without an error. */
  readonly onCycle?: (cycle: CycleRun) => void;
  /** Told of streams that fail and of those that are opened. */
  readonly streams?: LiveHooks | undefined;
  /** After each page, for progress. */
  readonly onPage?: (series: Series, batch: CandleBatch) => void;
}

/** What is told of a collector's streams. */
export type LiveHooks = Pick<
  LiveFollowerOptions,
  "onFailure" | "onConnected" | "onGap" | "onRepaired" | "record" | "tap"
>;

/** What one collection cycle came to. */
export interface CycleReport {
  readonly series: number;
  readonly candles: number;
  readonly rejected: number;
  /** Candles still missing, over all series. */
  readonly missingCandles: number;
  /** Series that could not be asked for at all, with the error. */
  readonly failures: readonly SeriesFailure[];
  /** Series still at work when the cycle's time was over. */
  readonly unfinished: number;
}

/** Told of each cycle as it ends. */
export interface CollectorHooks {
  readonly onCollected?: (report: CycleReport) => void;
  readonly onRepaired?: (report: RepairReport) => void;
  readonly onChecked?: (report: QualityReport) => void;
}

/** Real time: a person who stops the program waits for it. */
const HAND_ON_MS = 10_000;
/** The first repairs begin when the first collection cycle has shown where the present is. */
const FIRST_REPAIR_AFTER_MS = 5_000;
const FIRST_CHECK_AFTER_MS = FIRST_REPAIR_AFTER_MS;

export class Collector {
  readonly config: CollectorConfig;
  readonly #options: CollectorOptions;
  readonly #markets: MarketList;
  readonly #keeper: CandleKeeper;
  readonly #collection: CollectionCycle;
  readonly #repair: RepairCycle;
  readonly #quality: QualityCycle;
  /** By series, so that it outlasts a new listing. */
  readonly #sinceMs = new Map<string, number>();
  #following: LiveFollower | undefined;
  #running: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(options: CollectorOptions) {
    const { config, exchange, store, pipeline, clock, log, alerts } = options;
    const random = options.random ?? systemRandom;
    this.config = config;
    this.#options = options;
    this.#markets = new MarketList({
      config,
      exchange,
      store,
      clock,
      log,
      alerts,
      isSimulated: options.isSimulated ?? false,
      configFile: options.configFile,
    });
    this.#keeper = new CandleKeeper({
      store,
      stage: pipeline.stage,
      exchange,
      clock,
      log,
      concurrency: config.backfill.concurrency,
      pageRowsMax: config.request.limit,
      voidConfirmAfterMs: config.backfill.voidConfirmAfterMs,
      validationOf: ({ market }) => validationFor(config, market.symbol),
    });
    this.#collection = new CollectionCycle({
      collect: (series, signal) => this.#collect(series, signal),
      nameOf: formatSeries,
      clock,
      random,
    });
    this.#repair = new RepairCycle({
      ...config.backfill,
      store,
      keeper: this.#keeper,
      clock,
      random,
      log,
      alerts,
      workerName: `${config.name} pid=${process.pid}`,
      isSimulated: options.isSimulated ?? false,
    });
    this.#quality = new QualityCycle({ ...config.quality, store, clock, log, alerts });
  }

  /**
   * Asks the exchange for its markets and enters those of the config. Done once; repeated calls return the same. A symbol it
   * has never listed is left out, with an error in the log and an alert.
   * @throws TickwellError `config` when it has listed none of them; the exchange's error when it cannot be asked
   */
  prepare(signal: AbortSignal): Promise<readonly Series[]> {
    return this.#markets.series(signal);
  }

  /** Symbols of the config that are left out for now: the exchange has never listed them. */
  get unknownSymbols(): readonly string[] {
    return this.#markets.unknown.map(({ symbol }) => symbol);
  }

  /**
   * One collection cycle over all series: what is new, to the last closed candle.
   * @param pace where the cycle is one of many; without it, all series are waited for
   * @throws TickwellError `validation` when `on_failure: halt` has stopped a series
   */
  async runCollectionCycle(signal: AbortSignal, pace?: Pace): Promise<CycleReport> {
    const bounded = this.#bounded(signal);
    const series = await this.#markets.series(bounded);
    const outcome = await this.#collection.run(series, bounded, pace);
    const halted = outcome.failures.find(({ error }) => isHalt(error));
    if (halted) throw halted.error;
    const refused = outcome.failures.filter(({ error }) => classifyError(error).kind === "bad_symbol");
    await this.#markets.noteRefusals(
      new Map(refused.map(({ series: { market }, error }) => [market.id, describeError(error)])),
      bounded,
    );
    const missingCandles = await countMissing(this.#options.store, series);
    return { ...outcome, series: series.length, missingCandles };
  }

  /** One repair cycle: gaps become tasks, tasks that are due are worked off. */
  async runBackfillCycle(signal: AbortSignal): Promise<RepairReport> {
    const bounded = this.#bounded(signal);
    return this.#repair.run(await this.#markets.series(bounded), bounded);
  }

  /** One check of all series over the configured lookback; the summaries are stored. */
  async runQualityCheckCycle(signal: AbortSignal): Promise<QualityReport> {
    return this.#check(signal, { mayAlarm: true });
  }

  /**
   * Runs the three cycles until {@link stop}; resolves when all of them have ended.
   * @throws TickwellError `validation` when `on_failure: halt` has stopped it; the writer's error when the database
   *   refuses for good
   */
  start(hooks: CollectorHooks = {}): Promise<void> {
    assert(!this.#running, `${this.config.name} is running already`);
    const stop = new AbortController();
    const ended = this.run(stop.signal, hooks).finally(() => (this.#running = undefined));
    this.#running = { stop, ended };
    return ended;
  }

  /** What follows the markets live, while it does and afterwards; undefined where nothing is followed. */
  get live(): LiveFollower | undefined {
    return this.#following;
  }

  /** Ends the cycles; resolves when what was received is handed on. */
  async stop(): Promise<void> {
    const running = this.#running;
    running?.stop.abort(new Error(`${this.config.name} is stopped`));
    // Whoever started it hears of its errors.
    await running?.ended.catch(() => undefined);
  }

  /** As {@link start}, until the signal is aborted. */
  async run(signal: AbortSignal, hooks: CollectorHooks = {}): Promise<void> {
    const { clock, log, config, pipeline } = this.#options;
    const { collectMs, qualityMs, backfillMs } = config.mode.intervals;
    const bounded = this.#bounded(signal);
    const startMs = clock.nowMs();
    const collected = new FirstRun();
    const repaired = new FirstRun();
    const cycle = (name: string, everyMs: number, firstAfterMs: number, run: Cycle["run"]): Cycle => ({
      name: `${config.name}: ${name}`,
      everyMs,
      firstAfterMs,
      run: async (each) => {
        const startMs = clock.nowMs();
        await this.#reviving(run, each);
        this.#options.onCycle?.({ collector: config.name, cycle: name, startMs, endMs: clock.nowMs() });
      },
    });
    const scheduler = new CycleScheduler({
      clock,
      log,
      cycles: [
        // The work is done whether or not somebody is told: the argument of an optional call is not evaluated without it.
        cycle("collect", collectMs, 0, async (each) => {
          const report = await collected.watch(this.runCollectionCycle(each, { withinMs: collectMs }));
          hooks.onCollected?.(report);
        }),
        cycle("repair", backfillMs, Math.min(FIRST_REPAIR_AFTER_MS, backfillMs), async (each) => {
          const report = await repaired.watch(this.runBackfillCycle(each));
          hooks.onRepaired?.(report);
        }),
        cycle("quality", qualityMs, Math.min(FIRST_CHECK_AFTER_MS, qualityMs), async (each) => {
          // Not before the first repairs: a score of what nobody has fetched yet says nothing. Nor is anybody told of a
          // low one until it had the time to become better.
          await this.#ended([collected, repaired], startMs + qualityMs, each);
          const report = await this.#check(each, { mayAlarm: clock.nowMs() >= startMs + qualityMs });
          hooks.onChecked?.(report);
        }),
      ],
    });
    const live = (this.#following = await this.#prepareLive(bounded));
    const ending = new AbortController();
    // Ends with the cycles, and keeps what has come in until then.
    const following = live?.run(
      AbortSignal.any([bounded, ending.signal]),
      deadlineAfter(bounded, ending.signal),
    );
    following?.catch(() => undefined);
    try {
      const cycles = scheduler.run(bounded, isFatal);
      await (following ? Promise.race([cycles, following.then(() => cycles)]) : cycles);
    } finally {
      ending.abort(new Error("the cycles have ended"));
      await following?.catch(() => undefined);
      await this.#collection.settled();
    }
    pipeline.failure.throwIfAborted();
  }

  /** Undefined where nothing is followed live: the config says so, or it names a REST host without its streams. */
  async #prepareLive(signal: AbortSignal): Promise<LiveFollower | undefined> {
    const { config, exchange, store, pipeline, clock, log, streams } = this.#options;
    if (!hasStreams(config.exchange)) {
      log.info(
        `${config.name}: streams are off: exchange.rest_url names another host, and exchange.ws_url none; candles come by REST alone`,
      );
      return undefined;
    }
    const configured = await this.#markets.configured(signal);
    const markets = configured
      .filter(({ market }) => market.isActive)
      .map(({ market, symbol }): LiveMarket => ({
        market,
        trades: symbol.channels.includes("trades"),
        book: symbol.channels.includes("book") ? symbol.book : undefined,
        timeframes: symbol.channels.includes("candles") ? symbol.timeframes : [],
        validation: validationFor(config, market.symbol),
      }));
    if (markets.length === 0) return undefined;
    await this.#expectTrades(markets);
    return new LiveFollower({
      exchange,
      wsUrl: config.exchange.wsUrl,
      markets,
      store,
      stage: pipeline.stage,
      clock,
      random: this.#options.random ?? systemRandom,
      log,
      sweepEveryMs: config.mode.intervals.backfillMs,
      ...streams,
    });
  }

  /** Trades from before the first start, where the config asks for them: the follower fetches what is expected and missing. */
  async #expectTrades(markets: readonly LiveMarket[]): Promise<void> {
    const { config, store, clock } = this.#options;
    const { tradesSince } = config.mode.history;
    if (tradesSince === undefined) return;
    const endMs = clock.nowMs();
    const sinceMs = historySinceMs(tradesSince, endMs);
    for (const { market, trades } of markets) {
      // What has been dropped for its age is not asked for again.
      const retainedFromMs = endMs - (this.#options.retainedTradesMs ?? Infinity);
      const startMs = Math.max(sinceMs, market.listedMs ?? 0, retainedFromMs);
      if (trades && startMs < endMs) await store.live.expectTradesAndFollow(market.id, { startMs, endMs });
    }
  }

  /** Each cycle makes sure that our own server is there, and still ours: a second owner must not go unnoticed. */
  async #reviving(run: Cycle["run"], signal: AbortSignal): Promise<void> {
    await this.#options.store.revive(signal);
    await run(signal);
  }

  async #check(signal: AbortSignal, { mayAlarm }: { mayAlarm: boolean }): Promise<QualityReport> {
    const bounded = this.#bounded(signal);
    return this.#quality.run(await this.#markets.series(bounded), { mayAlarm });
  }

  /** Waits for the first runs of these, until `untilMs` at the latest. */
  async #ended(runs: readonly FirstRun[], untilMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const given = new AbortController();
    const waiting = AbortSignal.any([signal, given.signal]);
    const late = clock.sleep(Math.max(untilMs - clock.nowMs(), 0), waiting);
    try {
      await Promise.race([Promise.all(runs.map(({ ended }) => ended)), late]);
    } finally {
      given.abort(new Error("waited long enough"));
      await late.catch(() => undefined);
    }
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
    const endMs = await this.#keeper.closedEndMs(series.timeframe, signal);
    const retainedFromMs = endMs - (this.#options.retainedMs ?? Infinity);
    const known = this.#sinceMs.get(formatSeries(series));
    if (known !== undefined) return Math.max(known, retainedFromMs);
    const { config } = this.#options;
    const { since } = config.mode.history;
    const configured = since === undefined ? undefined : historySinceMs(since, endMs);
    const sinceMs = configured ?? endMs - config.request.overlap * timeframeMs(series.timeframe);
    this.#sinceMs.set(formatSeries(series), sinceMs);
    return Math.max(sinceMs, retainedFromMs);
  }
}

/** Knows when the first run of a cycle has ended, well or not. */
class FirstRun {
  readonly ended: Promise<void>;
  #end: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => (this.#end = resolve));
  }

  async watch<T>(run: Promise<T>): Promise<T> {
    try {
      return await run;
    } finally {
      this.#end();
    }
  }
}

/** Aborted some time after one of these: what was received has so long to be handed on. */
function deadlineAfter(...signals: readonly AbortSignal[]): AbortSignal {
  const deadline = new AbortController();
  const start = (): void => {
    setTimeout(() => deadline.abort(new Error("time is up")), HAND_ON_MS).unref();
  };
  for (const signal of signals) {
    if (signal.aborted) start();
    else signal.addEventListener("abort", start, { once: true });
  }
  return deadline.signal;
}

/** `on_failure: halt` has spoken: going on would be what the user has forbidden. */
function isHalt(error: unknown): boolean {
  return classifyError(error).kind === "validation";
}

/** A config error in the middle is another process that owns our data directory now. */
function isFatal(error: unknown): boolean {
  return isHalt(error) || classifyError(error).kind === "config";
}

/** `binance:BTC/USDT 1m` */
export function formatSeries({ market, timeframe }: Series): string {
  return `${formatMarketName(market)} ${timeframe}`;
}
