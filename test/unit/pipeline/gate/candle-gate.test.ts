import { describe, expect, it } from "vitest";
import type { CandleCandidate } from "../../../../src/core/model/candle.js";
import { CANDLE_RULES, checkCandles, type CandleRule } from "../../../../src/pipeline/gate/candle-gate.js";
import { candleAt, decimal, minuteMs } from "../../../support/candles.js";
import { rowAt, rowsAt } from "./candidates.js";

const DAY = { timeframe: "1m", exchangeNowMs: minuteMs(1_440) } as const;
const check = (...rows: CandleCandidate[]) => checkCandles(rows, DAY);
const minutesOf = ({ candles }: ReturnType<typeof check>): number[] =>
  candles.map((candle) => (candle.openTimeMs - minuteMs(0)) / 60_000);
const rulesOf = ({ rejected }: ReturnType<typeof check>): string[] => rejected.map(({ rule }) => rule);

/** Each breaks one rule and no other that could be kept beside it. */
const BREACHES: readonly (readonly [CandleRule, string, Partial<CandleCandidate>])[] = [
  ["candle.malformed", "no open time", { openTimeMs: undefined }],
  ["candle.malformed", "an open time that is no number", { openTimeMs: Number.NaN }],
  ["candle.malformed", "an open time without end", { openTimeMs: -Infinity }],
  ["candle.malformed", "an open time before 1970", { openTimeMs: -60_000 }],
  ["candle.malformed", "an open time beyond whole numbers", { openTimeMs: -60_000 * 2 ** 60 }],
  ["candle.malformed", "no open", { open: undefined }],
  ["candle.malformed", "no high", { high: undefined }],
  ["candle.malformed", "no low", { low: undefined }],
  ["candle.malformed", "no close", { close: undefined }],
  ["candle.malformed", "no volume", { volume: undefined }],
  ["candle.malformed", "no quote volume where there should be one", { quoteVolume: undefined }],
  ["candle.malformed", "no trade count where there should be one", { tradeCount: undefined }],
  ["candle.malformed", "half a trade", { tradeCount: 1.5 }],
  ["candle.malformed", "a trade count that is no number", { tradeCount: Number.NaN }],
  ["candle.not_a_decimal", "an open with an exponent", { open: "1e2" }],
  ["candle.not_a_decimal", "an empty high", { high: "" }],
  ["candle.not_a_decimal", "a low in words", { low: "NaN" }],
  ["candle.not_a_decimal", "a close with a comma", { close: "100,0" }],
  ["candle.not_a_decimal", "a volume with a space", { volume: " 1" }],
  ["candle.not_a_decimal", "an infinite quote volume", { quoteVolume: "Infinity" }],
  ["candle.off_grid", "a millisecond past the minute", { openTimeMs: minuteMs(3) + 1 }],
  ["candle.not_closed", "the candle that is forming", { openTimeMs: minuteMs(1_440) }],
  ["candle.not_closed", "a candle that says so itself", { isClosed: false }],
  ["candle.not_closed", "microseconds taken for milliseconds", { openTimeMs: minuteMs(3) * 1_000 }],
  ["candle.price_not_positive", "a low of zero", { low: "0.00" }],
  ["candle.price_not_positive", "a negative low", { low: "-1" }],
  ["candle.negative_volume", "a negative volume", { volume: "-0.1" }],
  ["candle.negative_volume", "a negative quote volume", { quoteVolume: "-1" }],
  ["candle.negative_volume", "a negative trade count", { tradeCount: -1 }],
  [
    "candle.high_below_low",
    "a high below the low",
    { high: "99", low: "99.25", open: "99.1", close: "99.1" },
  ],
  ["candle.open_outside", "an open above the high", { open: "101.01" }],
  ["candle.open_outside", "an open below the low", { open: "99.24" }],
  ["candle.close_outside", "a close above the high", { close: "101.000001" }],
  ["candle.close_outside", "a close below the low", { close: "99.249999" }],
];

