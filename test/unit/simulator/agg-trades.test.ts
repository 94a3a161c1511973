import { describe, expect, it } from "vitest";
import { aggTrades, historicalTrades, trades } from "../../../simulator/binance/trades.js";
import { depth } from "../../../simulator/binance/depth.js";
import { fixedExchange } from "./fixed-market.js";

const NOW_MS = Date.UTC(2024, 6, 1, 12, 0, 30);
const START_MS = Date.UTC(2024, 5, 1);
const MINUTE_MS = 60_000;
const exchange = fixedExchange({ nowMs: NOW_MS });

interface Aggregate {
  a: number;
  p: string;
  q: string;
  f: number;
  l: number;
  T: number;
  m: boolean;
}
interface Trade {
  id: number;
  price: string;
  qty: string;
  quoteQty: string;
  time: number;
  isBuyerMaker: boolean;
}

const aggregates = (query: Record<string, string | number>): Aggregate[] =>
  exchange.ask(aggTrades, { symbol: "BTCUSDT", ...query }) as Aggregate[];

describe("aggTrades", () => {
  it("pages by id without a hole, each page where the last one ended", () => {
    const [first] = aggregates({ startTime: START_MS, limit: 1 });
    let nextId = first?.a ?? NaN;
    let nextTradeId = first?.f ?? NaN;
    for (let page = 0; page < 3; page++) {
      const rows = aggregates({ fromId: nextId, limit: 1_000 });
      expect(rows).toHaveLength(1_000);
      for (const row of rows) {
        expect([row.a, row.f]).toEqual([nextId, nextTradeId]);
        expect(row.l).toBeGreaterThanOrEqual(row.f);
        nextId = row.a + 1;
        nextTradeId = row.l + 1;
      }
    }
  });

  it("takes both times as inclusive, and agrees with the truth", () => {
    const truth = exchange.truth.trades("BTC/USDT", START_MS, START_MS + 10 * MINUTE_MS);
    const [first, last] = [truth[0]?.timeMs ?? NaN, truth.at(-1)?.timeMs ?? NaN];
    const rows = aggregates({ startTime: first, endTime: last, limit: 1_000 });
    expect(rows.map((row) => row.a)).toEqual([...new Set(truth.map((trade) => trade.aggregateId))]);
    expect([rows[0]?.T, rows.at(-1)?.T]).toEqual([first, last]);
    expect(rows.map((row) => (row.m ? "sell" : "buy"))).toEqual(
      rows.map((row) => truth.find((trade) => trade.aggregateId === row.a)?.side),
    );
    expect(aggregates({ startTime: first + 1, endTime: last - 1, limit: 1_000 })).toHaveLength(
      rows.length - 2,
    );
  });

  it("gives the latest without bounds, and none of the future", () => {
    const rows = aggregates({});
    expect(rows).toHaveLength(500);
    expect(rows.at(-1)?.T).toBeLessThanOrEqual(NOW_MS);
    expect(aggregates({ fromId: (rows.at(-1)?.a ?? NaN) + 1 })).toEqual([]);
    expect(aggregates({ fromId: 10 ** 15 })).toEqual([]);
  });

  it("refuses an id together with a time", () => {
    expect(() => aggregates({ fromId: 5, startTime: 1 })).toThrow(expect.objectContaining({ code: -1128 }));
  });
});

describe("trades and historicalTrades", () => {
  it("split every aggregate into its trades", () => {
    const [aggregate] = aggregates({ fromId: 1_000, limit: 1 });
    const wanted = (aggregate?.l ?? NaN) - (aggregate?.f ?? NaN) + 1;
    const rows = exchange.ask(historicalTrades, {
      symbol: "BTCUSDT",
      fromId: aggregate?.f ?? NaN,
      limit: wanted,
    }) as Trade[];
    expect(rows.map((row) => row.id)).toEqual(
      Array.from({ length: wanted }, (_, i) => (aggregate?.f ?? NaN) + i),
    );
    expect(new Set(rows.map((row) => row.price))).toEqual(new Set([aggregate?.p]));
    const lots = rows.reduce((sum, row) => sum + BigInt(row.qty.replace(".", "")), 0n);
    expect(lots).toBe(BigInt(aggregate?.q.replace(".", "") ?? "-1"));
  });

  it("end with the latest trade", () => {
    const rows = exchange.ask(trades, { symbol: "BTCUSDT", limit: 7 }) as Trade[];
    const lastId = aggregates({ limit: 1 })[0]?.l ?? NaN;
    expect(rows.map((row) => row.id)).toEqual(Array.from({ length: 7 }, (_, i) => lastId - 6 + i));
  });
});

describe("depth", () => {
  it.each(["BTCUSDT", "SHIBUSDT", "QKCBTC"])("is a sorted book of %s around the last price", (symbol) => {
    const book = exchange.ask(depth, { symbol, limit: 50 }) as {
      lastUpdateId: number;
      bids: [string, string][];
      asks: [string, string][];
    };
    const bids = book.bids.map(([price]) => Number(price));
    const asks = book.asks.map(([price]) => Number(price));
    expect(asks).toHaveLength(50);
    expect(bids.length).toBeGreaterThan(10);
    expect(bids).toEqual(bids.toSorted((a, b) => b - a));
    expect(asks).toEqual(asks.toSorted((a, b) => a - b));
    expect(Math.min(...bids)).toBeGreaterThan(0);
    const last = Number(aggregates({ symbol, limit: 1 })[0]?.p);
    const [bid = NaN] = bids;
    const [ask = NaN] = asks;
    expect(bid).toBeLessThan(ask);
    // Trades scatter around the middle of the book; a tick of the cheapest market is 3 % of its price.
    expect(Math.abs((bid + ask) / 2 / last - 1)).toBeLessThan(0.05);
    expect(book.lastUpdateId).toBeGreaterThan(0);
  });

  it("is empty for a market that was suspended", () => {
    expect(exchange.ask(depth, { symbol: "LUNAUSDT" })).toEqual({ lastUpdateId: -1, bids: [], asks: [] });
  });
});
