// Streams of two venues followed through faults, at sixty times the speed of life, on a real database: in the end the store
// holds what happened, every stored book is the true one, and every time without a book is on record.
import { afterEach, describe, expect, it } from "vitest";
import { scaledClock, type Clock } from "../../src/core/clock.js";
import { silentLog } from "../../src/core/log.js";
import { seededRandom } from "../../src/core/random.js";
import type { TradeGrain } from "../../src/core/model/trade.js";
import { createExchange, type ExchangeName } from "../../src/exchanges/registry.js";
import type { LiveMarket } from "../../src/pipeline/feed/live/live-feed.js";
import { Pipeline } from "../../src/pipeline/pipeline.js";
import type { Stage } from "../../src/pipeline/stage/stage.js";
import type { Store } from "../../src/store/store.js";
import { LiveFollower } from "../../src/upkeep/live-follower.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import type { MarketSpec } from "../../simulator/market-spec.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../simulator/simulated-exchange.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import {
  expectLivePartition,
  expectTrueBooks,
  expectTrueCandles,
  expectTrueTrades,
} from "../support/live-truth.js";
import { testSeed } from "../support/seed.js";
import { until } from "../support/until.js";

const START_MS = Date.UTC(2024, 0, 10, 12);
const FACTOR = 30;
const never = new AbortController().signal;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function spec(symbol: string, more: Partial<MarketSpec> = {}): MarketSpec {
  return {
    symbol,
    priceDecimals: 2,
    qtyDecimals: 4,
    baseTicks: 240_000,
    typicalLots: 6_000,
    aggregatesPerMinute: 40,
    volatility: 0.0004,
    listedMs: Date.UTC(2024, 0, 1),
    bookLevels: 30,
    ...more,
  };
}

interface World {
  readonly clock: Clock;
  readonly exchange: SimulatedExchange;
  readonly database: TestDatabase;
  readonly store: Store;
  readonly trades: TradeGrain | undefined;
  /**
   * @param tradesFromMs where the trades that are expected begin; with the first that comes in when undefined
   * @param between what stands between the streams and the stage
   */
  follow(venue: ExchangeName, tradesFromMs?: number, between?: (stage: Stage) => Stage): Promise<Following>;
}

interface Following {
  readonly follower: LiveFollower;
  readonly markets: readonly LiveMarket[];
  /** Ends it and waits until everything is committed. */
  stop(): Promise<void>;
}

/** Messages are dropped, repeated, reordered, spoiled, and connections break. */
const EVERYTHING_WRONG: FaultPlanInput["faults"] = [
  { kind: "ws_drop", probability: 0.02 },
  { kind: "ws_duplicate", probability: 0.02 },
  { kind: "ws_reorder", probability: 0.02 },
  { kind: "ws_corrupt", how: "cut", probability: 0.002 },
  { kind: "ws_corrupt", how: "wrong_types", probability: 0.002 },
  { kind: "ws_corrupt", how: "numbers", probability: 0.002 },
  { kind: "ws_corrupt", how: "other_symbol", probability: 0.002 },
  { kind: "ws_disconnect", probability: 0.0005 },
  { kind: "ws_sequence_reset", how: "break", probability: 0.001 },
];

/** @param trades how finely; the venue's own way when undefined */
async function openWorld(faults: FaultPlanInput["faults"] = [], trades?: TradeGrain): Promise<World> {
  const clock = scaledClock({ startMs: START_MS, factor: FACTOR });
  const seed = testSeed();
  const exchange = await startSimulatedExchange({
    seed,
    clock,
    faults: { faults: [...faults] },
    venueMarkets: {
      binance: [spec("BTC/USDT"), spec("ETH/USDT", { aggregatesPerMinute: 6 })],
      okx: [
        spec("BTC/USDT"),
        spec("BTC/USDT:USDT", { qtyDecimals: 3, baseTicks: 40_000, typicalLots: 400, contractDecimals: 2 }),
      ],
    },
  });
  closers.push(() => exchange.close());
  const database = await createTestDatabase();
  closers.push(() => database.drop());
  const store = await database.openStore();
  const follow: World["follow"] = async (venue, tradesFromMs, between = (stage) => stage) => {
    const client = createExchange(venue, { restUrl: exchange.url, clock, rateLimitShare: 1, trades });
    const listed = await client.fetchMarkets(never);
    const stored = await store.putMarkets(venue, listed, { isSimulated: true });
    if (tradesFromMs !== undefined)
      for (const { id } of stored)
        await store.live.expectTradesAndFollow(id, { startMs: tradesFromMs, endMs: clock.nowMs() });
    const pipeline = new Pipeline({ store, clock, log: silentLog, stageRowsMax: 20_000 });
    const markets = stored.map((market): LiveMarket => ({
      market,
      trades: true,
      book: { levels: 10, snapshotEveryMs: 1_000, keepsDeltas: false },
      timeframes: ["1m"],
      validation: { onFailure: "skip_and_log", maxPriceJump: 20, maxVolumeSpike: 50 },
    }));
    const follower = new LiveFollower({
      exchange: client,
      wsUrl: exchange.url.replace("http", "ws"),
      markets,
      store,
      stage: between(pipeline.stage),
      clock,
      random: seededRandom(seed),
      log: silentLog,
      sweepEveryMs: 30_000,
    });
    const stopping = new AbortController();
    const running = follower.run(stopping.signal, AbortSignal.timeout(60_000));
    running.catch(() => undefined);
    let isStopped = false;
    const stop = async (): Promise<void> => {
      if (isStopped) return;
      isStopped = true;
      stopping.abort(new Error("stopped"));
      await running;
      await follower.sweep(never);
      await pipeline.close();
      await client.close();
    };
    closers.push(stop);
    return { follower, markets, stop };
  };
  return { clock, exchange, database, store, trades, follow };
}

