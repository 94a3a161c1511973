import { describe, expect, it } from "vitest";
import { historyTrades, trades } from "../../../simulator/okx/trades.js";
import { fixedOkx } from "./fixed-okx.js";

const NOW_MS = Date.UTC(2024, 6, 3, 12, 0, 30);
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const okx = fixedOkx({ nowMs: NOW_MS });

interface Row {
  instId: string;
  tradeId: string;
  px: string;
  sz: string;
  side: string;
  ts: string;
}

const ask = (endpoint: typeof trades, query: Record<string, string | number> = {}): Row[] =>
  okx.ask(endpoint, { instId: "ETH-USDT", ...query }) as Row[];
const ids = (rows: Row[]): number[] => rows.map((row) => Number(row.tradeId));
const down = (fromId: number, count: number): number[] => Array.from({ length: count }, (_, i) => fromId - i);

describe("OKX trades", () => {
  it("are the latest, newest first, and the truth itself", () => {
    const rows = ask(trades, { limit: 500 });
    const truth = okx.truth.trades("ETH/USDT", NOW_MS - 120 * MINUTE_MS, NOW_MS + 1).slice(-500);
    expect(rows.map(({ instId, ...row }) => [instId, row.tradeId, row.ts, row.px, row.sz, row.side])).toEqual(
      truth
        .reverse()
        .map((each) => ["ETH-USDT", String(each.id), String(each.timeMs), each.price, each.qty, each.side]),
    );
    expect(ask(trades, { limit: 1_000 })).toHaveLength(500);
  });

  it("of a swap are counted in contracts", () => {
    const [row] = okx.ask(trades, { instId: "BTC-USDT-SWAP", limit: 1 }) as Row[];
    const [truth] = okx.truth.trades("BTC/USDT:USDT", NOW_MS - 10 * MINUTE_MS, NOW_MS + 1).slice(-1);
    expect(row?.tradeId).toBe(String(truth?.id));
    expect(Math.round(Number(truth?.qty) * 10_000)).toBe(Math.round(Number(row?.sz) * 100));
  });

  it("of the past page by id, both bounds exclusive, at most 100 at a time", () => {
    const [latest = NaN] = ids(ask(trades, { limit: 1 }));
    expect(ids(ask(historyTrades, { limit: 500 }))).toEqual(down(latest, 100));
    expect(ids(ask(historyTrades, { after: latest - 99 }))).toEqual(down(latest - 100, 100));
    expect(ids(ask(historyTrades, { after: latest - 10, before: latest - 15 }))).toEqual(
      down(latest - 11, 4),
    );
    expect(ids(ask(historyTrades, { before: latest - 5 }))).toEqual(down(latest, 5));
    expect(ids(ask(historyTrades, { after: latest + 1_000_000, limit: 2 }))).toEqual(down(latest, 2));
  });

  it("of the past page by time too, where the bound's own millisecond comes again", () => {
    const first = ask(historyTrades, { type: 2 });
    const oldest = first.at(-1);
    const second = ask(historyTrades, { type: 2, after: Number(oldest?.ts) });
    expect(second[0]?.ts).toBe(oldest?.ts);
    expect(ids(second)).toContain(Number(oldest?.tradeId));
    const both = [...new Set([...ids(first), ...ids(second)])];
    expect(both).toEqual(down(both[0] ?? NaN, both.length));
    expect(() => ask(historyTrades, { type: 2, before: 1 })).toThrow(
      expect.objectContaining({ code: "50039" }),
    );
  });

  it("end three months ago", () => {
    const edgeMs = NOW_MS - 90 * DAY_MS;
    expect(ask(historyTrades, { type: 2, after: edgeMs - 1 })).toEqual([]);
    const rows = ask(historyTrades, { type: 2, after: edgeMs + 10 * MINUTE_MS });
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.every((row) => Number(row.ts) >= edgeMs)).toBe(true);
  });
});
