import { describe, expect, it } from "vitest";
import { timeframeMs, type Timeframe } from "../../../src/core/timeframe.js";
import type { TruthTrade } from "../../../simulator/ground-truth.js";
import { candles, historyCandles } from "../../../simulator/okx/candles.js";
import { fixedOkx } from "./fixed-okx.js";
import { naiveCandle } from "./naive-candles.js";

const NOW_MS = Date.UTC(2024, 6, 3, 12, 0, 30);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const okx = fixedOkx({ nowMs: NOW_MS });

type Row = string[];

const ask = (endpoint: typeof candles, query: Record<string, string | number>): Row[] =>
  okx.ask(endpoint, { instId: "BTC-USDT", ...query }) as Row[];
const opens = (rows: Row[]): number[] => rows.map((row) => Number(row[0]));
const minutesDown = (fromMs: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => fromMs - i * MINUTE_MS);

/** Contracts of so many hundredths or tenths of a coin, by moving the point of the text. */
function contracts(qty: string, decimals: number): string {
  const [whole = "", fraction = ""] = qty.split(".");
  const moved = fraction.padEnd(decimals, "0");
  const text = `${whole}${moved.slice(0, decimals)}.${moved.slice(decimals)}`;
  return text.replace(/^0+(?=\d)/, "").replace(/\.?0*$/, "");
}

describe("pages of OKX candles", () => {
  it("hold 100 rows unless told otherwise, newest first, the forming one first", () => {
    const rows = ask(candles, {});
    expect(opens(rows)).toEqual(minutesDown(NOW_MS - 30_000, 100));
    expect(rows.map((row) => row[8])).toEqual(["0", ...Array<string>(99).fill("1")]);
    expect(rows.every((row) => row.length === 9 && row.every((text) => typeof text === "string"))).toBe(true);
  });

  it("exclude both bounds, and a `before` alone gives the latest rows", () => {
    const untilMs = NOW_MS - 30_000 - HOUR_MS;
    const fromMs = untilMs - 10 * MINUTE_MS;
    expect(opens(ask(candles, { before: fromMs, after: untilMs }))).toEqual(
      minutesDown(untilMs - MINUTE_MS, 9),
    );
    expect(opens(ask(candles, { after: untilMs, limit: 2 }))).toEqual(minutesDown(untilMs - MINUTE_MS, 2));
    expect(opens(ask(candles, { before: fromMs, limit: 2 }))).toEqual(minutesDown(NOW_MS - 30_000, 2));
  });

  it("are cut at 300 rows, or at 100 where history is told to", () => {
    const old = fixedOkx({ nowMs: NOW_MS, okx: { historyRowsMax: 100 } });
    expect(ask(candles, { limit: 1_000 })).toHaveLength(300);
    expect(ask(historyCandles, { limit: 1_000 })).toHaveLength(300);
    expect(old.ask(historyCandles, { instId: "BTC-USDT", limit: 300 })).toHaveLength(100);
    expect(old.ask(candles, { instId: "BTC-USDT", limit: 300 })).toHaveLength(300);
  });

  it("are of the latest 1,440 bars, or of history, which lags by a bar", () => {
    const formingMs = NOW_MS - 30_000;
    const oldestMs = formingMs - 1_439 * MINUTE_MS;
    expect(opens(ask(candles, { after: oldestMs + 2 * MINUTE_MS }))).toEqual([
      oldestMs + MINUTE_MS,
      oldestMs,
    ]);
    expect(opens(ask(historyCandles, { after: oldestMs, limit: 3 }))).toEqual(
      minutesDown(oldestMs - MINUTE_MS, 3),
    );
    // 11:59 is closed, but only the other endpoint has it yet.
    expect(opens(ask(historyCandles, { limit: 1 }))).toEqual([formingMs - 2 * MINUTE_MS]);
    const prompt = fixedOkx({ nowMs: NOW_MS, okx: { historyLagBars: 0 } });
    expect(opens(prompt.ask(historyCandles, { instId: "BTC-USDT", limit: 1 }) as Row[])).toEqual([
      formingMs - MINUTE_MS,
    ]);
  });

  it.each([
    ["6H", 4],
    ["12H", 4],
    ["1D", 16],
    ["1W", 16],
    ["6Hutc", 0],
    ["1Dutc", 0],
    ["1Wutc", 0],
  ])("of %s open at hour %i and add up the trades from there", (bar, hour) => {
    const timeframe = bar.replace("utc", "").toLowerCase() as Timeframe;
    const lengthMs = timeframeMs(timeframe);
    const rows = ask(historyCandles, { bar, limit: 4 });
    const [row = []] = rows;
    const openMs = Number(row[0]);
    expect(opens(rows)).toEqual([0, 1, 2, 3].map((i) => openMs - i * lengthMs));
    expect((openMs / HOUR_MS) % Math.min(24, lengthMs / HOUR_MS)).toBe(
      hour % Math.min(24, lengthMs / HOUR_MS),
    );
    if (timeframe === "1w") expect(new Date(openMs).getUTCDay()).toBe(bar === "1W" ? 0 : 1);
    const trades = okx.truth.trades("BTC/USDT", openMs - HOUR_MS, openMs + lengthMs);
    const naive = naiveCandle(openMs, timeframe, trades);
    expect(row.slice(1, 7)).toEqual([
      naive?.open,
      naive?.high,
      naive?.low,
      naive?.close,
      naive?.volume,
      naive?.quoteVolume,
    ]);
  });

  it.each([
    ["BTC/USDT:USDT", "BTC-USDT-SWAP", 2],
    ["ETH/USDT:USDT", "ETH-USDT-SWAP", 1],
  ])("of %s count contracts, base and quote as its trades add up", (symbol, instId, contractDecimals) => {
    const rows = ask(historyCandles, { instId, limit: 30 });
    const trades: TruthTrade[] = okx.truth.trades(symbol, NOW_MS - 2 * HOUR_MS, NOW_MS);
    expect(rows).toHaveLength(30);
    for (const [open, ...row] of rows) {
      const naive = naiveCandle(Number(open), "1m", trades);
      expect(row).toEqual([
        naive?.open,
        naive?.high,
        naive?.low,
        naive?.close,
        contracts(naive?.volume ?? "", contractDecimals),
        naive?.volume,
        naive?.quoteVolume,
        "1",
      ]);
    }
  });

  it.each([
    [{ bar: "1h" }, "51000"],
    [{ bar: "2D" }, "51000"],
    [{ limit: 0 }, "51000"],
    [{ after: "soon" }, "51000"],
    [{ instId: "" }, "50014"],
    [{ instId: "BTCUSDT" }, "51001"],
    // Delisted in January.
    [{ instId: "XMR-USDT" }, "51001"],
  ])("are refused with %j by code %s", (query, code) => {
    expect(() => ask(candles, query)).toThrow(expect.objectContaining({ code }));
  });

  it("of an instrument that is not listed yet are refused", () => {
    const early = fixedOkx({ nowMs: Date.UTC(2024, 0, 1) });
    const query = { instId: "WIF-USDT" };
    expect(() => early.ask(candles, query)).toThrow(expect.objectContaining({ code: "51001" }));
    expect(okx.ask(candles, query)).toHaveLength(100);
  });
});
