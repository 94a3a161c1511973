// What is dropped for its age, what stays, and that the ledger agrees with it: on plain tables and hypertables alike.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RetentionPeriods, Store, StoredMarket } from "../../../src/store/store.js";
import {
  batchOf,
  BTC_USDT,
  candleAt,
  candlesBetween,
  DAY_START_MS,
  decimal,
  minuteMs,
} from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const hasTimescale = Boolean(process.env.TEST_TIMESCALE_URL);
const DAY_MINUTES = 1_440;
const DAY_MS = 86_400_000;
const FOR_EVER: RetentionPeriods = {
  candlesMs: undefined,
  tradesMs: undefined,
  booksMs: undefined,
  bookDeltasMs: undefined,
  qualityMs: 10_000 * DAY_MS,
  errorsMs: 10_000 * DAY_MS,
  tasksMs: 10_000 * DAY_MS,
};
const signal = new AbortController().signal;

let database: TestDatabase;
let store: Store;
let btc: StoredMarket;
let eth: StoredMarket;

beforeEach(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  [btc, eth] = (await store.putMarkets(
    "binance",
    [BTC_USDT, { ...BTC_USDT, symbol: "ETH/USDT", nativeSymbol: "ETHUSDT", baseAsset: "ETH" }],
    { isSimulated: false },
  )) as [StoredMarket, StoredMarket];
  for (const market of [btc, eth]) {
    const key = { marketId: market.id, timeframe: "1m" } as const;
    await store.expect(key, { startMs: DAY_START_MS, endMs: minuteMs(10 * DAY_MINUTES) });
    await store.commit([batchOf(market.id, candlesBetween(0, 10 * DAY_MINUTES))]);
  }
});
afterEach(() => database.drop());

/** Keeps what is younger than four days on the start of day `day`, counted from 2024-01-01 as day 0. */
function dropBefore(day: number): Promise<{ candles: number }> {
  return store.applyRetention({ ...FOR_EVER, candlesMs: 4 * DAY_MS }, minuteMs((day + 4) * DAY_MINUTES));
}

async function storedDays(market: StoredMarket): Promise<number[]> {
  const rows = await database.sql<{ day: number }>(
    `SELECT DISTINCT extract(day FROM open_time AT TIME ZONE 'UTC')::int - 1 AS day FROM ohlcv WHERE market_id = $1 ORDER BY 1`,
    [market.id],
  );
  return rows.map(({ day }) => day);
}

async function expectedRanges(market: StoredMarket): Promise<readonly number[][]> {
  const states = await store.seriesStates({ marketId: market.id });
  return states.flatMap(({ expected }) =>
    expected.map(({ startMs, endMs }) => [
      (startMs - DAY_START_MS) / DAY_MS,
      (endMs - DAY_START_MS) / DAY_MS,
    ]),
  );
}

test("keeps all candles when no age is given", async () => {
  expect(await store.applyRetention(FOR_EVER, minuteMs(900 * DAY_MINUTES))).toEqual({
    candles: 0,
    trades: 0,
    books: 0,
    bookDeltas: 0,
    qualitySummaries: 0,
    errors: 0,
    tasks: 0,
  });
  expect(await storedDays(btc)).toHaveLength(10);
});

test("what is dropped is neither stored, nor covered, nor missing, and the log says so", async () => {
  expect(await dropBefore(3)).toMatchObject({ candles: 2 * 3 * DAY_MINUTES });
  for (const market of [btc, eth]) {
    expect(await storedDays(market)).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(await expectedRanges(market)).toEqual([[3, 10]]);
  }
  expect(await store.gaps({})).toEqual([]);
  expect(await store.audit({})).toEqual([]);
  expect(
    await database.sql(
      "SELECT market_id, timeframe, start_time, end_time, rows::int FROM retention_log ORDER BY 1",
    ),
  ).toEqual(
    [btc, eth].map((market) => ({
      market_id: market.id,
      timeframe: "1m",
      start_time: new Date(DAY_START_MS),
      end_time: new Date(minuteMs(3 * DAY_MINUTES)),
      rows: 3 * DAY_MINUTES,
    })),
  );
  expect(await dropBefore(3)).toMatchObject({ candles: 0 });
});

test("never drops the last four days, however short the age", async () => {
  await store.applyRetention({ ...FOR_EVER, candlesMs: 1 }, minuteMs(10 * DAY_MINUTES));
  expect(await storedDays(btc)).toEqual([6, 7, 8, 9]);
});

