// Reads a frame whose layout is known without building what nobody asks for: texts, whole numbers and levels of a book, from left to
// right. Whatever is not as expected ends the scan with undefined, and the frame is read by JSON.parse instead, so that a
// scanner need only be right where it says something.
import type { WireLevel } from "../core/model/book.js";

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;
/** More digits than any whole number has that is exact in a double. */
const DIGITS_MAX = 16;
const UPPER_E = 69;
const LOWER_E = 101;

/** One frame after the other: `begin`, then from left to right. */
export class FrameScanner {
  #text = "";
  #at = 0;

  begin(text: string): void {
    this.#text = text;
    this.#at = 0;
  }

  /** True, and past it, when this stands here. */
  skip(literal: string): boolean {
    if (!this.#text.startsWith(literal, this.#at)) return false;
    this.#at += literal.length;
    return true;
  }

  /** True, and past it, when a comma stands here. */
  comma(): boolean {
    if (this.#text.charCodeAt(this.#at) !== COMMA) return false;
    this.#at++;
    return true;
  }

  /** The character code of a key of one letter, and past its colon; 0 for any other key. */
  letterKey(): number {
    const text = this.#text;
    const at = this.#at;
    if (
      text.charCodeAt(at) !== QUOTE ||
      text.charCodeAt(at + 2) !== QUOTE ||
      text.charCodeAt(at + 3) !== COLON
    )
      return 0;
    this.#at = at + 4;
    return text.charCodeAt(at + 1);
  }

  /** True at the end of the frame. */
  isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** What stands between two quotes; undefined where there are none, or an escape between them. */
  quoted(): string | undefined {
    const text = this.#text;
    const from = this.#at + 1;
    if (text.charCodeAt(from - 1) !== QUOTE) return undefined;
    let to = from;
    for (let code = text.charCodeAt(to); code !== QUOTE; code = text.charCodeAt(++to))
      // Not a number: the frame has ended. Control characters are no JSON.
      if (!(code >= 32) || code === BACKSLASH) return undefined;
    this.#at = to + 1;
    return text.slice(from, to);
  }

  /** A whole number; undefined for any other, and for one that is not exact in a double. */
  integer(): number | undefined {
    const text = this.#text;
    const isNegative = text.charCodeAt(this.#at) === MINUS;
    const from = this.#at + (isNegative ? 1 : 0);
    let value = 0;
    let to = from;
    for (let code = text.charCodeAt(to); code >= ZERO && code <= NINE; code = text.charCodeAt(++to))
      value = value * 10 + (code - ZERO);
    const digits = to - from;
    // JSON has no number that begins with a zero, but zero.
    if (
      digits === 0 ||
      digits > DIGITS_MAX ||
      value > Number.MAX_SAFE_INTEGER ||
      (digits > 1 && text.charCodeAt(from) === ZERO)
    )
      return undefined;
    const next = text.charCodeAt(to);
    // A fraction or an exponent: another number than the digits say.
    if (next === DOT || next === LOWER_E || next === UPPER_E) return undefined;
    this.#at = to;
    return isNegative ? -value : value;
  }

  /** `true` or `false`. */
  flag(): boolean | undefined {
    if (this.skip("true")) return true;
    return this.skip("false") ? false : undefined;
  }

  /**
   * Levels of a book, `[["8476.98","415","0","13"],…]`: price and quantity of each; what else stands in a level is digits in quotes and
   * left out.
   */
  levels(): WireLevel[] | undefined {
    const text = this.#text;
    let at = this.#at;
    if (text.charCodeAt(at++) !== OPEN) return undefined;
    const levels: WireLevel[] = [];
    if (text.charCodeAt(at) === CLOSE) {
      this.#at = at + 1;
      return levels;
    }
    for (;;) {
      if (text.charCodeAt(at) !== OPEN) return undefined;
      const priceAt = at + 2;
      const priceEnd = decimalEnd(text, priceAt);
      const qtyAt = priceEnd + 3;
      if (priceEnd < 0 || text.charCodeAt(priceEnd + 1) !== COMMA) return undefined;
      const qtyEnd = decimalEnd(text, qtyAt);
      if (qtyEnd < 0) return undefined;
      at = qtyEnd + 1;
      while (text.charCodeAt(at) === COMMA) {
        const end = decimalEnd(text, at + 2);
        if (end < 0) return undefined;
        at = end + 1;
      }
      if (text.charCodeAt(at) !== CLOSE) return undefined;
      levels.push([text.slice(priceAt, priceEnd), text.slice(qtyAt, qtyEnd)]);
      const next = text.charCodeAt(at + 1);
      at += 2;
      if (next === COMMA) continue;
      if (next !== CLOSE) return undefined;
      this.#at = at;
      return levels;
    }
  }
}

/** Where a quoted run of digits and points ends that begins at `from`; -1 where there is none. */
function decimalEnd(text: string, from: number): number {
  if (text.charCodeAt(from - 1) !== QUOTE) return -1;
  let at = from;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(++at))
    if (!((code >= ZERO && code <= NINE) || code === DOT)) return -1;
  return at > from ? at : -1;
}
