// The stage within this process: a queue bounded by rows. What it holds is lost with the process and fetched again,
// because coverage was never claimed for it.
import type { Clock } from "../../core/clock.js";
import { TickwellError } from "../../core/fault.js";
import { rowsOf, type RecordBatch } from "../../core/model/record-batch.js";
import { SignalEvent } from "../../core/signal-event.js";
import type { ReadLimits, Stage, StagedBatch } from "./stage.js";

export interface MemoryStageOptions {
  /** Rows held at most, unacknowledged ones included; an appender waits beyond that. */
  readonly rowsMax: number;
  readonly clock: Clock;
}

interface Held {
  readonly staged: StagedBatch;
  readonly rows: number;
  readonly appendedMs: number;
}

export class MemoryStage implements Stage {
  readonly #rowsMax: number;
  readonly #clock: Clock;
  readonly #changed = new SignalEvent();
  /** Appenders that wait for room, first come first: a small batch must not keep passing a large one. */
  readonly #line = new Set<object>();
  readonly #queue: Held[] = [];
  #unacked: Held[] = [];
  #rowsQueued = 0;
  /** Queued and unacknowledged. */
  #rowsHeld = 0;
  #appended = 0;
  #acked = 0;
  #isEnded = false;

  constructor({ rowsMax, clock }: MemoryStageOptions) {
    this.#rowsMax = rowsMax;
    this.#clock = clock;
  }

  get lastSequence(): number {
    return this.#appended;
  }

  get load(): { readonly rows: number; readonly rowsMax: number } {
    return { rows: this.#rowsHeld, rowsMax: this.#rowsMax };
  }

  async append(batch: RecordBatch, signal: AbortSignal): Promise<number> {
    const rows = rowsOf(batch);
    if (this.#line.size > 0 || this.#isFullFor(rows)) {
      const place = {};
      this.#line.add(place);
      // A reader that collects must not go on waiting for what cannot come.
      this.#changed.notify();
      try {
        while (!this.#isEnded && (firstOf(this.#line) !== place || this.#isFullFor(rows)))
          await this.#changed.wait(signal);
      } finally {
        this.#line.delete(place);
        this.#changed.notify();
      }
    }
    signal.throwIfAborted();
    if (this.#isEnded) {
      throw new TickwellError(
        { kind: "stage" },
        `the stage has ended: ${rows} rows came too late to be stored; the next run fetches them again`,
      );
    }
    const sequence = ++this.#appended;
    this.#queue.push({ staged: { sequence, batch }, rows, appendedMs: this.#clock.nowMs() });
    this.#rowsQueued += rows;
    this.#rowsHeld += rows;
    this.#changed.notify();
    return sequence;
  }

  async read({ rowsMax, ageMs }: ReadLimits, signal: AbortSignal): Promise<readonly StagedBatch[]> {
    signal.throwIfAborted();
    while (this.#queue.length === 0 && !this.#isEnded) await this.#changed.wait(signal);
    await this.#waitForMore(rowsMax, ageMs, signal);
    const taken = this.#take(rowsMax);
    this.#unacked = this.#unacked.concat(taken);
    return taken.map(({ staged }) => staged);
  }

  /** Acknowledging the last of a read acknowledges all that was read before it. */
  ack(staged: readonly StagedBatch[]): Promise<void> {
    const sequence = staged.at(-1)?.sequence ?? 0;
    const firstKept = this.#unacked.findIndex((held) => held.staged.sequence > sequence);
    const settled = this.#unacked.splice(0, firstKept < 0 ? this.#unacked.length : firstKept);
    for (const { rows } of settled) this.#rowsHeld -= rows;
    this.#acked = Math.max(this.#acked, sequence);
    this.#changed.notify();
    return Promise.resolve();
  }

  async settled(sequence: number, signal: AbortSignal): Promise<void> {
    while (this.#acked < sequence) await this.#changed.wait(signal);
  }

  end(): void {
    this.#isEnded = true;
    this.#changed.notify();
  }

  close(): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  /** A batch larger than the whole stage may pass when it is alone. */
  #isFullFor(rows: number): boolean {
    return this.#rowsHeld > 0 && this.#rowsHeld + rows > this.#rowsMax;
  }

  /** Until there are enough rows, the first batch has reached the age, or an appender is stuck because the stage is full. */
  async #waitForMore(rowsMax: number, ageMs: number, signal: AbortSignal): Promise<void> {
    const hasEnough = (): boolean => this.#rowsQueued >= rowsMax || this.#line.size > 0 || this.#isEnded;
    const oldestMs = this.#queue[0]?.appendedMs ?? 0;
    const leftMs = Math.min(oldestMs + ageMs - this.#clock.nowMs(), ageMs);
    if (hasEnough() || leftMs <= 0) return;
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    const isAged = this.#clock.sleep(leftMs, either).catch(() => undefined);
    const collect = async (): Promise<void> => {
      while (!hasEnough()) await this.#changed.wait(either);
    };
    try {
      await Promise.race([isAged, collect().catch(() => undefined)]);
      signal.throwIfAborted();
    } finally {
      done.abort();
      await isAged;
    }
  }

  /** From the front, what makes up to `rowsMax` rows; at least one batch. */
  #take(rowsMax: number): Held[] {
    let rows = 0;
    let count = 0;
    for (const held of this.#queue) {
      if (count > 0 && rows + held.rows > rowsMax) break;
      rows += held.rows;
      count++;
    }
    this.#rowsQueued -= rows;
    return this.#queue.splice(0, count);
  }
}

function firstOf<T>(items: Iterable<T>): T | undefined {
  for (const item of items) return item;
  return undefined;
}
