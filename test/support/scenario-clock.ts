// Simulated time for scenarios: it stands still but for waits, which are over at once, and for what the test adds.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.js";

export class ScenarioClock implements Clock {
  #nowMs: number;

  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.advance(Math.max(durationMs, 0));
    await nextTurn();
    signal?.throwIfAborted();
  }

  advance(durationMs: number): void {
    this.#nowMs += Math.ceil(durationMs);
  }
}

/** The same time on a machine whose clock is wrong by `skew.ms`, which may change. */
export function skewedClock(clock: Clock, skew: { ms: number }): Clock {
  return {
    nowMs: () => clock.nowMs() + skew.ms,
    sleep: (durationMs, signal) => clock.sleep(durationMs, signal),
  };
}
