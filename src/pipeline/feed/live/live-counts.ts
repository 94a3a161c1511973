// Counts of one market's stream between two batches.
import { NO_TALLY, type LiveTally } from "../../../core/model/live-tally.js";

type Counts = { -readonly [Key in keyof LiveTally]: number };

export class LiveCounts {
  #counts: Counts = { ...NO_TALLY };
  #isEmpty = true;

  /** True when nothing was counted since the last {@link take}. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  add(key: keyof LiveTally, count = 1): void {
    this.#counts[key] += count;
    this.#isEmpty = false;
  }

  /** What was counted, once. */
  take(): LiveTally {
    const counts = this.#counts;
    this.#counts = { ...NO_TALLY };
    this.#isEmpty = true;
    return counts;
  }
}
