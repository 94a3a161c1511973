// The stage between feeds and writer: bounded, at least once. What is read stays the stage's until it is acknowledged.
import type { RecordBatch } from "../../core/model/record-batch.js";

export interface StagedBatch {
  /** Ascending in the order of appending, as far as this process appended it. */
  readonly sequence: number;
  readonly batch: RecordBatch;
}

export interface ReadLimits {
  /** Stop collecting at this many rows: records, and what stands in their place. */
  readonly rowsMax: number;
  /** Stop collecting this long after the first batch was appended, ms. */
  readonly ageMs: number;
}

export interface Stage {
  /** That of the last batch appended here; 0 when there was none. */
  readonly lastSequence: number;
  /** Rows held, unacknowledged ones included, and the bound: how full the stage is. */
  readonly load: { readonly rows: number; readonly rowsMax: number };
  /** Bytes it takes where it is kept; absent where that is this process's own memory. */
  bytes?(signal: AbortSignal): Promise<number>;
  /**
   * Adds a batch; waits while the stage is full, which is how back-pressure reaches the feeds.
   * @returns its sequence number
   * @throws TickwellError `stage` after `end()`; the signal's reason
   */
  append(batch: RecordBatch, signal: AbortSignal): Promise<number>;
  /** Waits for the first batch, then takes what comes until a limit is reached. Empty only after `end()`. */
  read(limits: ReadLimits, signal: AbortSignal): Promise<readonly StagedBatch[]>;
  /** Says that these are committed. */
  ack(staged: readonly StagedBatch[]): Promise<void>;
  /** Resolves once everything appended here up to `sequence` has been acknowledged. */
  settled(sequence: number, signal: AbortSignal): Promise<void>;
  /** No more will be appended: readers get what is left, then empty reads. */
  end(): void;
  /** Releases connections; what is not acknowledged stays where the stage keeps it. */
  close(): Promise<void>;
}
