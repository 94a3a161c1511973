// The book against a naive one: a Map of prices, sorted anew for each look.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { WireLevel } from "../../src/core/model/book.js";
import { OrderBook } from "../../src/pipeline/fold/order-book.js";

const price = fc
  .tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 3 }))
  .map(([units, decimals]) => {
    const text = (units / 10 ** decimals).toFixed(decimals);
    return Number(text) > 0 ? text : "1";
  });
const qty = fc.constantFrom("0", "0.000", "1", "2.50", "0.001");
const levels = fc.array(fc.tuple(price, qty), { maxLength: 12 });

class NaiveBook {
  readonly bids = new Map<number, WireLevel>();
  readonly asks = new Map<number, WireLevel>();

  apply(bids: readonly WireLevel[], asks: readonly WireLevel[]): void {
    for (const [side, changes] of [
      [this.bids, bids],
      [this.asks, asks],
    ] as const)
      for (const level of changes) {
        if (Number(level[1]) === 0) side.delete(Number(level[0]));
        else side.set(Number(level[0]), level);
      }
  }

  top(count: number): { bids: WireLevel[]; asks: WireLevel[] } {
    const sorted = (side: Map<number, WireLevel>, sign: number): WireLevel[] =>
      [...side.entries()]
        .sort(([a], [b]) => sign * (a - b))
        .slice(0, count)
        .map(([, level]) => level);
    return { bids: sorted(this.bids, -1), asks: sorted(this.asks, 1) };
  }
}

it("holds what a naive book holds, whatever the order and the decimals of the changes", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(levels, levels), { maxLength: 30 }), (changes) => {
      const book = new OrderBook();
      const naive = new NaiveBook();
      for (const [bids, asks] of changes) {
        expect(book.apply(bids, asks)).toBeUndefined();
        naive.apply(bids, asks);
        expect(book.top(5)).toEqual(naive.top(5));
        expect(book.size).toBe(naive.bids.size + naive.asks.size);
        const [bid, ask] = [naive.top(1).bids[0], naive.top(1).asks[0]];
        expect(book.isCrossed).toBe(
          bid !== undefined && ask !== undefined && Number(bid[0]) >= Number(ask[0]),
        );
      }
      book.cut(3);
      expect(book.top(10)).toEqual(naive.top(3));
    }),
  );
});

it.each([
  ["1e3", "1"],
  ["", "1"],
  ["-1", "1"],
  ["0", "1"],
  ["1.", "1"],
  [".5", "1"],
  ["1.2.3", "1"],
  ["NaN", "1"],
  ["99999999999999999999", "1"],
  ["0.0000000000001", "1"],
  ["1", ""],
  ["1", "-1"],
  ["1", "1e5"],
  ["1", "1."],
  ["1", "x"],
])("refuses the level %s × %s", (badPrice, badQty) => {
  expect(new OrderBook().apply([[badPrice, badQty]], [])).toMatch(/^bid 0: (price|quantity) /);
  expect(
    new OrderBook().reset(
      [],
      [
        ["5", "1"],
        [badPrice, badQty],
      ],
    ),
  ).toMatch(/^ask 1: (price|quantity) /);
});

it("knows its best levels only as far as it was told of them", () => {
  const book = new OrderBook();
  const bids: WireLevel[] = [
    ["100", "1"],
    ["99", "1"],
    ["98", "1"],
  ];
  const asks: WireLevel[] = [
    ["101", "1"],
    ["102", "1"],
    ["103", "1"],
  ];
  expect(book.reset(bids, asks, { hasMoreBids: true, hasMoreAsks: true })).toBeUndefined();
  expect([book.isKnown(3), book.isKnown(4)]).toEqual([true, false]);
  // 97 may not be the next best bid after 98: there may be 97.5, which nobody has spoken of.
  book.apply(
    [
      ["100", "0"],
      ["97", "1"],
    ],
    [],
  );
  expect([book.isKnown(2), book.isKnown(3)]).toEqual([true, false]);
  book.apply([["98.5", "2"]], []);
  expect(book.isKnown(3)).toBe(true);
  book.reset(bids, asks);
  expect(book.isKnown(50)).toBe(true);
});

it.each([[null], [undefined], [7], ["x"], [{}], [[]], [[1, 2]], [["1"]], [["1", 5]]])(
  "refuses %j in the place of a level, and does not throw",
  (level) => {
    const levels = [["5", "1"], level] as unknown as WireLevel[];
    const read = (): string | undefined => {
      try {
        return new OrderBook().apply(levels, []);
      } catch {
        return "thrown";
      }
    };
    expect(read()).toMatch(/^bid 1: /);
  },
);