describe("the gate for candles", () => {
  it("lets a sound row through, its decimals canonical and its figures unchanged", () => {
    expect(check(rowAt(3))).toEqual({ candles: [candleAt(3)], rejected: [], broken: new Set() });
  });

  it("takes a candle of one price without trades", () => {
    const row = rowAt(3, {
      open: "5",
      high: "5",
      low: "5",
      close: "5",
      volume: "0",
      quoteVolume: "-0",
      tradeCount: 0,
    });
    const flat = { open: decimal("5"), high: decimal("5"), low: decimal("5"), close: decimal("5") };
    const still = { volume: decimal("0"), quoteVolume: decimal("0"), tradeCount: 0 };
    expect(check(row).candles).toEqual([candleAt(3, { ...flat, ...still })]);
  });

  it("leaves undefined what the source does not tell", () => {
    const [candle] = check(rowAt(3, { quoteVolume: null, tradeCount: null })).candles;
    expect(candle).toEqual(candleAt(3, { quoteVolume: undefined, tradeCount: undefined }));
  });

  it.each(BREACHES)("refuses by %s %s, and keeps the rows around it", (rule, _what, change) => {
    const result = check(rowAt(2), rowAt(3, { ...change, raw: { bad: "row" } }), rowAt(4));
    expect(rulesOf(result)).toEqual([rule]);
    expect(result.rejected[0]?.raw).toBe('{"bad":"row"}');
    expect(result.rejected[0]?.detail).not.toBe("");
    expect(minutesOf(result)).toEqual([2, 4]);
  });

  it("has a breach here for each of its rules but those about two rows", () => {
    const tried = new Set([...BREACHES.map(([rule]) => rule), "candle.out_of_order", "candle.duplicate"]);
    expect([...tried].sort()).toEqual(Object.keys(CANDLE_RULES).sort());
  });

  it("takes a candle at the very moment it ends, and not a millisecond before", () => {
    const row = rowAt(5);
    const at = (exchangeNowMs: number) => checkCandles([row], { timeframe: "1m", exchangeNowMs });
    expect(at(minuteMs(6)).candles).toHaveLength(1);
    expect(rulesOf(at(minuteMs(6) - 1))).toEqual(["candle.not_closed"]);
  });

  it("takes a candle that says it is closed, and one that does not say", () => {
    expect(minutesOf(check(rowAt(1, { isClosed: true }), rowAt(2, { isClosed: undefined })))).toEqual([1, 2]);
  });

  it("takes the clock's word over the row's when the candle is not over", () => {
    expect(rulesOf(check(rowAt(1_440, { isClosed: true })))).toEqual(["candle.not_closed"]);
  });

  it("refuses the forming candle wherever it stands in the page", () => {
    const context = { timeframe: "1m", exchangeNowMs: minuteMs(5) + 30_000 } as const;
    const result = checkCandles([rowAt(5), rowAt(3), rowAt(4)], context);
    expect([minutesOf(result), rulesOf(result)]).toEqual([[3, 4], ["candle.not_closed"]]);
  });

  it("says of a row whose time means nothing that it has none", () => {
    for (const openTimeMs of [undefined, Number.NaN, Infinity, -60_000, 1e300])
      expect(check(rowAt(3, { openTimeMs })).rejected[0]?.openTimeMs, String(openTimeMs)).toBeUndefined();
    expect(check(rowAt(3, { low: "0" })).rejected[0]?.openTimeMs).toBe(minuteMs(3));
  });

  it("judges weeks by Mondays", () => {
    const context = { timeframe: "1w", exchangeNowMs: Date.UTC(2024, 5, 1) } as const;
    const monday = rowAt(0, { openTimeMs: Date.UTC(2024, 0, 8) });
    const thursday = rowAt(0, { openTimeMs: Date.UTC(2024, 0, 11) });
    expect(rulesOf(checkCandles([monday, thursday], context))).toEqual(["candle.off_grid"]);
  });
});

