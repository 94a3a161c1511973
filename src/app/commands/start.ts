// `tickwell start [--once] [--duration D]`: runs the collectors of the config.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { classifyError, describeError } from "../../core/fault.js";
import type { Exchange } from "../../exchanges/exchange.js";
import { Pipeline } from "../../pipeline/pipeline.js";
import type { Store } from "../../store/store.js";
import { readDuration, usageError } from "../arguments.js";
import { Collector, formatSeries, type CycleReport } from "../collector.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import type { CollectorConfig, TickwellConfig } from "../config-types.js";
import { exchangeFor } from "../exchange-for.js";
import { loadSettings, logFor, withStore } from "../settings.js";
import { formatCount } from "../table.js";

interface StartOptions extends GlobalOptions {
  readonly once?: boolean;
  readonly duration?: string;
}

/** An exchange that cannot be reached is asked again after this long, then ever more seldom up to the maximum. */
const REACH_AGAIN_MS = 15_000;
const REACH_AGAIN_MAX_MS = 300_000;

export function addStartCommand(program: Command, context: CommandContext): void {
  program
    .command("start")
    .description("run the collectors of the config")
    .option("--once", "run each cycle once and exit")
    .option("--duration <duration>", "stop after this long, such as 10m")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<StartOptions>();
      const durationMs =
        options.duration === undefined ? undefined : readDuration("--duration", options.duration);
      const settings = await loadSettings(options);
      const running = { ...context, log: logFor(settings, options, context) };
      if (settings.collectors.length === 0) {
        throw usageError(
          "start: there is no collector in the config; name a folder with -c, or copy configs/collector/binance_btcusdt_1m.yml of the package",
        );
      }
      refuseUnavailable(settings);
      const limits = durationMs === undefined ? [] : [AbortSignal.timeout(durationMs)];
      const failed = new AbortController();
      const signal = AbortSignal.any([context.signal, failed.signal, ...limits]);
      await withStore(running, options, { url: settings.instance.storage.url, role: "owner" }, (store) =>
        new StartCommand({ store, settings, options, context: running, signal, failed }).run(),
      );
    });
}

class StartCommand {
  readonly #store: Store;
  readonly #settings: TickwellConfig;
  readonly #options: StartOptions;
  readonly #context: CommandContext;
  readonly #signal: AbortSignal;
  /** Aborted when one collector cannot go on: all of them stop, and the process ends with its error. */
  readonly #failed: AbortController;
  readonly #pipeline: Pipeline;
  /** One venue a host, however many collectors ask it: rate limits are counted by address. */
  readonly #exchanges = new Map<string, Exchange>();

