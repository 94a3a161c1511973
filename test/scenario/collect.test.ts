// Collection cycle after cycle while the exchange, the clocks and we ourselves misbehave.
import { describe, expect, it } from "vitest";
import { classifyError } from "../../src/core/fault.js";
import { parseTime } from "../../src/core/time.js";
import { openWorld, type ScenarioWorld } from "../support/scenario-world.js";
import { skewedClock } from "../support/scenario-clock.js";

const MINUTE_MS = 60_000;
const NOW_MS = time("2024-03-15T12:00:30Z");
/** The last whole minute before now. */
const MINUTE_START_MS = NOW_MS - 30_000;
const SINCE_MS = time("2024-03-15");

function time(text: string): number {
  const timeMs = parseTime(text);
  if (timeMs === undefined) throw new Error(`"${text}" is no time`);
  return timeMs;
}

const KEY_NOW = { history: { since: "2024-03-15" } };

/** Open times that are stored although the exchange's clock has not closed their candle. */
async function formingCandles(world: ScenarioWorld, exchangeNowMs: number): Promise<string[]> {
  const rows = await world.database.sql<{ open_time: Date }>(
    "SELECT open_time FROM ohlcv WHERE timeframe = '1m' AND open_time + interval '1 minute' > $1",
    [new Date(exchangeNowMs).toISOString()],
  );
  return rows.map((row) => row.open_time.toISOString());
}

