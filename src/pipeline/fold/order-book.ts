// One order book: sorted levels of both sides, changed by the venue's own texts. In: levels as the wire wrote them. Out: the
// best levels. Whether a change continues the book is not its matter (see feed/live/book-keeper.ts).
import type { WireLevel } from "../../core/model/book.js";

/** Decimals a price may have; with more, whole units above 9 × 10^6 are no longer exact in a double. */
const DECIMALS_MAX = 12;
const POWERS = Array.from({ length: DECIMALS_MAX + 1 }, (_, i) => 10 ** i);

/** What is wrong with a level, for people: `bid 3: price "x" is not decimal text`. */
export type LevelFault = string;

/**
 * Prices are kept twice: as integers of the finest decimals seen so far, to sort by, and as the text they came in, which
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
   * @param isPartial the venue has further levels beyond these, of which nothing is known until they change
   */
  reset(
    bids: readonly WireLevel[],
    asks: readonly WireLevel[],
    { isPartial = false }: { isPartial?: boolean } = {},
  ): LevelFault | undefined {
    this.#bids.clear();
    this.#asks.clear();
    const fault = this.apply(bids, asks);
    if (isPartial) {
      this.#bids.endKnowledge();
      this.#asks.endKnowledge();
    }
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

  /** The best levels of each side, best first, texts as received. */
  top(levels: number): { bids: WireLevel[]; asks: WireLevel[] } {
    return { bids: this.#bids.top(levels), asks: this.#asks.top(levels) };
  }

  #applySide(side: BookSide, levels: readonly WireLevel[], name: "bid" | "ask"): LevelFault | undefined {
    for (let i = 0; i < levels.length; i++) {
      const level = levels[i];
      if (level === undefined) continue;
      const [price, qty] = level;
      const units = this.#unitsOf(price);
      if (Number.isNaN(units)) return `${name} ${i}: price "${shorten(price)}" is not a price`;
      const sign = signOfQty(qty);
      if (sign < 0) return `${name} ${i}: quantity "${shorten(qty)}" is not a quantity`;
      if (sign === 0) side.remove(units);
      else side.set(units, price, qty);
    }
    return undefined;
  }

  /** A price in units of the finest decimals seen; NaN for what is no price, zero included. */
  #unitsOf(text: string): number {
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
    if (decimals > this.#decimals) this.#refine(decimals);
    const scaled = units * (POWERS[this.#decimals - decimals] ?? NaN);
    return scaled > 0 && scaled <= Number.MAX_SAFE_INTEGER ? scaled : NaN;
  }

  #refine(decimals: number): void {
    if (decimals > DECIMALS_MAX) return;
    const factor = POWERS[decimals - this.#decimals] ?? NaN;
    this.#bids.rescale(factor);
    this.#asks.rescale(factor);
    this.#decimals = decimals;
  }
}

/** Levels by key, ascending; the key is the price for bids and its negative for asks, so that the best stands last. */
class BookSide {
  readonly #sign: 1 | -1;
  readonly #keys: number[] = [];
  readonly #prices: string[] = [];
  readonly #qtys: string[] = [];
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

  clear(): void {
    this.#keys.length = this.#prices.length = this.#qtys.length = 0;
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

  set(units: number, price: string, qty: string): void {
    const key = units * this.#sign;
    const at = this.#indexOf(key);
    if (this.#keys[at] === key) {
      this.#prices[at] = price;
      this.#qtys[at] = qty;
      return;
    }
    this.#keys.splice(at, 0, key);
    this.#prices.splice(at, 0, price);
    this.#qtys.splice(at, 0, qty);
  }

  remove(units: number): void {
    const key = units * this.#sign;
    const at = this.#indexOf(key);
    if (this.#keys[at] === key) this.#splice(at, 1);
  }

  cut(levels: number): void {
    if (this.#keys.length > levels) this.#splice(0, this.#keys.length - levels);
  }

  rescale(factor: number): void {
    for (let i = 0; i < this.#keys.length; i++) this.#keys[i] = (this.#keys[i] ?? NaN) * factor;
    this.#knownFrom *= factor;
  }

  top(levels: number): WireLevel[] {
    const top: WireLevel[] = [];
    for (let i = this.#keys.length - 1; i >= 0 && top.length < levels; i--)
      top.push([this.#prices[i] ?? "", this.#qtys[i] ?? ""]);
    return top;
  }

  #splice(at: number, count: number): void {
    this.#keys.splice(at, count);
    this.#prices.splice(at, count);
    this.#qtys.splice(at, count);
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

/** 1 above zero, 0 for zero, -1 for what is no quantity. */
function signOfQty(text: string): 1 | 0 | -1 {
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

function shorten(text: string): string {
  return text.slice(0, 40);
}
