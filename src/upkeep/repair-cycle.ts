// One repair cycle after the other of a collector: failed tasks get their second chance, voids are asked about again, gaps
// become tasks, tasks that are due are worked off, and what was changed in the past is made visible in the longer candles.
import type { Clock } from "../core/clock.js";
import { TickwellError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import { formatMarketName } from "../core/model/market.js";
import type { Random } from "../core/random.js";
import type { TimeRange } from "../core/range.js";
import { formatMinute } from "../core/time.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { SeriesKey, Store } from "../store/store.js";
import type { BackfillTask, ClaimedTask, PlanReport } from "../store/task-queue.js";
import type { Alerts } from "./alerts/alerts.js";
import { BackfillScheduler } from "./backfill-scheduler.js";
import { BackfillWorker, type TaskEvent, type WorkReport } from "./backfill-worker.js";
import {
  HEAD_CANDLES,
  keyOf,
  seriesKeyText,
  type CandleKeeper,
  type PassOutcome,
  type Series,
} from "./candle-keeper.js";
import { countMissing } from "./missing-candles.js";
import { VoidReview } from "./void-review.js";

export interface RepairCycleOptions {
  readonly store: Store;
  readonly keeper: CandleKeeper;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly alerts: Pick<Alerts, "raise" | "resolve"> | undefined;
  /** For people who look at the queue. */
  readonly workerName: string;
  /** Tasks worked on at once. */
  readonly workers: number;
  /** A longer gap is split into tasks of so many candles. */
  readonly taskCandles: number;
  /** Tries of a task after the first one. */
  readonly maxRetries: number;
  /** A failed task gets new tries after this long, ms. */
  readonly retryFailedAfterMs: number;
  /** True where `clock` is not the world's: due times are by it then, and not by the database's own. */
  readonly isSimulated: boolean;
}

/** What one repair cycle came to. */
export interface RepairReport extends WorkReport {
  /** Tasks that were made of gaps found now. */
  readonly planned: number;
  /** Candles still missing of what was looked at. */
  readonly missingCandles: number;
}

/** So many tasks, then the gaps are looked at again: what has gone missing meanwhile is more recent, and comes first. */
const TASKS_A_ROUND = 50;
/** Rounds of one cycle at most; the next cycle goes on. */
const ROUNDS_MAX = 1_000;
const FAILED_LISTED_MAX = 1_000;

export class RepairCycle {
  readonly #options: RepairCycleOptions;
  readonly #scheduler: BackfillScheduler;
  readonly #voids: VoidReview;
  /** By key: what is worked on, and where tasks of others are not. */
  #series: ReadonlyMap<string, Series> = new Map();
  /** Markets the exchange has refused to know in this cycle. */
  readonly #unknown = new Set<number>();
  /** `on_failure: halt` has spoken during a task. */
  #halted: TickwellError | undefined;

  constructor(options: RepairCycleOptions) {
    this.#options = options;
    const { store, clock, isSimulated } = options;
    this.#voids = new VoidReview(options);
    this.#scheduler = new BackfillScheduler({
      store,
      ...(isSimulated ? { nowMs: () => clock.nowMs() } : {}),
    });
  }

  /**
   * @throws TickwellError `database`; `validation` when `on_failure: halt` has stopped a task; the signal's reason
   */
  async run(series: readonly Series[], signal: AbortSignal): Promise<RepairReport> {
    const { store } = this.#options;
    this.#series = new Map(series.map((each) => [seriesKeyText(keyOf(each)), each]));
    this.#halted = undefined;
    this.#unknown.clear();
    await this.#retryFailed(series);
    await this.#voids.run(series, signal);
    const total = { planned: 0, completed: 0, postponed: 0, retried: 0, failed: 0, candles: 0 };
    for (let round = 0; round < ROUNDS_MAX; round++) {
      total.planned += (await this.#plan(series)).tasks;
      const report = await this.#workOff(series, signal);
      for (const key of ["completed", "postponed", "retried", "failed", "candles"] as const)
        total[key] += report[key];
      this.#throwIfHalted();
      if (report.completed + report.postponed + report.retried + report.failed < TASKS_A_ROUND) break;
    }
    await store.refreshAggregates(signal);
    await this.#tellFailures(series);
    return { ...total, missingCandles: await countMissing(store, series) };
  }

  #throwIfHalted(): void {
    if (this.#halted) throw this.#halted;
  }

  /** Up to where collection looks after holes by itself. Asks nobody: gaps are on record also while the exchange is away. */
  async #plan(series: readonly Series[]): Promise<PlanReport> {
    const { keeper, taskCandles, maxRetries } = this.#options;
    const total = { tasks: 0, candles: 0 };
    for (const [timeframe, keys] of byTimeframe(series)) {
      const headStartMs = floorToTimeframe(keeper.nowMs(), timeframe) - HEAD_CANDLES * timeframeMs(timeframe);
      const range = { startMs: 0, endMs: headStartMs };
      const planned = await this.#scheduler.planTasks(keys, {
        range,
        taskCandlesMax: taskCandles,
        maxRetries,
      });
      total.tasks += planned.tasks;
      total.candles += planned.candles;
    }
    return total;
  }

  #workOff(series: readonly Series[], signal: AbortSignal): Promise<WorkReport> {
    const { store, clock, random, workerName, workers, isSimulated } = this.#options;
    const worker = new BackfillWorker({
      store,
      clock,
      random,
      name: workerName,
      concurrency: workers,
      marketIds: [...new Set(series.map(({ market }) => market.id))],
      tasksMax: TASKS_A_ROUND,
      fill: (task, bounded, moved) => this.#fill(task, bounded, moved),
      onTask: (event) => this.#tell(event),
      ...(isSimulated ? { nowMs: () => clock.nowMs() } : {}),
    });
    return worker.workOff(signal);
  }

  async #fill(task: ClaimedTask, signal: AbortSignal, moved: () => void): Promise<PassOutcome> {
    const { keeper, store } = this.#options;
    const known = this.#series.get(seriesKeyText(task));
    const market = known?.market ?? (await store.listMarkets()).find((each) => each.id === task.marketId);
    if (!market) throw new Error(`market ${task.marketId} of task ${task.id} is not stored`);
    try {
      return await keeper.fill({ market, timeframe: task.timeframe }, task, signal, moved);
    } catch (error) {
      if (error instanceof TickwellError && error.fault.kind === "validation") this.#halted ??= error;
      if (error instanceof TickwellError && error.fault.kind === "bad_symbol") this.#unknown.add(market.id);
      throw error;
    }
  }

  async #retryFailed(series: readonly Series[]): Promise<void> {
    const { clock, retryFailedAfterMs, log } = this.#options;
    const failed = await this.#failedTasks(series);
    const due = failed.filter(({ updatedMs }) => clock.nowMs() - updatedMs >= retryFailedAfterMs);
    if (due.length === 0) return;
    await this.#scheduler.retryFailedTasks(due.map(({ id }) => id));
    log.info(`${due.length} failed repair tasks are tried again`);
  }

  async #failedTasks(series: readonly Series[]) {
    const marketIds = [...new Set(series.map(({ market }) => market.id))];
    return this.#options.store.tasks.list({ statuses: ["failed"], marketIds, limit: FAILED_LISTED_MAX });
  }

  #tell({ kind, task, detail }: TaskEvent): void {
    const { log } = this.#options;
    const words = `${task.market} ${task.timeframe}, ${rangeOf(task)}: repair task ${task.id} ${kind}${detail === undefined ? "" : `: ${detail}`}`;
    if (kind === "failed") log.warn(words);
    else log.debug(words);
  }

  /**
   * Tells of tasks that are given up, also by the queue itself because their workers died; a series without any has nothing a
   * person would have to look at.
   */
  async #tellFailures(series: readonly Series[]): Promise<void> {
    const failedTasks = await this.#failedTasks(series);
    for (const task of failedTasks) this.#raise(task);
    const failed = new Set(failedTasks.map(seriesKeyText));
    for (const each of series) {
      if (failed.has(seriesKeyText(keyOf(each)))) continue;
      const market = formatMarketName(each.market);
      this.#options.alerts?.resolve(
        alertKey(market, each.timeframe),
        `${market} ${each.timeframe}: the gap is repaired, or being tried again`,
      );
    }
  }

  #raise(task: BackfillTask): void {
    // The collector's list tells of a market that is gone or suspended, once.
    const isActive = this.#series.get(seriesKeyText(task))?.market.isActive ?? true;
    if (!isActive || this.#unknown.has(task.marketId)) return;
    this.#options.alerts?.raise({
      key: alertKey(task.market, task.timeframe),
      severity: "warning",
      exchange: task.market.slice(0, task.market.indexOf(":")),
      title: `${task.market} ${task.timeframe}: a gap could not be repaired`,
      text: `${rangeOf(task)}: ${task.errorMessage ?? ""}. It stays on record; see \`tickwell tasks\`, and \`tickwell tasks retry\` to try again now.`,
    });
  }
}

function rangeOf({ startMs, endMs }: TimeRange): string {
  return `${formatMinute(startMs)} to ${formatMinute(endMs)} UTC`;
}

function alertKey(market: string, timeframe: Timeframe): string {
  return `repair:${market} ${timeframe}`;
}

function byTimeframe(series: readonly Series[]): Map<Timeframe, SeriesKey[]> {
  const groups = new Map<Timeframe, SeriesKey[]>();
  for (const each of series) groups.set(each.timeframe, [...(groups.get(each.timeframe) ?? []), keyOf(each)]);
  return groups;
}
