// Trades and order books dropped for their age: what goes, what stays, and that ledger and rows agree afterwards.
import { afterAll, beforeAll, expect, it } from "vitest";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import type { BookBatch, TradeBatch } from "../../../src/core/model/record-batch.js";
import type { Trade } from "../../../src/core/model/trade.js";
import type { RetentionPeriods, Store } from "../../../src/store/store.js";
import { BTC_USDT, decimal } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const D0 = Date.UTC(2024, 0, 10);
const never = new AbortController().signal;
const FOR_EVER: RetentionPeriods = {
  candlesMs: undefined,
  tradesMs: undefined,
  booksMs: undefined,
  bookDeltasMs: undefined,
  qualityMs: 10_000 * DAY_MS,
  errorsMs: 10_000 * DAY_MS,
  tasksMs: 10_000 * DAY_MS,
};
let database: TestDatabase;
let store: Store;
let marketNumber = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

async function newMarket(): Promise<number> {
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol: `K${++marketNumber}/USDT` }], {
    isSimulated: true,
  });
  return market?.id ?? 0;
}

function tradeAt(id: number, timeMs: number): Trade {
  return {
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs,
    microsecond: 0,
    price: decimal("100"),
    qty: decimal("1"),
    side: "buy",
  };
}

/** Days of a trade an hour, ids from 0; `moved` trades carry another time. */
function daysOfTrades(
  marketId: number,
  days: number,
  moved: ReadonlyMap<number, number> = new Map(),
): TradeBatch {
  const trades = Array.from({ length: days * 24 }, (_, i) => tradeAt(i, moved.get(i) ?? D0 + i * HOUR_MS));
  return {
    kind: "trades",
    marketId,
    evidence: "ws_sequence",
    trades,
    runs: [{ startMs: D0, endMs: D0 + days * DAY_MS, firstId: 0, lastId: days * 24 - 1 }],
    voids: [],
    missing: [],
    rejected: [],
    tally: NO_TALLY,
    receivedMs: D0 + days * DAY_MS,
  };
}

async function tradeIds(marketId: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const page of store.live.readTrades(marketId, { startMs: 0, endMs: D0 * 2 }, never))
    ids.push(...page.map(({ id }) => id));
  return ids.sort((a, b) => a - b);
}

const ledger = async (marketId: number) =>
  (
    await database.sql<{
      start_time: Date;
      end_time: Date;
      first_id: string;
      last_id: string;
      records: string;
    }>(
      "SELECT start_time, end_time, first_id, last_id, records FROM coverage WHERE market_id = $1 ORDER BY 1",
      [marketId],
    )
  ).map((row) => [
    (row.start_time.getTime() - D0) / DAY_MS,
    (row.end_time.getTime() - D0) / DAY_MS,
    ...(row.first_id === null ? [] : [Number(row.first_id), Number(row.last_id)]),
    Number(row.records),
  ]);

const idsFrom = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

it("keeps trades and books of any age when none is given", async () => {
  const id = await newMarket();
  await store.commit([daysOfTrades(id, 3)]);
  expect(await store.applyRetention(FOR_EVER, D0 + 1_000 * DAY_MS)).toMatchObject({
    trades: 0,
    books: 0,
    bookDeltas: 0,
  });
  expect(await tradeIds(id)).toHaveLength(72);
});

it("drops old trades whole days at a time; they are neither stored, nor covered, nor missing, and the log says so", async () => {
  const id = await newMarket();
  await store.commit([daysOfTrades(id, 5)]);
  const periods = { ...FOR_EVER, tradesMs: 2 * DAY_MS };
  // Half past the fifth day: the cut is the midnight before.
  const outcome = await store.applyRetention(periods, D0 + 4.5 * DAY_MS);
  expect(outcome.trades).toBeGreaterThanOrEqual(48);
  expect(await tradeIds(id)).toEqual(idsFrom(48, 119));
  expect(await ledger(id)).toEqual([[2, 5, 48, 119, 72]]);
  expect(await store.live.missingTrades(id)).toEqual([]);
  expect(await store.live.audit()).toEqual([]);
  const log = await database.sql<{ data_type: string; rows: string }>(
    "SELECT data_type, rows FROM retention_log WHERE market_id = $1 ORDER BY start_time",
    [id],
  );
  expect(log).toEqual([
    { data_type: "trades", rows: "24" },
    { data_type: "trades", rows: "24" },
  ]);
  expect(await store.applyRetention(periods, D0 + 4.5 * DAY_MS)).toMatchObject({ trades: 0 });
});

