// The longer candles: what ohlcv_5m to ohlcv_1d say, as views and as continuous aggregates alike.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Store, StoredMarket } from "../../../src/store/store.js";
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
const signal = new AbortController().signal;
let database: TestDatabase;
let store: Store;
let market: StoredMarket;

beforeEach(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  [market] = (await store.putMarkets("binance", [BTC_USDT], { isSimulated: false })) as [StoredMarket];
  await store.expect(
    { marketId: market.id, timeframe: "1m" },
    { startMs: DAY_START_MS, endMs: minuteMs(3 * 1_440) },
  );
});
afterEach(() => database.drop());

/** Every view compared with the same question put to the minutes in words of plain SQL. */
async function differences(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [view, length] of [
    ["ohlcv_5m", "5 minutes"],
    ["ohlcv_15m", "15 minutes"],
    ["ohlcv_1h", "1 hour"],
    ["ohlcv_4h", "4 hours"],
    ["ohlcv_1d", "24 hours"],
  ] as const) {
    const plain = `
      SELECT DISTINCT market_id, bucket,
             first_value(open) OVER w, max(high) OVER w, min(low) OVER w, last_value(close) OVER w, sum(volume) OVER w,
             CASE WHEN bool_and(quote_volume IS NOT NULL) OVER w THEN sum(quote_volume) OVER w END,
             CASE WHEN bool_and(trade_count IS NOT NULL) OVER w THEN (sum(trade_count) OVER w)::bigint END, count(*) OVER w
      FROM (SELECT *, date_bin('${length}', open_time, TIMESTAMPTZ '1970-01-01Z') AS bucket FROM ohlcv WHERE timeframe = '1m') m
      WINDOW w AS (PARTITION BY market_id, bucket ORDER BY open_time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)`;
    const [row] = await database.sql<{ count: string }>(
      `SELECT count(*) FROM ((TABLE ${view} EXCEPT ALL (${plain})) UNION ALL ((${plain}) EXCEPT ALL TABLE ${view})) d`,
    );
    found[view] = Number(row?.count);
  }
  return found;
}
const NONE = { ohlcv_5m: 0, ohlcv_15m: 0, ohlcv_1h: 0, ohlcv_4h: 0, ohlcv_1d: 0 };

async function hourAt(minute: number): Promise<Record<string, unknown> | undefined> {
  const [row] = await database.sql(
    "SELECT open, high, low, close, volume, quote_volume, trade_count, minutes FROM ohlcv_1h WHERE open_time = $1",
    [new Date(minuteMs(minute))],
  );
  return row;
}

test("open and close are those of the first and the last minute, the rest is over all", async () => {
  await store.commit([
    batchOf(market.id, [
      candleAt(60, { open: decimal("3"), high: decimal("5"), low: decimal("2"), close: decimal("4") }),
      candleAt(61, { open: decimal("4"), high: decimal("8"), low: decimal("3"), close: decimal("7") }),
      candleAt(119, { open: decimal("7"), high: decimal("7.5"), low: decimal("1"), close: decimal("1.5") }),
      candleAt(120),
    ]),
  ]);
  await store.refreshAggregates(signal);
  expect(await hourAt(60)).toEqual({
    open: "3",
    high: "8",
    low: "1",
    close: "1.5",
    volume: "37.035",
    quote_volume: "3703.5",
    trade_count: "21",
    minutes: "3",
  });
});

test("a sum over minutes of which one does not tell its part is null, not a part of the whole", async () => {
  await store.commit([
    batchOf(market.id, [candleAt(0, { quoteVolume: undefined, tradeCount: undefined }), candleAt(1)], {
      source: "import",
      evidence: "import",
    }),
  ]);
  await store.refreshAggregates(signal);
  expect(await hourAt(0)).toMatchObject({
    volume: "24.690",
    quote_volume: null,
    trade_count: null,
    minutes: "2",
  });
});

test("an old range, and later a revision in it, agree with the minutes after the refresh", async () => {
  // A range that was refreshed already lies behind it: what comes before it is no longer computed on the fly.
  await store.commit([batchOf(market.id, candlesBetween(2_880, 2_940))]);
  await store.refreshAggregates(signal);
  await store.commit([batchOf(market.id, candlesBetween(7, 1_500))]);
  await store.refreshAggregates(signal);
  expect(await differences()).toEqual(NONE);
  expect(await hourAt(0)).toMatchObject({ minutes: "53" });

  await store.commit([batchOf(market.id, [candleAt(30, { high: decimal("999") })])]);
  await store.refreshAggregates(signal);
  expect(await hourAt(0)).toMatchObject({ high: "999" });
  expect(await differences()).toEqual(NONE);
});

describe.skipIf(!hasTimescale)("with continuous aggregates (needs TEST_TIMESCALE_URL)", () => {
  test("a change of old minutes does not show before the refresh, which looks at nothing else", async () => {
    await store.commit([batchOf(market.id, candlesBetween(0, 1_440))]);
    await store.refreshAggregates(signal);
    await store.commit([batchOf(market.id, [candleAt(30, { high: decimal("999") })])]);
    expect(await hourAt(0)).toMatchObject({ high: "101" });
    expect(await store.refreshAggregates(signal)).toEqual([{ startMs: minuteMs(30), endMs: minuteMs(31) }]);
    expect(await hourAt(0)).toMatchObject({ high: "999" });
    expect(await store.refreshAggregates(signal)).toEqual([]);
  });

  test("what a killed process has not refreshed, the next one does", async () => {
    await store.commit([batchOf(market.id, candlesBetween(2_880, 2_940))]);
    await store.refreshAggregates(signal);
    await store.commit([batchOf(market.id, candlesBetween(0, 60))]);
    expect(await hourAt(0)).toBe(undefined);
    const next = await database.openStore();
    expect(await next.refreshAggregates(signal)).toEqual([{ startMs: minuteMs(0), endMs: minuteMs(60) }]);
    expect(await hourAt(0)).toMatchObject({ minutes: "60" });
  });

  test("two that refresh at once do not fail", async () => {
    await store.commit([batchOf(market.id, candlesBetween(0, 1_440))]);
    await Promise.all([store.refreshAggregates(signal), store.refreshAggregates(signal)]);
    expect(await differences()).toEqual(NONE);
  });
});
