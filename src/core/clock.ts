// The one place that reads the machine's clock and waits. Everything else is handed a Clock, so that a scenario can run
// on simulated time.
import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Epoch milliseconds. */
  nowMs(): number;
  /** Waits; rejects with the signal's reason as soon as it is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** setTimeout takes 31 bits; a longer wait is taken in pieces. */
const SLEEP_PIECE_MS = 2 ** 31 - 1;

async function wait(durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  let leftMs = durationMs;
  do {
    const pieceMs = Math.min(Math.max(leftMs, 0), SLEEP_PIECE_MS);
    try {
      await delay(pieceMs, undefined, signal ? { signal } : {});
    } catch (error) {
      throw signal?.reason ?? error;
    }
    leftMs -= pieceMs;
  } while (leftMs > 0);
}

/** The machine's own clock. */
export const systemClock: Clock = { nowMs: () => Date.now(), sleep: wait };

/** A clock that starts at `startMs` and runs `factor` times as fast as the machine's; waits shorten accordingly. */
export function scaledClock({ startMs, factor }: { startMs: number; factor: number }): Clock {
  const originMs = Date.now();
  return {
    nowMs: () => Math.floor(startMs + (Date.now() - originMs) * factor),
    sleep: (durationMs, signal) => wait(durationMs / factor, signal),
  };
}
