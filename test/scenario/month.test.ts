// A month of two exchanges with faults all the way, run by the cycles alone; in the end everything is as the truth and the
// fault plan say.
import { Writable } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { classifyError } from "../../src/core/fault.js";
import { seededRandom } from "../../src/core/random.js";
import { formatTime } from "../../src/core/time.js";
import type { Collector } from "../../src/app/collector.js";
import { DataQualityChecker } from "../../src/upkeep/quality/data-quality-checker.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import { openWorld } from "../support/scenario-world.js";
import { testSeed } from "../support/seed.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Cycles run half a minute after the full one. */
const START_MS = Date.UTC(2024, 2, 1, 0, 0, 30);
const SINCE_MS = Date.UTC(2024, 1, 28);
const DAYS = 30;
const COLLECT_MS = HOUR_MS;
const BACKFILL_MS = 2 * HOUR_MS;
const QUALITY_MS = 12 * HOUR_MS;
const VOLUME_SPIKE = 12;
/** Ends in the last days of the month. */
const DELISTED = "DOGE/USDT";

type Fault = FaultPlanInput["faults"][number];

/** Market time: minutes, counted from the start of the month. */
const at = (day: number, hour: number, minute = 0): number =>
  Date.UTC(2024, 2, 1) + day * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS;
const oneMinute = (from: number) => ({ from, to: from + MINUTE_MS });

/** What each market must be found to have had; by exchange and symbol. */
interface Implied {
  duplicates: number;
  outOfOrder: number;
  jumps: number;
  voidMinutes: number;
}

const SERIES = [
  ["binance", "BTC/USDT"],
  ["binance", "ETH/USDT"],
  ["binance", DELISTED],
  ["okx", "BTC/USDT"],
  ["okx", "BTC/USDT:USDT"],
] as const;

/** Faults at times drawn from the seed, each in a day of its own, so that what it implies can be counted. */
function drawPlan(seed: number): { faults: Fault[]; implied: Map<string, Implied> } {
  const random = seededRandom(seed);
  const integer = (min: number, max: number): number => min + Math.floor(random.next() * (max - min + 1));
  const implied = new Map<string, Implied>(
    SERIES.map(([exchange, symbol]) => [
      `${exchange}:${symbol}`,
      { duplicates: 0, outOfOrder: 0, jumps: 0, voidMinutes: 0 },
    ]),
  );
  const faults: Fault[] = [];
  const imply = (exchange: string, symbol: string, what: Partial<Implied>): void => {
    const entry = implied.get(`${exchange}:${symbol}`);
    if (!entry) throw new Error(`${exchange}:${symbol} is not part of the month`);
    for (const [key, count] of Object.entries(what)) entry[key as keyof Implied] += count;
  };
  for (const [exchange, symbol] of SERIES) {
    const only = { exchange, symbols: [symbol] };
    const hour = (): number => integer(1, 22);
    // Rows that come twice or in the wrong place; a minute each, hours apart.
    const doubled = integer(2, 4);
    for (let i = 0; i < doubled; i++)
      faults.push({ kind: "lying_rows", how: "duplicate", ...only, ...oneMinute(at(2 + i, hour(), 7)) });
    imply(exchange, symbol, { duplicates: doubled });
    const misplaced = integer(1, 3);
    for (let i = 0; i < misplaced; i++)
      faults.push({ kind: "lying_rows", how: "out_of_order", ...only, ...oneMinute(at(6 + i, hour(), 31)) });
    imply(exchange, symbol, { outOfOrder: misplaced });
    // Rows that cannot be right, rows that are late, and an outage of the exchange.
    const broken = at(9, hour(), 11);
    faults.push({
      kind: "lying_rows",
      how: "high_below_low",
      ...only,
      from: broken,
      to: broken + 3 * MINUTE_MS,
    });
    faults.push({ kind: "lying_rows", how: "nan", ...only, ...oneMinute(at(10, hour(), 3)) });
    const late = at(11, hour());
    faults.push({ kind: "late", ...only, from: late, to: late + integer(5, 30) * MINUTE_MS });
    const outage = { from: at(12, hour()), minutes: integer(20, 300) };
    faults.push({ kind: "outage", ...only, from: outage.from, to: outage.from + outage.minutes * MINUTE_MS });
    imply(exchange, symbol, { voidMinutes: outage.minutes });
    // What really happened and looks odd: there and back again are two jumps.
    faults.push({ kind: "price_jump", ...only, ...oneMinute(at(14, hour(), 45)), factor: 1.3 });
    imply(exchange, symbol, { jumps: 2 });
    const spikes = integer(1, 2);
    for (let i = 0; i < spikes; i++)
      faults.push({ kind: "volume_spike", ...only, from: at(15 + i, hour(), 50), factor: 20 });
  }
  // A closed candle that is corrected after a cycle has seen it: the last one before a cycle.
  faults.push({ kind: "revised", exchange: "binance", symbols: ["ETH/USDT"], ...oneMinute(at(3, 12, 59)) });
  faults.push({ kind: "revised", exchange: "okx", symbols: ["BTC/USDT"], ...oneMinute(at(4, 6, 59)) });
  // Answers that fail or lie, on both exchanges.
  for (const endpoint of ["klines", "candles", "history-candles"]) {
    const some = (): { endpoint: string; nth: number; count: number } => ({
      endpoint,
      nth: integer(20, 1_500),
      count: integer(1, 3),
    });
    faults.push({ kind: "http_429", ...some(), retry_after: 5 });
    faults.push({ kind: "http_5xx", ...some(), status: 503 });
    faults.push({ kind: "truncated", ...some() });
    faults.push({ kind: "wrong_json", ...some(), body: "html" });
    faults.push({ kind: "lying_page", ...some(), how: "too_many" });
    faults.push({ kind: "lying_page", ...some(), how: "backwards" });
  }
  faults.push({ kind: "lying_page", exchange: "okx", endpoint: "candles", nth: 300, how: "same_page" });
  faults.push({ kind: "code_200", exchange: "okx", endpoint: "candles", nth: 700, count: 2, code: "50026" });
  const ban = at(18, 5);
  faults.push({
    kind: "http_418",
    endpoint: "klines",
    count: 1,
    ban_s: 5_400,
    clock_from: ban,
    clock_to: ban + HOUR_MS,
  });
  for (const [day, hours] of [
    [20, 5],
    [22, 1],
  ] as const)
    faults.push({ kind: "disconnect", clock_from: at(day, 3), clock_to: at(day, 3 + hours) });
  faults.push({ kind: "clock_skew", skew_ms: -40_000, clock_from: at(24, 0), clock_to: at(24, 8) });
  faults.push({ kind: "delisted", exchange: "binance", symbol: DELISTED, at: at(26, 13, 5) });
  return { faults, implied };
}

