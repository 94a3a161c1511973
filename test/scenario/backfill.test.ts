// Backfills through every fault the simulator knows: what is stored in the end is the exchange's own truth.
import { mergeRanges } from "../../src/core/range.js";
import { describe, expect, it } from "vitest";
import { classifyError } from "../../src/core/fault.js";
import { parseTime } from "../../src/core/time.js";
import { floorToTimeframe, TIMEFRAMES, timeframeMs } from "../../src/core/timeframe.js";
import { PASSING_FAULT_KINDS, type FaultPlanInput } from "../../simulator/fault-plan.js";
import { openWorld, type ScenarioWorld } from "../support/scenario-world.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A Friday, half a minute into a candle. */
const NOW_MS = time("2024-03-15T12:00:30Z");
const FIVE_DAYS = { startMs: time("2024-03-10T00:00:00Z"), endMs: time("2024-03-15T12:00:00Z") };

function time(text: string): number {
  const timeMs = parseTime(text);
  if (timeMs === undefined) throw new Error(`"${text}" is no time`);
  return timeMs;
}

const at = (hours: number): number => FIVE_DAYS.startMs + hours * HOUR_MS;
const span = (hours: number, minutes: number): { from: number; to: number } => ({
  from: at(hours),
  to: at(hours) + minutes * MINUTE_MS,
});

const LIES = [
  "high_below_low",
  "negative_volume",
  "duplicate",
  "out_of_order",
  "off_grid",
  "nan",
  "number",
  "short_row",
] as const;

const EVERY_FAULT: FaultPlanInput["faults"] = [
  { kind: "clock_skew", skew_ms: -90_000 },
  { kind: "http_429", endpoint: "klines", nth: 2, retry_after: 3 },
  { kind: "http_5xx", endpoint: "klines", nth: 3, count: 2, status: 502 },
  { kind: "truncated", endpoint: "klines", nth: 5 },
  { kind: "wrong_json", endpoint: "klines", nth: 6, body: "html" },
  { kind: "wrong_json", endpoint: "klines", nth: 7, body: "other_shape" },
  { kind: "wrong_json", endpoint: "klines", nth: 8, body: "empty" },
  { kind: "wrong_json", endpoint: "klines", nth: 9, body: "broken" },
  { kind: "disconnect", endpoint: "klines", nth: 11 },
  { kind: "slow", endpoint: "klines", nth: 12, delay_ms: 2_000 },
  { kind: "hang", endpoint: "klines", nth: 13 },
  { kind: "http_451", endpoint: "klines", nth: 14 },
  { kind: "http_418", endpoint: "klines", nth: 16, ban_s: 300 },
  { kind: "outage", ...span(50, 47) },
  { kind: "late", ...span(30, 20) },
  ...LIES.map((how, i) => ({ kind: "lying_rows" as const, how, ...span(70 + i, 3) })),
  // Among the last candles, which every cycle compares: elsewhere nobody would ask again.
  { kind: "revised", from: FIVE_DAYS.endMs - 3 * MINUTE_MS, to: FIVE_DAYS.endMs - MINUTE_MS },
];

/** Runs the backfill as often as a patient user would: a ban is waited out, an error is tried again. */
async function backfillPatiently(world: ScenarioWorld): Promise<number> {
  for (let run = 1; run <= 10; run++) {
    try {
      const outcome = await world.backfill("BTC/USDT", "1m", FIVE_DAYS);
      if (outcome.remaining.length === 0) return run;
      world.clock.advance(MINUTE_MS);
    } catch (error) {
      const fault = classifyError(error);
      expect(["ip_ban", "geo_blocked"], String(error)).toContain(fault.kind);
      if (fault.kind === "ip_ban") world.clock.advance(fault.untilMs - world.localClock.nowMs());
    }
  }
  throw new Error("ten runs were not enough");
}

