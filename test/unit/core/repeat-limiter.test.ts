import { beforeEach, describe, expect, it } from "vitest";
import { RepeatLimiter, type RepeatSummary } from "../../../src/core/repeat-limiter.js";

const WARN = 40;
let nowMs: number;
let told: RepeatSummary[];
let limiter: RepeatLimiter;
beforeEach(() => {
  nowMs = 0;
  told = [];
  limiter = new RepeatLimiter({ nowMs: () => nowMs, tell: (summary) => void told.push(summary), saidMax: 2 });
});
const said = (...texts: string[]): string[] => texts.filter((text) => limiter.allows(WARN, text));

describe("RepeatLimiter", () => {
  it("says a fault twice, counts the rest of the minute, and tells how many there were", () => {
    expect(said("x failed", "x failed", "x failed", "y failed", "x failed")).toEqual([
      "x failed",
      "x failed",
      "y failed",
    ]);
    nowMs = 59_999;
    limiter.sumUp();
    expect(told).toEqual([]);
    nowMs = 60_000;
    limiter.sumUp();
    expect(told).toEqual([{ level: WARN, text: "2 more of this kind were left out; the last: x failed" }]);
    expect(said("x failed")).toEqual(["x failed"]);
  });

  it("tells the count before the fault begins anew, also when nobody has asked for it", () => {
    said("x", "x", "x");
    nowMs = 60_000;
    expect(said("x")).toEqual(["x"]);
    expect(told).toHaveLength(1);
  });

  it.each([
    ["binance:BTC/USDT: no answer after 12 s", "okx:ETH/USDT:USDT: no answer after 3 s"],
    ["okx /api BTC-USDT-SWAP: HTTP 503", "okx /api SOL-USDT-SWAP: HTTP 502"],
    ["BTCUSDT cannot be read", "DOGEFDUSD cannot be read"],
  ])("takes %s and %s for one fault", (first, second) => {
    expect(said(first, second, first, second)).toEqual([first, second]);
  });

  it("does not take different words, levels or codes for one", () => {
    const texts = ["ECONNREFUSED", "ETIMEDOUT", "refused"];
    expect(said(...texts, ...texts)).toEqual([...texts, ...texts]);
    expect(limiter.allows(50, "refused")).toBe(true);
  });

  it("tells faults apart by a kind instead, where their words are made of what a caller sent", () => {
    const kinds = ["status 401", "status 429", "status 401", "status 401"];
    const allowed = kinds.map((kind, i) => limiter.allows(WARN, `${kind}: GET /${"x".repeat(i)}`, kind));
    expect(allowed).toEqual([true, true, true, false]);
    limiter.sumUp({ isEnd: true });
    expect(told.map(({ text }) => text)).toEqual([
      "1 more of this kind were left out; the last: status 401: GET /xxx",
    ]);
  });

  it("remembers a bounded number of faults, and tells the count of one it forgets", () => {
    limiter = new RepeatLimiter({
      nowMs: () => nowMs,
      tell: (summary) => void told.push(summary),
      saidMax: 1,
      faultsMax: 2,
    });
    expect(said("a", "a", "b", "c", "a")).toEqual(["a", "b", "c", "a"]);
    expect(told.map(({ text }) => text)).toEqual(["1 more of this kind were left out; the last: a"]);
  });

  it("tells everything at the end", () => {
    said("a", "a", "a");
    limiter.sumUp({ isEnd: true });
    expect(told).toHaveLength(1);
    limiter.sumUp({ isEnd: true });
    expect(told).toHaveLength(1);
  });
});