const minutesFrom = (clock: Clock, minutes: number) => {
  const endMs = clock.nowMs() + minutes * 60_000;
  return until(() => clock.nowMs() >= endMs, { timeoutMs: 170_000 });
};

/** Compares everything that was stored of a venue with its truth; the ranges are the ledger's own. */
async function expectTruth(world: World, venue: ExchangeName, following: Following): Promise<void> {
  const { store, exchange, database } = world;
  const { truth } = exchange.venue(venue);
  const recentMs = world.clock.nowMs() - 30_000;
  for (const { market } of following.markets) {
    const about = `${venue}:${market.symbol}`;
    const missing = await store.live.missingTrades(market.id, { startMs: 0, endMs: recentMs });
    expect([about, missing]).toEqual([about, []]);
    expect(await expectTrueTrades(store, truth, market, world.trades)).toBeGreaterThan(5);
    expect(await expectTrueBooks(store, truth, market, 10)).toBeGreaterThan(10);
    expect(await expectTrueCandles(store, truth, market)).toBeGreaterThan(1);
  }
  await expectLivePartition(store, database);
}

describe.each(["binance", "okx"] as const)("%s, followed live", (venue) => {
  it("stores what happened, without any fault", async () => {
    const world = await openWorld();
    const following = await world.follow(venue);
    await minutesFrom(world.clock, 4);
    await following.stop();
    await expectTruth(world, venue, following);
  });

  it("stores what happened although messages are dropped, repeated, reordered, spoiled, and connections break", async () => {
    const world = await openWorld(EVERYTHING_WRONG);
    const following = await world.follow(venue);
    await minutesFrom(world.clock, 6);
    expect(world.exchange.faults.struck("ws_drop")).toBeGreaterThan(10);
    await following.stop();
    await expectTruth(world, venue, following);
  });

  it("hands on what it was about to hand on when it is told to stop", async () => {
    const world = await openWorld();
    let isSlow = false;
    let waiting = 0;
    const release = new AbortController();
    const following = await world.follow(venue, undefined, (stage) => ({
      get lastSequence() {
        return stage.lastSequence;
      },
      get load() {
        return stage.load;
      },
      read: (limits, signal) => stage.read(limits, signal),
      ack: (staged) => stage.ack(staged),
      settled: (sequence, signal) => stage.settled(sequence, signal),
      end: () => stage.end(),
      close: () => stage.close(),
      // A stage that is full, or far away, for a while.
      async append(batch, signal) {
        if (isSlow && !release.signal.aborted) {
          waiting++;
          await world.clock
            .sleep(3_600_000, AbortSignal.any([signal, release.signal]))
            .catch(() => undefined);
        }
        return stage.append(batch, signal);
      },
    }));
    await minutesFrom(world.clock, 2);
    isSlow = true;
    await until(() => waiting > 0);
    await minutesFrom(world.clock, 0.3);
    const stopped = following.stop();
    release.abort();
    await stopped;
    await expectTruth(world, venue, following);
  });

  it("knows what a pause between two sessions has cost, and fetches it", async () => {
    const world = await openWorld();
    const first = await world.follow(venue);
    await minutesFrom(world.clock, 2);
    await first.stop();
    await minutesFrom(world.clock, 3);
    const second = await world.follow(venue);
    await minutesFrom(world.clock, 3);
    await second.stop();
    await expectTruth(world, venue, second);
  });

  it("fetches the trades of the hours before as well, where they are asked for, and the present meanwhile", async () => {
    const world = await openWorld();
    const fromMs = START_MS - 3 * 3_600_000;
    const first = await world.follow(venue, fromMs);
    const { store } = world;
    await minutesFrom(world.clock, 3);
    const left = async (): Promise<number> =>
      (
        await Promise.all(
          first.markets.map(({ market }) =>
            store.live.missingTrades(market.id, { startMs: 0, endMs: START_MS + 60_000 }),
          ),
        )
      ).flat().length;
    await until(async () => (await left()) === 0, { timeoutMs: 60_000 });
    await first.stop();
    await expectTruth(world, venue, first);
    for (const { market } of first.markets) {
      const [row] = await world.database.sql<{ first: Date }>(
        `SELECT min(ts) AS first FROM trades WHERE market_id = ${market.id}`,
      );
      expect(row?.first.getTime()).toBeLessThan(fromMs + 10 * 60_000);
    }
  });
});

describe.each([
  ["binance", "raw"],
  ["okx", "aggregated"],
] as const)("%s, followed live with %s trades", (venue, trades) => {
  it("stores what happened although messages are dropped, repeated, reordered, spoiled, and connections break", async () => {
    const world = await openWorld(EVERYTHING_WRONG, trades);
    const following = await world.follow(venue, START_MS - 20 * 60_000);
    await minutesFrom(world.clock, 6);
    expect(world.exchange.faults.struck("ws_drop")).toBeGreaterThan(10);
    await following.stop();
    await expectTruth(world, venue, following);
    const rows = await world.database.sql<{ joined: boolean }>(
      "SELECT DISTINCT fills > 1 AS joined FROM trades",
    );
    expect(rows.some(({ joined }) => joined)).toBe(trades === "aggregated");
  });
});
