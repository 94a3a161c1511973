// Runs cycles again and again, each at its own pace, until it is told to stop.
//
// Each cycle is in one of two states. Waiting: its next start is known; it lies on a grid of `everyMs` from its first
// start, so that the pace does not drift by how long the work takes. Running: it works, and starts that fall into that
// time are left out; a cycle never runs beside itself. An error ends a run, not the cycle. When the signal is aborted a
// waiting cycle ends at once, a running one when its work has ended, which is handed the same signal.
//
// A machine that sleeps stops its timers, not its clock: the wait is taken in short pieces, so that soon after the lid is
// opened every cycle that was due runs once, however many starts were missed.
import type { Clock } from "../core/clock.js";
import { formatDuration } from "../core/duration.js";
import { describeError } from "../core/fault.js";
import type { Log } from "../core/log.js";

export interface Cycle {
  /** For the log: `collect`. */
  readonly name: string;
  readonly everyMs: number;
  /** How long after the scheduler's start it runs first; default 0. */
  readonly firstAfterMs?: number;
  /** One run. Rejects when it could not do its work; that is logged, and the next run tries again. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

export interface CycleSchedulerOptions {
  readonly cycles: readonly Cycle[];
  readonly clock: Clock;
  readonly log: Log;
}

/** The longest piece of a wait: how soon after a sleep of the machine its cycles go on. */
const PIECE_MS = 5_000;
/** A piece that took so much longer than it should is a machine that slept, or a clock that was set. */
const SLEPT_MS = 60_000;

export class CycleScheduler {
  readonly #options: CycleSchedulerOptions;

  constructor(options: CycleSchedulerOptions) {
    this.#options = options;
  }

  /**
   * Runs all cycles until the signal is aborted; resolves when the last running one has ended.
   * @throws what a run threw whose `error` the caller's `isFatal` says is the end, after all others have stopped
   */
  async run(signal: AbortSignal, isFatal: (error: unknown) => boolean = () => false): Promise<void> {
    const failed = new AbortController();
    const bounded = AbortSignal.any([signal, failed.signal]);
    const loops = this.#options.cycles.map((cycle) =>
      this.#loop(cycle, bounded, isFatal).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    );
    const results = await Promise.allSettled(loops);
    const rejected = results.find((result) => result.status === "rejected");
    if (rejected) throw failed.signal.reason;
  }

  async #loop(cycle: Cycle, signal: AbortSignal, isFatal: (error: unknown) => boolean): Promise<void> {
    const { clock, log } = this.#options;
    let dueMs = clock.nowMs() + (cycle.firstAfterMs ?? 0);
    while (await this.#waitUntil(cycle, dueMs, signal)) {
      const startedMs = clock.nowMs();
      try {
        await cycle.run(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isFatal(error)) throw error;
        log.error(`${cycle.name}: ${describeError(error)}; the next cycle tries again`);
      }
      dueMs = nextStartMs({ dueMs, startedMs, endedMs: clock.nowMs(), everyMs: cycle.everyMs });
    }
  }

  /** @returns false when it is time to stop */
  async #waitUntil(cycle: Cycle, dueMs: number, signal: AbortSignal): Promise<boolean> {
    const { clock, log } = this.#options;
    // However the clock is set meanwhile, no wait is longer than the cycle.
    let leftMs = Math.max(cycle.everyMs, cycle.firstAfterMs ?? 0);
    while (!signal.aborted) {
      const beforeMs = clock.nowMs();
      const pieceMs = Math.min(dueMs - beforeMs, leftMs, PIECE_MS);
      if (pieceMs <= 0) return true;
      try {
        await clock.sleep(pieceMs, signal);
      } catch {
        return false;
      }
      leftMs -= pieceMs;
      const overMs = clock.nowMs() - beforeMs - pieceMs;
      if (overMs >= SLEPT_MS)
        log.info(`${cycle.name}: ${formatDuration(overMs)} passed at once (the machine slept?); catching up`);
    }
    return false;
  }
}

/** The next start on the grid that lies after the end of this run; starts missed meanwhile are left out. */
function nextStartMs(run: { dueMs: number; startedMs: number; endedMs: number; everyMs: number }): number {
  const { dueMs, startedMs, endedMs, everyMs } = run;
  // A clock that was set back, or a sleep: the old grid says nothing any more.
  const originMs = Math.abs(startedMs - dueMs) >= everyMs ? startedMs : dueMs;
  return originMs + everyMs * Math.max(1, Math.ceil((endedMs - originMs) / everyMs));
}
