// The stage between feeds and writer: bounded, at least once. What is read stays the stage's until it is acknowledged.
import type { CandleBatch } from "../../core/model/candle-batch.js";

export interface StagedBatch {
  /** Ascending in the order of appending. */
  readonly sequence: number;
  readonly batch: CandleBatch;
}

export interface ReadLimits {
  /** Stop collecting at this many rows: candles, and what stands in their place. */
  readonly rowsMax: number;
  /** Stop collecting this long after the first batch was appended, ms. */
  readonly ageMs: number;
}

export interface Stage {
  /** That of the last batch appended; 0 when there was none. */
  readonly lastSequence: number;
  /**
   * Adds a batch; waits while the stage is full, which is how back-pressure reaches the feeds.
   * @returns its sequence number
   * @throws TickwellError `stage` after `end()`; the signal's reason
   */
  append(batch: CandleBatch, signal: AbortSignal): Promise<number>;
  /** Waits for the first batch, then takes what comes until a limit is reached. Empty only after `end()`. */
  read(limits: ReadLimits, signal: AbortSignal): Promise<readonly StagedBatch[]>;
  /** Says that everything up to `sequence` is committed. */
  ack(sequence: number): void;
  /** Resolves once everything up to `sequence` has been acknowledged. */
  settled(sequence: number, signal: AbortSignal): Promise<void>;
  /** No more will be appended: readers get what is left, then empty reads. */
  end(): void;
}
