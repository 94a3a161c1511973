// An hour of fifty markets on two venues, at twenty times the speed of life: streams that drop, repeat, reorder, spoil, fall
// silent and end; the collector and the writer killed without warning; Redis restarted, once with nothing left; the database
// away. In the end the store holds what happened, and says of everything else that it is not there.
import { spawn, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { afterEach, expect, it } from "vitest";
import { scaledClock, systemClock } from "../../src/core/clock.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import type { MarketSpec } from "../../simulator/market-spec.js";
import { startSimulatedExchange } from "../../simulator/simulated-exchange.js";
import { takeDatabaseAway } from "../support/database-away.js";
import { createTestDatabase } from "../support/database.js";
import {
  expectLivePartition,
  expectTrueBooks,
  expectTrueCandles,
  expectTrueTrades,
} from "../support/live-truth.js";
import { expectPartition } from "../support/partition.js";
import { hasRedis, startRedis } from "../support/redis-server.js";
import { testSeed } from "../support/seed.js";
import { until } from "../support/until.js";

const SCRIPT = resolve(import.meta.dirname, "hour-process.js");
const START_MS = Date.UTC(2024, 0, 10, 12);
const FACTOR = 20;
const MINUTE_MS = 60_000;
const END_MS = START_MS + 60 * MINUTE_MS;
const MARKETS_A_VENUE = 25;
const BOOK = { levels: 5, interval: "30s" };

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Busy ones, and some that trade every few minutes. */
function specs(prefix: string): MarketSpec[] {
  return Array.from({ length: MARKETS_A_VENUE }, (_, i) => ({
    symbol: `${prefix}${i}/USDT`,
    priceDecimals: 2,
    qtyDecimals: 3,
    baseTicks: 40_000 + 1_000 * i,
    typicalLots: 400,
    aggregatesPerMinute: i < 3 ? 40 : i < 20 ? 8 : 0.5,
    volatility: 0.0004,
    listedMs: Date.UTC(2024, 0, 1),
    bookLevels: 20,
    bookStepMs: 1_000,
  }));
}

/** The last minutes are calm: what goes wrong in them could not be mended before the end. */
const until55 = { clock_to: START_MS + 55 * MINUTE_MS };
const FAULTS: FaultPlanInput["faults"] = [
  { kind: "ws_drop", probability: 0.003, ...until55 },
  { kind: "ws_duplicate", probability: 0.003, ...until55 },
  { kind: "ws_reorder", probability: 0.003, ...until55 },
  ...(["cut", "binary", "wrong_types", "numbers", "unknown_event", "other_symbol"] as const).map((how) => ({
    kind: "ws_corrupt" as const,
    how,
    probability: 0.0003,
    ...until55,
  })),
  { kind: "ws_disconnect", probability: 0.00005, ...until55 },
  { kind: "ws_silent", probability: 0.02, count: 6, ...until55 },
  { kind: "ws_half_open", probability: 0.01, count: 2, ...until55 },
  { kind: "ws_sequence_reset", how: "break", probability: 0.0002, ...until55 },
  { kind: "ws_wrong_checksum", exchange: "okx", probability: 0.0002, ...until55 },
  // A connection's 24 hours, shortened.
  { kind: "ws_end", after_s: 1_500, count: 6, ...until55 },
  { kind: "ws_refuse", nth: 4, count: 2, ...until55 },
  { kind: "http_5xx", probability: 0.01, ...until55 },
  { kind: "truncated", probability: 0.002, ...until55 },
];

interface Part {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

it.runIf(hasRedis)(
  "an hour of fifty markets through every fault ends with the truth (needs redis-server)",
  async () => {
    const seed = testSeed();
    const originMs = systemClock.nowMs();
    const clock = scaledClock({ startMs: START_MS, factor: FACTOR });
    const venueMarkets = { binance: specs("B"), okx: specs("K") };
    const exchange = await startSimulatedExchange({ seed, clock, faults: { faults: FAULTS }, venueMarkets });
    closers.push(() => exchange.close());
    const database = await createTestDatabase();
    closers.push(() => database.drop());
    const store = await database.openStore();
    const redis = await startRedis();
    closers.push(() => redis.remove());

    const start = (role: "collector" | "writer"): Part => {
      const options = {
        role,
        databaseUrl: database.url,
        redisUrl: redis.url,
        exchangeUrl: exchange.url,
        symbols: {
          binance: venueMarkets.binance.map(({ symbol }) => symbol),
          okx: venueMarkets.okx.map(({ symbol }) => symbol),
        },
        startMs: START_MS,
        originMs,
        factor: FACTOR,
        seed,
        book: BOOK,
      };
      const child = spawn(process.execPath, ["--import", "tsx", SCRIPT, JSON.stringify(options)], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      let stderr = "";
      child.stderr
        .setEncoding("utf8")
        .on("data", (text: string) => (stderr = (stderr + text).slice(-20_000)));
      const ended = new Promise<number | null>((done) => child.once("close", (status) => done(status)));
      const kill = (signal: NodeJS.Signals): Promise<number | null> => {
        child.kill(signal);
        return ended;
      };
      closers.push(() => kill("SIGKILL"));
      return { child, stderr: () => stderr, kill };
    };
    const minute = (n: number): Promise<void> =>
      until(() => clock.nowMs() >= START_MS + n * MINUTE_MS, { timeoutMs: 400_000 });

    let collector = start("collector");
    let writer = start("writer");
    await minute(8);
    await collector.kill("SIGKILL");
    await minute(9);
    collector = start("collector");
    await minute(15);
    await writer.kill("SIGKILL");
    writer = start("writer");
    await minute(22);
    await redis.kill();
    await minute(23);
    await redis.restart({ isEmpty: false });
    await minute(29);
    const bringBack = await takeDatabaseAway(database.url);
    await minute(30);
    await bringBack();
    await minute(36);
    const lostFromMs = clock.nowMs() - MINUTE_MS;
    await redis.kill();
    await redis.restart({ isEmpty: true });
    const lost = { startMs: lostFromMs, endMs: clock.nowMs() + MINUTE_MS };
    await minute(42);
    await collector.kill("SIGKILL");
    collector = start("collector");
    await minute(48);
    await writer.kill("SIGKILL");
    await minute(49);
    writer = start("writer");
    await minute(60);

    const markets = (await store.listMarkets()).filter(({ symbol }) => /^[BK]\d+\//.test(symbol));
    expect(markets).toHaveLength(2 * MARKETS_A_VENUE);
    const open = async (): Promise<string[]> => {
      const trades = await Promise.all(
        markets.map(async ({ id, exchange: venue, symbol }) => {
          const missing = await store.live.missingTrades(id, { startMs: 0, endMs: END_MS });
          return missing.map(
            ({ startMs }) => `${venue}:${symbol} trades from ${new Date(startMs).toISOString()}`,
          );
        }),
      );
      const candles = (await store.gaps({ range: { startMs: 0, endMs: END_MS } })).map(
        (gap) => `${gap.market} candles from ${new Date(gap.startMs).toISOString()}: ${gap.detail}`,
      );
      return [...trades.flat(), ...candles];
    };
    let left: string[] = [];
    await until(async () => (left = await open()).length === 0, {
      // A busy machine needs longer for the same; it may not need for ever.
      timeoutMs: 380_000,
      what: () => `${left.length} gaps are left: ${left.slice(0, 5).join("; ")}\n${collector.stderr()}`,
    });
    expect([await collector.kill("SIGTERM"), collector.stderr()]).toEqual([0, collector.stderr()]);
    expect([await writer.kill("SIGTERM"), writer.stderr()]).toEqual([0, writer.stderr()]);

    let books = 0;
    for (const market of markets) {
      const { truth } = exchange.venue(market.exchange === "okx" ? "okx" : "binance");
      const trades = await expectTrueTrades(store, truth, market);
      expect(trades).toBeGreaterThan(5);
      books += await expectTrueBooks(store, truth, market, BOOK.levels);
      expect(await expectTrueCandles(store, truth, market)).toBeGreaterThanOrEqual(59);
    }
    expect(books).toBeGreaterThan(MARKETS_A_VENUE * 2 * 30);
    await expectLivePartition(store, database, lost);
    expect(await store.audit({})).toEqual([]);
    await expectPartition(database.sql);
    const unstruck = exchange.faults.strikes().filter(({ strikes }) => strikes === 0);
    expect(unstruck).toEqual([]);
  },
);
