// Compares a book with what REST says of it. The two speak of different instants, so the book's best levels are noted at
// every change while the question is under way, and the page is compared with those of its own sequence.
import { parseDecimal } from "../../../core/decimal.js";
import type { BookPage, WireLevel } from "../../../core/model/book.js";
import type { OrderBook } from "../../fold/order-book.js";

/** Levels a side that are compared: what is traded upon. */
const COMPARED_LEVELS = 10;
/** A question takes less than a second, ten changes come in one; beyond that the answer is too late to be compared. */
const NOTED_MAX = 200;

interface Noted {
  readonly bids: readonly WireLevel[];
  readonly asks: readonly WireLevel[];
}

export class BookWitness {
  /** By sequence; undefined while nobody asks. */
  #noted: Map<number, Noted> | undefined;

  begin(): void {
    this.#noted = new Map();
  }

  stop(): void {
    this.#noted = undefined;
  }

  note(sequence: number, book: OrderBook): void {
    if (this.#noted === undefined) return;
    this.#noted.set(sequence, book.top(COMPARED_LEVELS));
    if (this.#noted.size > NOTED_MAX) this.#noted = undefined;
  }

  /** @returns empty text where both agree, what differs where they do not, undefined where they do not meet */
  end(page: BookPage): string | undefined {
    const noted = this.#noted?.get(page.sequence);
    this.#noted = undefined;
    if (noted === undefined) return undefined;
    return differenceOf("bid", noted.bids, page.bids) ?? differenceOf("ask", noted.asks, page.asks) ?? "";
  }
}

function differenceOf(
  side: "bid" | "ask",
  ours: readonly WireLevel[],
  theirs: readonly WireLevel[],
): string | undefined {
  for (let i = 0; i < Math.min(COMPARED_LEVELS, Math.max(ours.length, theirs.length)); i++) {
    const [ourPrice, ourQty] = ours[i] ?? ["nothing", ""];
    const [theirPrice, theirQty] = theirs[i] ?? ["nothing", ""];
    if (sameNumber(ourPrice, theirPrice) && sameNumber(ourQty, theirQty)) continue;
    return `${side} ${i + 1} is ${ourPrice} × ${ourQty}, REST says ${theirPrice} × ${theirQty}`;
  }
  return undefined;
}

/** Two texts of one number may differ in zeros at the end. */
function sameNumber(a: string, b: string): boolean {
  return a === b || parseDecimal(a) === parseDecimal(b);
}
