import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { timeframeMs, TIMEFRAMES, floorToTimeframe, type Timeframe } from "../../../src/core/timeframe.js";
import { fixedExchange } from "./fixed-market.js";
import { naiveCandle } from "./naive-candles.js";

const NOW_MS = Date.UTC(2026, 0, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const minutesOfHistory = fc.integer({
  min: Date.UTC(2020, 0, 2) / MINUTE_MS,
  max: Date.UTC(2025, 11, 25) / MINUTE_MS,
});

describe("candles of the simulated market", () => {
  it("are exactly what their trades add up to, in any minute of any seed", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        minutesOfHistory,
        fc.constantFrom("BTC/USDT", "SHIB/USDT", "QKC/BTC", "XRP/USDT"),
        (seed, minute, symbol) => {
          const { truth } = fixedExchange({ nowMs: NOW_MS, seed });
          const fromMs = minute * MINUTE_MS;
          const trades = truth.trades(symbol, fromMs - HOUR_MS, fromMs + 15 * MINUTE_MS);
          const candles = truth.candles(symbol, "1m", fromMs, fromMs + 15 * MINUTE_MS);
          expect(candles).toHaveLength(15);
          for (const candle of candles) {
            expect(candle).toEqual(naiveCandle(candle.openTimeMs, "1m", trades));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(TIMEFRAMES)("of %s are exactly what their trades add up to", (timeframe) => {
    const { truth } = fixedExchange({ nowMs: NOW_MS });
    const lengthMs = timeframeMs(timeframe);
    const openMs = floorToTimeframe(Date.UTC(2024, 1, 29, 13, 37), timeframe);
    const trades = truth.trades("BTC/USDT", openMs - HOUR_MS, openMs + lengthMs);
    const [candle, ...more] = truth.candles("BTC/USDT", timeframe, openMs, openMs + lengthMs);
    expect(more).toEqual([]);
    expect(candle).toEqual(naiveCandle(openMs, timeframe, trades));
  });

  it.each<Timeframe>(["1h", "1d"])("of %s hold what an outage left of them", (timeframe) => {
    const from = Date.UTC(2024, 4, 5, 10, 20);
    const to = Date.UTC(2024, 4, 5, 12, 40);
    const { truth } = fixedExchange({ nowMs: NOW_MS, faults: [{ kind: "outage", from, to }] });
    const dayMs = Date.UTC(2024, 4, 5);
    const trades = truth.trades("ETH/USDT", dayMs - HOUR_MS, dayMs + 24 * HOUR_MS);
    expect(trades.filter((trade) => trade.timeMs >= from && trade.timeMs < to)).toEqual([]);
    const candles = truth.candles("ETH/USDT", timeframe, dayMs, dayMs + 24 * HOUR_MS);
    // 11:00 lies wholly within the outage and is absent; 10:00 and 12:00 are what was traded of them.
    expect(candles).toHaveLength(timeframe === "1h" ? 23 : 1);
    for (const candle of candles) expect(candle).toEqual(naiveCandle(candle.openTimeMs, timeframe, trades));
  });

  it("are flat at the previous close in minutes without trades, and there are such minutes", () => {
    const { truth } = fixedExchange({ nowMs: NOW_MS });
    const fromMs = Date.UTC(2023, 6, 1);
    const candles = truth.candles("QKC/BTC", "1m", fromMs, fromMs + 24 * HOUR_MS);
    expect(candles).toHaveLength(1_440);
    const empty = candles.filter((candle) => candle.tradeCount === 0);
    expect(empty.length).toBeGreaterThan(200);
    for (const [i, candle] of candles.entries()) {
      if (candle.tradeCount !== 0 || i === 0) continue;
      const close = candles[i - 1]?.close;
      expect(candle).toMatchObject({
        open: close,
        high: close,
        low: close,
        close,
        volume: "0",
        quoteVolume: "0",
      });
    }
  });

  it("are absent in an outage, before the listing, after a suspension, and while they form", () => {
    const from = Date.UTC(2024, 5, 1, 12);
    const nowMs = from + 6 * HOUR_MS + 30_000;
    const { truth } = fixedExchange({
      nowMs,
      faults: [{ kind: "outage", from, to: from + HOUR_MS, symbols: ["BTCUSDT"] }],
    });
    const opens = (symbol: string, fromMs: number, toMs: number): number[] =>
      truth.candles(symbol, "1m", fromMs, toMs).map((candle) => candle.openTimeMs);
    expect(opens("BTC/USDT", from - MINUTE_MS, from + HOUR_MS + MINUTE_MS)).toEqual([
      from - MINUTE_MS,
      from + HOUR_MS,
    ]);
    expect(opens("ETH/USDT", from, from + HOUR_MS)).toHaveLength(60);
    expect(truth.outages("BTC/USDT")).toEqual([{ startMs: from, endMs: from + HOUR_MS }]);
    expect(truth.outages("ETH/USDT")).toEqual([]);

    const listedMs = truth.listedMs("WIF/USDT");
    expect(opens("WIF/USDT", 0, listedMs + 2 * MINUTE_MS)).toEqual([listedMs, listedMs + MINUTE_MS]);
    const suspendedMs = Date.UTC(2022, 4, 13, 0, 40);
    expect(opens("LUNA/USDT", suspendedMs - MINUTE_MS, nowMs)).toEqual([suspendedMs - MINUTE_MS]);
    expect(opens("ETH/USDT", nowMs - 90_000, nowMs + HOUR_MS)).toEqual([nowMs - 90_000]);
  });

  it("do not depend on what was asked for before", () => {
    const fromMs = Date.UTC(2025, 2, 9, 3);
    const fresh = fixedExchange({ nowMs: NOW_MS });
    const used = fixedExchange({ nowMs: NOW_MS });
    for (let day = 0; day < 30; day++) {
      used.truth.candles("BTC/USDT", "1h", fromMs - day * 24 * HOUR_MS, fromMs);
    }
    const ask = ({ truth }: typeof fresh) => truth.candles("BTC/USDT", "1m", fromMs, fromMs + HOUR_MS);
    expect(ask(used)).toEqual(ask(fresh));
  });

  it("are another market with another seed", () => {
    const ask = (seed: number) =>
      fixedExchange({ nowMs: NOW_MS, seed }).truth.candles("BTC/USDT", "1h", NOW_MS - HOUR_MS, NOW_MS);
    expect(ask(1)).toEqual(ask(1));
    expect(ask(1)).not.toEqual(ask(2));
  });
});
