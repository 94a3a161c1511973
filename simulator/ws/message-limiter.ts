// So many messages in a sliding second (or hour), by the exchange's clock.

export class MessageLimiter {
  readonly #max: number;
  readonly #windowMs: number;
  #timesMs: number[] = [];

  constructor({ max, windowMs }: { max: number; windowMs: number }) {
    this.#max = max;
    this.#windowMs = windowMs;
  }

  /** Counts one; false when it is one too many, which is counted as well. */
  admit(nowMs: number): boolean {
    this.#timesMs = this.#timesMs.filter((timeMs) => timeMs > nowMs - this.#windowMs);
    this.#timesMs.push(nowMs);
    return this.#timesMs.length <= this.#max;
  }
}
