// Candles in hypertables: conversion of a database that gets the extension later, and commits into compressed chunks.
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openStore } from "../../../src/store/open-store.js";
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

describe.skipIf(!process.env.TEST_TIMESCALE_URL)("with TimescaleDB (needs TEST_TIMESCALE_URL)", () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.drop());

  async function marketOf(store: Store): Promise<StoredMarket> {
    const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: false });
    if (!market) throw new Error("no market");
    await store.expect(
      { marketId: market.id, timeframe: "1m" },
      { startMs: DAY_START_MS, endMs: minuteMs(200_000) },
    );
    return market;
  }

  /** A login that may make tables, but not the extension. */
  async function createLogin(): Promise<{ role: string; url: string; drop(): Promise<void> }> {
    const role = `tickwell_test_${randomBytes(6).toString("hex")}`;
    await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    await database.sql(`GRANT ALL ON SCHEMA public TO ${role}`);
    const url = new URL(database.url);
    url.username = role;
    url.password = "secret";
    return {
      role,
      url: url.href,
      async drop() {
        await database.sql(`REASSIGN OWNED BY ${role} TO CURRENT_USER`);
        await database.sql(`DROP OWNED BY ${role}`);
        await database.sql(`DROP ROLE ${role}`);
      },
    };
  }

  const compress = (): Promise<unknown> =>
    database.sql("SELECT compress_chunk(c, if_not_compressed => true) FROM show_chunks('ohlcv') c");

  test("a database that gets the extension later keeps its candles, and its views become aggregates", async () => {
    const login = await createLogin();
    const plain = await openStore(login.url);
    const market = await marketOf(plain);
    await plain.commit([batchOf(market.id, candlesBetween(0, 3_000))]);
    const before = await database.sql("SELECT * FROM ohlcv_1h ORDER BY open_time");
    await plain.close();

    // An administrator creates the extension, and leaves what belongs to the login alone.
    const administrator = await database.openStore();
    expect(administrator.capabilities.timescale?.hypertables).toEqual([]);
    expect(administrator.capabilities.hindrance).toContain(`it is put to use when ${login.role}`);
    // Two at once: one converts, the other waits and finds it done.
    const [store, second] = await Promise.all([openStore(login.url), openStore(login.url)]);
    expect(second.capabilities.timescale?.hypertables).toEqual(store.capabilities.timescale?.hypertables);
    expect(store.capabilities.timescale?.continuousAggregates).toHaveLength(5);
    expect(before).toHaveLength(50);
    expect(await database.sql("SELECT * FROM ohlcv_1h ORDER BY open_time")).toEqual(before);
    expect(await store.audit({})).toEqual([]);
    await Promise.all([store.close(), second.close()]);
    await login.drop();
  });

  test("a process that was running when the tables were converted goes on storing", async () => {
    const login = await createLogin();
    const running = await openStore(login.url);
    const market = await marketOf(running);
    await running.commit([batchOf(market.id, candlesBetween(0, 100))]);
    await database.sql("CREATE EXTENSION timescaledb");
    const later = await openStore(login.url);
    await running.commit([batchOf(market.id, candlesBetween(100, 200))]);
    await running.commit([batchOf(market.id, [candleAt(5, { high: decimal("999") })])]);
    await running.close();
    await later.refreshAggregates(new AbortController().signal);
    expect(await later.audit({})).toEqual([]);
    expect(await database.sql("SELECT high, minutes FROM ohlcv_1d")).toEqual([
      { high: "999", minutes: "200" },
    ]);
    await later.close();
    await login.drop();
  });

  test("commits into compressed chunks insert, revise and leave alone as in plain tables", async () => {
    const store = await database.openStore();
    const market = await marketOf(store);
    await store.commit([batchOf(market.id, candlesBetween(0, 1_000))]);
    await store.commit([batchOf(market.id, candlesBetween(1_100, 2_000))]);
    await compress();
    expect(await store.commit([batchOf(market.id, candlesBetween(0, 1_000))])).toEqual({
      inserted: 0,
      revised: 0,
      refused: 0,
      live: 0,
    });
    expect(
      await store.commit([batchOf(market.id, [candleAt(3), candleAt(500, { high: decimal("999") })])]),
    ).toEqual({ inserted: 0, revised: 1, refused: 0, live: 0 });
    expect(await store.commit([batchOf(market.id, candlesBetween(990, 1_110))])).toEqual({
      inserted: 100,
      revised: 0,
      refused: 0,
      live: 0,
    });
    expect(
      await database.sql("SELECT revision, high FROM ohlcv WHERE open_time = $1", [new Date(minuteMs(500))]),
    ).toEqual([{ revision: 1, high: "999" }]);
    expect(await database.sql("SELECT high FROM candle_revisions")).toEqual([{ high: "101" }]);
    expect(await store.audit({})).toEqual([]);
    await compress();
    expect(await store.audit({})).toEqual([]);
  });

  test("a file that contradicts compressed candles is refused, and rows that the ledger does not know are found", async () => {
    const store = await database.openStore();
    const market = await marketOf(store);
    await store.commit([batchOf(market.id, candlesBetween(0, 100))]);
    await compress();
    expect(
      await store.commit([
        batchOf(market.id, [candleAt(7, { high: decimal("999") })], { source: "import", evidence: "import" }),
      ]),
    ).toEqual({ inserted: 0, revised: 0, refused: 1, live: 0 });
    // The direct COPY meets a row in a compressed chunk: its savepoint is rolled back, and the row compared.
    await database.sql("DELETE FROM coverage");
    expect(await store.commit([batchOf(market.id, candlesBetween(0, 100))])).toEqual({
      inserted: 0,
      revised: 0,
      refused: 0,
      live: 0,
    });
    expect(await store.audit({})).toEqual([]);
  });

  test("a commit that changes candles in very many compressed batches is no more than a commit", async () => {
    const store = await database.openStore();
    const market = await marketOf(store);
    for (let from = 0; from < 120_000; from += 40_000)
      await store.commit([batchOf(market.id, candlesBetween(from, from + 40_000))]);
    await compress();
    const changed = Array.from({ length: 240 }, (_, i) => candleAt(i * 500, { high: decimal("999") }));
    expect(await store.commit([batchOf(market.id, changed)])).toEqual({
      inserted: 0,
      revised: 240,
      refused: 0,
      live: 0,
    });
    expect(await store.audit({})).toEqual([]);
  });
});
