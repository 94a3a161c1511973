// Faults that change what is true of a market, on its trades and on the candles made of them.
import { describe, expect, it } from "vitest";
import { aggTrades } from "../../../simulator/binance/trades.js";
import { exchangeInfo } from "../../../simulator/binance/exchange-info.js";
import { candles } from "../../../simulator/okx/candles.js";
import { fixedExchange } from "./fixed-market.js";
import { fixedOkx } from "./fixed-okx.js";
import { naiveCandle } from "./naive-candles.js";

const NOW_MS = Date.UTC(2024, 6, 1, 12, 0, 30);
const FROM_MS = Date.UTC(2024, 5, 1);
const MINUTE_MS = 60_000;
const minute = (n: number): number => FROM_MS + n * MINUTE_MS;
const plain = fixedExchange({ nowMs: NOW_MS });
const minutes = ({ truth }: typeof plain, fromMinute: number, toMinute: number) =>
  truth.candles("BTC/USDT", "1m", minute(fromMinute), minute(toMinute));
const trades = ({ truth }: typeof plain, fromMinute: number, toMinute: number) =>
  truth.trades("BTC/USDT", minute(fromMinute), minute(toMinute));

describe("price_jump and volume_spike", () => {
  const odd = fixedExchange({
    nowMs: NOW_MS,
    faults: [
      { kind: "price_jump", from: minute(5), to: minute(7), factor: 3, symbols: ["BTC/USDT"] },
      { kind: "volume_spike", from: minute(10), factor: 20 },
    ],
  });

  it("happen in the trades, and candles are made of them", () => {
    const all = trades(odd, -60, 20);
    for (const candle of minutes(odd, 0, 20))
      expect(candle).toEqual(naiveCandle(candle.openTimeMs, "1m", all));
    const closes = (from: typeof plain): number[] => minutes(from, 4, 8).map(({ close }) => Number(close));
    const factors = closes(odd).map((close, i) => Math.round((1_000 * close) / (closes(plain)[i] ?? NaN)));
    expect(factors).toEqual([1_000, 3_000, 3_000, 1_000]);
    const [before, spiked] = [plain, odd].map((each) => Number(minutes(each, 10, 11)[0]?.volume));
    expect((spiked ?? NaN) / (before ?? NaN)).toBeCloseTo(20, 6);
  });

  it("change no id and nothing elsewhere", () => {
    const shapes = (from: typeof plain) =>
      trades(from, 0, 20).map(({ id, timeMs, side }) => [id, timeMs, side]);
    expect(shapes(odd)).toEqual(shapes(plain));
    expect(minutes(odd, 11, 20)).toEqual(minutes(plain, 11, 20));
    const eth = ({ truth }: typeof plain) => truth.candles("ETH/USDT", "1m", minute(0), minute(10));
    expect(eth(odd)).toEqual(eth(plain));
  });
});

describe("late_trade", () => {
  it.each(["after", "before"] as const)("is counted by the candle of the minute %s its time", (counted) => {
    const odd = fixedExchange({
      nowMs: NOW_MS,
      faults: [{ kind: "late_trade", from: minute(5), to: minute(6), counted }],
    });
    expect(minutes(odd, 0, 20)).toEqual(minutes(plain, 0, 20));
    const moved = trades(odd, 0, 20).filter((trade, i) => trade.timeMs !== trades(plain, 0, 20)[i]?.timeMs);
    expect(new Set(moved.map((trade) => trade.timeMs))).toEqual(
      new Set([counted === "after" ? minute(5) - 1 : minute(6)]),
    );
    expect(new Set(moved.map((trade) => trade.aggregateId)).size).toBe(1);
    // Ids are the same, in the order of time, whichever end they are looked for from.
    const ids = trades(odd, 0, 20).map((trade) => trade.id);
    expect(ids).toEqual(trades(plain, 0, 20).map((trade) => trade.id));
    const inTwo = [...trades(odd, 0, 5), ...trades(odd, 5, 6), ...trades(odd, 6, 20)];
    expect(inTwo.map((trade) => trade.id)).toEqual(ids);
    const naive = naiveCandle(minute(5), "1m", trades(odd, 0, 6));
    expect(naive?.tradeCount).toBe((minutes(plain, 5, 6)[0]?.tradeCount ?? NaN) - moved.length);
  });
});

describe("trade_missing", () => {
  const odd = fixedExchange({
    nowMs: NOW_MS,
    faults: [{ kind: "trade_missing", from: minute(2), to: minute(10), probability: 0.3 }],
  });
  const rows = (from: typeof plain): { a: number; T: number }[] =>
    from.ask(aggTrades, { symbol: "BTCUSDT", startTime: minute(0), endTime: minute(12), limit: 1_000 }) as {
      a: number;
      T: number;
    }[];

  it("leaves the same trades out of every answer, and candles and truth have them", () => {
    const served = new Set(rows(odd).map((row) => row.a));
    const missing = rows(plain).filter((row) => !served.has(row.a));
    expect(missing.length).toBeGreaterThan(3);
    expect(missing.length).toBeLessThan(60);
    expect(missing.every((row) => row.T >= minute(2) && row.T < minute(10))).toBe(true);
    expect(rows(odd)).toEqual(rows(plain).filter((row) => served.has(row.a)));
    expect(trades(odd, 0, 12)).toEqual(trades(plain, 0, 12));
    expect(minutes(odd, 0, 12)).toEqual(minutes(plain, 0, 12));
  });
});

describe("delisted", () => {
  const faults = [{ kind: "delisted" as const, symbol: "BTC/USDT", at: minute(30) }];

  it("ends the truth, and the market is in BREAK on Binance", () => {
    const odd = fixedExchange({ nowMs: NOW_MS, faults });
    expect(minutes(odd, 28, 100).map((candle) => candle.openTimeMs)).toEqual([minute(28), minute(29)]);
    const info = odd.ask(exchangeInfo, { symbol: "BTCUSDT" }) as { symbols: { status: string }[] };
    expect(info.symbols.map((each) => each.status)).toEqual(["BREAK"]);
  });

  it("is gone from OKX from then on", () => {
    const before = fixedOkx({ nowMs: minute(30) - 1, faults });
    expect(before.ask(candles, { instId: "BTC-USDT", limit: 1 })).toHaveLength(1);
    const after = fixedOkx({ nowMs: minute(30), faults });
    expect(() => after.ask(candles, { instId: "BTC-USDT" })).toThrow(
      expect.objectContaining({ code: "51001" }),
    );
    // The fault names a symbol, and the perpetual is another one.
    expect(after.ask(candles, { instId: "BTC-USDT-SWAP", limit: 1 })).toHaveLength(1);
  });

  it("is for one exchange where it says so", () => {
    const odd = fixedExchange({ nowMs: NOW_MS, faults: [{ ...faults[0], exchange: "okx" } as never] });
    expect(minutes(odd, 28, 33)).toHaveLength(5);
  });
});
