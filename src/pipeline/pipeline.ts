// Stage and writer running together: what feeds hand batches to. One a process; all collectors share it.
import type { Clock } from "../core/clock.js";
import type { Log } from "../core/log.js";
import { onAbort } from "../core/net/abort.js";
import type { CommitResult, Store } from "../store/store.js";
import { MemoryStage } from "./stage/memory-stage.js";
import type { Stage, StagedBatch } from "./stage/stage.js";
import { Writer } from "./write/writer.js";
import type { WriterCounts } from "./write/writer-counts.js";

export interface PipelineOptions {
  readonly store: Pick<Store, "commit" | "revive">;
  readonly clock: Clock;
  readonly log: Log;
  /** Rows between feeds and database at most, in a stage within this process. */
  readonly stageRowsMax: number;
  /** Another stage instead; it is closed with the pipeline. */
  readonly stage?: Stage;
  /** How long the first page of a commit waits for others, ms; default 100. */
  readonly batchAgeMs?: number;
  readonly onCommit?: (result: CommitResult, staged: readonly StagedBatch[]) => void;
}

/** Beyond this many rows a COPY gains nothing more, and a transaction only gets slower to repeat. */
const BATCH_ROWS_MAX = 20_000;
/** Long enough for pages that arrive together to share a commit, too short for a person to notice. */
const BATCH_AGE_MS = 100;

export class Pipeline {
  readonly stage: Stage;
  /** Aborted with the writer's error when the database refuses for good: feeds must stop. */
  readonly failure: AbortSignal;
  /** What the writer has done since the beginning. */
  readonly writes: WriterCounts;
  readonly #writing: Promise<void>;
  readonly #stopNow = new AbortController();

  constructor({
    store,
    clock,
    log,
    stageRowsMax,
    stage,
    batchAgeMs = BATCH_AGE_MS,
    onCommit,
  }: PipelineOptions) {
    const failed = new AbortController();
    this.failure = failed.signal;
    this.stage = stage ?? new MemoryStage({ rowsMax: stageRowsMax, clock });
    const writer = new Writer({
      stage: this.stage,
      store,
      clock,
      log,
      batchRowsMax: BATCH_ROWS_MAX,
      batchAgeMs,
      ...(onCommit ? { onCommit } : {}),
    });
    this.writes = writer.counts;
    this.#writing = writer.run(this.#stopNow.signal);
    this.#writing.catch((error: unknown) => failed.abort(error));
  }

  /**
   * Stores everything that was appended, then ends.
   * @param signal gives up waiting for a database that is away; what was not stored is fetched again by the next run
   * @throws what the writer failed with
   */
  async close(signal?: AbortSignal): Promise<void> {
    this.stage.end();
    if (signal?.aborted) this.#stopNow.abort(signal.reason);
    const stopListening =
      signal && !signal.aborted ? onAbort(signal, (reason) => this.#stopNow.abort(reason)) : undefined;
    try {
      await this.#writing;
    } finally {
      stopListening?.();
      await this.stage.close();
    }
  }
}
