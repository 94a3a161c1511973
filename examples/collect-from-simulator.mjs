// Collects a day of candles from a simulated exchange into an embedded database: one run of each of the three cycles.
// node examples/collect-from-simulator.mjs
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Collector,
  createExchange,
  loadCollectorConfig,
  openStore,
  Pipeline,
  silentLog,
  startSimulatedExchange,
  systemClock,
} from "tickwell";

const dataDir = await mkdtemp(join(tmpdir(), "tickwell-example-"));
const never = new AbortController().signal;
const simulator = await startSimulatedExchange({ seed: 7, clock: systemClock });
const store = await openStore("embedded", { dataDir });
const exchange = createExchange("binance", { restUrl: simulator.url, bans: store.bans });
const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 20_000 });

// The shipped example collects thirty days of BTC/USDT; here one day is enough.
const shipped = await loadCollectorConfig(
  new URL("../configs/collector/binance_btcusdt_1m.yml", import.meta.url).pathname,
);
const config = {
  ...shipped,
  mode: { ...shipped.mode, history: { since: { kind: "ago", durationMs: 86_400_000 } } },
};

const collector = new Collector({ config, exchange, store, pipeline, clock: systemClock, log: silentLog });
const collected = await collector.runCollectionCycle(never);
console.log(`the present: ${collected.candles} candles, ${collected.missingCandles} of the day are missing`);
const repaired = await collector.runBackfillCycle(never);
console.log(
  `the past: ${repaired.candles} candles in ${repaired.completed} tasks, ${repaired.missingCandles} missing`,
);
const { lowest_score } = await collector.runQualityCheckCycle(never);
console.log(`quality: ${lowest_score} of 100`);
// For good: `const ended = collector.start(); … await collector.stop(); await ended;`

const { columns, rows } = await store.query(
  "SELECT open_time, open, high, low, close, volume FROM ohlcv ORDER BY open_time DESC LIMIT 3",
  never,
);
console.log(columns.join("  "));
for (const row of rows) console.log(row.join("  "));

await pipeline.close();
await exchange.close();
await store.close();
await simulator.close();
await rm(dataDir, { recursive: true });