it("keeps the days of critical events, with the ids they hold", async () => {
  const id = await newMarket();
  await store.commit([daysOfTrades(id, 5)]);
  await database.sql(
    "INSERT INTO critical_events (market_id, start_time, end_time, name) VALUES ($1, $2, $3, 'crash')",
    [id, new Date(D0 + 1.2 * DAY_MS), new Date(D0 + 1.3 * DAY_MS)],
  );
  await store.applyRetention({ ...FOR_EVER, tradesMs: DAY_MS }, D0 + 5 * DAY_MS);
  expect(await tradeIds(id)).toEqual([...idsFrom(24, 47), ...idsFrom(96, 119)]);
  expect(await ledger(id)).toEqual([
    [1, 2, 24, 47, 24],
    [4, 5, 96, 119, 24],
  ]);
  expect(await store.live.audit()).toEqual([]);
});

it("claims no id whose trade is gone, where ids and times differ in their order at the cut", async () => {
  const id = await newMarket();
  const cutMs = D0 + DAY_MS;
  // 25 happened before midnight by its time, 23 after it.
  const moved = new Map([
    [23, cutMs + 2],
    [24, cutMs + 1],
    [25, cutMs - 1],
  ]);
  await store.commit([daysOfTrades(id, 2, moved)]);
  await store.applyRetention({ ...FOR_EVER, tradesMs: DAY_MS }, D0 + 2 * DAY_MS);
  expect(await ledger(id)).toEqual([[1, 2, 26, 47, 22]]);
  expect((await tradeIds(id)).filter((each) => each >= 26)).toEqual(idsFrom(26, 47));
  expect(await store.live.audit()).toEqual([]);
});

it("drops snapshots and changes of books, each at its own age", async () => {
  const id = await newMarket();
  const level = [[decimal("1"), decimal("1")] as const];
  const times = Array.from({ length: 96 }, (_, i) => D0 + i * HOUR_MS);
  const batch: BookBatch = {
    kind: "book",
    marketId: id,
    snapshots: times.map((timeMs, i) => ({
      kind: "book_snapshot",
      timeMs,
      sequence: i,
      bids: level,
      asks: level,
    })),
    deltas: times.map((timeMs, i) => ({
      kind: "book_delta",
      timeMs,
      receivedMs: timeMs,
      firstId: i,
      lastId: i,
      isSnapshot: false,
      bids: level,
      asks: [],
    })),
    valid: [{ startMs: D0, endMs: D0 + 4 * DAY_MS }],
    outages: [],
    rejected: [],
    tally: NO_TALLY,
    receivedMs: D0 + 4 * DAY_MS,
  };
  await store.commit([batch]);
  const periods = { ...FOR_EVER, booksMs: 3 * DAY_MS, bookDeltasMs: DAY_MS };
  expect(await store.applyRetention(periods, D0 + 4 * DAY_MS)).toMatchObject({ books: 24, bookDeltas: 72 });
  expect(await ledger(id)).toEqual([[1, 4, 72]]);
  const counts = await database.sql(
    `SELECT (SELECT count(*)::int FROM orderbook_snapshots WHERE market_id = $1) AS books,
            (SELECT count(*)::int FROM orderbook_deltas WHERE market_id = $1) AS deltas`,
    [id],
  );
  expect(counts).toEqual([{ books: 72, deltas: 24 }]);
  expect(await store.live.audit()).toEqual([]);
});
