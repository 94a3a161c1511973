// The writer: takes batches from the stage by rows or age, commits them, acknowledges them. While the database is away it
// waits and says so; the stage fills and the feeds slow down, so that memory stays bounded and nothing is lost.
import { systemClock, type Clock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { describeError, TickwellError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import type { CommitResult, Store } from "../../store/store.js";
import { rowsOf, type RecordBatch } from "../../core/model/record-batch.js";
import type { Stage, StagedBatch } from "../stage/stage.js";
import { BatchSize } from "./batch-size.js";
import { WriterCounts } from "./writer-counts.js";
import { commitPiecewise, isRefusedForItsData } from "./refused-batches.js";

export interface WriterOptions {
  readonly stage: Stage;
  readonly store: Pick<Store, "commit" | "revive">;
  readonly clock: Clock;
  readonly log: Log;
  /** Rows a transaction at most; it takes fewer where the database is slow. */
  readonly batchRowsMax: number;
  /** How long the first candle of a transaction waits for others, ms. */
  readonly batchAgeMs: number;
  /** How long commits take is told by this; default the machine's clock, also where `clock` runs fast. */
  readonly timer?: Clock;
  /** After each commit. */
  readonly onCommit?: (result: CommitResult, staged: readonly StagedBatch[]) => void;
}

/** Between two attempts to reach the database: doubled each time up to the maximum. */
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;
/** A lasting outage is mentioned again after this long, not at every attempt. */
const REMIND_AFTER_MS = 30_000;

export class Writer {
  readonly counts = new WriterCounts();
  readonly #options: WriterOptions;
  readonly #size: BatchSize;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#size = new BatchSize(options.batchRowsMax);
  }

  /**
   * Runs until the stage has ended and everything in it is committed.
   * @throws the store's error when the database refuses for a reason that waiting cannot mend; the signal's reason when
   *   aborted, with nothing half-written.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { stage, batchAgeMs } = this.#options;
    while (true) {
      const staged = await stage.read({ rowsMax: this.#size.rows, ageMs: batchAgeMs }, signal);
      if (staged.length === 0) return;
      const result = await this.#store(
        staged.map(({ batch }) => batch),
        signal,
      );
      await stage.ack(staged);
      this.#options.onCommit?.(result, staged);
    }
  }

  /** Stores batches; what the database refuses for its values is set apart, the rest goes on. */
  async #store(batches: readonly RecordBatch[], signal: AbortSignal): Promise<CommitResult> {
    const { clock, log } = this.#options;
    try {
      return await this.#commit(batches, signal);
    } catch (error) {
      if (!isRefusedForItsData(error)) throw error;
      const commit = (part: readonly RecordBatch[]): Promise<CommitResult> => this.#commit(part, signal);
      const { result, refused } = await commitPiecewise(batches, commit, clock.nowMs());
      log.error(
        `${describeError(error)}; ${refused} record${refused === 1 ? " is" : "s are"} in quarantine, everything else is stored`,
      );
      return result;
    }
  }

  async #commit(batches: readonly RecordBatch[], signal: AbortSignal): Promise<CommitResult> {
    const { store, clock, log, timer = systemClock } = this.#options;
    let awaySinceMs: number | undefined;
    let remindedMs = -Infinity;
    for (let delayMs = RETRY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MAX_MS)) {
      const beginMs = timer.nowMs();
      try {
        const result = await store.commit(batches, clock.nowMs());
        const tookMs = timer.nowMs() - beginMs;
        const rows = batches.reduce((sum, batch) => sum + rowsOf(batch), 0);
        this.#size.note(rows, tookMs);
        this.counts.seconds.observe(tookMs / 1_000);
        this.counts.rows.observe(rows);
        if (awaySinceMs !== undefined)
          log.info(
            `the database is back after ${formatDuration(clock.nowMs() - awaySinceMs)}; nothing was lost`,
          );
        return result;
      } catch (error) {
        this.counts.failures++;
        if (!isTransient(error)) throw error;
        awaySinceMs ??= clock.nowMs();
        if (clock.nowMs() - remindedMs >= REMIND_AFTER_MS) {
          remindedMs = clock.nowMs();
          log.warn(`${describeError(error)}; waiting for it, what has been collected is kept`);
        }
        await clock.sleep(delayMs, signal);
        await store.revive(signal).catch((cause: unknown) => log.debug(describeError(cause)));
      }
    }
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof TickwellError && error.fault.kind === "database" && error.fault.isTransient;
}
