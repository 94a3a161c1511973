// A stream that says something at once, and again at a fixed pace.
import type { Feed } from "./feed.js";

export class PacedFeed implements Feed {
  readonly #everyMs: number;
  readonly #say: (nowMs: number) => readonly string[];
  dueMs: number;

  /** @param everyMs Infinity for what is said once */
  constructor({
    fromMs,
    everyMs,
    say,
  }: {
    fromMs: number;
    everyMs: number;
    say: (nowMs: number) => readonly string[];
  }) {
    this.dueMs = fromMs;
    this.#everyMs = everyMs;
    this.#say = say;
  }

  next(): readonly string[] {
    const nowMs = this.dueMs;
    this.dueMs += this.#everyMs;
    return this.#say(nowMs);
  }
}
