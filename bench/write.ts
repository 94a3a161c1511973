// A year of candles through stage and writer, against `psql \copy` of the same rows into the same table.
// npx tsx bench/write.ts [--short]
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { systemClock } from "../src/core/clock.js";
import { silentLog } from "../src/core/log.js";
import type { Candle } from "../src/core/model/candle.js";
import { formatTime } from "../src/core/time.js";
import { Pipeline } from "../src/pipeline/pipeline.js";
import type { Store } from "../src/store/store.js";
import {
  BTC_USDT,
  IS_SHORT,
  makeCandles,
  median,
  MINUTE_MS,
  never,
  printTable,
  requireGoal,
  thousands,
  withStore,
  YEAR_MINUTES,
  YEAR_START_MS,
} from "./support.js";

const ROWS = IS_SHORT ? 50_000 : YEAR_MINUTES;
const ROUNDS = IS_SHORT ? 1 : 5;
const PAGE_ROWS = 1_000;
const COLUMNS =
  "open_time, trade_count, market_id, timeframe, source, open, high, low, close, volume, quote_volume";

await withStore(async (store, dataDir) => {
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  const marketId = market?.id ?? 0;
  const candles = makeCandles(ROWS);
  const file = join(dataDir, "candles.tsv");
  await writeFile(file, candles.map((candle) => toLine(candle, marketId)).join(""));

  const timesMs = { direct: [] as number[], psql: [] as number[], upsert: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    await empty(store);
    timesMs.psql.push(await timed(() => psqlCopy(store, file)));
    await empty(store);
    await store.expect(
      { marketId, timeframe: "1m" },
      { startMs: YEAR_START_MS, endMs: YEAR_START_MS + ROWS * MINUTE_MS },
    );
    timesMs.direct.push(await timed(() => write(store, candles, marketId)));
    // The same again: every row is there already and has to be compared.
    timesMs.upsert.push(await timed(() => write(store, candles, marketId)));
    const [row] = (
      await store.query("SELECT count(*), count(*) FILTER (WHERE revision > 0) FROM ohlcv", never)
    ).rows;
    if (row?.[0] !== ROWS || row[1] !== 0)
      throw new Error(`stored ${String(row?.[0])} of ${ROWS} rows, ${String(row?.[1])} revised`);
  }
  const perSecond = (times: readonly number[]): number => (ROWS / median(times)) * 1_000;
  const ratio = perSecond(timesMs.direct) / perSecond(timesMs.psql);
  printTable(
    `Writing ${ROWS.toLocaleString("en-US")} candles, median of ${ROUNDS}`,
    ["way", "rows/s", "ratio to psql"],
    [
      ["psql \\copy, text, one transaction", thousands(perSecond(timesMs.psql)), "1.00"],
      ["stage → writer, new rows, with coverage", thousands(perSecond(timesMs.direct)), ratio.toFixed(2)],
      [
        "stage → writer, all rows stored already",
        thousands(perSecond(timesMs.upsert)),
        (perSecond(timesMs.upsert) / perSecond(timesMs.psql)).toFixed(2),
      ],
    ],
  );
  requireGoal(ratio >= 0.5, "at least half as fast as psql \\copy");
});

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

async function write(store: Store, candles: readonly Candle[], marketId: number): Promise<void> {
  const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 40_000 });
  for (let i = 0; i < candles.length; i += PAGE_ROWS) {
    await pipeline.stage.append(
      {
        kind: "candles",
        marketId,
        timeframe: "1m",
        source: "rest",
        evidence: "rest_page",
        candles: candles.slice(i, i + PAGE_ROWS),
        voids: [],
        missing: [],
        rejected: [],
        receivedMs: systemClock.nowMs(),
      },
      never,
    );
  }
  await pipeline.close();
}

async function psqlCopy(store: Store, file: string): Promise<void> {
  const command = `\\copy ohlcv (${COLUMNS}) from '${file}'`;
  await promisify(execFile)("psql", [
    store.connectionString,
    "-X",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-c",
    command,
  ]);
}

async function empty(store: Store): Promise<void> {
  const client = new Client({ connectionString: store.connectionString });
  await client.connect();
  await client.query("TRUNCATE ohlcv, candle_revisions, coverage");
  await client.query("CHECKPOINT");
  await client.end();
}

function toLine(candle: Candle, marketId: number): string {
  const { open, high, low, close, volume, quoteVolume, tradeCount } = candle;
  return `${[formatTime(candle.openTimeMs), tradeCount, marketId, "1m", "rest", open, high, low, close, volume, quoteVolume].join("\t")}\n`;
}
