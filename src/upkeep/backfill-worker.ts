// Works off the queue of backfill tasks: claims what is due, has it filled, and says how each ended by what coverage says
// then. Any number of workers, in any number of processes, may work on one database.
import { systemClock, type Clock } from "../core/clock.js";
import { classifyError } from "../core/fault.js";
import type { Random } from "../core/random.js";
import { totalMs } from "../core/range.js";
import type { Store } from "../store/store.js";
import type { ClaimedTask } from "../store/task-queue.js";
import { LEASE_MS } from "./backfill-scheduler.js";
import { judgeBackfill, type Verdict } from "./backfill-verdict.js";
import type { PassOutcome } from "./candle-keeper.js";
import { doneWhileMoving } from "./places.js";

export interface BackfillWorkerOptions {
  readonly store: Pick<Store, "tasks" | "missing" | "openGaps">;
  /**
   * One pass over the task's range, such as that of {@link CandleKeeper.fill}. What it has fetched must be in coverage.
   * Calls `moved` after each page: a task that does not move holds up no others.
   */
  readonly fill: (
    task: ClaimedTask,
    signal: AbortSignal,
    moved: () => void,
  ) => Promise<Pick<PassOutcome, "candles" | "nextAskMs">>;
  readonly clock: Clock;
  readonly random: Random;
  /** For people who look at the queue: who works on a task. */
  readonly name: string;
  /** Tasks worked on at once, beside those that hang. */
  readonly concurrency: number;
  /** Only tasks of these markets; any when undefined. */
  readonly marketIds?: readonly number[] | undefined;
  /** Tasks taken in one call; default 1,000. */
  readonly tasksMax?: number;
  /** Now in simulated time, epoch ms; leases and due times are by the database's own clock when absent. */
  readonly nowMs?: () => number;
  /** What the watch over the leases, and over tasks that hang, waits on. Not `clock`: one that is moved on by being waited on would run away. */
  readonly timer?: Clock;
  readonly onTask?: (event: TaskEvent) => void;
}

/** `returned`: given back unfinished. `lost`: the lease ran out and another worker has it. */
export interface TaskEvent {
  readonly kind: "claimed" | Verdict["kind"] | "returned" | "lost";
  readonly task: ClaimedTask;
  /** Stored by this attempt. */
  readonly candles: number;
  /** What is missing and what went wrong, for people. */
  readonly detail: string | undefined;
}

/** How many tasks ended how; candles are those the fills have handed on. */
export interface WorkReport {
  readonly completed: number;
  readonly postponed: number;
  readonly retried: number;
  readonly failed: number;
  readonly candles: number;
}

/** A third of the lease: two renewals may fail to come before it is over. */
const RENEW_EVERY_MS = 20_000;
/** How often the watch looks whether it is time, since a simulated clock, or a set one, jumps. */
const WATCH_EVERY_MS = 1_000;
const TASKS_MAX = 1_000;
/**
 * So many of a market in a row thrown out by a fault that may pass: the rest of its tasks keep their attempts. So many markets in a
 * row: the exchange is away.
 */
const FAULTS_IN_A_ROW_MAX = 3;
/** Tasks that hang at once; beyond that, their places are waited for. */
const HANGING_MAX = 16;

interface Held {
  readonly task: ClaimedTask;
  /** Aborted when the task is no longer ours. */
  readonly lost: AbortController;
}

/** One call of workOff. */
interface Run {
  readonly report: { -readonly [K in keyof WorkReport]: number };
  readonly held: Map<number, Held>;
  /** Ends the run with an error that is not of one task. */
  readonly fail: (error: unknown) => void;
  /** Tasks that do not move, by market. */
  readonly hanging: Map<Promise<void>, number>;
  /** Faults in a row, by market. */
  readonly faults: Map<number, number>;
  /** Markets at fault since one was not. */
  readonly faultsInARow: Set<number>;
  renewedMs: number;
  claims: number;
}

