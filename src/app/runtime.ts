// What the collectors of one process share: the pipeline, one venue for each host, the log of failed requests, alerts.
import { systemClock } from "../core/clock.js";
import { describeError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import { HttpClient } from "../core/net/http-client.js";
import { systemRandom } from "../core/random.js";
import type { Exchange, RequestFailure } from "../exchanges/exchange.js";
import { LiveHub } from "../pipeline/live-hub.js";
import { Pipeline } from "../pipeline/pipeline.js";
import { openStage } from "../pipeline/stage/open-stage.js";
import type { Store } from "../store/store.js";
import { Alerts } from "../upkeep/alerts/alerts.js";
import { AnnouncedMaintenance } from "../upkeep/alerts/announced-maintenance.js";
import { trackFailures } from "../upkeep/alerts/failure-alerts.js";
import { createNotifiers } from "../upkeep/alerts/notifiers.js";
import { AlertWatch } from "../upkeep/alerts/watch/alert-watch.js";
import { watchRules } from "../upkeep/alerts/watch/watch-rules.js";
import { ApiErrorLogger } from "../upkeep/errors/api-error-logger.js";
import type { ConsecutiveFailureTracker } from "../upkeep/errors/consecutive-failure-tracker.js";
import { CycleScheduler } from "../upkeep/cycle-scheduler.js";
import { CommitCounts } from "../upkeep/metrics/commit-counts.js";
import { CycleTimes } from "../upkeep/metrics/cycle-times.js";
import { Figures } from "../upkeep/metrics/figures.js";
import type { VenueFeed } from "../upkeep/metrics/intake-metrics.js";
import { Metrics } from "../upkeep/metrics/metrics.js";
import { RequestCounts } from "../upkeep/metrics/request-counts.js";
import { Collector, type LiveHooks } from "./collector.js";
import type { CollectorConfig, InstanceConfig, RetentionConfig } from "./config-types.js";
import { exchangeFor, logFailure } from "./exchange-for.js";
import { Captures } from "./captures.js";
import { ProcessMonitor } from "./process-monitor.js";
import { formatCount } from "./table.js";
import { VERSION } from "./version.js";

/** Rows get old by the day. */
const RETENTION_EVERY_MS = 6 * 3_600_000;
/** After what has been missed is repaired. */
const RETENTION_FIRST_AFTER_MS = 10 * 60_000;
/** Four scrapes of a Prometheus that comes every quarter of a minute see at most two figures. */
const WATCH_EVERY_MS = 30_000;
/** Maintenance is announced hours ahead. */
const ANNOUNCED_EVERY_MS = 5 * 60_000;
/** When the first page is stored. */
const WATCH_FIRST_AFTER_MS = 3_000;
/** What is told at the very end has this long to get through. */
const LAST_WORDS_MS = 5_000;

export class Runtime {
  readonly pipeline: Pipeline;
  readonly alerts: Alerts;
  readonly figures: Figures;
  readonly metrics: Metrics;
  /** What streams bring, for the API. */
  readonly hub = new LiveHub();
  /** What the process does, for the API. */
  readonly monitor: ProcessMonitor;
  readonly #store: Store;
  readonly #log: Log;
  readonly #retention: RetentionConfig;
  readonly #http = new HttpClient();
  readonly #announced: AnnouncedMaintenance;
  readonly #captures: Captures;
  readonly #errors: ApiErrorLogger;
  readonly #failures: ConsecutiveFailureTracker;
  /** One venue a host, however many collectors ask it: rate limits are counted by address. */
  readonly #exchanges = new Map<string, Exchange>();
  readonly #requests = new RequestCounts();
  readonly #cycles = new CycleTimes();
  readonly #collectors: Collector[] = [];
  readonly #watch: AlertWatch;

  /** Takes up what an earlier run has left in trouble. @throws TickwellError `database`, `config` */
  static async open(parts: {
    readonly store: Store;
    readonly instance: InstanceConfig;
    /** Whose disk is watched. */
    readonly dataDir: string;
    readonly log: Log;
  }): Promise<Runtime> {
    const open = await parts.store.alerts.open();
    return new Runtime(
      parts,
      open.map(({ key }) => key),
    );
  }

  private constructor(
    { store, instance, dataDir, log }: { store: Store; instance: InstanceConfig; dataDir: string; log: Log },
    openKeys: readonly string[],
  ) {
    this.#store = store;
    this.#log = log;
    this.#retention = instance.storage.retention;
    const commits = new CommitCounts({ clock: systemClock });
    this.pipeline = new Pipeline({
      store,
      clock: systemClock,
      log,
      stageRowsMax: instance.stage.itemsMax,
      stage: openStage(instance.stage, { clock: systemClock, log }),
      onCommit: ({ revised }, staged) => {
        commits.note(staged.map(({ batch }) => batch));
        this.hub.committed(staged);
        this.monitor.noteCommit();
        if (revised > 0)
          log.info(
            `${formatCount(revised)} stored candles were revised by the exchange; the earlier values are kept`,
          );
      },
    });
    this.monitor = new ProcessMonitor({
      clock: systemClock,
      hub: this.hub,
      pipeline: this.pipeline,
      stageKind: instance.stage.kind,
      venues: () => this.#exchanges.values(),
      dataDir: instance.storage.url === "embedded" ? dataDir : undefined,
    });
    this.#captures = new Captures({ config: instance.capture, dataDir, clock: systemClock, log });
    this.#errors = new ApiErrorLogger({ store, clock: systemClock, log });
    this.alerts = new Alerts({
      store,
      notifiers: createNotifiers(instance.alerts, { http: this.#http, log }),
      clock: systemClock,
      random: systemRandom,
      log,
      maintenance: instance.alerts.maintenance,
      mutes: instance.alerts.mutes,
    });
    this.alerts.start();
    this.#announced = new AnnouncedMaintenance({
      venues: () => this.#exchanges.values(),
      alerts: this.alerts,
      clock: systemClock,
      log,
    });
    this.figures = new Figures({ store, stage: this.pipeline.stage, clock: systemClock, dataDir });
    this.metrics = new Metrics({
      version: VERSION,
      requests: this.#requests,
      venues: () => this.#exchanges.values(),
      feeds: () => this.#feeds(),
      stage: this.pipeline.stage,
      writes: this.pipeline.writes,
      commits,
      cycles: this.#cycles,
      figures: this.figures,
      alerts: this.alerts,
    });
    this.#watch = new AlertWatch({
      alerts: this.alerts,
      openKeys,
      rules: watchRules(instance.alerts, {
        figures: this.figures,
        stage: this.pipeline.stage,
        venues: () => this.#exchanges.values(),
        feeds: () => this.#feeds(),
        lags: () => commits.lags((marketId) => this.figures.exchangeOf(marketId)),
      }),
    });
    this.#failures = trackFailures({
      alerts: this.alerts,
      threshold: instance.alerts.consecutiveFailures,
      openKeys,
    });
  }

  collector(config: CollectorConfig, configFile?: string): Collector {
    const collector = new Collector({
      config,
      configFile,
      exchange: this.#exchange(config),
      store: this.#store,
      pipeline: this.pipeline,
      clock: systemClock,
      log: this.#log,
      alerts: this.alerts,
      retainedMs: this.#retention.candlesMs,
      retainedTradesMs: this.#retention.tradesMs,
      onCycle: (run) => this.#cycles.note(run),
      streams: {
        ...this.#streamHooks(config.exchange.name),
        record: this.#captures.recorderOf(config.name),
        tap: this.hub,
      },
    });
    this.#collectors.push(collector);
    return collector;
  }

  /** Measures what is watched, and raises or resolves what follows from it. */
  async look(): Promise<void> {
    try {
      await this.figures.measure();
    } catch (error) {
      // The writer says that the database is away; the metrics say how old the figures are.
      this.#log.debug(describeError(error));
    }
    this.#watch.look(systemClock.nowMs());
  }

  /** Looks again and again, until the signal is aborted. */
  async runWatch(signal: AbortSignal): Promise<void> {
    const scheduler = new CycleScheduler({
      clock: systemClock,
      log: this.#log,
      cycles: [
        {
          name: "watch",
          everyMs: WATCH_EVERY_MS,
          firstAfterMs: WATCH_FIRST_AFTER_MS,
          run: () => this.look(),
        },
        {
          name: "announcements",
          everyMs: ANNOUNCED_EVERY_MS,
          firstAfterMs: WATCH_FIRST_AFTER_MS,
          run: (cycle) => this.#announced.look(cycle),
        },
      ],
    });
    await scheduler.run(signal);
  }

  /** Drops what is older than the user keeps, now and then, until the signal is aborted. */
  async runRetention(signal: AbortSignal): Promise<void> {
    const scheduler = new CycleScheduler({
      clock: systemClock,
      log: this.#log,
      cycles: [
        {
          name: "retention",
          everyMs: RETENTION_EVERY_MS,
          firstAfterMs: RETENTION_FIRST_AFTER_MS,
          run: async (cycle) => {
            await this.#store.applyRetention(this.#retention, systemClock.nowMs(), cycle);
            await this.#captures.prune();
          },
        },
      ],
    });
    await scheduler.run(signal);
  }

  /** Stores what was received, tells what is to be told, ends every connection. @throws what the writer failed with */
  async close(): Promise<void> {
    try {
      await Promise.all([...this.#exchanges.values()].map((exchange) => exchange.close()));
      await this.pipeline.close();
    } finally {
      await this.#captures.close();
      await this.#errors.close();
      await this.alerts.flush(AbortSignal.timeout(LAST_WORDS_MS)).catch(() => undefined);
      await this.alerts.close();
      await this.#http.close();
    }
  }

  #feeds(): VenueFeed[] {
    return this.#collectors.flatMap(({ config, live }) =>
      live ? { exchange: config.exchange.name, feed: live.feed } : [],
    );
  }

  #exchange(config: CollectorConfig): Exchange {
    const { name, restUrl = "", trades = "" } = config.exchange;
    const host = `${name} ${restUrl} ${trades}`;
    const known = this.#exchanges.get(host);
    if (known) return known;
    const exchange = exchangeFor(config, {
      bans: this.#store.bans,
      log: this.#log,
      onFailure: (failure) => this.#noteFailure(failure),
      onSuccess: (success) => {
        this.#requests.succeeded(success);
        this.#failures.succeeded(success);
      },
    });
    this.#exchanges.set(host, exchange);
    return exchange;
  }

  /** A stream is an endpoint like any other: its failures are rows, and several in a row an alert. */
  #streamHooks(exchange: string): LiveHooks {
    const about = (path: string) => ({
      exchange,
      endpoint: path.split("?")[0] ?? path,
      nativeSymbol: undefined,
      atMs: systemClock.nowMs(),
    });
    return {
      onFailure: ({ path, error }) => {
        const failure: RequestFailure = {
          ...about(path),
          params: {},
          fault: error.fault,
          message: error.message,
          attempt: 1,
          willRetryInMs: undefined,
        };
        this.#requests.failed(failure);
        this.#errors.log(failure);
        this.#failures.failed(failure);
      },
      onConnected: ({ path }) => {
        this.#requests.succeeded(about(path));
        this.#failures.succeeded(about(path));
      },
    };
  }

  #noteFailure(failure: RequestFailure): void {
    logFailure(this.#log, failure);
    this.#requests.failed(failure);
    this.#errors.log(failure);
    this.#failures.failed(failure);
  }
}