test("keeps critical events in whole days, of all markets or of one", async () => {
  await database.sql(
    `INSERT INTO critical_events (market_id, start_time, end_time, name) VALUES (NULL, $1, $2, 'flash crash'), ($3, $4, $5, 'ETH only')`,
    [
      new Date(minuteMs(2 * DAY_MINUTES + 600)),
      new Date(minuteMs(2 * DAY_MINUTES + 700)),
      eth.id,
      new Date(minuteMs(4 * DAY_MINUTES)),
      new Date(minuteMs(5 * DAY_MINUTES)),
    ],
  );
  await dropBefore(6);
  expect(await storedDays(btc)).toEqual([2, 6, 7, 8, 9]);
  expect(await storedDays(eth)).toEqual([2, 4, 6, 7, 8, 9]);
  expect(await expectedRanges(eth)).toEqual([
    [2, 3],
    [4, 5],
    [6, 10],
  ]);
  expect(await store.audit({})).toEqual([]);
});

test("gaps, voids and revisions in dropped time go with it; a gap that reaches beyond stays open there", async () => {
  const key = { marketId: btc.id, timeframe: "1h" } as const;
  await store.expect(key, { startMs: DAY_START_MS, endMs: minuteMs(6 * DAY_MINUTES) });
  const asked = [9_000, 9_100].map((minute) => ({ atMs: minuteMs(minute), request: "GET /klines" }));
  await store.commit([
    batchOf(btc.id, [], {
      timeframe: "1h",
      voids: [{ startMs: minuteMs(DAY_MINUTES), endMs: minuteMs(3 * DAY_MINUTES), proof: { asked } }],
      missing: [
        {
          startMs: minuteMs(3 * DAY_MINUTES),
          endMs: minuteMs(6 * DAY_MINUTES),
          reason: "absent",
          detail: "",
          nextAskMs: minuteMs(20_000),
        },
      ],
    }),
  ]);
  await store.commit([batchOf(btc.id, [candleAt(5, { high: decimal("999") })])]);
  await dropBefore(2);
  expect((await store.voids({})).map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
    [minuteMs(2 * DAY_MINUTES), minuteMs(3 * DAY_MINUTES)],
  ]);
  await dropBefore(4);
  expect((await store.openGaps(key)).map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
    [minuteMs(4 * DAY_MINUTES), minuteMs(6 * DAY_MINUTES)],
  ]);
  expect(await store.voids({})).toEqual([]);
  expect(await database.sql("SELECT * FROM candle_revisions")).toEqual([]);
  expect(await store.audit({})).toEqual([]);
});

test("drops old rows of the logs and keeps younger ones", async () => {
  const nowMs = minuteMs(100 * DAY_MINUTES);
  for (const age of [5, 15, 50]) {
    const at = new Date(nowMs - age * DAY_MS);
    await database.sql(
      `INSERT INTO api_error_logs (timestamp, exchange_name, endpoint, error_type, error_message) VALUES ($1, 'binance', '/', 'network', '')`,
      [at],
    );
    await database.sql(
      `INSERT INTO data_quality_summary (check_time, time_range_start, time_range_end, total_records, expected_records, missing_count,
         duplicate_count, out_of_order_count, price_jump_count, volume_spike_count, market_id, is_valid, data_type)
       VALUES ($1, $1, $1, 0, 0, 0, 0, 0, 0, 0, $2, true, 'ohlcv')`,
      [at, btc.id],
    );
  }
  expect(
    await store.applyRetention({ ...FOR_EVER, errorsMs: 10 * DAY_MS, qualityMs: 20 * DAY_MS }, nowMs),
  ).toEqual({ candles: 0, trades: 0, books: 0, bookDeltas: 0, qualitySummaries: 1, errors: 2, tasks: 0 });
  expect(await database.sql("SELECT timestamp FROM api_error_logs")).toEqual([
    { timestamp: new Date(nowMs - 5 * DAY_MS) },
  ]);
});

describe.skipIf(!hasTimescale)("with TimescaleDB (needs TEST_TIMESCALE_URL)", () => {
  test("drops whole chunks, and the continuous aggregates keep what they said of them", async () => {
    await store.commit([batchOf(btc.id, candlesBetween(60 * DAY_MINUTES, 61 * DAY_MINUTES))]);
    await database.sql("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('ohlcv') c");
    const before = await database.sql("SELECT * FROM ohlcv_1d ORDER BY market_id, open_time");
    expect(before).toHaveLength(21);
    const chunks = await database.sql("SELECT show_chunks('ohlcv')");
    await dropBefore(60);
    expect(chunks.length - (await database.sql("SELECT show_chunks('ohlcv')")).length).toBe(
      chunks.length - 1,
    );
    expect(await database.sql("SELECT * FROM ohlcv_1d ORDER BY market_id, open_time")).toEqual(before);
    expect(await store.audit({})).toEqual([]);

    // Candles that come back into dropped time are stored, but take nothing from the aggregates.
    await store.commit([batchOf(btc.id, candlesBetween(0, 60))]);
    await store.refreshAggregates(signal);
    expect(await database.sql("SELECT * FROM ohlcv_1d ORDER BY market_id, open_time")).toEqual(before);
    expect(await store.audit({})).toEqual([]);
  });
});
