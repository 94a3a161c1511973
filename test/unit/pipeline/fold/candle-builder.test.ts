import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Trade } from "../../../../src/core/model/trade.js";
import { floorToTimeframe, timeframeMs, TIMEFRAMES } from "../../../../src/core/timeframe.js";
import { buildCandles, CandleBuilder } from "../../../../src/pipeline/fold/candle-builder.js";
import { minuteMs } from "../../../support/candles.js";
import { fixedExchange } from "../../simulator/fixed-market.js";
import { naiveCandle } from "../../simulator/naive-candles.js";
import { tradeOf } from "./trade-of.js";

describe("CandleBuilder", () => {
  it("sums quantities and notionals exactly where doubles would not", () => {
    const trades = [
      tradeOf(1, minuteMs(0), { price: "0.1", qty: "0.1" }),
      tradeOf(2, minuteMs(0) + 1, { price: "0.2", qty: "0.2" }),
      tradeOf(3, minuteMs(0) + 2, { price: "12345678901234567890", qty: "0.000000000000000001" }),
    ];
    expect(buildCandles(trades, "1m")).toEqual([
      {
        kind: "candle",
        openTimeMs: minuteMs(0),
        open: "0.1",
        high: "12345678901234567890",
        low: "0.1",
        close: "12345678901234567890",
        volume: "0.300000000000000001",
        quoteVolume: "12.39567890123456789",
        tradeCount: 3,
      },
    ]);
  });

  it("takes open and close by id where times step back", () => {
    const [candle] = buildCandles(
      [
        tradeOf(1, minuteMs(0) + 500, { price: "10" }),
        tradeOf(2, minuteMs(0) + 400, { price: "12" }),
        tradeOf(3, minuteMs(0) + 450, { price: "11" }),
      ],
      "1m",
    );
    expect(candle).toMatchObject({ open: "10", high: "12", low: "10", close: "11" });
  });

  it("counts fills, not records", () => {
    const [candle] = buildCandles(
      [
        tradeOf(1, minuteMs(0), { firstFillId: 10, lastFillId: 12 }),
        tradeOf(2, minuteMs(0), { firstFillId: 13, lastFillId: 13 }),
      ],
      "1m",
    );
    expect(candle?.tradeCount).toBe(4);
  });

  it("compares prices as numbers and not as text", () => {
    const [candle] = buildCandles(
      ["9.5", "10.25", "9.75"].map((price, i) => tradeOf(i, minuteMs(0), { price })),
      "1m",
    );
    expect(candle).toMatchObject({ high: "10.25", low: "9.5" });
  });

  it("gives no candle for a span without trades", () => {
    const trades = [tradeOf(1, minuteMs(0)), tradeOf(2, minuteMs(2))];
    expect(buildCandles(trades, "1m").map((candle) => candle.openTimeMs)).toEqual([minuteMs(0), minuteMs(2)]);
    expect(buildCandles([], "1m")).toEqual([]);
  });

  it("hands a candle over once, and refuses a trade of one that was taken", () => {
    const builder = new CandleBuilder("1m");
    expect(builder.add(tradeOf(1, minuteMs(0)))).toBe(true);
    expect(builder.add(tradeOf(2, minuteMs(1)))).toBe(true);
    expect(builder.take(minuteMs(1)).map((candle) => candle.openTimeMs)).toEqual([minuteMs(0)]);
    expect(builder.take(minuteMs(1))).toEqual([]);
    expect(builder.add(tradeOf(3, minuteMs(1) - 1))).toBe(false);
    expect(builder.add(tradeOf(4, minuteMs(1) + 1))).toBe(true);
    expect(builder.take().map((candle) => [candle.openTimeMs, candle.tradeCount])).toEqual([
      [minuteMs(1), 2],
    ]);
  });

  it("refuses a trade of a span that was taken as empty", () => {
    const builder = new CandleBuilder("1m");
    builder.add(tradeOf(1, minuteMs(5)));
    expect(builder.take(minuteMs(3))).toEqual([]);
    expect(builder.add(tradeOf(2, minuteMs(2)))).toBe(false);
    expect(builder.take()).toHaveLength(1);
  });

  it("asserts that ids ascend", () => {
    expect(() => buildCandles([tradeOf(2, minuteMs(0)), tradeOf(2, minuteMs(0))], "1m")).toThrow(
      "trade 2 comes after trade 2",
    );
  });

  it("agrees with a naive computation on any trades, in any timeframe", () => {
    const trade = fc.record({
      price: fc.tuple(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 10 })),
      qty: fc.tuple(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 10 })),
      stepMs: fc.integer({ min: 0, max: 90_000 }),
      fills: fc.integer({ min: 1, max: 4 }),
    });
    const text = ([units, decimals]: [number, number]): string => {
      const digits = String(units).padStart(decimals + 1, "0");
      return decimals === 0 ? digits : `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
    };
    fc.assert(
      fc.property(fc.array(trade, { maxLength: 60 }), fc.constantFrom(...TIMEFRAMES), (drawn, timeframe) => {
        let timeMs = minuteMs(0);
        let fillId = 7;
        const trades = drawn.map(({ price, qty, stepMs, fills }, id) => {
          timeMs += stepMs;
          fillId += fills;
          return tradeOf(id, timeMs, {
            price: text(price),
            qty: text(qty),
            firstFillId: fillId - fills + 1,
            lastFillId: fillId,
          });
        });
        const opens = [...new Set(trades.map((each) => floorToTimeframe(each.timeMs, timeframe)))];
        const wanted = opens.map((openMs) => {
          const inside = trades.filter(
            (each) => each.timeMs >= openMs && each.timeMs < openMs + timeframeMs(timeframe),
          );
          const fills = inside.reduce((sum, each) => sum + each.lastFillId - each.firstFillId + 1, 0);
          return { ...naiveCandle(openMs, timeframe, inside.map(asTruth)), tradeCount: fills };
        });
        expect(buildCandles(trades, timeframe)).toEqual(wanted);
      }),
      { numRuns: 200 },
    );
  });

  it("gives a market's candles from its trades, digit for digit", () => {
    const nowMs = Date.UTC(2026, 0, 1);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.integer({ min: Date.UTC(2021, 0, 1) / 60_000, max: Date.UTC(2025, 0, 1) / 60_000 }),
        fc.constantFrom("BTC/USDT", "SHIB/USDT", "QKC/BTC"),
        fc.constantFrom("1m" as const, "5m" as const, "15m" as const),
        (seed, minute, symbol, timeframe) => {
          const { truth } = fixedExchange({ nowMs, seed });
          const fromMs = floorToTimeframe(minute * 60_000, timeframe);
          const toMs = fromMs + 2 * timeframeMs(timeframe);
          const trades = truth.trades(symbol, fromMs, toMs).map((each) => ({
            ...each,
            kind: "trade" as const,
            microsecond: 0,
            firstFillId: each.id,
            lastFillId: each.id,
          }));
          const traded = truth
            .candles(symbol, timeframe, fromMs, toMs)
            .filter((candle) => candle.tradeCount !== 0);
          expect(buildCandles(trades, timeframe)).toEqual(traded);
        },
      ),
      { numRuns: 40 },
    );
  });
});

function asTruth(trade: Trade) {
  return { ...trade, aggregateId: trade.id };
}
