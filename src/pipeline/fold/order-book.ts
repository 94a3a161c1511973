// One order book: sorted levels of both sides, changed by the venue's own texts. In: levels as the wire wrote them. Out: the
// best levels. Whether a change continues the book is not its matter (see feed/live/book-keeper.ts).
import type { WireLevel } from "../../core/model/book.js";

/** Decimals a price may have; with more, whole units above 9 × 10^6 are no longer exact in a double. */
const DECIMALS_MAX = 12;
/** No venue writes longer ones; what is stored, and multiplied by the size of a contract, must stay a decimal. */
const TEXT_CHARS_MAX = 32;
const POWERS = Array.from({ length: DECIMALS_MAX + 1 }, (_, i) => 10 ** i);

/** Stands for what is none. */
const NO_LEVEL: WireLevel = ["", ""];

/** What is wrong with a level, for people: `bid 3: price "x" is not decimal text`. */
export type LevelFault = string;

/**
 * Prices are kept twice: as integers of the finest decimals seen so far, to sort by, and as the levels they came in, which
 * checksums and the store need. The best level stands last on its side, where most changes happen, so that little is moved.
 */
export class OrderBook {
  readonly #bids = new BookSide(1);
  readonly #asks = new BookSide(-1);
  #decimals = 0;

  /** Levels of both sides. */
  get size(): number {
    return this.#bids.size + this.#asks.size;
  }

  /** True when the best bid is at or above the best ask: no market is like that while it trades. */
  get isCrossed(): boolean {
    const bid = this.#bids.best;
    const ask = this.#asks.best;
    return bid !== undefined && ask !== undefined && bid >= -ask;
  }

  /**
   * Empties the book, then takes these levels.
   * A side the venue has more of is known as far as these levels go: of those beyond nothing is known until they change.
   */
  reset(
    bids: readonly WireLevel[],
    asks: readonly WireLevel[],
    { hasMoreBids = false, hasMoreAsks = false }: { hasMoreBids?: boolean; hasMoreAsks?: boolean } = {},
  ): LevelFault | undefined {
    this.#bids.clear();
    this.#asks.clear();
    this.#decimals = 0;
    const fault = this.#load(this.#bids, bids, "bid") ?? this.#load(this.#asks, asks, "ask");
    if (hasMoreBids) this.#bids.endKnowledge();
    if (hasMoreAsks) this.#asks.endKnowledge();
    return fault;
  }

  /** True when the best `levels` of each side are known to be the best: none of them lies beyond what was fetched. */
  isKnown(levels: number): boolean {
    return this.#bids.isKnown(levels) && this.#asks.isKnown(levels);
  }

  /**
   * Sets levels to their new quantity; 0 removes one, and removing what is not there is normal (the venue speaks of levels
   * beyond those it has sent).
   * @returns what is wrong, after which the book is not to be used until it is {@link reset}
   */
  apply(bids: readonly WireLevel[], asks: readonly WireLevel[]): LevelFault | undefined {
    return this.#applySide(this.#bids, bids, "bid") ?? this.#applySide(this.#asks, asks, "ask");
  }

  /** Drops levels beyond the best `levels` of each side. */
  cut(levels: number): void {
    this.#bids.cut(levels);
    this.#asks.cut(levels);
  }

  /** The best levels of each side as far as they are known, best first, texts as received. */
  top(levels: number): { bids: WireLevel[]; asks: WireLevel[] } {
    return { bids: this.#bids.top(levels), asks: this.#asks.top(levels) };
  }

  /** Whole sides come best first: taken from their end, each level stands behind the one before, and nothing is moved. */
  #load(side: BookSide, levels: readonly WireLevel[], name: "bid" | "ask"): LevelFault | undefined {
    for (let i = levels.length - 1; i >= 0; i--) {
      // By index: what is no list has none of either, and is refused below.
      const level = levels[i] ?? NO_LEVEL;
      const price = level[0];
      const qty = level[1];
      const units = this.#unitsOf(price);
      const sign = signOfQty(qty);
      if (units > 0 && sign > 0) side.set(units, level);
      else if (!(units > 0 && sign === 0)) return faultOf([price, qty], { i, name });
    }
    return undefined;
  }

