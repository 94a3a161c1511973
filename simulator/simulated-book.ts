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
/** More steps than the slowest stream joins to one push. */
const STEPS_SEEN_MAX = 64;
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

  /**
   * What turns the book of `fromStep`, and of every step after it, into that of `toStep`: quantities are new totals, 0 removes. As
   * exchanges do, it names levels that moved there and back as well: a client may have seen them in between.
   */
  changes(fromStep: number, toStep: number): BookSides {
    const steps = stepsBetween(fromStep, toStep).map((step) => ({ step, mid: this.#midAt(step) }));
    const bids: BookLevel[] = [];
    const asks: BookLevel[] = [];
    for (const cell of this.#touched(steps)) {
      const states = steps.map(({ step, mid }) => ({
        lots: this.#lotsAt(cell, step, mid),
        isBid: cell < mid,
      }));
      const after = states.at(-1);
      if (!after || states.every(({ lots, isBid }) => lots === after.lots && isBid === after.isBid)) continue;
      const ticks = this.#ticksOf(cell);
      // A level that changed sides is removed from one and put on the other.
      for (const isBid of [true, false]) {
        const isThere = after.lots > 0 && after.isBid === isBid;
        const wasThere = states.some((state) => state.lots > 0 && state.isBid === isBid);
        if (isThere || wasThere) (isBid ? bids : asks).push({ ticks, lots: isThere ? after.lots : 0 });
      }
    }
    return { bids: bids.reverse(), asks };
  }

  /** Every cell that may differ between these steps, in ascending order. */
  #touched(steps: readonly { readonly step: number; readonly mid: number }[]): number[] {
    const mids = steps.map(({ mid }) => mid);
    const low = Math.min(...mids);
    const high = Math.max(...mids);
    const fromStep = steps[0]?.step ?? 0;
    const toStep = steps.at(-1)?.step ?? 0;
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

/** Both and all between; only both where the market stood still for long, and there was nothing between. */
function stepsBetween(fromStep: number, toStep: number): number[] {
  if (toStep - fromStep > STEPS_SEEN_MAX) return [fromStep, toStep];
  return Array.from({ length: toStep - fromStep + 1 }, (_, i) => fromStep + i);
}

function remainder(value: number): number {
  return ((value % PERIOD) + PERIOD) % PERIOD;
}