// An attempt, step by step:
// 1. Leases that are getting old are renewed, then a task is claimed. A worker never claims what it holds itself, even if a
//    clock that jumped has let its lease run out; nor anything of a market that hangs or was at fault several times in a row.
//    A task that does not move leaves its place to another, and goes on.
// 2. While `fill` works, a watch renews the leases of all tasks held. A lease that cannot be renewed is lost: the fill is
//    told to stop, and nothing is said of the task.
// 3. What is missing is read from coverage, and the verdict follows (backfill-verdict.ts).
// 4. The verdict is recorded under the claim's token; a token that has become void changes nothing.
// When told to stop, a worker gives its tasks back at once. When the database fails, the run ends and leases run out by
// themselves.
export class BackfillWorker {
  readonly #options: BackfillWorkerOptions;
  readonly #timer: Clock;

  constructor(options: BackfillWorkerOptions) {
    this.#options = options;
    this.#timer = options.timer ?? systemClock;
  }

  /**
   * Claims due tasks, several at once, until none is due. Also ends when the exchange seems to be away; the rest stays pending.
   * @throws TickwellError `database`; the signal's reason when it is aborted, after all tasks were given back
   */
  async workOff(signal: AbortSignal): Promise<WorkReport> {
    signal.throwIfAborted();
    const broken = new AbortController();
    const bounded = AbortSignal.any([signal, broken.signal]);
    const done = new AbortController();
    const run: Run = {
      report: { completed: 0, postponed: 0, retried: 0, failed: 0, candles: 0 },
      held: new Map(),
      renewedMs: this.#options.clock.nowMs(),
      fail: (error) => broken.abort(error),
      hanging: new Map(),
      faults: new Map(),
      faultsInARow: new Set(),
      claims: 0,
    };
    const orBreak = (error: unknown): never => {
      broken.abort(error);
      throw error;
    };
    const watch = this.#watchLeases(run, done.signal).catch(orBreak);
    const slots = Array.from({ length: this.#options.concurrency }, () =>
      this.#workOn(run, bounded).catch(orBreak),
    );
    const results = await Promise.allSettled(slots);
    done.abort();
    const all = [...results, ...(await Promise.allSettled([watch]))];
    // Every other one failed because of the first.
    if (broken.signal.aborted || all.some((result) => result.status === "rejected")) {
      signal.throwIfAborted();
      throw broken.signal.reason;
    }
    return run.report;
  }

  async #workOn(run: Run, signal: AbortSignal): Promise<void> {
    const { store, name, marketIds, tasksMax = TASKS_MAX } = this.#options;
    while (run.claims < tasksMax && run.faultsInARow.size < FAULTS_IN_A_ROW_MAX) {
      signal.throwIfAborted();
      if (run.hanging.size >= HANGING_MAX) {
        await Promise.race(run.hanging.keys());
        continue;
      }
      run.claims++;
      await this.#renewLeases(run);
      const [task] = await store.tasks.claim({
        worker: name,
        leaseMs: LEASE_MS,
        marketIds,
        excludedIds: [...run.held.keys()],
        excludedMarketIds: leftAlone(run),
        nowMs: this.#options.nowMs?.(),
      });
      if (task) await this.#workInPlace(run, { task, lost: new AbortController() }, signal);
      // When one of these moves again, there may be more to do for its market.
      else if (run.hanging.size > 0) await Promise.race(run.hanging.keys());
      else return;
    }
    await Promise.all(run.hanging.keys());
  }

