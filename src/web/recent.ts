// Keeps an answer for a moment, and asks once however many want it at the same time: ten thousand clients cost the
// database as much as one.
import type { Clock } from "../core/clock.js";

export class Recent<T> {
  readonly #read: () => Promise<T>;
  readonly #clock: Clock;
  readonly #freshMs: number;
  #kept: { readonly atMs: number; readonly value: T } | undefined;
  #reading: Promise<T> | undefined;

  /** @param freshMs how old an answer may be, by the clock */
  constructor({ read, clock, freshMs }: { read: () => Promise<T>; clock: Clock; freshMs: number }) {
    this.#read = read;
    this.#clock = clock;
    this.#freshMs = freshMs;
  }

  async get(): Promise<T> {
    const kept = this.#kept;
    if (kept && Math.abs(this.#clock.nowMs() - kept.atMs) < this.#freshMs) return kept.value;
    this.#reading ??= this.#refresh().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #refresh(): Promise<T> {
    const value = await this.#read();
    this.#kept = { atMs: this.#clock.nowMs(), value };
    return value;
  }
}
