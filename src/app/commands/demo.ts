// `tickwell demo`: the whole pipeline on a simulated exchange, with faults on purpose, and the proof at the end.
//
// 1. Simulated exchanges with years of history start in this process; their time runs sixty times as fast as ours.
// 2. Collectors are pointed at them by nothing but their `rest_url`: minute by minute, and a week of history by tasks.
// 3. Faults strike: what goes missing, and what becomes of it, is told as the gap log has it.
// 4. At the end quality is checked, ledger and rows are audited, and every stored candle is compared with the simulator's
//    own truth.
import { rm } from "node:fs/promises";
import { join, relative } from "node:path";
import { styleText } from "node:util";
import type { Command } from "commander";
import { scaledClock, systemClock, type Clock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { describeError } from "../../core/fault.js";
import { formatMinute } from "../../core/time.js";
import { floorToTimeframe } from "../../core/timeframe.js";
import type { Exchange } from "../../exchanges/exchange.js";
import { createExchange } from "../../exchanges/registry.js";
import { LiveHub } from "../../pipeline/live-hub.js";
import { Pipeline } from "../../pipeline/pipeline.js";
import { openStore } from "../../store/open-store.js";
import { seededRandom } from "../../core/random.js";
import type { Store } from "../../store/store.js";
import { ApiErrorLogger } from "../../upkeep/errors/api-error-logger.js";
import type { Figures } from "../../upkeep/metrics/figures.js";
import type { Metrics } from "../../upkeep/metrics/metrics.js";
import type { QualityReport } from "../../upkeep/quality/quality-report.js";
import type { RepairReport } from "../../upkeep/repair-cycle.js";
import type { GroundTruth } from "../../../simulator/ground-truth.js";
import type { VenueName } from "../../../simulator/venue-name.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import type { ApiServer } from "../../web/server.js";
import { hostApi } from "../api-host.js";
import { readDuration, readInteger } from "../arguments.js";
import { Collector } from "../collector.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { resolveCollector } from "../config-resolve.js";
import { collectorSchema } from "../config-schema.js";
import { DemoMetrics } from "../demo-metrics.js";
import { DemoNarrator, type DemoEvent } from "../demo-narrator.js";
import { DemoLive, formatDemoLive, type DemoLiveComparison } from "../demo-live.js";
import { demoFaults, DEMO_LIVE_MARKETS, DEMO_MARKETS } from "../demo-plan.js";
import { ProcessMonitor } from "../process-monitor.js";
import { compareWithTruth, type Comparison } from "../demo-proof.js";
import { formatCount, formatPercent, formatTable } from "../table.js";

interface DemoOptions extends GlobalOptions {
  readonly duration: string;
  readonly seed: string;
  readonly port?: string;
}

const DEFAULT_DURATION = "60s";
const DURATION_MIN_MS = 10_000;
const PORT_DEFAULT = 7_377;
/** Simulated times between cycles. */
const COLLECT_EVERY_MS = 60_000;
const CYCLES_A_REPAIR = 5;
/** A check of the week takes a machine of two cores about a second. */
const CYCLES_A_CHECK = 20;
/** How often it is told what the streams bring. */
const CYCLES_A_WORD = 10;
const MARKETS = Object.values(DEMO_MARKETS).reduce((sum, symbols) => sum + symbols.length, 0);
/** Simulated minutes pass as real seconds. */
const TIME_FACTOR = 60;
const WEEK_MS = 7 * 86_400_000;
/** After the end, open gaps are given this long, in simulated time, to be asked for once more. */
const GRACE_MS = 3 * 3_600_000;

export function addDemoCommand(program: Command, context: CommandContext): void {
  program
    .command("demo")
    .description("watch the whole pipeline on a simulated exchange, offline: faults, repairs and the proof")
    .option("--duration <duration>", "how long it runs", DEFAULT_DURATION)
    .option("--seed <number>", "another market, the same faults", "1")
    .option("--port <port>", `of dashboard and API; default ${PORT_DEFAULT}, or another one if that is taken`)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<DemoOptions>();
      const durationMs = Math.max(readDuration("--duration", options.duration), DURATION_MIN_MS);
      const seed = readInteger("--seed", options.seed, { min: 0, max: 2 ** 31 - 1 });
      // The narrator says what happens; the log speaks up only when something is wrong.
      const quiet = { ...context, log: context.log.child({}, { level: "error" }) };
      const dataDir = join(options.dataDir, "demo");
      // Its clock runs from here on: first what takes time that is nobody's.
      const store = await openCleanStore(dataDir, quiet);
      try {
        await new Demo({ durationMs, seed, options, context: quiet, dataDir, store }).run();
      } finally {
        await store.close();
      }
    });
}