describe("backfill through every fault", () => {
  it("stores the truth, each candle once, with every fault of the plan struck on the way", async () => {
    const world = await openWorld({ nowMs: NOW_MS, faults: EVERY_FAULT });
    expect(new Set(EVERY_FAULT.map((fault) => fault.kind))).toEqual(new Set<string>(PASSING_FAULT_KINDS));
    await backfillPatiently(world);
    // The exchange's clock is behind by a minute and a half: what it has not closed yet comes with the next cycle.
    world.clock.advance(2 * MINUTE_MS);
    const collector = await world.collector({ mode: { history: { since: "2024-03-10" } } });
    await world.cycle(collector);
    await world.expectTruth("BTC/USDT", "1m", FIVE_DAYS);
    const unstruck = world.exchange.faults.strikes().filter((fault) => fault.strikes === 0);
    expect(unstruck).toEqual([]);
  });

  it("keeps every kind of lying row in quarantine and repairs the candle it stood for", async () => {
    const faults = LIES.map((how, i) => ({ kind: "lying_rows" as const, how, ...span(70 + i, 3) }));
    const world = await openWorld({ nowMs: NOW_MS, faults });
    // Windows smaller than the venue's limit, so that a page with a row too many is a page all the same.
    const range = { startMs: at(69), endMs: at(79) };
    const outcome = await world.backfill("BTC/USDT", "1m", range);
    expect(outcome.remaining).toEqual([]);
    const rules = await world.database.sql<{ rule: string }>(
      "SELECT DISTINCT rule FROM quarantine ORDER BY rule",
    );
    expect(rules.map(({ rule }) => rule)).toEqual([
      "candle.duplicate",
      "candle.high_below_low",
      "candle.malformed",
      "candle.negative_volume",
      "candle.not_a_decimal",
      "candle.off_grid",
      "candle.out_of_order",
    ]);
    expect(world.exchange.faults.strikes().map(({ strikes }) => strikes)).toEqual(LIES.map(() => 3));
    await world.expectTruth("BTC/USDT", "1m", range);
  });

  it("believes an outage only when it was told twice, and keeps both answers", async () => {
    const outage = span(50, 47);
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "outage", ...outage }] });
    const { remaining } = await world.backfill("BTC/USDT", "1m", FIVE_DAYS);
    expect(remaining).toEqual([]);
    const { store } = await world.process();
    const voids = await store.voids({});
    expect(voids.map(({ startMs, endMs }) => ({ startMs, endMs }))).toEqual([
      { startMs: outage.from, endMs: outage.to },
    ]);
    const { asked } = voids[0]?.proof as { asked: { atMs: number; request: string }[] };
    expect(asked).toHaveLength(2);
    const [first, second] = asked;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(30_000);
    for (const { request } of asked)
      expect(request).toMatch(/^\/api\/v3\/klines\?symbol=BTCUSDT&interval=1m/);
    expect(await store.gapHistory()).toMatchObject([{ found: 1, voidGaps: 1, voidCandles: 47 }]);
    await world.expectTruth("BTC/USDT", "1m", FIVE_DAYS);
  });

  it("records what comes late as a gap and repairs it", async () => {
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "late", ...span(30, 20) }] });
    const { remaining } = await world.backfill("BTC/USDT", "1m", FIVE_DAYS);
    expect(remaining).toEqual([]);
    const { store } = await world.process();
    expect(await store.voids({})).toEqual([]);
    expect(await store.gapHistory()).toMatchObject([{ found: 1, repairedGaps: 1, repairedCandles: 20 }]);
    await world.expectTruth("BTC/USDT", "1m", FIVE_DAYS);
  });

  it("crosses the years before a listing as one void, with few requests", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    const range = { startMs: time("2021-01-01"), endMs: time("2024-03-08") };
    const { remaining } = await world.backfill("WIF/USDT", "1m", range);
    expect(remaining).toEqual([]);
    const { store } = await world.process();
    const listedMs = world.exchange.truth.listedMs("WIF/USDT");
    expect(await store.voids({})).toMatchObject([{ startMs: range.startMs, endMs: listedMs }]);
    // Four pages of candles; the void takes one more, when it is asked for the second time.
    expect(world.exchange.requests.count({ endpoint: "/api/v3/klines" })).toBeLessThanOrEqual(8);
    await world.expectTruth("WIF/USDT", "1m", range);
  });

  it("proves the time after a suspension void", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    const suspendedMs = time("2022-05-13T00:40:00Z");
    const range = { startMs: suspendedMs - 6 * HOUR_MS, endMs: suspendedMs + 30 * DAY_MS };
    const { remaining } = await world.backfill("LUNA/USDT", "1m", range);
    expect(remaining).toEqual([]);
    const { store } = await world.process();
    expect(mergeRanges(await store.voids({}))).toEqual([{ startMs: suspendedMs, endMs: range.endMs }]);
    await world.expectTruth("LUNA/USDT", "1m", range);
  });

  it("fills every timeframe, weeks from Monday on", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    for (const timeframe of TIMEFRAMES) {
      const endMs = floorToTimeframe(NOW_MS, timeframe);
      const range = { startMs: endMs - 30 * timeframeMs(timeframe), endMs };
      const { remaining } = await world.backfill("BTC/USDT", timeframe, range);
      expect({ timeframe, remaining }).toEqual({ timeframe, remaining: [] });
      await world.expectTruth("BTC/USDT", timeframe, range);
    }
    const weeks = await world.database.sql<{ day: number }>(
      "SELECT DISTINCT extract(isodow FROM open_time AT TIME ZONE 'UTC')::int AS day FROM ohlcv WHERE timeframe = '1w'",
    );
    expect(weeks).toEqual([{ day: 1 }]);
  });
});