  #applySide(side: BookSide, levels: readonly WireLevel[], name: "bid" | "ask"): LevelFault | undefined {
    for (let i = 0; i < levels.length; i++) {
      // By index: what is no list has none of either, and is refused below.
      const level = levels[i] ?? NO_LEVEL;
      const price = level[0];
      const qty = level[1];
      const units = this.#unitsOf(price);
      const sign = signOfQty(qty);
      if (units > 0 && sign > 0) side.set(units, level);
      else if (units > 0 && sign === 0) side.remove(units);
      else return faultOf([price, qty], { i, name });
    }
    return undefined;
  }

  /** A price in units of the finest decimals seen; NaN for what is no price, zero included. */
  #unitsOf(text: string): number {
    // What a decoder has let through unseen: a number where text was promised.
    if (typeof text !== "string" || text.length > TEXT_CHARS_MAX) return NaN;
    let units = 0;
    let point = -1;
    const length = text.length;
    for (let i = 0; i < length; i++) {
      const digit = text.charCodeAt(i) - 48;
      if (digit >= 0 && digit <= 9) units = units * 10 + digit;
      else if (digit === -2 && point < 0 && i > 0 && i < length - 1) point = i;
      else return NaN;
    }
    const decimals = point < 0 ? 0 : length - point - 1;
    if (decimals > this.#decimals && !this.#refine(decimals, units)) return NaN;
    const scaled = units * (POWERS[this.#decimals - decimals] ?? NaN);
    return scaled > 0 && scaled <= Number.MAX_SAFE_INTEGER ? scaled : NaN;
  }

  /** @returns false, and changes nothing, where a price would no longer be exact: this one, or one the book holds */
  #refine(decimals: number, units: number): boolean {
    if (decimals > DECIMALS_MAX || units > Number.MAX_SAFE_INTEGER) return false;
    const factor = POWERS[decimals - this.#decimals] ?? NaN;
    if (Math.max(this.#bids.largest, this.#asks.largest) * factor > Number.MAX_SAFE_INTEGER) return false;
    this.#bids.rescale(factor);
    this.#asks.rescale(factor);
    this.#decimals = decimals;
    return true;
  }
}

/** Levels by key, ascending; the key is the price for bids and its negative for asks, so that the best stands last. */
class BookSide {
  readonly #sign: 1 | -1;
  readonly #keys: number[] = [];
  /** As they came in: never changed, and of some venues with more than price and quantity. */
  readonly #levels: WireLevel[] = [];
  /** Below this key levels may exist that nobody has told us of. */
  #knownFrom = -Infinity;

  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  get size(): number {
    return this.#keys.length;
  }

  /** The best level's key. */
  get best(): number | undefined {
    return this.#keys[this.#keys.length - 1];
  }

  /** The largest price, in units; 0 without levels. */
  get largest(): number {
    return Math.max(Math.abs(this.#keys[0] ?? 0), Math.abs(this.#keys[this.#keys.length - 1] ?? 0));
  }

  clear(): void {
    this.#keys.length = this.#levels.length = 0;
    this.#knownFrom = -Infinity;
  }

  endKnowledge(): void {
    this.#knownFrom = this.#keys[0] ?? Infinity;
  }

  isKnown(levels: number): boolean {
    if (this.#knownFrom === -Infinity) return true;
    const key = this.#keys[this.#keys.length - levels];
    return key !== undefined && key >= this.#knownFrom;
  }

  set(units: number, level: WireLevel): void {
    const key = units * this.#sign;
    const last = this.#keys.length - 1;
    if (last < 0 || key > (this.#keys[last] ?? NaN)) {
      this.#keys.push(key);
      this.#levels.push(level);
      return;
    }
    const at = this.#indexOf(key);
    if (this.#keys[at] === key) {
      this.#levels[at] = level;
      return;
    }
    insertAt(this.#keys, at, key);
    insertAt(this.#levels, at, level);
  }

  remove(units: number): void {
    const key = units * this.#sign;
    const at = this.#indexOf(key);
    if (this.#keys[at] !== key) return;
    removeAt(this.#keys, at);
    removeAt(this.#levels, at);
  }

  cut(levels: number): void {
    const beyond = this.#keys.length - levels;
    if (beyond > 0) for (const side of [this.#keys, this.#levels]) side.splice(0, beyond);
  }

  rescale(factor: number): void {
    for (let i = 0; i < this.#keys.length; i++) this.#keys[i] = (this.#keys[i] ?? NaN) * factor;
    this.#knownFrom *= factor;
  }

  top(levels: number): WireLevel[] {
    const top: WireLevel[] = [];
    for (let i = this.#keys.length - 1; i >= 0 && top.length < levels; i--) {
      if ((this.#keys[i] ?? NaN) < this.#knownFrom) break;
      const level = this.#levels[i] ?? NO_LEVEL;
      top.push([level[0], level[1]]);
    }
    return top;
  }

  /** Where the key stands, or would stand. */
  #indexOf(key: number): number {
    const keys = this.#keys;
    let low = 0;
    let high = keys.length;
    // Most changes are near the best, at the end: a few looks there save the whole search.
    if (high > 16 && (keys[high - 16] ?? Infinity) < key) low = high - 15;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((keys[middle] ?? Infinity) < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** As splice would, without the array it gives back: near the end a few moves are all there is to do. */
function insertAt<T>(items: T[], at: number, item: T): void {
  const last = items.length - 1;
  const moved = items[last];
  if (at > last || moved === undefined) {
    items.push(item);
    return;
  }
  items.push(moved);
  for (let i = last; i > at; i--) items[i] = items[i - 1] as T;
  items[at] = item;
}

function removeAt<T>(items: T[], at: number): void {
  const last = items.length - 1;
  for (let i = at; i < last; i++) items[i] = items[i + 1] as T;
  items.pop();
}

/** 1 above zero, 0 for zero, -1 for what is no quantity. */
function signOfQty(text: string): 1 | 0 | -1 {
  if (typeof text !== "string" || text.length > TEXT_CHARS_MAX) return -1;
  let sign: 0 | 1 = 0;
  let hasPoint = false;
  const length = text.length;
  if (length === 0) return -1;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit > 0 && digit <= 9) sign = 1;
    else if (digit === -2 && !hasPoint && i > 0 && i < length - 1) hasPoint = true;
    else if (digit !== 0) return -1;
  }
  return sign;
}

function faultOf([price, qty]: WireLevel, { i, name }: { i: number; name: "bid" | "ask" }): LevelFault {
  return signOfQty(qty) < 0
    ? `${name} ${i}: quantity "${shorten(qty)}" is not a quantity`
    : `${name} ${i}: price "${shorten(price)}" is not a price`;
}

function shorten(text: string): string {
  return String(text).slice(0, 40);
}