/** The last demo's data is of another time and perhaps another seed: it is removed. */
async function openCleanStore(dataDir: string, { log, signal }: CommandContext): Promise<Store> {
  const open = (): Promise<Store> =>
    openStore("embedded", { dataDir, role: "owner", clock: systemClock, log, signal });
  const empty = await open().then(async (store) => {
    try {
      return (await store.listMarkets()).length === 0 ? store : await store.close();
    } catch (error) {
      await store.close();
      throw error;
    }
  });
  if (empty) return empty;
  await rm(dataDir, { recursive: true, force: true });
  return open();
}

class Demo {
  readonly #durationMs: number;
  readonly #seed: number;
  readonly #options: DemoOptions;
  readonly #context: CommandContext;
  readonly #startMs: number;
  readonly #clock: Clock;
  readonly #dataDir: string;
  readonly #store: Store;
  #streams: DemoLive | undefined;

  constructor({
    durationMs,
    seed,
    options,
    context,
    dataDir,
    store,
  }: {
    durationMs: number;
    seed: number;
    options: DemoOptions;
    context: CommandContext;
    dataDir: string;
    store: Store;
  }) {
    this.#durationMs = durationMs;
    this.#seed = seed;
    this.#options = options;
    this.#context = context;
    this.#dataDir = dataDir;
    this.#store = store;
    // Simulated time ends about now, so that what is stored does not lie in the future.
    this.#startMs = floorToTimeframe(systemClock.nowMs() - durationMs * TIME_FACTOR, "1m");
    this.#clock = scaledClock({ startMs: this.#startMs, factor: TIME_FACTOR });
  }

