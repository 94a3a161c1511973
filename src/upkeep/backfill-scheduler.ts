// Finds gaps and keeps the tasks that repair them: a thin layer over the store's queue, for the collector's cycle and for
// people who write workers of their own.
import type { TimeRange } from "../core/range.js";
import type { Gap, SeriesFilter, SeriesKey, Store } from "../store/store.js";
import type {
  BackfillTask,
  ClaimedTask,
  PlanReport,
  PlanRequest,
  TaskClaim,
  TaskOutcome,
} from "../store/task-queue.js";

export interface BackfillSchedulerOptions {
  readonly store: Pick<Store, "gaps" | "expect" | "tasks">;
  /** How long a claimed task belongs to its worker; default 60 s. */
  readonly leaseMs?: number;
  /** Now in simulated time, epoch ms; the database's own clock when absent. */
  readonly nowMs?: () => number;
}

/** Long enough for a stalled network, short enough that a dead worker's range is not waited for. */
export const LEASE_MS = 60_000;

// The life of a task:
//
// Pending: it waits in the queue, and may be claimed once its time has come (`nextAttemptMs`). The highest priority is
// claimed first, then the most recent range.
// Running: it belongs to the worker that holds its claim token, until its lease runs out; the worker renews the lease
// while it works. When the lease has run out, the task may be claimed again, with a new token: whatever the old worker says
// after that changes nothing. So a worker that dies loses no task, and one that only stalled does no harm.
// From running it goes to completed, when coverage says that nothing of its range is missing; to pending, when it was given
// back, or waits for the exchange to confirm an absence, or is to be tried again after a pause, which is counted; to failed,
// when no further attempt can help or there were too many.
// Failed: it keeps its reason, and its range is not planned anew. It goes back to pending only when somebody asks for it,
// with the count of its attempts at zero.
// Completed and failed tasks are deleted by the cleanup.
export class BackfillScheduler {
  readonly #store: BackfillSchedulerOptions["store"];
  readonly #leaseMs: number;
  readonly #nowMs: () => number | undefined;

  constructor({ store, leaseMs, nowMs }: BackfillSchedulerOptions) {
    this.#store = store;
    this.#leaseMs = leaseMs ?? LEASE_MS;
    this.#nowMs = nowMs ?? (() => undefined);
  }

  /** What is expected and neither stored nor void, with what is known of it. */
  checkDataGaps(filter: SeriesFilter = {}): Promise<Gap[]> {
    return this.#store.gaps(filter);
  }

  /** Queues the gaps of these series, long ones split. What is queued already, or has failed, is not queued again. */
  planTasks(
    series: readonly SeriesKey[],
    options: Omit<PlanRequest, "series" | "nowMs"> = {},
  ): Promise<PlanReport> {
    return this.#store.tasks.plan({ ...options, series, nowMs: this.#nowMs() });
  }

  /**
   * Declares that the series should hold the range, and queues it as one task; if a pending or running task holds all of
   * it, that one is returned.
   * @throws TickwellError `bad_request` for a range that is empty or off the timeframe's grid
   */
  async createBackfillTask(
    task: SeriesKey & {
      readonly range: TimeRange;
      readonly priority?: number;
      readonly maxRetries?: number;
    },
  ): Promise<BackfillTask> {
    const created = await this.#store.tasks.create({ ...task, nowMs: this.#nowMs() });
    await this.#store.expect({ marketId: task.marketId, timeframe: task.timeframe }, task.range);
    return created;
  }

  /** Pending tasks in the order in which they will be claimed, whether they are due or not; at most `limit`, default 1,000. */
  getPendingTasks(
    filter: { readonly marketIds?: readonly number[]; readonly limit?: number } = {},
  ): Promise<BackfillTask[]> {
    return this.#store.tasks.pending(filter);
  }

  /** The next due task, which is the caller's until its lease runs out; undefined when none is due. */
  async claimTask(
    workerId: string,
    filter: { readonly marketIds?: readonly number[] } = {},
  ): Promise<ClaimedTask | undefined> {
    const [task] = await this.#store.tasks.claim({
      worker: workerId,
      leaseMs: this.#leaseMs,
      marketIds: filter.marketIds,
      nowMs: this.#nowMs(),
    });
    return task;
  }

  /**
   * Ends an attempt at a claimed task, or with `running` keeps it for another lease.
   * @returns false, having changed nothing, when the task is no longer the caller's
   */
  async updateTaskStatus(
    claim: TaskClaim,
    outcome: TaskOutcome | { readonly status: "running" },
  ): Promise<boolean> {
    const nowMs = this.#nowMs();
    if (outcome.status !== "running") return this.#store.tasks.finish(claim, outcome, { nowMs });
    const kept = await this.#store.tasks.renew([claim], { leaseMs: this.#leaseMs, nowMs });
    return kept.length === 1;
  }

  /** Failed tasks, these or all, go back into the queue. @returns their number */
  retryFailedTasks(ids?: readonly number[]): Promise<number> {
    return this.#store.tasks.retryFailed({ ids, nowMs: this.#nowMs() });
  }

  /** Deletes what was completed or failed longer ago. @returns the number of tasks */
  cleanupOldTasks(olderThanMs: number): Promise<number> {
    return this.#store.tasks.cleanup({ olderThanMs, nowMs: this.#nowMs() });
  }
}
