// Keeps every failed request as a row of api_error_logs. In: failures, one by one, from code that cannot wait. Out: batches
// to the store, by rows or age. While the database is away they wait here, up to a bound; beyond it they are only counted.
import type { Clock } from "../../core/clock.js";
import { describeError, TickwellError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import { untilAborted } from "../../core/net/abort.js";
import type { RequestFailure } from "../../exchanges/exchange.js";
import type { ErrorRecord } from "../../store/error-records.js";
import type { Store } from "../../store/store.js";
import { toErrorRecord } from "./error-record.js";
import { SuppressedFailures } from "./suppressed-failures.js";
import { WakeableSleep } from "./wakeable-sleep.js";

export interface ApiErrorLoggerOptions {
  readonly store: Pick<Store, "errors">;
  readonly clock: Clock;
  readonly log: Log;
  /** Failures that wait at most; what does not fit is counted and written as one summary row for each class. */
  readonly queueMax?: number;
  /** Rows written at once. */
  readonly batchRowsMax?: number;
  /** How long the first failure waits for others, ms. */
  readonly batchAgeMs?: number;
}

const QUEUE_MAX = 2_000;
const BATCH_ROWS_MAX = 200;
const BATCH_AGE_MS = 1_000;
/** Between two attempts to reach the database: doubled each time up to the maximum. */
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;

/**
 * Idle until the first failure. From then on, until nothing is left: wait for age or rows, write, and while the database
 * is away wait longer and write again. `flush` and `close` end every wait.
 */
export class ApiErrorLogger {
  readonly #options: Required<ApiErrorLoggerOptions>;
  readonly #queue: ErrorRecord[] = [];
  readonly #suppressed = new SuppressedFailures();
  readonly #pause: WakeableSleep;
  #writing: Promise<void> | undefined;
  #isHurried = false;
  #isClosed = false;
  #hasComplained = false;

  constructor(options: ApiErrorLoggerOptions) {
    this.#options = {
      queueMax: QUEUE_MAX,
      batchRowsMax: BATCH_ROWS_MAX,
      batchAgeMs: BATCH_AGE_MS,
      ...options,
    };
    this.#pause = new WakeableSleep(options.clock);
  }

  /** Failures not written yet, the counted ones included. */
  get waiting(): number {
    return this.#queue.length + this.#suppressed.failures;
  }

  /** Takes a failure. Never throws and never waits; after `close` it does nothing. */
  log(failure: RequestFailure): void {
    if (this.#isClosed) return;
    const { queueMax, batchRowsMax } = this.#options;
    if (this.#queue.length >= queueMax) this.#suppressed.count(failure);
    else this.#queue.push(toErrorRecord(failure));
    this.#writing ??= this.#write();
    if (this.#queue.length === batchRowsMax && !this.#hasComplained) this.#pause.wake();
  }

  /**
   * Writes what waits, and resolves when it is written.
   * @throws the signal's reason when it is aborted before that; nothing is lost by it
   */
  async flush(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#isHurried = true;
    this.#pause.wake();
    try {
      await untilAborted(this.#writing ?? Promise.resolve(), signal);
    } finally {
      this.#isHurried = false;
    }
  }

  /** Takes nothing more and tries once to write what waits. What the database does not take is lost, and said. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pause.wake();
    await this.#writing;
    const lost = this.waiting;
    if (lost > 0)
      this.#options.log.warn(`${lost} failed requests could not be logged: the database was away to the end`);
  }

  async #write(): Promise<void> {
    const { batchAgeMs, batchRowsMax } = this.#options;
    let retryMs = RETRY_FIRST_MS;
    // One turn later: until then `#writing` is not set, and a loop that ended at once would be taken for one that runs.
    await Promise.resolve();
    while (this.waiting > 0) {
      const isFull = this.#queue.length >= batchRowsMax;
      if (!isFull && !this.#isHurried && !this.#isClosed) await this.#pause.sleep(batchAgeMs);
      const isWritten = await this.#writeBatch();
      if (isWritten) {
        retryMs = RETRY_FIRST_MS;
        continue;
      }
      if (this.#isClosed) break;
      await this.#pause.sleep(retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
    }
    this.#writing = undefined;
  }

  /** False when it has to be tried again. */
  async #writeBatch(): Promise<boolean> {
    const { store, batchRowsMax, log } = this.#options;
    const rows = this.#queue.slice(0, batchRowsMax);
    const summaries = rows.length === this.#queue.length ? this.#suppressed.rows() : [];
    try {
      await store.errors.add([...rows, ...summaries]);
      if (this.#hasComplained) log.info("failed requests are logged again");
      this.#hasComplained = false;
    } catch (error) {
      if (!this.#hasComplained)
        log.warn(
          `${describeError(error)}; up to ${this.#options.queueMax} failed requests are kept meanwhile`,
        );
      this.#hasComplained = true;
      if (isTransient(error)) return false;
      // The same rows would be refused for ever, and hold up all others.
      log.error(
        `${rows.length + summaries.length} rows of the error log are left out: ${describeError(error)}`,
      );
    }
    this.#queue.splice(0, rows.length);
    this.#suppressed.forget(summaries);
    return true;
  }
}

function isTransient(error: unknown): boolean {
  return error instanceof TickwellError && error.fault.kind === "database" && error.fault.isTransient;
}
