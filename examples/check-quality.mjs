// Collects three hours of candles from a simulated exchange, damages the database behind the ledger's back, and lets the
// quality checker find it.
// node examples/check-quality.mjs
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import {
  Collector,
  createExchange,
  DataQualityChecker,
  formatQualityTable,
  loadCollectorConfig,
  openStore,
  Pipeline,
  silentLog,
  startSimulatedExchange,
  systemClock,
} from "tickwell";

const dataDir = await mkdtemp(join(tmpdir(), "tickwell-example-"));
const simulator = await startSimulatedExchange({ seed: 7, clock: systemClock });
const store = await openStore("embedded", { dataDir });
const exchange = createExchange("binance", { restUrl: simulator.url, bans: store.bans });
const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 20_000 });

const shipped = await loadCollectorConfig(
  new URL("../configs/collector/binance_btcusdt_1m.yml", import.meta.url).pathname,
);
const config = {
  ...shipped,
  mode: { ...shipped.mode, history: { since: { kind: "ago", durationMs: 3 * 3_600_000 } } },
};
const collector = new Collector({ config, exchange, store, pipeline, clock: systemClock, log: silentLog });
await collector.runCollectionCycle(new AbortController().signal);

const checker = new DataQualityChecker({ store, clock: systemClock, log: silentLog, minScore: 95 });
const [before] = await checker.checkAllActiveMarkets({ lookbackMs: 24 * 3_600_000 });
console.log(`${before.market} ${before.timeframe}: ${before.score} of 100, ${before.totalRecords} candles\n`);

const client = new pg.Client({ connectionString: store.connectionString });
await client.connect();
await client.query(
  "DELETE FROM ohlcv WHERE open_time IN (SELECT open_time FROM ohlcv ORDER BY open_time DESC OFFSET 30 LIMIT 10)",
);
await client.end();

const after = await checker.checkAllActiveMarkets({ lookbackMs: 24 * 3_600_000 });
console.log(formatQualityTable(checker.generateQualityReport(after)));

await pipeline.close();
await exchange.close();
await store.close();
await simulator.close();
await rm(dataDir, { recursive: true });