describe("collecting", () => {
  it("records a revised candle with what it said before", async () => {
    const revised = { from: NOW_MS - 30_000 - 2 * MINUTE_MS, to: NOW_MS - 30_000 - MINUTE_MS };
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "revised", ...revised }] });
    const collector = await world.collector({ mode: KEY_NOW });
    await world.cycle(collector);
    const columns = "open, high, low, close, volume, quote_volume, trade_count";
    const opened = new Date(revised.from).toISOString();
    const before = await world.database.sql(`SELECT ${columns} FROM ohlcv WHERE open_time = $1`, [opened]);
    world.clock.advance(MINUTE_MS);
    await world.cycle(collector);
    const kept = await world.database.sql(
      `SELECT ${columns} FROM candle_revisions WHERE open_time = $1 AND revision = 0`,
      [opened],
    );
    expect(kept).toEqual(before);
    expect(await world.database.sql("SELECT revision FROM ohlcv WHERE open_time = $1", [opened])).toEqual([
      { revision: 1 },
    ]);
    const all = await world.database.sql("SELECT count(*)::int AS count FROM candle_revisions");
    expect(all).toEqual([{ count: 1 }]);
    await world.expectTruth("BTC/USDT", "1m", { startMs: SINCE_MS, endMs: NOW_MS });
  });

  it("finds the time in which nothing was collecting, and repairs it", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    await world.cycle(await world.collector({ mode: KEY_NOW }));
    await world.endProcess();
    world.clock.advance(95 * MINUTE_MS);
    const collector = await world.collector({ mode: KEY_NOW });
    const report = await world.cycle(collector);
    expect(report).toMatchObject({ missingCandles: 0, failures: [] });
    const log = await world.database.sql(
      "SELECT reason, repaired_records, closed_at IS NOT NULL AS is_closed FROM gap_log",
    );
    expect(log).toEqual([{ reason: "not_collected", repaired_records: "95", is_closed: true }]);
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 95 * MINUTE_MS,
    });
  });

  it("does not count as a gap what was never to be collected", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    const january = { startMs: time("2024-01-01"), endMs: time("2024-01-02") };
    await world.backfill("BTC/USDT", "1m", january);
    const collector = await world.collector({ mode: KEY_NOW });
    expect(await world.cycle(collector)).toMatchObject({ missingCandles: 0 });
    const open = await world.database.sql("SELECT reason FROM gap_log WHERE closed_at IS NULL");
    expect(open).toEqual([]);
    await world.expectTruth("BTC/USDT", "1m", { startMs: SINCE_MS, endMs: MINUTE_START_MS });
  });

  it("keeps series of different timeframes complete side by side, and repairs an outage of the connection", async () => {
    const cut = { clock_from: NOW_MS + 3 * MINUTE_MS, clock_to: NOW_MS + 6 * MINUTE_MS };
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "disconnect", ...cut }] });
    const collector = await world.collector({
      mode: KEY_NOW,
      symbols: [
        { symbol: "BTC/USDT", timeframes: ["1m", "5m"] },
        { symbol: "ETH/USDT", timeframes: ["15m"] },
      ],
      retry: { attempts: 1 },
    });
    let failures = 0;
    for (let minute = 0; minute <= 10; minute++) {
      failures += (await world.cycle(collector)).failures.length;
      world.clock.advance(MINUTE_MS);
    }
    expect(failures).toBeGreaterThan(0);
    const { store } = await world.process();
    expect(await store.gaps({})).toEqual([]);
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 10 * MINUTE_MS,
    });
    await world.expectTruth("BTC/USDT", "5m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 10 * MINUTE_MS,
    });
    await world.expectTruth("ETH/USDT", "15m", { startMs: SINCE_MS, endMs: MINUTE_START_MS });
  });

  it.each([
    ["behind", -4 * MINUTE_MS - 10_000],
    ["ahead of", 4 * MINUTE_MS + 10_000],
  ])("never stores a forming candle when our clock is minutes %s the exchange's", async (_words, skewMs) => {
    const skew = { ms: skewMs };
    const world = await openWorld({ nowMs: NOW_MS, localClock: (clock) => skewedClock(clock, skew) });
    const collector = await world.collector({ mode: KEY_NOW });
    for (let minute = 0; minute < 3; minute++) {
      await world.cycle(collector);
      expect(await formingCandles(world, world.clock.nowMs())).toEqual([]);
      world.clock.advance(MINUTE_MS);
    }
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 2 * MINUTE_MS,
    });
  });

  it.each([
    ["forward", -5 * MINUTE_MS],
    ["back", 5 * MINUTE_MS],
  ])("never stores a forming candle when our clock is set %s while we run", async (_words, skewMs) => {
    const skew = { ms: skewMs };
    const world = await openWorld({ nowMs: NOW_MS, localClock: (clock) => skewedClock(clock, skew) });
    const collector = await world.collector({ mode: KEY_NOW });
    await world.cycle(collector);
    skew.ms = 0;
    for (let minute = 0; minute < 3; minute++) {
      world.clock.advance(MINUTE_MS);
      await world.cycle(collector);
      expect(await formingCandles(world, world.clock.nowMs())).toEqual([]);
    }
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 3 * MINUTE_MS,
    });
  });

  it("sends nothing while it is banned, not even after a restart, and goes on when the ban is over", async () => {
    const banned = { clock_from: NOW_MS + MINUTE_MS, clock_to: NOW_MS + 2 * MINUTE_MS };
    const world = await openWorld({
      nowMs: NOW_MS,
      faults: [{ kind: "http_418", endpoint: "klines", ban_s: 600, count: 1, ...banned }],
    });
    const input = {
      mode: KEY_NOW,
      symbols: [{ symbol: "BTC/USDT" }, { symbol: "ETH/USDT" }, { symbol: "SOL/USDT" }],
    };
    let collector = await world.collector(input);
    await world.cycle(collector);
    world.clock.advance(MINUTE_MS);
    const struck = await world.cycle(collector);
    expect(struck.failures.map(({ error }) => classifyError(error).kind)).toEqual([
      "ip_ban",
      "ip_ban",
      "ip_ban",
    ]);
    const asked = world.exchange.requests.count();
    world.clock.advance(MINUTE_MS);
    await world.cycle(collector);
    expect(world.exchange.requests.count()).toBe(asked);

    await world.endProcess();
    collector = await world.collector(input);
    await expect(world.cycle(collector)).rejects.toMatchObject({
      fault: { kind: "ip_ban" },
    });
    expect(world.exchange.requests.count()).toBe(asked);

    world.clock.advance(9 * MINUTE_MS);
    const after = await world.cycle(collector);
    expect(after).toMatchObject({ missingCandles: 0, failures: [] });
    await world.expectTruth("BTC/USDT", "1m", {
      startMs: SINCE_MS,
      endMs: MINUTE_START_MS + 11 * MINUTE_MS,
    });
  });
});
