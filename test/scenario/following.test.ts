// What a series is expected to hold when it is followed, left alone, and followed again; and how ranges are judged that
// have nothing behind them.
import { describe, expect, it } from "vitest";
import { openWorld } from "../support/scenario-world.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = Date.UTC(2024, 2, 15, 12, 0, 30);

describe("following a series", () => {
  it("holds the time between as well when it was left alone for longer than its history goes back", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    const mode = { history: { since: "2h" } };
    await world.cycle(await world.collector({ mode }));
    await world.endProcess();
    world.clock.advance(10 * HOUR_MS);
    const report = await world.cycle(await world.collector({ mode }));
    expect(report.missingCandles).toBe(0);
    const { store } = await world.process();
    const [state] = await store.seriesStates({});
    expect(state?.expected).toHaveLength(1);
    expect(state?.expectedCandles).toBe(12 * 60);
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: NOW_MS - 30_000 - 2 * HOUR_MS,
      endMs: NOW_MS - 30_000 + 10 * HOUR_MS,
    });
    expect((await store.gapHistory())[0]).toMatchObject({ found: 1, repairedCandles: 600 });
  });

  it("does not fetch what lies between an old backfill and its own beginning", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    const old = { startMs: Date.UTC(2023, 0, 1), endMs: Date.UTC(2023, 0, 1, 1) };
    await world.backfill("BTC/USDT", "1m", old);
    await world.cycle(await world.collector({ mode: { history: { since: "1h" } } }));
    const { store } = await world.process();
    const [state] = await store.seriesStates({});
    expect(state?.expected).toHaveLength(2);
    expect(state?.coveredCandles).toBe(120);
  });

  it("believes the silence of a suspended market after a day, and keeps what is younger as a gap", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    const collector = await world.collector({
      symbols: [{ symbol: "LUNA/USDT" }],
      mode: { history: { since: "36h" } },
    });
    for (let cycle = 0; cycle < 3; cycle++) {
      await world.cycle(collector);
      world.clock.advance(HOUR_MS);
    }
    const { store } = await world.process();
    const [state] = await store.seriesStates({});
    expect(state?.expectedCandles).toBe(38 * 60);
    const [voids, gaps] = [await store.voids({}), await store.gaps({})];
    const youngestVoidMs = Math.max(...voids.map((each) => each.endMs));
    expect(youngestVoidMs).toBe(NOW_MS - 30_000 + 2 * HOUR_MS - DAY_MS);
    expect(gaps.map((gap) => [gap.startMs, gap.endMs])).toEqual([
      [youngestVoidMs, NOW_MS - 30_000 + 2 * HOUR_MS],
    ]);
  });
});

describe("a range in the past", () => {
  it("is void when it ends before the market was listed", async () => {
    const world = await openWorld({ nowMs: Date.UTC(2024, 5, 1) });
    const outcome = await world.backfill("WIF/USDT", "1m", {
      startMs: Date.UTC(2022, 0, 1),
      endMs: Date.UTC(2022, 0, 2),
    });
    expect(outcome.remaining).toEqual([]);
    const { store } = await world.process();
    expect((await store.voids({})).map((each) => each.candles)).toEqual([1_440]);
  });

  it("is judged to its end when it ends in the middle of an outage", async () => {
    const outage = { from: Date.UTC(2024, 2, 1, 10), to: Date.UTC(2024, 2, 1, 11) };
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "outage", ...outage }] });
    const outcome = await world.backfill("BTC/USDT", "1m", {
      startMs: outage.from - HOUR_MS,
      endMs: outage.to - 30 * MINUTE_MS,
    });
    expect(outcome.remaining).toEqual([]);
    const { store } = await world.process();
    expect((await store.voids({})).map((each) => each.candles)).toEqual([30]);
    await world.expectTruth("BTC/USDT", "1m", { startMs: outage.from - HOUR_MS, endMs: outage.from });
  });

  it("stays a gap while the outage lasts: the exchange may have the candles when it is back", async () => {
    const world = await openWorld({
      nowMs: NOW_MS,
      faults: [{ kind: "outage", from: Date.UTC(2024, 2, 15, 11), to: Date.UTC(2024, 2, 15, 18) }],
    });
    const collector = await world.collector({ mode: { history: { since: "2h" } } });
    for (let cycle = 0; cycle < 4; cycle++) {
      await world.cycle(collector);
      world.clock.advance(10 * MINUTE_MS);
    }
    const { store } = await world.process();
    expect(await store.voids({})).toEqual([]);
    expect((await store.gaps({})).map((gap) => gap.startMs)).toEqual([Date.UTC(2024, 2, 15, 11)]);
  });
});
