// The stage within this process: a queue bounded by rows. What it holds is lost with the process and fetched again,
// because coverage was never claimed for it.
import type { Clock } from "../../core/clock.js";
import type { CandleBatch } from "../../core/model/candle-batch.js";
import { SignalEvent } from "../../core/signal-event.js";
import type { ReadLimits, Stage, StagedBatch } from "./stage.js";

export interface MemoryStageOptions {
  /** Candles held at most, unacknowledged ones included; an appender waits beyond that. */
  readonly rowsMax: number;
  readonly clock: Clock;
}

export class MemoryStage implements Stage {
  readonly #rowsMax: number;
  readonly #clock: Clock;
  readonly #queue: StagedBatch[] = [];
  readonly #unacked: StagedBatch[] = [];
  readonly #changed = new SignalEvent();
  #rowsHeld = 0;
  #appended = 0;
  #acked = 0;
  #isEnded = false;

  constructor({ rowsMax, clock }: MemoryStageOptions) {
    this.#rowsMax = rowsMax;
    this.#clock = clock;
  }

  async append(batch: CandleBatch, signal: AbortSignal): Promise<number> {
    // A batch larger than the whole stage may pass when it is alone.
    while (this.#rowsHeld > 0 && this.#rowsHeld + batch.candles.length > this.#rowsMax)
      await this.#changed.wait(signal);
    signal.throwIfAborted();
    const sequence = ++this.#appended;
    this.#rowsHeld += batch.candles.length;
    this.#queue.push({ sequence, batch });
    this.#changed.notify();
    return sequence;
  }

  async read({ rowsMax, ageMs }: ReadLimits, signal: AbortSignal): Promise<readonly StagedBatch[]> {
    while (this.#queue.length === 0 && !this.#isEnded) await this.#changed.wait(signal);
    if (this.#rowsQueued() < rowsMax && !this.#isEnded) await this.#waitForMore(rowsMax, ageMs, signal);
    const taken: StagedBatch[] = [];
    let rows = 0;
    for (
      let next = this.#queue[0];
      next && (rows === 0 || rows + next.batch.candles.length <= rowsMax);
      next = this.#queue[0]
    ) {
      this.#queue.shift();
      taken.push(next);
      rows += next.batch.candles.length;
    }
    this.#unacked.push(...taken);
    return taken;
  }

  ack(sequence: number): void {
    for (let next = this.#unacked[0]; next && next.sequence <= sequence; next = this.#unacked[0]) {
      this.#unacked.shift();
      this.#rowsHeld -= next.batch.candles.length;
    }
    this.#acked = Math.max(this.#acked, sequence);
    this.#changed.notify();
  }

  async settled(sequence: number, signal: AbortSignal): Promise<void> {
    while (this.#acked < sequence) await this.#changed.wait(signal);
  }

  end(): void {
    this.#isEnded = true;
    this.#changed.notify();
  }

  #rowsQueued(): number {
    return this.#queue.reduce((sum, { batch }) => sum + batch.candles.length, 0);
  }

  /** Until there are enough rows, the age is reached, or an appender is stuck because the stage is full. */
  async #waitForMore(rowsMax: number, ageMs: number, signal: AbortSignal): Promise<void> {
    const deadline = new AbortController();
    const isAged = this.#clock
      .sleep(ageMs, AbortSignal.any([signal, deadline.signal]))
      .catch(() => undefined);
    const hasEnough = async (): Promise<void> => {
      while (this.#rowsQueued() < rowsMax && this.#rowsHeld < this.#rowsMax / 2 && !this.#isEnded) {
        await this.#changed.wait(AbortSignal.any([signal, deadline.signal]));
      }
    };
    try {
      await Promise.race([isAged, hasEnough().catch(() => undefined)]);
      signal.throwIfAborted();
    } finally {
      deadline.abort();
      await isAged;
    }
  }
}
