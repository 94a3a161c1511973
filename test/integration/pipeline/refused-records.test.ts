// Records that pass every rule of the gate and that the database still refuses: only they are set apart.
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { silentLog } from "../../../src/core/log.js";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import type { Trade } from "../../../src/core/model/trade.js";
import { Pipeline } from "../../../src/pipeline/pipeline.js";
import type { Store } from "../../../src/store/store.js";
import { batchOf, BTC_USDT, candleAt, candlesBetween, decimal, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

it("stores everything beside them, claims nothing for them, and keeps them with the reason", async () => {
  const never = new AbortController().signal;
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  if (!market) throw new Error("no market");
  await store.expect({ marketId: market.id, timeframe: "1m" }, { startMs: minuteMs(0), endMs: minuteMs(10) });
  // The database's own rule, which no rule of ours knows.
  await database.sql("ALTER TABLE ohlcv ADD CONSTRAINT too_high CHECK (high < 500)");
  await database.sql("ALTER TABLE trades ADD CONSTRAINT too_dear CHECK (price < 500)");
  const trade = (id: number, price: string): Trade => ({
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs: minuteMs(1) + id,
    microsecond: 0,
    price: decimal(price),
    qty: decimal("1"),
    side: "buy",
  });
  const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 1_000 });
  await pipeline.stage.append(batchOf(market.id, candlesBetween(0, 3)), never);
  await pipeline.stage.append(
    batchOf(market.id, [candleAt(3), candleAt(4, { high: decimal("900") }), candleAt(5)]),
    never,
  );
  await pipeline.stage.append(
    {
      kind: "trades",
      marketId: market.id,
      evidence: "ws_sequence",
      trades: [trade(1, "100"), trade(2, "900"), trade(3, "100")],
      runs: [{ startMs: minuteMs(1), endMs: minuteMs(1) + 3, firstId: 1, lastId: 3 }],
      voids: [],
      missing: [],
      rejected: [],
      tally: { ...NO_TALLY, received: 3 },
      receivedMs: minuteMs(2),
    },
    never,
  );
  await pipeline.close();
  const stored = await database.sql<{ open_time: Date }>("SELECT open_time FROM ohlcv ORDER BY open_time");
  expect(stored.map(({ open_time }) => (open_time.getTime() - minuteMs(0)) / 60_000)).toEqual([
    0, 1, 2, 3, 5,
  ]);
  expect(await database.sql("SELECT trade_id::int FROM trades ORDER BY 1")).toEqual([
    { trade_id: 1 },
    { trade_id: 3 },
  ]);
  expect(await store.live.missingTrades(market.id)).toMatchObject([
    { startMs: minuteMs(1), endMs: minuteMs(1) + 3 },
  ]);
  const missing = await store.missing(
    { marketId: market.id, timeframe: "1m" },
    { startMs: minuteMs(0), endMs: minuteMs(6) },
  );
  expect(missing).toEqual([{ startMs: minuteMs(4), endMs: minuteMs(5) }]);
  const kept = await database.sql<{ data_type: string; rule: string; detail: string; raw: string }>(
    "SELECT data_type, rule, detail, raw FROM quarantine ORDER BY data_type",
  );
  expect(kept.map(({ data_type, rule }) => [data_type, rule])).toEqual([
    ["ohlcv", "store.refused"],
    ["trades", "store.refused"],
  ]);
  expect(kept[0]?.detail).toContain("too_high");
  expect(kept[1]?.raw).toContain('"price":"900"');
});

it("leaves no time covered in which the database refused a book", async () => {
  const never = new AbortController().signal;
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol: "ETH/USDT" }], {
    isSimulated: true,
  });
  if (!market) throw new Error("no market");
  await database.sql("ALTER TABLE orderbook_snapshots ADD CONSTRAINT too_far CHECK (sequence < 500)");
  const book = (ms: number, sequence: number) => ({
    kind: "book_snapshot" as const,
    timeMs: minuteMs(1) + ms,
    sequence,
    bids: [[decimal("100"), decimal("1")] as const],
    asks: [[decimal("101"), decimal("1")] as const],
  });
  const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 1_000 });
  await pipeline.stage.append(
    {
      kind: "book",
      marketId: market.id,
      snapshots: [book(1_000, 1), book(2_000, 900), book(3_000, 3), book(4_000, 4)],
      deltas: [],
      valid: [{ startMs: minuteMs(1), endMs: minuteMs(1) + 5_000 }],
      outages: [],
      rejected: [],
      tally: { ...NO_TALLY, received: 4 },
      receivedMs: minuteMs(2),
    },
    never,
  );
  await pipeline.close();
  const covered = await database.sql<{ s: number; e: number }>(
    `SELECT (extract(epoch FROM start_time) * 1000)::float8 - ${minuteMs(1)} AS s, (extract(epoch FROM end_time) * 1000)::float8 - ${minuteMs(1)} AS e
     FROM coverage WHERE market_id = $1 AND data_type = 'orderbook' ORDER BY 1`,
    [market.id],
  );
  expect(covered).toEqual([
    { s: 0, e: 1_000 },
    { s: 3_000, e: 5_000 },
  ]);
  expect(await store.live.outages(market.id, { startMs: minuteMs(0), endMs: minuteMs(3) })).toMatchObject([
    { startMs: minuteMs(1) + 1_000, endMs: minuteMs(1) + 3_000, reason: "rejected" },
  ]);
  expect(await store.live.audit()).toEqual([]);
});
