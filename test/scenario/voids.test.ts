// Nodes that deny what they have. An answer of nothing is cheap to give: it must not make a void of candles that exist, and
// where it did all the same, the void must not stay for ever.
import { describe, expect, it } from "vitest";
import { parseTime } from "../../src/core/time.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import { openWorld, type ScenarioWorld } from "../support/scenario-world.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NOW_MS = time("2024-03-15T12:00:30Z");
const MINUTE_START_MS = NOW_MS - 30_000;
const SINCE_MS = time("2024-03-12");
const MODE = { history: { since: "2024-03-12" } };

function time(text: string): number {
  const timeMs = parseTime(text);
  if (timeMs === undefined) throw new Error(`"${text}" is no time`);
  return timeMs;
}

async function voidsOf(world: ScenarioWorld): Promise<{ startMs: number; endMs: number; answers: number }[]> {
  const { store } = await world.process();
  return (await store.voids({})).map(({ startMs, endMs, proof }) => ({
    startMs,
    endMs,
    answers: (proof as { asked: unknown[] }).asked.length,
  }));
}

/** Cycles every `everyMs` until `untilMs`. */
async function runCycles(
  world: ScenarioWorld,
  collector: Awaited<ReturnType<ScenarioWorld["collector"]>>,
  { everyMs, untilMs }: { everyMs: number; untilMs: number },
): Promise<void> {
  while (world.clock.nowMs() < untilMs) {
    await world.cycle(collector);
    world.clock.advance(everyMs);
  }
}

describe("an exchange that answers with nothing where it has candles", () => {
  it.each([
    ["binance", "klines"],
    ["binanceusdm", "klines"],
    ["okx", "history-candles"],
  ] as const)(
    "%s: no page of the past that comes empty for an hour makes a void",
    async (exchange, endpoint) => {
      const symbol = exchange === "binance" ? "BTC/USDT" : "BTC/USDT:USDT";
      const lie: FaultPlanInput["faults"][number] = {
        kind: "lying_page",
        exchange,
        endpoint,
        how: "empty",
        // Whatever touches the past; the last hour is told truly, so that the market is seen to live.
        to: NOW_MS - HOUR_MS,
        clock_to: NOW_MS + HOUR_MS,
      };
      const world = await openWorld({ nowMs: NOW_MS, faults: [lie] });
      world.isCheckedAtEachCommit = false;
      const collector = await world.collector({ exchange, mode: MODE, symbols: [{ symbol }] });
      await runCycles(world, collector, { everyMs: 5 * MINUTE_MS, untilMs: NOW_MS + HOUR_MS });
      expect(world.exchange.faults.strikes()[0]?.strikes).toBeGreaterThan(10);
      expect(await voidsOf(world)).toEqual([]);
      // Tasks that were given up meanwhile get new tries after six hours.
      await runCycles(world, collector, { everyMs: 15 * MINUTE_MS, untilMs: NOW_MS + 9 * HOUR_MS });
      const { store } = await world.process();
      expect(await store.gaps({})).toEqual([]);
      await world.expectTruth(
        symbol,
        "1m",
        { startMs: SINCE_MS, endMs: MINUTE_START_MS + 8 * HOUR_MS },
        exchange,
      );
    },
  );

  it("still believes an outage of two days, whose pages come empty and truly so", async () => {
    const world = await openWorld({
      nowMs: NOW_MS,
      // The exchange was away for most of the first two days: pages in there come empty, and truly so.
      faults: [{ kind: "outage", from: SINCE_MS, to: SINCE_MS + 2 * DAY_MS }],
    });
    const collector = await world.collector({ mode: MODE });
    await runCycles(world, collector, { everyMs: 5 * MINUTE_MS, untilMs: NOW_MS + 30 * MINUTE_MS });
    const voids = await voidsOf(world);
    expect(Math.min(...voids.map(({ startMs }) => startMs))).toBe(SINCE_MS);
    expect(voids.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)).toBe(2 * DAY_MS);
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 20 * MINUTE_MS,
    });
  });
});

describe("a void that was believed", () => {
  const outage = { from: SINCE_MS + 10 * HOUR_MS, to: SINCE_MS + 10 * HOUR_MS + 47 * MINUTE_MS };

  it("is asked about again after an hour, a day and a week, and then no more", async () => {
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "outage", ...outage }] });
    world.isCheckedAtEachCommit = false;
    const collector = await world.collector({ mode: MODE });
    await runCycles(world, collector, { everyMs: 5 * MINUTE_MS, untilMs: NOW_MS + 15 * MINUTE_MS });
    const range = { startMs: outage.from, endMs: outage.to };
    expect(await voidsOf(world)).toEqual([{ ...range, answers: 2 }]);
    const answersAfter: number[] = [];
    for (const [days, hours] of [
      [0, 2],
      [1, 3],
      [8, 4],
      [30, 5],
    ] as const) {
      world.clock.advance(NOW_MS + days * DAY_MS + hours * HOUR_MS - world.clock.nowMs());
      await world.cycle(collector);
      const [only, ...others] = await voidsOf(world);
      expect(others).toEqual([]);
      expect(only).toMatchObject(range);
      answersAfter.push(only?.answers ?? 0);
    }
    expect(answersAfter).toEqual([3, 4, 5, 5]);
    const { store } = await world.process();
    expect(await store.audit({})).toEqual([]);
  });

  it.each([
    ["in the middle of a page", { from: outage.from, to: outage.to }],
    ["longer than a page", { from: SINCE_MS + 5 * HOUR_MS, to: SINCE_MS + 30 * HOUR_MS }],
  ])("becomes a gap and is filled when the exchange has the candles later: %s", async (_where, late) => {
    const world = await openWorld({
      nowMs: NOW_MS,
      // Every node denies them for six hours: nothing in the first answers could give that away.
      faults: [{ kind: "late", ...late, until: NOW_MS + 6 * HOUR_MS }],
    });
    world.isCheckedAtEachCommit = false;
    const collector = await world.collector({ mode: MODE });
    await runCycles(world, collector, { everyMs: 5 * MINUTE_MS, untilMs: NOW_MS + 2 * HOUR_MS });
    const voids = await voidsOf(world);
    expect(voids.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)).toBe(late.to - late.from);
    expect(Math.max(...voids.map(({ answers }) => answers))).toBe(3);
    world.clock.advance(NOW_MS + DAY_MS + 4 * HOUR_MS - world.clock.nowMs());
    await runCycles(world, collector, { everyMs: 5 * MINUTE_MS, untilMs: NOW_MS + DAY_MS + 5 * HOUR_MS });
    expect(await voidsOf(world)).toEqual([]);
    const log = await world.database.sql<{ detail: string }>(
      "SELECT detail FROM gap_log WHERE detail LIKE '%has candles after all%'",
    );
    expect(log.length).toBeGreaterThan(0);
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + DAY_MS + 4 * HOUR_MS,
    });
  });
});
