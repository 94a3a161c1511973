import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultMarkets } from "../../../simulator/default-markets.js";
import { TradeTape } from "../../../simulator/trade-tape.js";
import { fixedExchange } from "./fixed-market.js";

const MINUTE_MS = 60_000;
const FIRST_MINUTE = Date.UTC(2020, 0, 1) / MINUTE_MS;
const LAST_MINUTE = Date.UTC(2030, 0, 1) / MINUTE_MS;
const minutes = fc.integer({ min: FIRST_MINUTE, max: LAST_MINUTE });
const specs = fc.constantFrom(
  ...defaultMarkets().filter((spec) => spec.listedMs === FIRST_MINUTE * MINUTE_MS),
);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
// Two outages, the second one a single minute.
const OUTAGES = [
  { fromMinute: FIRST_MINUTE + 5_000, toMinute: FIRST_MINUTE + 700_000 },
  { fromMinute: FIRST_MINUTE + 1_000_000, toMinute: FIRST_MINUTE + 1_000_001 },
];

describe("ids of the simulated market", () => {
  it("run on without a hole or a repetition from any minute to the next, across outages", () => {
    fc.assert(
      fc.property(seeds, specs, minutes, (seed, spec, minute) => {
        const tape = new TradeTape(seed, spec, OUTAGES);
        let nextId = tape.aggregatesBefore(minute);
        let nextTradeId = tape.firstTradeId(nextId);
        for (let at = minute; at < minute + 20; at++) {
          for (const aggregate of tape.aggregatesOf(at)) {
            const fills = tape.fillsOf(aggregate);
            expect(aggregate.id).toBe(nextId);
            expect(tape.firstTradeId(aggregate.id)).toBe(nextTradeId);
            expect(fills.reduce((sum, lots) => sum + lots, 0)).toBe(aggregate.lots);
            expect(Math.min(...fills)).toBeGreaterThan(0);
            nextId++;
            nextTradeId += fills.length;
          }
        }
        expect(tape.aggregatesBefore(minute + 20)).toBe(nextId);
      }),
      { numRuns: 200 },
    );
  });

  it("run on across the two ends of an outage", () => {
    for (const spec of defaultMarkets()) {
      const fromMinute = spec.listedMs / MINUTE_MS + 5_000;
      const tape = new TradeTape(7, spec, [{ fromMinute, toMinute: fromMinute + 90 }]);
      const ids: number[] = [];
      for (let minute = fromMinute - 30; minute < fromMinute + 120; minute++) {
        ids.push(...tape.aggregatesOf(minute).map((aggregate) => aggregate.id));
      }
      expect(tape.aggregatesBefore(fromMinute)).toBe(tape.aggregatesBefore(fromMinute + 90));
      expect(ids.length).toBeGreaterThan(20);
      expect(ids).toEqual(ids.map((_, i) => (ids[0] ?? 0) + i));
    }
  });

  it("lead back to the minute and the aggregate that hold them", () => {
    fc.assert(
      fc.property(seeds, specs, minutes, (seed, spec, minute) => {
        const tape = new TradeTape(seed, spec, OUTAGES);
        for (const aggregate of tape.aggregatesOf(minute)) {
          expect(tape.minuteOfAggregate(aggregate.id)).toBe(minute);
          const firstTradeId = tape.firstTradeId(aggregate.id);
          const lastTradeId = tape.firstTradeId(aggregate.id + 1) - 1;
          expect(tape.aggregateOfTrade(firstTradeId)).toBe(aggregate.id);
          expect(tape.aggregateOfTrade(lastTradeId)).toBe(aggregate.id);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("begin at 0 with the first trade after the listing", () => {
    const { truth } = fixedExchange({ nowMs: Date.UTC(2024, 6, 1) });
    for (const symbol of ["BTC/USDT", "WIF/USDT", "QKC/BTC"]) {
      const listedMs = truth.listedMs(symbol);
      const [first] = truth.trades(symbol, 0, listedMs + MINUTE_MS);
      expect(first).toMatchObject({ id: 0, aggregateId: 0 });
      expect(first?.timeMs).toBeGreaterThanOrEqual(listedMs);
    }
  });

  it("are given in the order of time", () => {
    const { truth } = fixedExchange({ nowMs: Date.UTC(2024, 6, 1) });
    const fromMs = Date.UTC(2024, 5, 1);
    const trades = truth.trades("SOL/USDT", fromMs, fromMs + 60 * MINUTE_MS);
    expect(trades.length).toBeGreaterThan(200);
    expect(trades.map((trade) => trade.id)).toEqual(trades.map((_, i) => (trades[0]?.id ?? 0) + i));
    const times = trades.map((trade) => trade.timeMs);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(fromMs);
    expect(Math.max(...times)).toBeLessThan(fromMs + 60 * MINUTE_MS);
  });
});