  /** Until the task has ended, or does not move; then it goes on beside the others. */
  async #workInPlace(run: Run, held: Held, signal: AbortSignal): Promise<void> {
    const { task } = held;
    const timer = this.#timer;
    let movedMs = timer.nowMs();
    run.held.set(task.id, held);
    const working = this.#work(run, held, signal, () => (movedMs = timer.nowMs())).finally(() => {
      run.held.delete(task.id);
      run.hanging.delete(working);
    });
    if (await doneWhileMoving(working, { movedMs: () => movedMs, timer })) return;
    run.hanging.set(working, task.marketId);
    working.catch(run.fail);
  }

  async #work(run: Run, { task, lost }: Held, signal: AbortSignal, moved: () => void): Promise<void> {
    const { store, fill, clock, random } = this.#options;
    this.#tell("claimed", task);
    let candles = 0;
    let nextAskMs: number | undefined;
    let error: unknown;
    const missingBeforeMs = totalMs(await store.missing(task, task));
    try {
      signal.throwIfAborted();
      ({ candles, nextAskMs } = await fill(task, AbortSignal.any([signal, lost.signal]), moved));
    } catch (thrown) {
      if (signal.aborted) {
        await this.#giveBack(task);
        throw signal.reason;
      }
      if (classifyError(thrown).kind === "database" && !lost.signal.aborted) throw thrown;
      error = thrown;
    }
    run.report.candles += candles;
    if (lost.signal.aborted) {
      this.#tell("lost", task, candles);
      return;
    }
    const missing = await store.missing(task, task);
    const openGaps = await store.openGaps(task);
    const verdict = judgeBackfill(
      { task, missing, missingBeforeMs, openGaps, nextAskMs, error },
      { random, nowMs: clock.nowMs() },
    );
    const { kind, outcome } = verdict;
    const isOurs = await store.tasks.finish(task, outcome, { nowMs: this.#options.nowMs?.() });
    if (!isOurs) {
      this.#tell("lost", task, candles);
      return;
    }
    run.report[kind]++;
    noteFault(run, task.marketId, error !== undefined && kind !== "failed");
    this.#tell(kind, task, candles, outcome.status === "completed" ? undefined : outcome.errorMessage);
  }

  async #giveBack(task: ClaimedTask): Promise<void> {
    const nowMs = this.#options.nowMs?.();
    const outcome = {
      status: "pending",
      isRetry: false,
      notBeforeMs: task.nextAttemptMs,
      errorMessage: task.errorMessage,
    } as const;
    if (await this.#options.store.tasks.finish(task, outcome, { nowMs })) this.#tell("returned", task);
    else this.#tell("lost", task);
  }

  /** Renews until it is told to stop. */
  async #watchLeases(run: Run, done: AbortSignal): Promise<void> {
    while (!done.aborted) {
      try {
        await this.#timer.sleep(WATCH_EVERY_MS, done);
      } catch (error) {
        if (done.aborted) return;
        throw error;
      }
      await this.#renewLeases(run);
    }
  }

  async #renewLeases(run: Run): Promise<void> {
    const { store, clock } = this.#options;
    const beforeMs = clock.nowMs();
    // A clock that was set back says nothing about how old the leases are.
    if (Math.abs(beforeMs - run.renewedMs) < RENEW_EVERY_MS) return;
    run.renewedMs = beforeMs;
    const held = [...run.held.values()];
    const kept = new Set(
      await store.tasks.renew(
        held.map(({ task }) => task),
        { leaseMs: LEASE_MS, nowMs: this.#options.nowMs?.() },
      ),
    );
    for (const { task, lost } of held) {
      if (!kept.has(task.id)) lost.abort(new Error(`the lease of backfill task ${task.id} ran out`));
    }
  }

  #tell(kind: TaskEvent["kind"], task: ClaimedTask, candles = 0, detail?: string): void {
    this.#options.onTask?.({ kind, task, candles, detail });
  }
}

/** Markets of which nothing more is claimed in this run. */
function leftAlone(run: Run): number[] {
  const faulty = [...run.faults].filter(([, faults]) => faults >= FAULTS_IN_A_ROW_MAX);
  return [...new Set([...run.hanging.values(), ...faulty.map(([marketId]) => marketId)])];
}

function noteFault(run: Run, marketId: number, isFault: boolean): void {
  if (isFault) {
    run.faults.set(marketId, (run.faults.get(marketId) ?? 0) + 1);
    run.faultsInARow.add(marketId);
  } else {
    run.faults.delete(marketId);
    run.faultsInARow.clear();
  }
}
