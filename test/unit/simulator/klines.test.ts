import { describe, expect, it } from "vitest";
import { klines } from "../../../simulator/binance/klines.js";
import { fixedExchange } from "./fixed-market.js";

const MINUTE_MS = 60_000;
/** Half a minute into a minute. */
const NOW_MS = Date.UTC(2024, 6, 1, 12, 0, 30);
const THIS_MINUTE_MS = NOW_MS - 30_000;
const START_MS = Date.UTC(2024, 5, 1);
const exchange = fixedExchange({ nowMs: NOW_MS });

function rows(query: Record<string, string | number>): (string | number)[][] {
  return exchange.ask(klines, { symbol: "BTCUSDT", interval: "1m", ...query }) as (string | number)[][];
}

function opens(query: Record<string, string | number>): number[] {
  return rows(query).map((row) => Number(row[0]));
}

const minutesFrom = (startMs: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => startMs + i * MINUTE_MS);

describe("klines", () => {
  it("takes both bounds as inclusive on the open time", () => {
    expect(opens({ startTime: START_MS, endTime: START_MS + 2 * MINUTE_MS })).toEqual(
      minutesFrom(START_MS, 3),
    );
    expect(opens({ startTime: START_MS, endTime: START_MS })).toEqual([START_MS]);
    expect(opens({ startTime: START_MS + 1, endTime: START_MS + 2 * MINUTE_MS - 1 })).toEqual([
      START_MS + MINUTE_MS,
    ]);
    expect(opens({ startTime: START_MS + 1, endTime: START_MS + 2 })).toEqual([]);
  });

  it("cuts a page at its limit from the start upwards when both bounds are given", () => {
    expect(opens({ startTime: START_MS, endTime: START_MS + 100 * MINUTE_MS, limit: 4 })).toEqual(
      minutesFrom(START_MS, 4),
    );
  });

  it("gives the oldest rows from a start alone, and jumps over the time before the listing", () => {
    expect(opens({ startTime: START_MS, limit: 2 })).toEqual(minutesFrom(START_MS, 2));
    expect(opens({ startTime: 0, limit: 1 })).toEqual([Date.UTC(2020, 0, 1)]);
    const listedMs = Date.UTC(2024, 2, 5, 10, 7);
    expect(exchange.truth.listedMs("WIF/USDT")).toBe(Date.UTC(2024, 2, 5, 10, 7));
    expect(opens({ symbol: "WIFUSDT", startTime: 0, limit: 1 })).toEqual([listedMs]);
    expect(opens({ symbol: "WIFUSDT", interval: "1h", startTime: 0, limit: 1 })).toEqual([
      Date.UTC(2024, 2, 5, 10),
    ]);
  });

  it("gives the newest rows up to an end alone", () => {
    expect(opens({ endTime: START_MS + 30_000, limit: 3 })).toEqual(minutesFrom(START_MS - 2 * MINUTE_MS, 3));
    expect(opens({ endTime: 1 })).toEqual([]);
  });

  it("gives the latest rows without bounds, 500 of them, the forming one last", () => {
    expect(opens({})).toEqual(minutesFrom(THIS_MINUTE_MS - 499 * MINUTE_MS, 500));
  });

  it("gives at most 1000 rows", () => {
    expect(opens({ startTime: START_MS, limit: 5_000 })).toHaveLength(1_000);
  });

  it("holds in the forming candle only the trades up to now", () => {
    const [row] = rows({ limit: 1 });
    const trades = exchange.truth.trades("BTC/USDT", THIS_MINUTE_MS, THIS_MINUTE_MS + MINUTE_MS);
    expect(trades.every((trade) => trade.timeMs <= NOW_MS)).toBe(true);
    expect(row?.[8]).toBe(trades.length);
    expect(Number(row?.[4])).toBe(Number(trades.at(-1)?.price));
  });

  it("gives nothing that has not opened yet", () => {
    expect(opens({ startTime: THIS_MINUTE_MS, endTime: THIS_MINUTE_MS + 99 * MINUTE_MS })).toEqual([
      THIS_MINUTE_MS,
    ]);
    expect(opens({ startTime: THIS_MINUTE_MS + MINUTE_MS })).toEqual([]);
  });

  it("writes twelve fields a row, with eight digits after the point", () => {
    const [row] = rows({ startTime: START_MS, limit: 1 });
    expect(row).toHaveLength(12);
    expect(row?.[6]).toBe(START_MS + MINUTE_MS - 1);
    for (const i of [1, 2, 3, 4, 5, 7, 9, 10]) expect(row?.[i]).toMatch(/^\d+\.\d{8}$/);
    expect(row?.[8]).toBeTypeOf("number");
    expect(row?.[11]).toBe("0");
  });

  it("opens weeks on Mondays and aligns every timeframe to its grid", () => {
    expect(opens({ interval: "1w", endTime: NOW_MS, limit: 1 })).toEqual([Date.UTC(2024, 6, 1)]);
    expect(opens({ interval: "4h", startTime: START_MS + 1, limit: 1 })).toEqual([
      START_MS + 240 * MINUTE_MS,
    ]);
  });

  it("pages forward and backward over an outage without a row of it", () => {
    const from = START_MS + 10 * MINUTE_MS;
    const to = START_MS + 3_000 * MINUTE_MS;
    const broken = fixedExchange({ nowMs: NOW_MS, faults: [{ kind: "outage", from, to }] });
    const ask = (query: Record<string, string | number>): number[] =>
      (broken.ask(klines, { symbol: "BTCUSDT", interval: "1m", ...query }) as number[][]).map(
        ([open]) => open ?? NaN,
      );
    const expected = [...minutesFrom(START_MS + 8 * MINUTE_MS, 2), ...minutesFrom(to, 2)];
    expect(ask({ startTime: START_MS + 8 * MINUTE_MS, limit: 4 })).toEqual(expected);
    expect(ask({ endTime: to + MINUTE_MS, limit: 4 })).toEqual(expected);
    expect(ask({ startTime: from, endTime: to - 1 })).toEqual([]);
  });

  it("reads sixteen digits as microseconds", () => {
    expect(opens({ startTime: `${START_MS}000`, endTime: `${START_MS}999` })).toEqual([START_MS]);
  });

  it.each([
    [{ symbol: "NOPE" }, -1121],
    [{ symbol: "btcusdt" }, -1100],
    [{ symbol: "" }, -1105],
    [{ interval: "7m" }, -1120],
    [{ interval: "1M" }, -1120],
    [{ limit: "ten" }, -1100],
    [{ limit: 0 }, -1130],
    [{ startTime: -5 }, -1100],
    [{ since: 5 }, -1104],
    [{ timeZone: "+08:00" }, -1130],
  ])("refuses %j with code %i", (query, code) => {
    expect(() => rows(query)).toThrow(expect.objectContaining({ code, status: 400 }));
  });

  it("misses a mandatory parameter with code -1102", () => {
    expect(() => exchange.ask(klines, { interval: "1m" })).toThrow(expect.objectContaining({ code: -1102 }));
    expect(() => exchange.ask(klines, { symbol: "BTCUSDT" })).toThrow(
      expect.objectContaining({ code: -1102 }),
    );
  });

  it("does not know a market that is yet to be listed", () => {
    const early = fixedExchange({ nowMs: Date.UTC(2023, 0, 1) });
    expect(() => early.ask(klines, { symbol: "WIFUSDT", interval: "1m" })).toThrow("Invalid symbol");
  });
});