  async run(): Promise<void> {
    const { signal } = this.#context;
    const faults = demoFaults({ startMs: this.#startMs, liveMs: this.#durationMs * TIME_FACTOR });
    this.#tell(
      `tickwell demo: ${MARKETS} simulated markets of Binance and OKX: a week of 1m candles, and trades and order books by stream, for ${formatDuration(this.#durationMs)} at ${TIME_FACTOR} times the speed of time.`,
    );
    this.#tell(`Everything here is simulated. It is kept in ${this.#dataDir}, apart from real data.\n`);
    const store = this.#store;
    const exchange = await startSimulatedExchange({ seed: this.#seed, clock: this.#clock, faults });
    try {
      const quality = await this.#collect(store, exchange);
      const truthOf = (name: string): GroundTruth => exchange.venue(name as VenueName).truth;
      const comparison = await compareWithTruth(store, truthOf, signal);
      await this.#report({ store, exchange, comparison, quality });
    } finally {
      await exchange.close();
    }
  }

  async #collect(store: Store, exchange: SimulatedExchange): Promise<readonly QualityReport[]> {
    const { log, signal } = this.#context;
    const clock = this.#clock;
    const hub = new LiveHub();
    const counted = new DemoMetrics(clock);
    const pipeline: Pipeline = new Pipeline({
      store,
      clock: systemClock,
      log,
      stageRowsMax: 40_000,
      onCommit: (_result, staged) => {
        hub.committed(staged);
        monitor.noteCommit();
        counted.commits.note(staged.map(({ batch }) => batch));
      },
    });
    const monitor = new ProcessMonitor({
      clock: systemClock,
      hub,
      pipeline,
      stageKind: "memory",
      venues: () => venues,
      dataDir: this.#dataDir,
    });
    const failures = new Map<string, number>();
    const errors = new ApiErrorLogger({ store, clock, log });
    const venues: Exchange[] = [];
    const collectors = Object.entries(DEMO_MARKETS).map(([name, symbols]) => {
      const config = resolveCollector(
        collectorSchema.parse({
          exchange: { name, rest_url: exchange.url },
          symbols: symbols.map((symbol) => ({ symbol })),
          mode: { history: { since: "7d" } },
          quality: { lookback: "7d" },
          // A slow machine is minutes late at sixty times the speed of time: revisions of all of them are noticed.
          request: { overlap: 60 },
          backfill: { void_confirm_after: "5m" },
        }),
        `demo ${name}`,
      );
      const venue = createExchange(name, {
        restUrl: exchange.url,
        timeoutMs: config.request.timeoutMs,
        rateLimitShare: 1,
        retry: config.retry,
        clock,
        random: seededRandom(this.#seed),
        bans: store.bans,
        log,
        onFailure: (failure) => {
          const { fault, willRetryInMs } = failure;
          errors.log(failure);
          counted.requests.failed(failure);
          if (willRetryInMs !== undefined) failures.set(fault.kind, (failures.get(fault.kind) ?? 0) + 1);
        },
        onSuccess: (success) => counted.requests.succeeded(success),
      });
      venues.push(venue);
      return new Collector({ config, exchange: venue, store, pipeline, clock, log, isSimulated: true });
    });
    const narrator = new DemoNarrator(store, (event) => this.#tellEvent(event));
    const streams = new DemoLive({
      store,
      pipeline,
      clock,
      log,
      seed: this.#seed,
      wsUrl: exchange.url.replace("http", "ws"),
      tap: hub,
      tell: (event) => this.#tellEvent(event),
    });
    this.#streams = streams;
    const { metrics, figures } = counted.open({
      store,
      pipeline,
      dataDir: this.#dataDir,
      venues: () => venues,
      feeds: () => streams.feeds(),
    });
    const api = await this.#openApi({ hub, monitor, metrics });
    try {
      for (const [i, collector] of collectors.entries()) {
        const series = await collector.prepare(signal);
        const venue = venues[i];
        const wanted = DEMO_LIVE_MARKETS[collector.config.exchange.name] ?? [];
        const markets = series.map(({ market }) => market).filter(({ symbol }) => wanted.includes(symbol));
        if (venue) streams.follow(venue, markets);
      }
      await this.#live({ collectors, narrator, failures, streams, monitor, figures });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    try {
      await streams.stop();
      // Also after Ctrl-C the result is shown.
      const never = new AbortController().signal;
      return await Promise.all(collectors.map((collector) => collector.runQualityCheckCycle(never)));
    } finally {
      await api.close();
      await Promise.all(venues.map((venue) => venue.close()));
      await pipeline.close();
      await errors.close();
    }
  }

  /** The port that was asked for, or else the usual one, or else any: a demo is not kept from running by another. */
  async #openApi({
    hub,
    monitor,
    metrics,
  }: {
    hub: LiveHub;
    monitor: ProcessMonitor;
    metrics: Metrics;
  }): Promise<ApiServer> {
    const { port: asked } = this.#options;
    const { log } = this.#context;
    const open = (port: number): Promise<ApiServer> =>
      hostApi({
        config: { host: "127.0.0.1", port, token: undefined, writeToken: undefined },
        store: this.#store,
        hub,
        process: monitor,
        metrics,
        clock: this.#clock,
        isEmbedded: true,
        log,
      });
    const api =
      asked === undefined
        ? await open(PORT_DEFAULT).catch(() => open(0))
        : await open(readInteger("--port", asked, { min: 0, max: 65_535 }));
    this.#tell(`Dashboard and API, as long as it runs: ${api.url}\n`);
    return api;
  }

  /** Cycle after cycle until the time is over and what can be repaired is repaired. */
  async #live({
    collectors,
    narrator,
    failures,
    streams,
    monitor,
    figures,
  }: {
    collectors: readonly Collector[];
    narrator: DemoNarrator;
    failures: ReadonlyMap<string, number>;
    streams: DemoLive;
    monitor: ProcessMonitor;
    figures: Figures;
  }): Promise<void> {
    const { signal } = this.#context;
    const clock = this.#clock;
    const endMs = this.#startMs + this.#durationMs * TIME_FACTOR;
    this.#tell(`${this.#stamp()}  Fetching the week from ${formatMinute(this.#startMs - WEEK_MS)} UTC …`);
    let wasReachable = true;
    for (let nextMs = this.#startMs, cycle = 0; !signal.aborted; nextMs += COLLECT_EVERY_MS, cycle++) {
      const collected = await Promise.all(collectors.map((each) => each.runCollectionCycle(signal)));
      collected.forEach((report, i) => {
        const config = collectors[i]?.config;
        const [first] = report.failures;
        if (config) monitor.note(config.name, { exchange: config.exchange.name });
        if (config) monitor.noteCycle(config.name, report, first ? describeError(first.error) : null);
      });
      let missing = collected.reduce((sum, each) => sum + each.missingCandles, 0);
      if (cycle % CYCLES_A_REPAIR === 0) {
        const repaired = await Promise.all(collectors.map((each) => each.runBackfillCycle(signal)));
        missing = repaired.reduce((sum, each) => sum + each.missingCandles, 0);
        if (cycle === 0) this.#tellFirstCycle(repaired, failures);
      }
      await narrator.catchUp(signal);
      // For whoever looks at the dashboard meanwhile; what is reported is checked at the end.
      if (cycle % CYCLES_A_CHECK === 0)
        await Promise.all(collectors.map((each) => each.runQualityCheckCycle(signal)));
      if (cycle % CYCLES_A_REPAIR === 0) await figures.measure();
      const live = cycle > 0 && cycle % CYCLES_A_WORD === 0 ? streams.words() : undefined;
      if (live !== undefined) this.#tell(`${this.#stamp()}  ${live}`);
      const isReachable = collected.every((each) => each.failures.length === 0);
      if (isReachable !== wasReachable)
        this.#tell(
          `${this.#stamp()}  ${isReachable ? "The exchanges answer again." : "The exchanges cannot be reached; collecting goes on by itself when they are back."}`,
        );
      wasReachable = isReachable;
      const isOver = clock.nowMs() >= endMs && (missing === 0 || clock.nowMs() >= endMs + GRACE_MS);
      if (isOver) break;
      await clock.sleep(Math.max(nextMs + COLLECT_EVERY_MS - clock.nowMs(), 0), signal);
    }
  }

  #tellFirstCycle(repaired: readonly RepairReport[], failures: ReadonlyMap<string, number>): void {
    const tasks = repaired.reduce((sum, each) => sum + each.planned, 0);
    const candles = repaired.reduce((sum, each) => sum + each.candles, 0);
    this.#tell(
      `${this.#stamp()}  The week became ${formatCount(tasks)} repair tasks; ${formatCount(candles)} candles are stored. Requests that failed on the way and were repeated: ${words(failures)}.`,
    );
    this.#tell(`${this.#stamp()}  Now live: a new candle of each market every second.`);
  }

  async #report({
    store,
    exchange,
    comparison,
    quality,
  }: {
    store: Store;
    exchange: SimulatedExchange;
    comparison: Comparison;
    quality: readonly QualityReport[];
  }): Promise<void> {
    const { stdout, setExitStatus } = this.#context;
    // Also after Ctrl-C the result is shown.
    const signal = new AbortController().signal;
    const [states, history, findings, revisions] = await Promise.all([
      store.seriesStates({}),
      store.gapHistory(),
      store.audit({}),
      store.query("SELECT count(*) FROM quarantine", signal),
    ]);
    const rows = states.map((state) => {
      const gaps = history.find(
        (each) => each.marketId === state.marketId && each.timeframe === state.timeframe,
      );
      const checked = quality
        .flatMap(({ series }) => series)
        .find((each) => each.market === state.market && each.timeframe === state.timeframe);
      return {
        market: state.market,
        score: checked?.quality_score ?? null,
        candles: state.coveredCandles,
        coverage: formatPercent(state.coveredCandles + state.voidCandles, state.expectedCandles),
        found: gaps?.found ?? 0,
        repaired: gaps?.repairedGaps ?? 0,
        void: gaps?.voidGaps ?? 0,
        revised: gaps?.revisions ?? 0,
      };
    });
    const isComplete =
      states.length === MARKETS &&
      states.every((state) => state.coveredCandles + state.voidCandles === state.expectedCandles);
    const liveRows = (await this.#streams?.rows()) ?? [];
    const liveFindings = await store.live.audit();
    const truthOf = (name: string): GroundTruth => exchange.venue(name as VenueName).truth;
    const live = (await this.#streams?.compare(truthOf)) ?? NOTHING_LIVE;
    const isProven =
      findings.length + liveFindings.length === 0 && comparison.differences + live.differences === 0;
    if (this.#options.json) {
      stdout(
        `${JSON.stringify({ simulated: true, markets: rows, quarantined: revisions.rows[0]?.[0], audit: [...findings, ...liveFindings], truth: comparison, live: { markets: liveRows, truth: live }, faults: exchange.faults.strikes() }, undefined, 2)}\n`,
      );
    } else {
      stdout(
        `\n${formatTable(
          REPORT_COLUMNS,
          rows.map((row) => [
            row.market,
            row.score === null ? "–" : row.score.toFixed(2),
            formatCount(row.candles),
            row.coverage,
            String(row.found),
            String(row.repaired),
            String(row.void),
            String(row.revised),
          ]),
        )}\n`,
      );
      stdout(
        `The score is of the last week; coverage is what is stored or proven void. Gaps count stretches of time; ${String(revisions.rows[0]?.[0])} refused rows are in quarantine.\n`,
      );
      stdout(`\n${formatDemoLive(liveRows)}\n`);
      stdout(
        findings.length + liveFindings.length === 0
          ? "Ledger and rows agree: covered, void and gap partition every minute.\n"
          : `Ledger and rows DISAGREE in ${findings.length + liveFindings.length} places.\n`,
      );
      stdout(
        comparison.differences === 0
          ? `All ${formatCount(comparison.compared)} stored candles equal the simulator's own truth, digit for digit.\n`
          : `${formatCount(comparison.differences)} of ${formatCount(comparison.compared)} candles DIFFER from the simulator's truth: ${comparison.first ?? ""}\n`,
      );
      stdout(
        live.differences === 0
          ? `So do all ${formatCount(live.trades)} trades, without a missing id, and all ${formatCount(live.books)} order books at their sequence.\n`
          : `${formatCount(live.differences)} trades or order books DIFFER from the simulator's truth: ${live.first ?? ""}\n`,
      );
      const tickwell = `${commandLine()} --data-dir ${this.#dataDir}`;
      stdout(
        `\nLook at it yourself:\n  ${tickwell} quality\n  ${tickwell} gaps\n  ${tickwell} tasks\n  ${tickwell} errors\n  ${tickwell} query "SELECT * FROM trades LIMIT 5"\n`,
      );
    }
    setExitStatus(isComplete && isProven ? EXIT.done : EXIT.shortfall);
  }

  #tellEvent({ kind, subject, explanation }: DemoEvent): void {
    const title = kind.toUpperCase().padEnd(9);
    const shown = process.stderr.isTTY && this.#options.color ? styleText(EVENT_COLORS[kind], title) : title;
    this.#tell(`${this.#stamp()}  ${shown} ${subject}\n${" ".repeat(17)}${explanation}`);
  }

  /** Simulated time of day. */
  #stamp(): string {
    return formatMinute(Math.floor(this.#clock.nowMs() / 60_000) * 60_000).slice(11);
  }

  #tell(sentence: string): void {
    this.#context.stderr(`${sentence}\n`);
  }
}

const NOTHING_LIVE: DemoLiveComparison = { trades: 0, books: 0, differences: 0, first: undefined };

const EVENT_COLORS = {
  missing: "yellow",
  repaired: "green",
  void: "cyan",
  closed: "green",
} as const satisfies Record<DemoEvent["kind"], string>;

const REPORT_COLUMNS = [
  { title: "market" },
  { title: "score", align: "right" },
  { title: "candles", align: "right" },
  { title: "coverage", align: "right" },
  { title: "gaps found", align: "right" },
  { title: "repaired", align: "right" },
  { title: "void", align: "right" },
  { title: "revised", align: "right" },
] as const;

function words(failures: ReadonlyMap<string, number>): string {
  const parts = [...failures].map(([kind, count]) => `${count} ${kind.replaceAll("_", " ")}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

/** How this program was called: from a checkout by its file, else by its name. */
function commandLine(): string {
  const script = process.argv[1] ?? "";
  return script.endsWith("tickwell.js") ? `node ${relative(process.cwd(), script)}` : "tickwell";
}
