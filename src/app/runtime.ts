// What the collectors of one process share: the pipeline, one venue for each host, the log of failed requests, alerts.
import { systemClock } from "../core/clock.js";
import type { Log } from "../core/log.js";
import { HttpClient } from "../core/net/http-client.js";
import { systemRandom } from "../core/random.js";
import type { Exchange, RequestFailure } from "../exchanges/exchange.js";
import { Pipeline } from "../pipeline/pipeline.js";
import { openStage } from "../pipeline/stage/open-stage.js";
import type { Store } from "../store/store.js";
import { Alerts } from "../upkeep/alerts/alerts.js";
import { trackFailures } from "../upkeep/alerts/failure-alerts.js";
import { createNotifiers } from "../upkeep/alerts/notifiers.js";
import { ApiErrorLogger } from "../upkeep/errors/api-error-logger.js";
import type { ConsecutiveFailureTracker } from "../upkeep/errors/consecutive-failure-tracker.js";
import { CycleScheduler } from "../upkeep/cycle-scheduler.js";
import { Collector, type LiveHooks } from "./collector.js";
import type { CollectorConfig, InstanceConfig, RetentionConfig } from "./config-types.js";
import { exchangeFor, logFailure } from "./exchange-for.js";
import { formatCount } from "./table.js";

/** Rows get old by the day. */
const RETENTION_EVERY_MS = 6 * 3_600_000;
/** After what has been missed is repaired. */
const RETENTION_FIRST_AFTER_MS = 10 * 60_000;
/** What is told at the very end has this long to get through. */
const LAST_WORDS_MS = 5_000;

export class Runtime {
  readonly pipeline: Pipeline;
  readonly alerts: Alerts;
  readonly #store: Store;
  readonly #log: Log;
  readonly #retention: RetentionConfig;
  readonly #http = new HttpClient();
  readonly #errors: ApiErrorLogger;
  readonly #failures: ConsecutiveFailureTracker;
  /** One venue a host, however many collectors ask it: rate limits are counted by address. */
  readonly #exchanges = new Map<string, Exchange>();

  /** Takes up what an earlier run has left in trouble. @throws TickwellError `database`, `config` */
  static async open(parts: {
    readonly store: Store;
    readonly instance: InstanceConfig;
    readonly log: Log;
  }): Promise<Runtime> {
    const open = await parts.store.alerts.open();
    return new Runtime(
      parts,
      open.map(({ key }) => key),
    );
  }

  private constructor(
    { store, instance, log }: { store: Store; instance: InstanceConfig; log: Log },
    openKeys: readonly string[],
  ) {
    this.#store = store;
    this.#log = log;
    this.#retention = instance.storage.retention;
    this.pipeline = new Pipeline({
      store,
      clock: systemClock,
      log,
      stageRowsMax: instance.stage.itemsMax,
      stage: openStage(instance.stage, { clock: systemClock, log }),
      onCommit: ({ revised }) => {
        if (revised > 0)
          log.info(
            `${formatCount(revised)} stored candles were revised by the exchange; the earlier values are kept`,
          );
      },
    });
    this.#errors = new ApiErrorLogger({ store, clock: systemClock, log });
    this.alerts = new Alerts({
      store,
      notifiers: createNotifiers(instance.alerts, { http: this.#http, log }),
      clock: systemClock,
      random: systemRandom,
      log,
      maintenance: instance.alerts.maintenance,
    });
    this.alerts.start();
    this.#failures = trackFailures({
      alerts: this.alerts,
      threshold: instance.alerts.consecutiveFailures,
      openKeys,
    });
  }

  collector(config: CollectorConfig): Collector {
    return new Collector({
      config,
      exchange: this.#exchange(config),
      store: this.#store,
      pipeline: this.pipeline,
      clock: systemClock,
      log: this.#log,
      alerts: this.alerts,
      retainedMs: this.#retention.candlesMs,
      streams: this.#streamHooks(config.exchange.name),
    });
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
      await this.#errors.close();
      await this.alerts.flush(AbortSignal.timeout(LAST_WORDS_MS)).catch(() => undefined);
      await this.alerts.close();
      await this.#http.close();
    }
  }

  #exchange(config: CollectorConfig): Exchange {
    const host = `${config.exchange.name} ${config.exchange.restUrl ?? ""}`;
    const known = this.#exchanges.get(host);
    if (known) return known;
    const exchange = exchangeFor(config, {
      bans: this.#store.bans,
      log: this.#log,
      onFailure: (failure) => this.#noteFailure(failure),
      onSuccess: (success) => this.#failures.succeeded(success),
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
        this.#errors.log(failure);
        this.#failures.failed(failure);
      },
      onConnected: ({ path }) => this.#failures.succeeded(about(path)),
    };
  }

  #noteFailure(failure: RequestFailure): void {
    logFailure(this.#log, failure);
    this.#errors.log(failure);
    this.#failures.failed(failure);
  }
}
