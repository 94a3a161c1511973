// A quality check of 1,000 markets over 24 hours of 1m candles, against `COPY … TO STDOUT` of the same rows with psql; and
// what a check costs by market and by row.
// npx tsx bench/quality.ts [--short]
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Client } from "pg";
import { silentLog } from "../src/core/log.js";
import type { Clock } from "../src/core/clock.js";
import type { Store } from "../src/store/store.js";
import { DataQualityChecker } from "../src/upkeep/quality/data-quality-checker.js";
import {
  BTC_USDT,
  IS_SHORT,
  median,
  MINUTE_MS,
  printTable,
  requireGoal,
  withStore,
  YEAR_START_MS,
} from "./support.js";

const ROUNDS = IS_SHORT ? 1 : 7;
const SIZES = IS_SHORT ? [10, 30, 100] : [100, 300, 1_000];
const DAY_MINUTES = 1_440;
const DAY_MS = DAY_MINUTES * MINUTE_MS;
const DAY_END_MS = YEAR_START_MS + DAY_MS;
/** Of each market: minutes missing in one gap, and suspicious candles. */
const MISSING = 3;
const FLAGGED = 2;
const ROWS_EACH = DAY_MINUTES - MISSING;

const clock: Clock = { nowMs: () => DAY_END_MS, sleep: async () => undefined };

await withStore(async (store) => {
  const client = new Client({ connectionString: store.connectionString });
  await client.connect();
  const results: { markets: number; checkMs: number; copyMs: number }[] = [];
  for (const markets of SIZES) {
    await fill(store, client, markets);
    const times = { check: [] as number[], copy: [] as number[] };
    for (let round = 0; round < ROUNDS; round++) {
      times.copy.push(await timed(() => copyOut(store)));
      times.check.push(await timed(() => check(store, markets)));
    }
    results.push({ markets, checkMs: median(times.check), copyMs: median(times.copy) });
  }
  await client.end();

  printTable(
    `Checking 24 hours of 1m candles, a gap and two flagged candles each, median of ${ROUNDS}`,
    ["markets", "rows", "check", "COPY of the rows", "ratio", "a market", "a row"],
    results.map(({ markets, checkMs, copyMs }) => [
      markets.toLocaleString("en-US"),
      (markets * ROWS_EACH).toLocaleString("en-US"),
      `${checkMs.toFixed(0)} ms`,
      `${copyMs.toFixed(0)} ms`,
      (checkMs / copyMs).toFixed(2),
      `${((checkMs / markets) * 1_000).toFixed(0)} µs`,
      `${((checkMs / markets / ROWS_EACH) * 1_000_000).toFixed(0)} ns`,
    ]),
  );
  const largest = results.at(-1);
  requireGoal(
    (largest?.checkMs ?? Infinity) < (largest?.copyMs ?? 0),
    "a check takes less time than to copy the rows out",
  );
});

/** Rows, coverage and series as the pipeline would have left them, and the tables as autovacuum would. */
async function fill(store: Store, client: Client, markets: number): Promise<void> {
  const symbols = Array.from({ length: markets }, (_, i) => ({
    ...BTC_USDT,
    symbol: `M${i}/USDT`,
    nativeSymbol: `M${i}USDT`,
  }));
  await store.putMarkets("binance", symbols, { isSimulated: true });
  await client.query("TRUNCATE ohlcv, coverage, gap_log, series, data_quality_summary");
  const day = "timestamptz '2025-01-01Z'";
  await client.query(
    `INSERT INTO ohlcv (open_time, trade_count, market_id, flags, timeframe, source, open, high, low, close, volume, quote_volume)
     SELECT ${day} + make_interval(mins => minute), 812, m.id, CASE WHEN minute IN (200, 900) THEN 1 ELSE 0 END, '1m', 'rest',
            94000.12 + minute, 94010.34 + minute, 93990.56 + minute, 94001.78 + minute, 12.34567 + minute, 1160493.12345 + minute
     FROM generate_series(0, ${DAY_MINUTES - 1}) AS minute, markets m WHERE minute < 700 OR minute >= ${700 + MISSING} ORDER BY minute, m.id`,
  );
  await client.query(
    `INSERT INTO series (market_id, data_type, timeframe, expected)
     SELECT id, 'ohlcv', '1m', tstzmultirange(tstzrange(${day}, ${day} + interval '1 day')) FROM markets`,
  );
  await client.query(
    `INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records)
     SELECT id, 'ohlcv', '1m', ${day} + make_interval(mins => from_minute), ${day} + make_interval(mins => to_minute), 'rest_page', to_minute - from_minute
     FROM markets, (VALUES (0, 700), (${700 + MISSING}, ${DAY_MINUTES})) AS covered (from_minute, to_minute)`,
  );
  for (const table of ["ohlcv", "coverage", "series", "markets"])
    await client.query(`VACUUM ANALYZE ${table}`);
}

async function check(store: Store, markets: number): Promise<void> {
  const checker = new DataQualityChecker({ store, clock, log: silentLog, minScore: 95 });
  const summaries = await checker.checkAllActiveMarkets({ lookbackMs: DAY_MS });
  const isRight = summaries.every(
    (summary) =>
      summary.missingCount === MISSING &&
      summary.totalRecords === ROWS_EACH &&
      summary.priceJumpCount === FLAGGED,
  );
  if (summaries.length !== markets || !isRight) throw new Error("the check found something else");
}

async function copyOut(store: Store): Promise<void> {
  const command = `COPY (SELECT * FROM ohlcv WHERE open_time >= '2025-01-01Z' AND open_time < '2025-01-02Z') TO STDOUT`;
  await promisify(execFile)("sh", [
    "-c",
    'psql "$0" -X -q -v ON_ERROR_STOP=1 -c "$1" > /dev/null',
    store.connectionString,
    command,
  ]);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
