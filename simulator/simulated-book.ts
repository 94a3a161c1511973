// The order book of one market, a function of its seed and a step of time: any instant is computed without those before.
//
// Prices lie in cells of several ticks, one level a cell. The cell of the middle price is empty; below it are bids, above
// it asks, `levels` cells each, so that a book never crosses. A level's quantity is drawn anew when its own period of 16,
// 32, 64 or 128 steps has passed, each cell in its turn, and that of the two best levels with every step. Every odd cell
// may be empty for a period. So what changes between two steps is found without looking at the levels that did not.
//
// While the market does not trade, its book stands still.
import { fraction, hash2, hash3 } from "./hash.js";
import type { MarketSpec } from "./market-spec.js";
import { MINUTE_MS, type TradeTape } from "./trade-tape.js";

export interface BookLevel {
  readonly ticks: number;
  /** 0 in a change means that the level is gone. */
  readonly lots: number;
}

/** Best levels first. */
export interface BookSides {
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
}

const LEVELS = 100;
const STEP_MS = 100;
/** Steps of the shortest period; cell c has its turn at the steps that leave `-c * TURN` when divided by it. */
const PERIOD = 16;
/** 7 * 7 = 49 leaves 1 when divided by 16, so that 7 undoes itself. */
const TURN = 7;
/** A minute's usual move crosses so many cells. */
const CELLS_A_MINUTE = 20;

export class SimulatedBook {
  readonly stepMs: number;
  readonly #levels: number;
  readonly #seed: number;
  readonly #tape: TradeTape;
  readonly #cellTicks: number;
  readonly #typicalLots: number;
  // The step whose middle was asked for last, and the one before: a change asks for both in turn.
  #midStep = -1;
  #mid = 0;
  #olderStep = -1;
  #older = 0;

  constructor(seed: number, spec: MarketSpec, tape: TradeTape) {
    this.#seed = seed;
    this.#tape = tape;
    this.#levels = spec.bookLevels ?? LEVELS;
    this.stepMs = spec.bookStepMs ?? STEP_MS;
    this.#cellTicks = Math.max(1, Math.round((spec.baseTicks * spec.volatility) / CELLS_A_MINUTE));
    this.#typicalLots = spec.typicalLots;
  }

  /**
   * The step a book shows at a time, counted from the epoch: that of the last moment in which the market traded.
   * @returns undefined before the first trade
   */
  stepAt(timeMs: number): number | undefined {
    const minute = Math.floor(timeMs / MINUTE_MS);
    const live = this.#tape.liveMinuteUpTo(minute);
    if (live === undefined) return undefined;
    const liveMs = live === minute ? timeMs : (live + 1) * MINUTE_MS - 1;
    return Math.floor(liveMs / this.stepMs);
  }

  /** The best levels of both sides at a step. */
  at(step: number, levels = Infinity): BookSides {
    const mid = this.#midAt(step);
    const side = (sign: -1 | 1): BookLevel[] => {
      const found: BookLevel[] = [];
      for (let i = 1; i <= this.#levels && found.length < levels; i++) {
        const cell = mid + sign * i;
        if (cell < 1) break;
        const lots = this.#lotsAt(cell, step, mid);
        if (lots > 0) found.push({ ticks: this.#ticksOf(cell), lots });
      }
      return found;
    };
    return { bids: side(-1), asks: side(1) };
  }

  /** What turns the book of `fromStep` into that of `toStep`: quantities are new totals, 0 removes. */
  changes(fromStep: number, toStep: number): BookSides {
    const fromMid = this.#midAt(fromStep);
    const toMid = this.#midAt(toStep);
    const bids: BookLevel[] = [];
    const asks: BookLevel[] = [];
    for (const cell of this.#touched({ fromStep, toStep, fromMid, toMid })) {
      const before = this.#lotsAt(cell, fromStep, fromMid);
      const after = this.#lotsAt(cell, toStep, toMid);
      const wasBid = cell < fromMid;
      const isBid = cell < toMid;
      if (before === after && wasBid === isBid) continue;
      const ticks = this.#ticksOf(cell);
      // A level that changed sides is removed from one and put on the other.
      if (before > 0 && (after === 0 || wasBid !== isBid)) (wasBid ? bids : asks).push({ ticks, lots: 0 });
      if (after > 0) (isBid ? bids : asks).push({ ticks, lots: after });
    }
    return { bids: bids.reverse(), asks };
  }

  /** Every cell that may differ between two steps, in ascending order. */
  #touched(span: { fromStep: number; toStep: number; fromMid: number; toMid: number }): number[] {
    const { fromStep, toStep, fromMid, toMid } = span;
    const low = Math.min(fromMid, toMid);
    const high = Math.max(fromMid, toMid);
    const cells = new Set<number>();
    const add = (from: number, to: number): void => {
      for (let cell = Math.max(1, from); cell <= to; cell++) cells.add(cell);
    };
    const first = low - this.#levels;
    const last = high + this.#levels;
    if (toStep - fromStep >= PERIOD || high - low >= this.#levels) add(first, last);
    else {
      add(low - 1, high + 1);
      add(first, first + high - low);
      add(last - (high - low), last);
      for (let step = fromStep + 1; step <= toStep; step++) {
        const turn = remainder(-step * TURN);
        for (let cell = first + remainder(turn - first); cell <= last; cell += PERIOD)
          if (cell >= 1) cells.add(cell);
      }
    }
    return [...cells].sort((a, b) => a - b);
  }

  #lotsAt(cell: number, step: number, mid: number): number {
    const distance = Math.abs(cell - mid);
    if (distance === 0 || distance > this.#levels) return 0;
    const cellHash = hash2(this.#seed, cell);
    const turns = Math.floor((step + remainder(cell * TURN)) / PERIOD);
    const drawn =
      distance === 1
        ? hash3(cellHash, 1, step)
        : hash3(cellHash, 0, Math.floor(turns / (1 << (cellHash & 3))));
    if (distance > 1 && (cell & 1) === 1 && (drawn & 7) === 0) return 0;
    return 1 + Math.floor(fraction(drawn) * this.#typicalLots * 6);
  }

  #ticksOf(cell: number): number {
    return (
      cell * this.#cellTicks + Math.floor(fraction(hash2(this.#seed ^ 0x3c6ef372, cell)) * this.#cellTicks)
    );
  }

  #midAt(step: number): number {
    if (step === this.#midStep) return this.#mid;
    if (step === this.#olderStep) return this.#older;
    this.#olderStep = this.#midStep;
    this.#older = this.#mid;
    this.#midStep = step;
    // From two on, so that there always is a bid.
    this.#mid = Math.max(2, Math.floor(this.#tape.midTicks(step * this.stepMs) / this.#cellTicks));
    return this.#mid;
  }
}

function remainder(value: number): number {
  return ((value % PERIOD) + PERIOD) % PERIOD;
}