  constructor(parts: {
    store: Store;
    settings: TickwellConfig;
    options: StartOptions;
    context: CommandContext;
    signal: AbortSignal;
    failed: AbortController;
  }) {
    this.#store = parts.store;
    this.#settings = parts.settings;
    this.#options = parts.options;
    this.#context = parts.context;
    this.#signal = parts.signal;
    this.#failed = parts.failed;
    const { log } = parts.context;
    this.#pipeline = new Pipeline({
      store: parts.store,
      clock: systemClock,
      log,
      stageRowsMax: parts.settings.instance.stage.itemsMax,
      onCommit: ({ revised }) => {
        if (revised > 0)
          log.info(
            `${formatCount(revised)} stored candles were revised by the exchange; the earlier values are kept`,
          );
      },
    });
  }

  async run(): Promise<void> {
    const { log } = this.#context;
    const collectors = this.#settings.collectors.map((config) => this.#collector(config));
    try {
      const running = collectors.map((collector) => this.#runCollector(collector));
      const errors: unknown[] = [];
      for (const each of running) {
        each.catch((error: unknown) => {
          errors.push(error);
          // What runs for good stops together; what runs once may come to its own end.
          if (!this.#options.once) this.#failed.abort(error);
        });
      }
      await Promise.allSettled(running);
      // The one that failed first; what the others say may only be that they were stopped.
      if (errors.length > 0) throw errors[0];
    } finally {
      await Promise.all([...this.#exchanges.values()].map((exchange) => exchange.close()));
      await this.#pipeline.close();
    }
    if (!this.#options.once) log.info("stopped: everything received is stored");
  }

  #collector(config: CollectorConfig): Collector {
    const { log } = this.#context;
    const host = `${config.exchange.name} ${config.exchange.restUrl ?? ""}`;
    const exchange = this.#exchanges.get(host) ?? exchangeFor(config, { bans: this.#store.bans, log });
    this.#exchanges.set(host, exchange);
    return new Collector({
      config,
      exchange,
      store: this.#store,
      pipeline: this.#pipeline,
      clock: systemClock,
      log,
    });
  }

  async #runCollector(collector: Collector): Promise<void> {
    const { log, setExitStatus } = this.#context;
    if (!(await this.#reach(collector))) return;
    if (this.#options.once || !collector.config.mode.live) {
      const report = await collector.runCollectionCycle(this.#signal);
      this.#describe(collector, report);
      if (report.failures.length > 0) setExitStatus(EXIT.failed);
      else if (report.missingCandles > 0) setExitStatus(EXIT.shortfall);
      return;
    }
    await collector.run(this.#signal, (report) => this.#describe(collector, report));
    log.debug(`${collector.config.name} has stopped`);
  }

  /** Waits until the exchange answers; says once, in words, that it does not. */
  async #reach(collector: Collector): Promise<boolean> {
    const { log, stderr } = this.#context;
    let hasSaid = false;
    for (let delayMs = REACH_AGAIN_MS; ; delayMs = Math.min(delayMs * 2, REACH_AGAIN_MAX_MS)) {
      try {
        const series = await collector.prepare(this.#signal);
        const { name, mode } = collector.config;
        log.info(
          `${name}: ${hasSaid ? "reached; " : ""}collecting ${series.map(formatSeries).join(", ")} every ${formatDuration(mode.intervals.collectMs)}`,
        );
        return true;
      } catch (error) {
        if (this.#signal.aborted) return false;
        if (this.#options.once || !isUnreachable(error)) throw error;
        if (!hasSaid) stderr(unreachableWords(collector.config, error));
        hasSaid = true;
        await systemClock.sleep(delayMs, this.#signal).catch(() => undefined);
        if (this.#signal.aborted) return false;
      }
    }
  }

  #describe(collector: Collector, report: CycleReport): void {
    const { log } = this.#context;
    const { name } = collector.config;
    for (const { series, error } of report.failures)
      log.warn(`${name}: ${formatSeries(series)}: ${describeError(error)}; a gap until the next cycle`);
    const unasked =
      report.failures.length > 0 ? `, ${report.failures.length} of them could not be asked` : "";
    const missing =
      report.missingCandles > 0
        ? `${formatCount(report.missingCandles)} missing and on record as gaps`
        : report.failures.length > 0
          ? "the rest is complete"
          : "nothing missing";
    const rejected =
      report.rejected > 0 ? `, ${formatCount(report.rejected)} refused rows in quarantine` : "";
    log.info(
      `${name}: ${formatCount(report.candles)} candles in ${report.series} series${unasked}${rejected}; ${missing}`,
    );
  }
}

/** What a config may say already and this version does not do: said before anything starts, not left out in silence. */
function refuseUnavailable({ instance, collectors }: TickwellConfig): void {
  const refuse = (key: string, found: string, remedy: string): never => {
    throw usageError(`${key}: ${found} is not available in this version; ${remedy}`);
  };
  if (instance.stage.kind !== "memory") refuse("stage.kind", instance.stage.kind, "set it to memory");
  if (instance.capture.enabled) refuse("capture.enabled", "true", "set it to false");
  if (instance.alerts.webhookUrl !== undefined) refuse("alerts.webhook_url", "a webhook", "remove it");
  for (const { name, symbols, validation } of collectors) {
    for (const { symbol, channels } of symbols) {
      const missing = channels.filter((channel) => channel !== "candles").join(", ");
      if (missing !== "") refuse(`${name}: ${symbol}: channels`, missing, "leave candles");
    }
    if (validation.onFailure !== "skip_and_log") {
      refuse(`${name}: validation.on_failure`, validation.onFailure, "set it to skip_and_log");
    }
  }
}

function isUnreachable(error: unknown): boolean {
  const { kind } = classifyError(error);
  return (
    kind === "network" ||
    kind === "timeout" ||
    kind === "exchange" ||
    kind === "maintenance" ||
    kind === "rate_limit" ||
    kind === "ip_ban" ||
    kind === "malformed_payload"
  );
}

function unreachableWords(config: CollectorConfig, error: unknown): string {
  return (
    `${config.name}: ${config.exchange.name} cannot be reached: ${describeError(error)}.\n` +
    `It is tried again by itself, every ${formatDuration(REACH_AGAIN_MS)} at first and every ${formatDuration(REACH_AGAIN_MAX_MS)} later; what is missed meanwhile is fetched then.\n` +
    "Nothing to collect from right now? `tickwell demo` shows everything on a simulated exchange, and `tickwell doctor` looks for the cause.\n"
  );
}
