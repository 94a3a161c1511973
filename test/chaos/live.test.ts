// The whole program following streams, killed without warning again and again, and with its database away for a while: in
// the end every trade is stored once as it happened, every stored book is the true one, and the ledger says so.
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { seededRandom } from "../../src/core/random.js";
import type { Store } from "../../src/store/store.js";
import type { MarketSpec } from "../../simulator/market-spec.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../simulator/simulated-exchange.js";
import { takeDatabaseAway } from "../support/database-away.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { expectLivePartition, expectTrueBooks, expectTrueTrades } from "../support/live-truth.js";
import { testSeed } from "../support/seed.js";
import { spawnCli, type CliProcess } from "../support/spawn-cli.js";
import { until } from "../support/until.js";
import { newWorkFolder, type WorkFolder } from "../support/work-folder.js";

const KILLS = 4;
const LEVELS = 5;

function busy(symbol: string, more: Partial<MarketSpec> = {}): MarketSpec {
  return {
    symbol,
    priceDecimals: 2,
    qtyDecimals: 3,
    baseTicks: 40_000,
    typicalLots: 400,
    aggregatesPerMinute: 200,
    volatility: 0.0004,
    listedMs: Date.UTC(2024, 0, 1),
    bookLevels: 20,
    ...more,
  };
}

let exchange: SimulatedExchange;
let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  exchange = await startSimulatedExchange({
    seed: testSeedOutside(),
    clock: systemClock,
    venueMarkets: { binance: [busy("BTC/USDT"), busy("ETH/USDT")] },
  });
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(async () => {
  await exchange.close();
  await database.drop();
});

/** Outside of a test there is nobody to name the seed to. */
function testSeedOutside(): number {
  return Number(process.env.SEED ?? "1");
}

async function newFolder(): Promise<WorkFolder> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url }, log: { format: "json" } },
    collector: {
      exchange: { name: "binance", rest_url: exchange.url, ws_url: exchange.url.replace("http", "ws") },
      symbols: ["BTC/USDT", "ETH/USDT"].map((symbol) => ({
        symbol,
        channels: ["candles", "trades", "book"],
        book: { levels: LEVELS },
      })),
    },
  });
  return folder;
}

const storedTrades = async (): Promise<number> => {
  const [row] = await database.sql<{ count: number }>("SELECT count(*)::int AS count FROM trades");
  return row?.count ?? 0;
};

/** Waits until trades come in that were not there. */
async function untilMoreTrades(cli: CliProcess): Promise<void> {
  const before = await storedTrades();
  await until(async () => cli.hasEnded || (await storedTrades()) > before, { what: () => cli.stderr });
  expect(cli.hasEnded, cli.stderr).toBe(false);
}

it(`ends with the truth after ${KILLS} SIGKILLs and a database that was away`, async () => {
  const random = seededRandom(testSeed());
  const folder = await newFolder();
  const start = [...folder.options, "start"];
  for (let kill = 0; kill < KILLS; kill++) {
    const cli = spawnCli(start);
    await untilMoreTrades(cli);
    // The moment is the point: it is drawn, not awaited.
    await systemClock.sleep(1_000 + random.next() * 3_000);
    expect(await cli.kill("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
  }

  const cli = spawnCli(start);
  await untilMoreTrades(cli);
  const bringBack = await takeDatabaseAway(database.url);
  await cli.says("waiting for it, what has been collected is kept");
  await systemClock.sleep(5_000);
  await bringBack();
  await cli.says("the database is back");
  await untilMoreTrades(cli);
  const markets = (await store.listMarkets()).filter(({ exchange: name }) => name === "binance");
  expect(markets).toHaveLength(2);
  const isWhole = async (): Promise<boolean> => {
    const range = { startMs: 0, endMs: systemClock.nowMs() - 10_000 };
    const missing = await Promise.all(markets.map(({ id }) => store.live.missingTrades(id, range)));
    return missing.every((each) => each.length === 0);
  };
  await until(isWhole, { timeoutMs: 120_000, what: () => cli.stderr });
  const { status, stderr } = await cli.kill("SIGTERM");
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(stderr).toContain("everything received is stored");

  const { truth } = exchange.venue("binance");
  for (const market of markets) {
    // Half a minute of a market whose pace depends on the hour: from one to four trades a second.
    expect(await expectTrueTrades(store, truth, market)).toBeGreaterThan(15);
    expect(await expectTrueBooks(store, truth, market, LEVELS)).toBeGreaterThan(5);
  }
  await expectLivePartition(store, database);
});
