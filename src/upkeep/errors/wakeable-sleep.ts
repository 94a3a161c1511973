// A wait that is over when its time has come or when someone wakes the sleeper, whichever is first.
import type { Clock } from "../../core/clock.js";

export class WakeableSleep {
  readonly #clock: Clock;
  #wake: AbortController | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Never rejects. Without a duration only {@link WakeableSleep.wake} ends it. */
  async sleep(durationMs: number | undefined): Promise<void> {
    const wake = new AbortController();
    this.#wake = wake;
    if (durationMs === undefined) {
      await new Promise<void>((resolve) => wake.signal.addEventListener("abort", () => resolve()));
    } else {
      await this.#clock.sleep(durationMs, wake.signal).catch(() => undefined);
    }
  }

  /** Ends the wait that is under way, if there is one. */
  wake(): void {
    this.#wake?.abort();
  }
}
