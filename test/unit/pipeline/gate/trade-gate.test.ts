import { describe, expect, it } from "vitest";
import type { TradeCandidate } from "../../../../src/core/model/trade.js";
import {
  validateTrades,
  type TradeGateContext,
  type TradeRule,
} from "../../../../src/pipeline/gate/trade-gate.js";
import { minuteMs } from "../../../support/candles.js";

const CONTEXT: TradeGateContext = { exchangeNowMs: minuteMs(10), hasContiguousIds: true };

function candidate(id: number, change: Partial<TradeCandidate> = {}): TradeCandidate {
  return {
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs: minuteMs(1) + id,
    price: "100.50",
    qty: "0.10",
    side: "buy",
    raw: [id],
    ...change,
  };
}

const rulesOf = (candidates: readonly TradeCandidate[], context = CONTEXT) =>
  validateTrades(candidates, context).rejected.map(({ rule }) => rule);

describe("validateTrades", () => {
  it("lets a good page through, decimals canonical", () => {
    expect(validateTrades([candidate(1), candidate(2, { side: "sell" })], CONTEXT)).toEqual({
      trades: [
        {
          kind: "trade",
          id: 1,
          firstFillId: 1,
          lastFillId: 1,
          timeMs: minuteMs(1) + 1,
          microsecond: 0,
          price: "100.5",
          qty: "0.1",
          side: "buy",
        },
        {
          kind: "trade",
          id: 2,
          firstFillId: 2,
          lastFillId: 2,
          timeMs: minuteMs(1) + 2,
          microsecond: 0,
          price: "100.5",
          qty: "0.1",
          side: "sell",
        },
      ],
      rejected: [],
      idGaps: [],
    });
  });

  it.each<[TradeRule, Partial<TradeCandidate>]>([
    ["trade.malformed", { id: undefined }],
    ["trade.malformed", { id: 1.5 }],
    ["trade.malformed", { id: -1 }],
    ["trade.malformed", { firstFillId: undefined }],
    ["trade.malformed", { lastFillId: undefined }],
    ["trade.malformed", { firstFillId: 5, lastFillId: 4 }],
    ["trade.malformed", { timeMs: Infinity }],
    ["trade.malformed", { price: undefined }],
    ["trade.malformed", { qty: undefined }],
    ["trade.malformed", { side: undefined }],
    ["trade.not_a_decimal", { price: "1e5" }],
    ["trade.not_a_decimal", { qty: "NaN" }],
    ["trade.price_not_positive", { price: "0.00" }],
    ["trade.price_not_positive", { price: "-1" }],
    ["trade.qty_not_positive", { qty: "0" }],
    ["trade.qty_not_positive", { qty: "-0.1" }],
    ["trade.not_yet", { timeMs: minuteMs(10) + 10_001 }],
  ])("refuses as %s what is %o", (rule, change) => {
    const { trades, rejected } = validateTrades([candidate(1, change)], CONTEXT);
    expect(trades).toEqual([]);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]).toMatchObject({ rule, raw: "[1]" });
  });

  it("allows the exchange's clocks a second of difference", () => {
    expect(rulesOf([candidate(1, { timeMs: minuteMs(10) + 1_000 })])).toEqual([]);
  });

  it("refuses what was not asked for, at both ends of the half-open range", () => {
    const range = { startMs: minuteMs(1), endMs: minuteMs(2) };
    const at = (id: number, timeMs: number) => candidate(id, { timeMs });
    const page = [at(1, minuteMs(1) - 1), at(2, minuteMs(1)), at(3, minuteMs(2) - 1), at(4, minuteMs(2))];
    const { trades, rejected } = validateTrades(page, { ...CONTEXT, range });
    expect(trades.map(({ id }) => id)).toEqual([2, 3]);
    expect(rejected.map(({ id, rule }) => [id, rule])).toEqual([
      [1, "trade.outside_range"],
      [4, "trade.outside_range"],
    ]);
  });

  it("keeps a trade once that stands there twice unchanged", () => {
    const { trades, rejected } = validateTrades([candidate(1), candidate(1), candidate(2)], CONTEXT);
    expect(trades.map(({ id }) => id)).toEqual([1, 2]);
    expect(rejected.map(({ rule }) => rule)).toEqual(["trade.duplicate"]);
  });

  it("believes neither of two different trades with one id, wherever they stand", () => {
    const page = [candidate(1), candidate(2), candidate(3), candidate(1, { price: "99" })];
    const { trades, rejected } = validateTrades(page, CONTEXT);
    expect(trades.map(({ id }) => id)).toEqual([2, 3]);
    expect(rejected.map(({ id, rule }) => [id, rule])).toEqual([
      [1, "trade.duplicate"],
      [1, "trade.duplicate"],
    ]);
  });

  it("refuses an id that steps back, and a fill that was counted before", () => {
    expect(rulesOf([candidate(5), candidate(4)])).toEqual(["trade.out_of_order"]);
    expect(
      rulesOf([
        candidate(5, { firstFillId: 10, lastFillId: 12 }),
        candidate(6, { firstFillId: 12, lastFillId: 13 }),
      ]),
    ).toEqual(["trade.out_of_order"]);
    expect(rulesOf([candidate(5)], { ...CONTEXT, previous: { id: 5, lastFillId: 5 } })).toEqual([
      "trade.out_of_order",
    ]);
  });

  it("tells which fills are missing where ids are contiguous, across pages too", () => {
    const page = [
      candidate(5, { firstFillId: 10, lastFillId: 12 }),
      candidate(6, { firstFillId: 13, lastFillId: 13 }),
      candidate(8, { firstFillId: 17, lastFillId: 18 }),
    ];
    const previous = { id: 3, lastFillId: 8 };
    expect(validateTrades(page, { ...CONTEXT, previous }).idGaps).toEqual([
      { firstMissingId: 9, lastMissingId: 9 },
      { firstMissingId: 14, lastMissingId: 16 },
    ]);
    expect(validateTrades(page, { ...CONTEXT, previous, hasContiguousIds: false }).idGaps).toEqual([]);
  });

  it("counts the ids of a refused trade as missing", () => {
    const page = [candidate(1), candidate(2, { price: "0" }), candidate(3)];
    expect(validateTrades(page, CONTEXT).idGaps).toEqual([{ firstMissingId: 2, lastMissingId: 2 }]);
  });

  it("keeps a record that is not from JSON", () => {
    const loop: { self?: unknown } = {};
    loop.self = loop;
    const [rejection] = validateTrades([candidate(1, { price: undefined, raw: loop })], CONTEXT).rejected;
    expect(rejection?.raw).toContain("Circular");
  });
});