describe("rows for one open time", () => {
  const other = rowAt(3, { close: "100.01", raw: "other" });

  it("are kept once when they are the same, however they are written", () => {
    const result = check(rowAt(2), rowAt(3), rowAt(3, { close: "100.000", volume: "012.3450" }), rowAt(4));
    expect([minutesOf(result), rulesOf(result)]).toEqual([[2, 3, 4], ["candle.duplicate"]]);
  });

  it("are kept once when they are the same three times over", () => {
    const result = check(...rowsAt(2, 3, 3, 3, 4));
    expect([minutesOf(result), rulesOf(result)]).toEqual([
      [2, 3, 4],
      ["candle.duplicate", "candle.duplicate"],
    ]);
  });

  it("are both refused when they differ, each with its own record", () => {
    const result = check(rowAt(2), rowAt(3, { raw: "one" }), other, rowAt(4));
    expect(minutesOf(result)).toEqual([2, 4]);
    expect(result.rejected.map(({ rule, raw, openTimeMs }) => [rule, raw, openTimeMs])).toEqual([
      ["candle.duplicate", "one", minuteMs(3)],
      ["candle.duplicate", "other", minuteMs(3)],
    ]);
  });

  it.each([
    ["the last", [rowAt(3), rowAt(3), other]],
    ["the middle one", [rowAt(3), other, rowAt(3)]],
    ["the first", [other, rowAt(3), rowAt(3)]],
    ["each", [rowAt(3), other, rowAt(3, { close: "100.02" })]],
  ])("are all refused when of three %s differs", (_which, rows) => {
    const result = check(rowAt(2), ...rows, rowAt(4));
    expect(minutesOf(result)).toEqual([2, 4]);
    expect(rulesOf(result)).toEqual(Array.from({ length: 3 }, () => "candle.duplicate"));
  });

  it.each<[string, Partial<CandleCandidate>]>([
    ["open", { open: "100.6" }],
    ["high", { high: "102" }],
    ["low", { low: "99" }],
    ["close", { close: "100.1" }],
    ["volume", { volume: "12.346" }],
    ["quote volume", { quoteVolume: "1234.6" }],
    ["absence of a quote volume", { quoteVolume: null }],
    ["trade count", { tradeCount: 8 }],
    ["absence of a trade count", { tradeCount: null }],
  ])("differ by their %s alone", (_field, change) => {
    expect(minutesOf(check(rowAt(3), rowAt(3, change)))).toEqual([]);
  });

  it("do not count when the other row is impossible by itself", () => {
    const result = check(rowAt(3, { low: "0" }), rowAt(3), rowAt(3, { high: "1" }));
    expect(minutesOf(result)).toEqual([3]);
    expect(rulesOf(result)).toEqual(["candle.price_not_positive", "candle.high_below_low"]);
  });
});

