// The book of a market, at the pace of a stream: what each push is written of are the step pushed last and the one now.
import { hash2 } from "../hash.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { Feed } from "./feed.js";

export interface BookPush {
  /** What the client has; undefined when that is nothing yet. */
  readonly fromStep: number | undefined;
  /** What it is to have after this push; the same as `fromStep` in a push that only says so. */
  readonly toStep: number;
  readonly eventMs: number;
}

export interface BookFeedOptions {
  readonly market: SimulatedMarket;
  readonly fromMs: number;
  /** The stream's pace; the book's own where that is slower. */
  readonly everyMs: number;
  /** True for a stream whose first push is a snapshot, at once. */
  readonly startsWhole: boolean;
  /** Says that nothing changed when nothing did for so long; never by default. */
  readonly heartbeatMs?: number;
  readonly write: (push: BookPush) => readonly string[];
}

/** One step in so many is left to the next push, so that snapshots fall into the middle of one too. */
const JOINED_STEPS = 8;

export class BookFeed implements Feed {
  readonly #options: BookFeedOptions;
  readonly #stepMs: number;
  readonly #everySteps: number;
  #boundary: number;
  #pushedStep: number | undefined;
  #pushedMs: number;
  dueMs: number;

  constructor(options: BookFeedOptions) {
    const { market, fromMs, everyMs, startsWhole } = options;
    this.#options = options;
    this.#stepMs = market.book.stepMs;
    this.#everySteps = Math.max(1, Math.round(everyMs / this.#stepMs));
    this.#pushedMs = fromMs;
    // Pushes are the same for everyone: this one joins them after the last.
    this.#boundary = Math.floor(fromMs / this.#stepMs);
    while (!this.#isBoundary(this.#boundary)) this.#boundary--;
    if (startsWhole) this.dueMs = fromMs;
    else {
      this.#pushedStep = market.book.stepAt(this.#boundary * this.#stepMs);
      this.#advance();
      this.dueMs = this.#boundary * this.#stepMs;
    }
  }

  next(): readonly string[] {
    const { market, write, heartbeatMs = Infinity } = this.#options;
    const eventMs = this.dueMs;
    const isOpen = market.isTradingAt(eventMs);
    const toStep = isOpen ? market.book.stepAt(this.#boundary * this.#stepMs) : undefined;
    this.#advance();
    this.dueMs = this.#boundary * this.#stepMs;
    if (toStep === undefined) return [];
    const fromStep = this.#pushedStep;
    if (fromStep === toStep && eventMs - this.#pushedMs < heartbeatMs) return [];
    this.#pushedStep = toStep;
    this.#pushedMs = eventMs;
    return write({ fromStep, toStep, eventMs });
  }

  #advance(): void {
    do this.#boundary++;
    while (!this.#isBoundary(this.#boundary));
  }

  #isBoundary(step: number): boolean {
    if (this.#everySteps > 1) return step % this.#everySteps === 0;
    return hash2(this.#options.market.spec.baseTicks, step) % JOINED_STEPS !== 0;
  }
}
