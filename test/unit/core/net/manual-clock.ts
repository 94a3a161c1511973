// Clocks for tests: one that moves when told, and one that moves by being waited on.
import type { Clock } from "../../../../src/core/clock.js";

interface Sleeper {
  untilMs: number;
  readonly wake: () => void;
}

/** Stands still until {@link ManualClock.advance}. */
export class ManualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>();
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** How many waits are under way. */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      };
      const sleeper: Sleeper = {
        untilMs: this.#nowMs + durationMs,
        wake: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** As a person or NTP sets a clock: the time shown changes, and waits last as long as they were going to. */
  setBack(byMs: number): void {
    this.#nowMs -= byMs;
    for (const sleeper of this.#sleepers) sleeper.untilMs -= byMs;
  }

  /** Moves on, wakes whose time has come, and lets them run. */
  async advance(durationMs: number): Promise<void> {
    this.#nowMs += durationMs;
    for (const sleeper of this.#sleepers) {
      if (sleeper.untilMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
    await settle();
  }
}

/** Every wait is over at once, and has moved the clock by its length. */
export class EagerClock implements Clock {
  readonly sleptMs: number[] = [];
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.sleptMs.push(durationMs);
    this.#nowMs += durationMs;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