describe("a gate that keeps rows whose figures contradict each other", () => {
  const keep = (...rows: CandleCandidate[]) => checkCandles(rows, { ...DAY, keepsBroken: true });
  const brokenOf = ({ broken }: ReturnType<typeof check>): number[] =>
    [...broken].map((openTimeMs) => (openTimeMs - minuteMs(0)) / 60_000);
  const VALUE_RULES: readonly string[] = [
    "candle.high_below_low",
    "candle.open_outside",
    "candle.close_outside",
    "candle.price_not_positive",
    "candle.negative_volume",
  ];

  it.each(BREACHES)("lets through by %s only what can be stored: %s", (rule, _what, change) => {
    const result = keep(rowAt(2), rowAt(3, { ...change, raw: { bad: "row" } }), rowAt(4));
    const isKept = VALUE_RULES.includes(rule);
    expect(brokenOf(result)).toEqual(isKept ? [3] : []);
    expect(minutesOf(result)).toEqual(isKept ? [2, 3, 4] : [2, 4]);
    expect(rulesOf(result)).toEqual([rule]);
  });

  it("keeps the figures of such a row as they are", () => {
    const { candles } = keep(rowAt(3, { high: "99.10", volume: "-0.50" }));
    expect(candles).toEqual([candleAt(3, { high: decimal("99.1"), volume: decimal("-0.5") })]);
  });

  it("prefers a sound row of the same time, before it or after it", () => {
    for (const rows of [
      [rowAt(3), rowAt(3, { low: "0" })],
      [rowAt(3, { low: "0" }), rowAt(3)],
    ]) {
      const result = keep(...rows);
      expect(result.candles).toEqual([candleAt(3)]);
      expect([brokenOf(result), rulesOf(result)]).toEqual([[], ["candle.price_not_positive"]]);
    }
  });

  it("keeps one of two such rows that are the same, and none of two that differ", () => {
    expect(brokenOf(keep(rowAt(3, { low: "0" }), rowAt(3, { low: "0.0" })))).toEqual([3]);
    const three = [rowAt(3, { low: "0" }), rowAt(3, { low: "-1" }), rowAt(3, { low: "0" })];
    expect(minutesOf(keep(rowAt(2), ...three, rowAt(4)))).toEqual([2, 4]);
  });

  it("does not put one in the place of sound rows that contradict each other", () => {
    const result = keep(rowAt(2), rowAt(3), rowAt(3, { close: "100.01" }), rowAt(3, { low: "0" }), rowAt(4));
    expect(minutesOf(result)).toEqual([2, 4]);
  });
});

describe("rows out of order", () => {
  it("are refused, and the order goes on from the latest", () => {
    const result = check(...rowsAt(1, 4, 2, 3, 5));
    expect([minutesOf(result), rulesOf(result)]).toEqual([
      [1, 4, 5],
      ["candle.out_of_order", "candle.out_of_order"],
    ]);
  });

  it("change nothing when they repeat an earlier row unchanged", () => {
    const result = check(...rowsAt(1, 2, 3, 1));
    expect([minutesOf(result), rulesOf(result)]).toEqual([[1, 2, 3], ["candle.out_of_order"]]);
  });

  it("take back an earlier row that they contradict: neither is believed", () => {
    const result = check(
      rowAt(1),
      rowAt(2, { raw: "one" }),
      rowAt(3),
      rowAt(2, { close: "100.01", raw: "two" }),
      rowAt(4),
    );
    expect(minutesOf(result)).toEqual([1, 3, 4]);
    expect(result.rejected.map(({ rule, raw, openTimeMs }) => [rule, raw, openTimeMs])).toEqual([
      ["candle.duplicate", "one", minuteMs(2)],
      ["candle.out_of_order", "two", minuteMs(2)],
    ]);
  });

  it("do not let a contradicted row back in", () => {
    const contradiction = rowAt(3, { close: "100.01" });
    expect(minutesOf(check(rowAt(2), rowAt(3), contradiction, rowAt(3)))).toEqual([2]);
    expect(minutesOf(check(rowAt(2), rowAt(3), rowAt(4), contradiction, rowAt(3)))).toEqual([2, 4]);
    expect(minutesOf(check(rowAt(0), contradiction, rowAt(3)))).toEqual([0]);
  });
});

it("a record that is text already is kept as it is, and one that JSON cannot hold does not stop the page", () => {
  const cyclic: unknown[] = [];
  cyclic.push(cyclic);
  const result = check(
    rowAt(1, { low: "0", raw: "1,2,3" }),
    rowAt(2, { low: "0", raw: undefined }),
    rowAt(3, { low: "0", raw: 5n }),
    rowAt(4, { low: "0", raw: cyclic }),
    rowAt(5),
  );
  expect(result.rejected.map(({ raw }) => raw).slice(0, 3)).toEqual(["1,2,3", "undefined", "5n"]);
  expect(rulesOf(result)).toHaveLength(4);
  expect(minutesOf(result)).toEqual([5]);
});
