// The price at the boundary of every minute: fractal value noise over the minute's index, so that any year can be asked
// for without walking through those before it.
import { fraction, hash3 } from "./hash.js";
import type { MarketSpec } from "./market-spec.js";

/** The slowest wave is 2^20 minutes, about two years. */
const OCTAVES = 21;

/** Prices at minute boundaries, in ticks (not rounded). */
export class PricePath {
  readonly #seed: number;
  readonly #baseTicks: number;
  readonly #amplitudes: Float64Array;
  // Of every wave, the cell between two of its lattice points that was asked for last: the slow ones hardly ever change.
  readonly #cells = new Int32Array(OCTAVES).fill(-2);
  readonly #lefts = new Float64Array(OCTAVES);
  readonly #rights = new Float64Array(OCTAVES);
  // Neighbouring minutes share a boundary, and are mostly asked for one after the other.
  #lastMinute = -1;
  #lastTicks = 0;

  constructor(seed: number, spec: MarketSpec) {
    this.#seed = seed;
    this.#baseTicks = spec.baseTicks;
    // A wave of 2^k minutes has the amplitude a random walk would reach in that time.
    this.#amplitudes = Float64Array.from({ length: OCTAVES }, (_, k) => spec.volatility * Math.sqrt(2 ** k));
  }

  /** The price at the start of a minute (counted from the epoch). */
  ticksAt(minute: number): number {
    if (minute === this.#lastMinute) return this.#lastTicks;
    let log = 0;
    for (let k = 0; k < OCTAVES; k++) {
      const cell = minute >> k;
      if (cell !== this.#cells[k]) {
        this.#lefts[k] = cell - 1 === this.#cells[k] ? (this.#rights[k] ?? 0) : this.#lattice(k, cell);
        this.#rights[k] = this.#lattice(k, cell + 1);
        this.#cells[k] = cell;
      }
      const along = (minute - (cell << k)) / (1 << k);
      const left = this.#lefts[k] ?? 0;
      log += (this.#amplitudes[k] ?? 0) * (left + ((this.#rights[k] ?? 0) - left) * along);
    }
    this.#lastMinute = minute;
    this.#lastTicks = this.#baseTicks * Math.exp(Math.max(-2.5, Math.min(2.5, log)));
    return this.#lastTicks;
  }

  /** The height of a wave at one of its lattice points, in [-1, 1). */
  #lattice(octave: number, point: number): number {
    return 2 * fraction(hash3(this.#seed, octave, point)) - 1;
  }
}
