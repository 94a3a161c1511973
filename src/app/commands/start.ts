// `tickwell start [--once] [--duration D]`: runs the collectors of the config.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { classifyError, describeError } from "../../core/fault.js";
import type { Store } from "../../store/store.js";
import type { QualityReport } from "../../upkeep/quality/quality-report.js";
import type { RepairReport } from "../../upkeep/repair-cycle.js";
import { readDuration, usageError } from "../arguments.js";
import { formatSeries, type Collector, type CycleReport } from "../collector.js";
import { hostApi } from "../api-host.js";
import type { ApiServer } from "../../web/server.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import type { CollectorConfig, TickwellConfig } from "../config-types.js";
import { Runtime } from "../runtime.js";
import { loadSettings, logFor, withStore } from "../settings.js";
import { formatCount } from "../table.js";
import { unavailableSettings } from "../unavailable.js";

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
      const [unavailable] = unavailableSettings(settings);
      if (unavailable !== undefined) throw usageError(unavailable);
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
  /** Collectors that have nothing to collect: the others go on without them. */
  readonly #idle = new Set<string>();
  /** By collector: the kinds of faults of its last cycle. */
  readonly #failing = new Map<string, string>();

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
  }

  async run(): Promise<void> {
    const { log } = this.#context;
    const { instance, collectors } = this.#settings;
    const { dataDir } = this.#options;
    const runtime = await Runtime.open({ store: this.#store, instance, dataDir, log });
    const ending = new AbortController();
    const untilEnd = AbortSignal.any([this.#signal, ending.signal]);
    const beside = [runtime.runRetention(untilEnd), runtime.runWatch(untilEnd)];
    let api: ApiServer | undefined;
    try {
      if (!this.#options.once) api = await this.#openApi(runtime);
      const { files } = this.#settings;
      const running = collectors.map((config, i) =>
        this.#runCollector(runtime.collector(config, files.collectors[i]), runtime),
      );
      const errors: unknown[] = [];
      running.forEach((each, i) => {
        each.catch((error: unknown) => {
          const name = collectors[i]?.name ?? "";
          const isAlone = this.#idle.size === collectors.length;
          if (!this.#idle.has(name) || isAlone) errors.push(error);
          else log.error(`${describeError(error)} The other collectors go on`);
          runtime.monitor.note(name, { state: "stopped", detail: describeError(error) });
          runtime.alerts.raise({
            key: stoppedKey(name),
            severity: "critical",
            exchange: collectors[i]?.exchange.name,
            title: `collector ${name} has stopped`,
            text: describeError(error),
          });
          // What runs for good stops together; what runs once may come to its own end.
          if (!this.#options.once && !this.#idle.has(name)) this.#failed.abort(error);
        });
      });
      await Promise.allSettled(running);
      // The one that failed first; what the others say may only be that they were stopped.
      if (errors.length > 0) throw errors[0];
    } finally {
      await api?.close();
      ending.abort();
      await Promise.all(beside);
      await runtime.close();
    }
    if (!this.#options.once) log.info("stopped: everything received is stored");
  }

  /** One that runs once has an end; whoever wants to ask it would come too late. */
  async #openApi({ hub, monitor, metrics }: Runtime): Promise<ApiServer> {
    const { log } = this.#context;
    const { api: config, storage } = this.#settings.instance;
    const api = await hostApi({
      config,
      store: this.#store,
      hub,
      process: monitor,
      metrics,
      clock: systemClock,
      isEmbedded: storage.url === "embedded",
      log,
    });
    log.info(`dashboard and API: ${api.url}`);
    return api;
  }

  async #runCollector(collector: Collector, { alerts, monitor }: Runtime): Promise<void> {
    const { log } = this.#context;
    const { name, exchange } = collector.config;
    monitor.note(name, { exchange: exchange.name, state: "starting" });
    try {
      if (!(await this.#reach(collector))) return;
    } catch (error) {
      if (classifyError(error).kind === "config") {
        this.#idle.add(name);
        if (this.#options.once) this.#context.setExitStatus(EXIT.failed);
      }
      throw error;
    }
    monitor.note(name, { state: "running" });
    alerts.resolve(stoppedKey(name), `collector ${name} runs again`);
    if (this.#options.once || !collector.config.mode.live) return this.#runOnce(collector);
    await collector.run(this.#signal, {
      onCollected: (report) => {
        this.#describe(collector, report);
        const [first] = report.failures;
        monitor.noteCycle(name, report, first ? describeError(first.error) : null);
      },
      onRepaired: (report) => {
        this.#describeRepairs(collector, report);
        monitor.note(name, { missing_candles: report.missingCandles });
      },
      onChecked: (report) => this.#describeQuality(collector, report),
    });
    log.debug(`${collector.config.name} has stopped`);
  }

  /** Each cycle once, in the order in which they help each other; history alone, until nothing can be done now. */
  async #runOnce(collector: Collector): Promise<void> {
    const { setExitStatus } = this.#context;
    const collected = await collector.runCollectionCycle(this.#signal);
    this.#describe(collector, collected);
    if (collected.failures.length + collector.unknownSymbols.length > 0) setExitStatus(EXIT.failed);
    const repaired = await collector.runBackfillCycle(this.#signal);
    this.#describeRepairs(collector, repaired);
    const checked = await collector.runQualityCheckCycle(this.#signal);
    this.#describeQuality(collector, checked);
    if (collected.failures.length === 0 && repaired.missingCandles > 0) setExitStatus(EXIT.shortfall);
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
    this.#describeFailures(name, report);
    const unasked =
      (report.failures.length > 0 ? `, ${report.failures.length} of them could not be asked` : "") +
      (report.unfinished > 0 ? `, ${report.unfinished} still being waited for` : "");
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

  /** What fails in cycle after cycle is said in full once, and again when it becomes something else. */
  #describeFailures(name: string, { failures }: CycleReport): void {
    const [first] = failures;
    const kinds = [...new Set(failures.map(({ error }) => classifyError(error).kind))].sort().join(", ");
    const before = this.#failing.get(name);
    this.#failing.set(name, kinds);
    if (!first || kinds === before) return;
    const others = failures.length > 1 ? `, and ${failures.length - 1} more series` : "";
    this.#context.log.warn(
      `${name}: ${formatSeries(first.series)}${others}: ${describeError(first.error)}; a gap until it is asked again, in each cycle`,
    );
  }

  /** Nothing to repair is nothing to say. */
  #describeRepairs({ config }: Collector, report: RepairReport): void {
    const { planned, completed, postponed, retried, failed, candles, missingCandles } = report;
    if (planned + completed + postponed + retried + failed === 0) return;
    const parts = [
      planned > 0 ? `${formatCount(planned)} planned` : "",
      completed > 0 ? `${formatCount(completed)} completed with ${formatCount(candles)} candles` : "",
      postponed > 0 ? `${formatCount(postponed)} waiting to be asked once more` : "",
      retried > 0 ? `${formatCount(retried)} to be tried again` : "",
      failed > 0 ? `${formatCount(failed)} failed (see \`tickwell tasks\`)` : "",
    ].filter((part) => part !== "");
    const rest =
      missingCandles === 0
        ? "nothing missing"
        : `${formatCount(missingCandles)} candles missing and on record as gaps`;
    this.#context.log.info(`${config.name}: repair tasks: ${parts.join(", ")}; ${rest}`);
  }

  #describeQuality(
    { config }: Collector,
    { series, lowest_score: lowest, valid_series: valid }: QualityReport,
  ): void {
    if (series.length === 0 || lowest === null) return;
    const worst = series
      .filter((each) => !each.is_valid)
      .toSorted((a, b) => (a.quality_score ?? 100) - (b.quality_score ?? 100))[0];
    const why = worst?.validation_errors.map(({ message }) => message).join("; ") ?? "";
    const about = worst ? `, ${worst.market} ${worst.timeframe}${why === "" ? "" : `: ${why}`}` : "";
    this.#context.log.info(
      `${config.name}: quality of the last ${formatDuration(config.quality.lookbackMs)}: ${valid} of ${series.length} series valid, lowest score ${lowest.toFixed(2)}${about}`,
    );
  }
}

function stoppedKey(collector: string): string {
  return `stopped:${collector}`;
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