/** Minutes whose volume is above so many times the median of those before, by the definition and nothing else. */
function spikesOf(candles: readonly { openTimeMs: number; volume: string }[]): number[] {
  const volumes = candles.map(({ volume }) => Number(volume));
  return candles
    .filter((_, i) => {
      const before = volumes.slice(Math.max(0, i - 60), i).filter((volume) => volume > 0);
      const sorted = before.sort((a, b) => a - b);
      const middle = ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
      return before.length >= 20 && (volumes[i] ?? 0) > VOLUME_SPIKE * middle;
    })
    .map(({ openTimeMs }) => openTimeMs);
}

/** What was said, and which troubles are open; the same key twice is one trouble. */
function recordAlerts() {
  const open = new Set<string>();
  const raised: string[] = [];
  return {
    raised,
    alerts: {
      raise: ({ key }: { key: string }) => {
        if (!open.has(key)) raised.push(key);
        open.add(key);
      },
      resolve: (key: string) => void open.delete(key),
    },
  };
}

function recordLog(lines: string[]) {
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push((JSON.parse(chunk.toString()) as { msg: string }).msg);
      done();
    },
  });
  return pino({ level: "info", base: null }, stream);
}

describe("a month of two exchanges, run by the cycles alone", () => {
  it("ends with the truth, and with the scores and counts that the faults imply", async () => {
    const { faults, implied } = drawPlan(testSeed());
    const world = await openWorld({ nowMs: START_MS, faults });
    world.isCheckedAtEachCommit = false;
    const lines: string[] = [];
    const log = recordLog(lines);
    const { alerts, raised } = recordAlerts();
    const start = (): Promise<Collector[]> =>
      Promise.all(
        (["binance", "okx"] as const).map((exchange) =>
          world.collector(
            {
              exchange,
              symbols: SERIES.filter(([name]) => name === exchange).map(([, symbol]) => ({ symbol })),
              mode: {
                history: { since: formatTime(SINCE_MS) },
                intervals: { collect: "1h", backfill: "2h", quality: "12h" },
              },
              validation: { max_volume_spike: VOLUME_SPIKE },
              retry: { attempts: 3 },
              backfill: { task_candles: 1_000 },
            },
            { alerts, log },
          ),
        ),
      );
    let collectors = await start();
    const due = (nowMs: number, everyMs: number): boolean => (nowMs - START_MS) % everyMs === 0;
    const endMs = START_MS + DAYS * DAY_MS;
    for (let nowMs = START_MS; nowMs < endMs + 12 * HOUR_MS; nowMs += COLLECT_MS) {
      // Nothing runs for five hours; then another process goes on.
      if (nowMs === START_MS + 23 * DAY_MS) {
        await world.endProcess();
        collectors = await start();
        nowMs += 5 * HOUR_MS;
      }
      world.clock.advance(Math.max(nowMs - world.clock.nowMs(), 0));
      for (const collector of collectors) {
        const run = async (cycle: () => Promise<unknown>): Promise<void> => {
          await cycle().catch((error: unknown) => {
            expect(["internal", "database", "config"], String(error)).not.toContain(
              classifyError(error).kind,
            );
          });
        };
        await run(() => collector.runCollectionCycle(world.signal));
        if (due(nowMs, BACKFILL_MS)) await run(() => collector.runBackfillCycle(world.signal));
        if (due(nowMs, QUALITY_MS)) await run(() => collector.runQualityCheckCycle(world.signal));
      }
    }

    const { store } = await world.process();
    // The silence of a market that does not trade any more is believed after a day; until then it is a gap.
    const gaps = await store.gaps({});
    expect(gaps.map(({ market }) => market)).toEqual([`binance:${DELISTED}`]);
    expect(gaps[0]?.startMs).toBeGreaterThan(world.clock.nowMs() - 27 * HOUR_MS);
    const delistedMs = at(26, 13, 5);
    for (const [exchange, symbol] of SERIES) {
      const untilMs = symbol === DELISTED ? delistedMs : endMs;
      await world.expectTruth(symbol, "1m", { startMs: SINCE_MS, endMs: untilMs }, exchange);
    }

    const checker = new DataQualityChecker({ store, clock: world.clock, log, minScore: 95 });
    const report = checker.generateQualityReport(
      await checker.checkAllActiveMarkets({ lookbackMs: world.clock.nowMs() - SINCE_MS }),
    );
    let spikesInAll = 0;
    for (const [exchange, symbol] of SERIES) {
      if (symbol === DELISTED) continue;
      const name = `${exchange}:${symbol}`;
      const found = report.series.find((series) => series.market === name);
      const { duplicates = 0, outOfOrder = 0, jumps = 0, voidMinutes = 0 } = implied.get(name) ?? {};
      // A planned spike in a quiet minute may be none: what is one follows from the truth.
      const truth = world.exchange.venue(exchange).truth.candles(symbol, "1m", SINCE_MS, world.clock.nowMs());
      const spikes = spikesOf(truth).length;
      spikesInAll += spikes;
      const total = found?.total_records ?? 0;
      const points = (duplicates + outOfOrder) / total + (jumps + spikes) / 2 / total;
      expect(found, name).toMatchObject({
        missing_count: 0,
        duplicate_count: duplicates,
        out_of_order_count: outOfOrder,
        price_jump_count: jumps,
        volume_spike_count: spikes,
        verified_percent: 100,
        quality_score: expect.closeTo(100 * (1 - points), 9) as number,
      });
      const [voided] = await world.database.sql<{ minutes: number }>(
        `SELECT coalesce(sum(extract(epoch FROM end_time - start_time)) / 60, 0)::int AS minutes
         FROM coverage c JOIN markets m ON m.id = c.market_id JOIN exchanges e ON e.id = m.exchange_id
         WHERE evidence = 'exchange_void' AND e.name || ':' || m.symbol = $1`,
        [name],
      );
      expect(voided?.minutes, name).toBe(voidMinutes);
    }
    expect(spikesInAll).toBeGreaterThan(0);
    const revisions = await world.database.sql("SELECT count(*)::int AS count FROM candle_revisions");
    expect(revisions).toEqual([{ count: 2 }]);

    expect(raised.filter((key) => key.includes(DELISTED))).toEqual([`market:binance:${DELISTED}`]);
    // Readable: sentences of sane length, and not more than a person would read.
    expect(lines.filter((line) => line.length > 600 || /undefined|\[object|NaN\b/.test(line))).toEqual([]);
    expect(lines.length / DAYS).toBeLessThan(50);
  }, 900_000);
});
