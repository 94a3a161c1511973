// The median of a sliding window of numbers: kept sorted, so that adding and removing cost a binary search and a short
// move of memory.

/** Holds up to `capacity` numbers, equal ones included; none may be NaN. */
export class RollingMedian {
  readonly #sorted: Float64Array;
  #size = 0;

  constructor(capacity: number) {
    this.#sorted = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** @throws when it is full: a broken invariant of the caller */
  add(value: number): void {
    if (this.#size === this.#sorted.length)
      throw new Error(`broken invariant: a window of ${this.#size} takes no more`);
    const at = this.#indexOf(value);
    this.#sorted.copyWithin(at + 1, at, this.#size);
    this.#sorted[at] = value;
    this.#size++;
  }

  /** @throws when the value is not in there: a broken invariant of the caller */
  remove(value: number): void {
    const at = this.#indexOf(value);
    if (at >= this.#size || this.#sorted[at] !== value)
      throw new Error(`broken invariant: ${value} is not in the window`);
    this.#sorted.copyWithin(at, at + 1, this.#size);
    this.#size--;
  }

  /** The middle number, or the mean of the two middle ones; NaN when empty. */
  median(): number {
    const middle = this.#size >>> 1;
    const upper = this.#sorted[middle] ?? NaN;
    if (this.#size === 0) return NaN;
    return this.#size % 2 === 1 ? upper : (upper + (this.#sorted[middle - 1] ?? NaN)) / 2;
  }

  /** The first index whose number is not below `value`. */
  #indexOf(value: number): number {
    let from = 0;
    let to = this.#size;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#sorted[middle] ?? Infinity) < value) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
