// How many rows a transaction takes. Large ones cost least a row; one that takes long is long to repeat when the database goes away,
// and holds its locks as long. So a size is kept that takes about half a second.
//
// A commit that took longer than a second halves the size; one that took less than a quarter, and was as large as it might be, makes it
// half as large again. In between nothing changes: sizes that hunt about would make every measurement another.

/** Below this the round trips cost more than the rows. */
const ROWS_MIN = 500;
const TOO_LONG_MS = 1_000;
const SHORT_MS = 250;

export class BatchSize {
  readonly #rowsMax: number;
  #rows: number;

  /** @param rowsMax the most it will be, and what it begins with */
  constructor(rowsMax: number) {
    this.#rowsMax = rowsMax;
    this.#rows = rowsMax;
  }

  /** Rows the next transaction should take at most. */
  get rows(): number {
    return this.#rows;
  }

  /** Learns from a commit. @param rows how many it had */
  note(rows: number, tookMs: number): void {
    const least = Math.min(ROWS_MIN, this.#rowsMax);
    if (tookMs > TOO_LONG_MS) this.#rows = Math.max(least, Math.floor(Math.min(this.#rows, rows) / 2));
    else if (tookMs < SHORT_MS && rows >= this.#rows)
      this.#rows = Math.min(this.#rowsMax, Math.ceil(this.#rows * 1.5));
  }
}
