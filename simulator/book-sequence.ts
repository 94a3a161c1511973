// The numbers a venue gives to the states of a book, as closed forms of the step, and back.
//   binance     update ids of a market, from 1 to 9 of them a step;
//   binanceusdm update ids that all markets share: a market's own never follow each other;
//   okx         a sequence of its own a market, in steps of 3 to 23, which maintenance can reset to 3.
import { fraction, hash2 } from "./hash.js";
import type { VenueName } from "./venue-name.js";

const SPOT_IDS_A_STEP = 5;
const OKX_IDS_A_STEP = 13;
const OKX_JITTER = 11;
/** Update ids of USDⓈ-M: a market's share of a step, and how many markets share it. */
const SHARED_IDS = 16;
const SHARING_MARKETS = 1_024;
/** Where a sequence of OKX begins anew. */
const RESET_TO = 3;

interface Reset {
  readonly step: number;
  readonly offset: number;
}

export class BookSequence {
  readonly #venue: VenueName;
  readonly #seed: number;
  readonly #firstStep: number;
  readonly #slot: number;
  /** Latest first. */
  #resets: readonly Reset[] = [];

  /**
   * @param firstStep the step with which the market began
   * @param slot the market's place among those of its venue
   */
  constructor(options: { venue: VenueName; seed: number; firstStep: number; slot: number }) {
    this.#venue = options.venue;
    this.#seed = options.seed;
    this.#firstStep = options.firstStep;
    this.#slot = options.slot % SHARING_MARKETS;
  }

  /** The number of the state at a step; it grows with every step but over a reset. */
  of(step: number): number {
    const id = this.#idOf(step);
    const reset = this.#resets.find((each) => step >= each.step);
    return reset === undefined ? id : id - reset.offset;
  }

  /** The first of the numbers that an event holds which begins after `step`: `U` of Binance. */
  firstAfter(step: number): number {
    if (this.#venue !== "binanceusdm") return this.of(step) + 1;
    return this.of(step + 1) - 1 - Math.floor(fraction(hash2(this.#seed, step)) * (SHARED_IDS - 2));
  }

  /** The latest step up to `lastStep` whose state a sequence number is of: numbered so, or the last one lower. */
  stepOf(sequence: number, lastStep: number): number {
    for (const { step, offset } of this.#resets) {
      const found = this.#stepOfId(sequence + offset);
      if (found >= step && found <= lastStep) return found;
    }
    return this.#stepOfId(sequence);
  }

  /** Lets the numbers begin anew with a step, for everyone who follows the market. */
  resetAt(step: number): void {
    this.#resets = [{ step, offset: this.#idOf(step) - RESET_TO }, ...this.#resets];
  }

  #idOf(step: number): number {
    switch (this.#venue) {
      case "binance":
        return (step - this.#firstStep) * SPOT_IDS_A_STEP + 1 + this.#jitter(step, SPOT_IDS_A_STEP);
      case "binanceusdm":
        return (step * SHARING_MARKETS + this.#slot) * SHARED_IDS + SHARED_IDS - 1;
      case "okx":
        return (step - this.#firstStep) * OKX_IDS_A_STEP + this.#jitter(step, OKX_JITTER);
    }
  }

  #stepOfId(id: number): number {
    switch (this.#venue) {
      case "binance":
        return this.#atOrBefore(id, this.#firstStep + Math.floor((id - 1) / SPOT_IDS_A_STEP));
      case "binanceusdm":
        return this.#atOrBefore(id, Math.floor(id / SHARED_IDS / SHARING_MARKETS));
      case "okx":
        return this.#atOrBefore(id, this.#firstStep + Math.floor(id / OKX_IDS_A_STEP));
    }
  }

  #atOrBefore(id: number, step: number): number {
    return this.#idOf(step) <= id ? step : step - 1;
  }

  #jitter(step: number, span: number): number {
    return Math.floor(fraction(hash2(this.#seed, step)) * span);
  }
}
