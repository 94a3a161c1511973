// What the writer has done since the beginning, for whoever operates the program.
import { Histogram } from "../../core/counts.js";

/** A commit of some hundred rows takes milliseconds, a full one a tenth of a second; seconds are trouble. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;
const ROWS = [1, 10, 100, 500, 1_000, 2_500, 5_000, 10_000, 20_000] as const;

export class WriterCounts {
  /** How long commits took that succeeded, s. */
  readonly seconds = new Histogram(SECONDS);
  /** Rows they held. */
  readonly rows = new Histogram(ROWS);
  /** Attempts that failed: the database was away, or refused the rows. */
  failures = 0;
}
