import { expect, it } from "vitest";
import type { BookUpdate } from "../../../../src/core/model/book.js";
import { OKX_BOOK_RULES } from "../../../../src/exchanges/okx/book-rules.js";

const update = (previousId: number, lastId: number): BookUpdate => ({
  nativeSymbol: "BTC-USDT",
  isSnapshot: false,
  firstId: lastId,
  lastId,
  previousId,
  timeMs: 0,
  checksum: undefined,
  bids: [],
  asks: [],
});
const first = (sequence: number, [previousId, lastId]: [number, number]): string =>
  OKX_BOOK_RULES.first({ sequence }, update(previousId, lastId)).do;

// The exchange's own example of ids that begin anew after maintenance: 10 → 15 → 15 → 3 → 5.
it("goes on from a page into ids that begin anew", () => {
  expect(first(15, [15, 3])).toBe("apply");
  expect(OKX_BOOK_RULES.next(3, update(3, 5)).do).toBe("apply");
});

it("asks for another page where ids began anew between the page and the changes", () => {
  expect(first(12, [15, 3])).toBe("resync");
  expect(first(20, [15, 3])).toBe("resync");
});

it("skips what a page holds, and takes the first change that reaches across it", () => {
  expect(first(15, [10, 15])).toBe("skip");
  expect(first(15, [14, 17])).toBe("apply");
  expect(first(15, [17, 19])).toBe("resync");
});
