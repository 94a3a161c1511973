// What is given up while the store is away and memory is bounded, in this order: changes of books, then snapshots of books.
// Trades and candles never are: REST has them. What is given up is counted with the batch, and time whose snapshots are given
// up is a time without a book.
import type { BookOutage } from "../../core/model/book.js";
import type { RecordBatch } from "../../core/model/record-batch.js";

/** Deltas are the bulk of live data, and nobody can fetch them again; half a stage is a sign that it does not drain. */
const DELTAS_UP_TO = 0.5;
/** Snapshots go when only a quarter is left: for what can be repaired, and for candles. */
const SNAPSHOTS_UP_TO = 0.75;

/** @returns what is left of the batch */
export function shedUnderPressure(
  batch: RecordBatch,
  { rows, rowsMax }: { readonly rows: number; readonly rowsMax: number },
): RecordBatch {
  if (batch.kind !== "book" || rows <= DELTAS_UP_TO * rowsMax) return batch;
  const dropsSnapshots = rows > SNAPSHOTS_UP_TO * rowsMax;
  const dropped = batch.deltas.length + (dropsSnapshots ? batch.snapshots.length : 0);
  if (dropped === 0) return batch;
  const tally = { ...batch.tally, shed: batch.tally.shed + dropped };
  if (!dropsSnapshots || batch.snapshots.length === 0) return { ...batch, deltas: [], tally };
  const outages = batch.valid.map((range): BookOutage => ({
    ...range,
    reason: "shed",
    detail: `${batch.snapshots.length} snapshots were given up: the store did not take what came in`,
  }));
  return { ...batch, deltas: [], snapshots: [], valid: [], outages: [...batch.outages, ...outages], tally };
}
