// What is given up while the store is away and memory is bounded, in this order: changes of books, then snapshots of books.
// Trades and candles never are: REST has them. What is given up is counted with the batch, and the time from a snapshot
// that is given up to the next one that is kept is a time without a book.
import type { BookOutage } from "../../core/model/book.js";
import type { BookBatch, RecordBatch } from "../../core/model/record-batch.js";
import { intersectRanges, subtractRanges, type TimeRange } from "../../core/range.js";

/** Deltas are the bulk of live data, and nobody can fetch them again; half a stage is a sign that it does not drain. */
const DELTAS_UP_TO = 0.5;
/** Snapshots go when only a quarter is left: for what can be repaired, and for candles. */
const SNAPSHOTS_UP_TO = 0.75;

/** Of one feed: knows whose snapshots it has given up. */
export class Shedding {
  /** Markets of whose book a snapshot was given up, and none was kept since. */
  readonly #open = new Set<number>();

  /** @returns what is left of the batch; batches of one market in order */
  apply(batch: RecordBatch, { rows, rowsMax }: { rows: number; rowsMax: number }): RecordBatch {
    if (batch.kind !== "book") return batch;
    const keepsDeltas = rows <= DELTAS_UP_TO * rowsMax || batch.deltas.length === 0;
    const shed = keepsDeltas ? batch : shedding(batch, { deltas: [] }, batch.deltas.length);
    return rows > SNAPSHOTS_UP_TO * rowsMax ? this.#dropSnapshots(shed) : this.#keepSnapshots(shed);
  }

  #dropSnapshots(batch: BookBatch): BookBatch {
    const { marketId, snapshots } = batch;
    const [first] = snapshots;
    if (first === undefined) return this.#keepSnapshots(batch);
    const startMs = this.#open.has(marketId) ? -Infinity : first.timeMs;
    this.#open.add(marketId);
    return withoutBook(shedding(batch, { snapshots: [] }, snapshots.length), { startMs, endMs: Infinity });
  }

  /** What comes before the first snapshot that is kept belongs to those that were given up. */
  #keepSnapshots(batch: BookBatch): BookBatch {
    if (!this.#open.has(batch.marketId)) return batch;
    const [first] = batch.snapshots;
    if (first) this.#open.delete(batch.marketId);
    return withoutBook(batch, { startMs: -Infinity, endMs: first?.timeMs ?? Infinity });
  }
}

function shedding(batch: BookBatch, change: Partial<BookBatch>, count: number): BookBatch {
  return { ...batch, ...change, tally: { ...batch.tally, shed: batch.tally.shed + count } };
}

function withoutBook(batch: BookBatch, range: TimeRange): BookBatch {
  const lost = intersectRanges(batch.valid, [range]).map((part): BookOutage => ({
    ...part,
    reason: "shed",
    detail: "snapshots were given up: the store did not take what came in",
  }));
  if (lost.length === 0) return batch;
  return { ...batch, valid: subtractRanges(batch.valid, [range]), outages: [...batch.outages, ...lost] };
}
