// The quality checker on a real database: what it counts, what it says about it, and what it stores.
import pg from "pg";
import { afterEach, describe, expect, it, vi } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import type { MarketInfo } from "../../../src/core/model/market.js";
import { formatTime } from "../../../src/core/time.js";
import type { Timeframe } from "../../../src/core/timeframe.js";
import type { Store, StoredMarket } from "../../../src/store/store.js";
import { DataQualityChecker } from "../../../src/upkeep/quality/data-quality-checker.js";
import { batchOf, BTC_USDT, candleAt, candlesBetween, decimal, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { ScenarioClock } from "../../support/scenario-clock.js";

const HOUR_MS = 3_600_000;

const databases: TestDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database.drop();
});

/** A store in which each market expects the first hundred minutes of the day; it is minute 100. */
async function newWorld(markets: readonly MarketInfo[] = [BTC_USDT], minScore = 90): Promise<World> {
  const database = await createTestDatabase();
  databases.push(database);
  const store = await database.openStore();
  const stored = await store.putMarkets("binance", markets, { isSimulated: false });
  for (const market of stored)
    await store.expect(
      { marketId: market.id, timeframe: "1m" },
      { startMs: minuteMs(0), endMs: minuteMs(100) },
    );
  const clock = new ScenarioClock(minuteMs(100) + 20_000);
  const checker = new DataQualityChecker({ store, clock, log: silentLog, minScore });
  const [market] = stored;
  if (!market) throw new Error("no market was stored");
  return { database, store, checker, clock, market, stored };
}

interface World {
  readonly database: TestDatabase;
  readonly store: Store;
  readonly checker: DataQualityChecker;
  readonly clock: ScenarioClock;
  readonly market: StoredMarket;
  readonly stored: readonly StoredMarket[];
}

async function check(
  { checker, market }: World,
  lookbackMs = 24 * HOUR_MS,
  timeframe: Timeframe = "1m",
): ReturnType<DataQualityChecker["checkOhlcvQuality"]> {
  return checker.checkOhlcvQuality({ market, timeframe, lookbackMs });
}

const voidClaim = (from: number, to: number) => ({
  startMs: minuteMs(from),
  endMs: minuteMs(to),
  proof: { asked: [] },
});

describe("what is counted", () => {
  it("a series that holds all it should scores 100, wholly verified, with nothing to say", async () => {
    const world = await newWorld();
    await world.store.commit([batchOf(world.market.id, candlesBetween(0, 100))]);
    expect(await check(world)).toEqual({
      startMs: minuteMs(100 - 1_440),
      endMs: minuteMs(100),
      marketId: world.market.id,
      market: "binance:BTC/USDT",
      timeframe: "1m",
      checkMs: minuteMs(100) + 20_000,
      totalRecords: 100,
      expectedRecords: 100,
      missingCount: 0,
      duplicateCount: 0,
      outOfOrderCount: 0,
      priceJumpCount: 0,
      volumeSpikeCount: 0,
      score: 100,
      verifiedPercent: 100,
      isValid: true,
      errors: [],
      warnings: [],
      deductions: [],
    });
  });

  it("voids are neither expected nor missing, and verified", async () => {
    const world = await newWorld();
    const candles = [...candlesBetween(0, 40), ...candlesBetween(50, 100)];
    await world.store.commit([batchOf(world.market.id, candles, { voids: [voidClaim(40, 50)] })]);
    expect(await check(world)).toMatchObject({
      expectedRecords: 90,
      totalRecords: 90,
      missingCount: 0,
      score: 100,
      verifiedPercent: 100,
    });
  });

  it("a gap costs its share, and is named with its reason, how often it was asked for and when next", async () => {
    const world = await newWorld();
    await world.store.commit([
      batchOf(world.market.id, [...candlesBetween(0, 60), ...candlesBetween(85, 100)], {
        missing: [
          {
            startMs: minuteMs(60),
            endMs: minuteMs(80),
            reason: "absent",
            detail: "GET /klines",
            nextAskMs: minuteMs(101),
          },
        ],
        receivedMs: minuteMs(99),
      }),
      batchOf(world.market.id, candlesBetween(80, 85)),
    ]);
    const summary = await check(world);
    expect(summary).toMatchObject({
      expectedRecords: 100,
      totalRecords: 80,
      missingCount: 20,
      score: 80,
      verifiedPercent: 80,
      isValid: false,
    });
    expect(summary.errors).toEqual([]);
    expect(summary.warnings).toEqual([
      {
        code: "waiting",
        count: 20,
        message: "20 missing candles waiting to be asked for once more before the exchange is believed",
      },
    ]);
    expect(summary.deductions).toEqual([
      {
        metric: "missing",
        count: 20,
        points: 20,
        more: 0,
        evidence: [
          {
            start: "2024-01-01T01:00:00Z",
            end: "2024-01-01T01:20:00Z",
            candles: 20,
            reason: "absent",
            detail: "GET /klines",
            asked: 1,
            next_ask_at: "2024-01-01T01:41:00Z",
          },
        ],
      },
    ]);
  });

  it("candles that closed just now and were not asked for yet are no error, older ones are", async () => {
    const world = await newWorld();
    await world.store.commit([batchOf(world.market.id, candlesBetween(0, 98))]);
    const fresh = await check(world);
    expect(fresh).toMatchObject({ missingCount: 2, score: 98, isValid: true, errors: [] });
    expect(fresh.warnings).toEqual([
      { code: "fresh", count: 2, message: "2 candles closed just now and not fetched yet" },
    ]);
    world.clock.advance(4 * 60_000);
    const old = await check(world);
    expect(old).toMatchObject({ missingCount: 2, score: 98, isValid: false, warnings: [] });
    expect(old.errors).toEqual([
      { code: "missing_candles", count: 2, message: "2 candles missing in 1 gap" },
    ]);
  });

  it("names the twenty longest gaps, and counts the rest", async () => {
    const world = await newWorld();
    // Every fourth minute is missing, and minute 1 too.
    const candles = candlesBetween(0, 100).filter((_, minute) => minute % 4 !== 0 && minute !== 1);
    await world.store.commit([batchOf(world.market.id, candles)]);
    const [missing] = (await check(world)).deductions;
    expect(missing).toMatchObject({ metric: "missing", count: 26, points: 26, more: 5 });
    expect(missing?.evidence).toHaveLength(20);
    expect(missing?.evidence[0]).toMatchObject({ start: formatTime(minuteMs(0)), candles: 2 });
    expect(missing?.evidence[1]).toMatchObject({ start: formatTime(minuteMs(4)), reason: "not_fetched" });
  });

  it("rows that vanished behind the ledger are missing, with the place, and the ledger is called wrong", async () => {
    const world = await newWorld();
    await world.store.commit([batchOf(world.market.id, candlesBetween(0, 100))]);
    await world.database.sql("DELETE FROM ohlcv WHERE open_time >= $1 AND open_time < $2", [
      formatTime(minuteMs(30)),
      formatTime(minuteMs(35)),
    ]);
    await world.database.sql("DELETE FROM ohlcv WHERE open_time = $1", [formatTime(minuteMs(99))]);
    const summary = await check(world);
    expect(summary).toMatchObject({
      totalRecords: 94,
      missingCount: 6,
      score: 94,
      verifiedPercent: 94,
      isValid: false,
    });
    expect(summary.errors).toEqual([
      { code: "missing_candles", count: 6, message: "6 candles missing in 2 gaps" },
      {
        code: "ledger_mismatch",
        count: 6,
        message: "ledger says 100 rows, the table has 94: something other than tickwell has changed it",
      },
    ]);
    const [missing] = summary.deductions;
    const gaps = missing?.metric === "missing" ? missing.evidence : [];
    expect(gaps.map(({ start, end, candles, reason }) => [start, end, candles, reason])).toEqual([
      ["2024-01-01T00:30:00Z", "2024-01-01T00:35:00Z", 5, "vanished"],
      ["2024-01-01T01:39:00Z", "2024-01-01T01:40:00Z", 1, "vanished"],
    ]);
  });

  it("a row in a void does not stand for a missing one elsewhere", async () => {
    const world = await newWorld();
    const candles = [...candlesBetween(0, 40), ...candlesBetween(50, 80), ...candlesBetween(81, 100)];
    await world.store.commit([batchOf(world.market.id, candles, { voids: [voidClaim(40, 50)] })]);
    await world.database.sql("UPDATE ohlcv SET open_time = $2 WHERE open_time = $1", [
      formatTime(minuteMs(98)),
      formatTime(minuteMs(45)),
    ]);
    const summary = await check(world);
    expect(summary).toMatchObject({ totalRecords: 89, expectedRecords: 90, missingCount: 2 });
    expect(summary.errors.map(({ code, count }) => [code, count])).toEqual([
      ["missing_candles", 2],
      ["ledger_mismatch", 1],
      ["rows_in_voids", 1],
    ]);
  });

  it("duplicates and order are what the gate refused for these candles, as often as it came", async () => {
    const world = await newWorld();
    const rejection = (rule: string, minute: number, raw: string) => ({
      rule,
      detail: `why ${raw}`,
      openTimeMs: minuteMs(minute),
      raw,
    });
    const page = batchOf(world.market.id, candlesBetween(0, 100), {
      rejected: [
        rejection("candle.duplicate", 3, "a"),
        rejection("candle.duplicate", 4, "b"),
        rejection("candle.out_of_order", 5, "c"),
        rejection("candle.high_below_low", 6, "d"),
        rejection("candle.duplicate", -1_500, "before the look back"),
      ],
    });
    await world.store.commit([page]);
    await world.store.commit([
      batchOf(world.market.id, [], { rejected: [rejection("candle.duplicate", 3, "a")] }),
    ]);
    const summary = await check(world);
    expect(summary).toMatchObject({ duplicateCount: 3, outOfOrderCount: 1, score: 96, isValid: true });
    expect(summary.warnings).toEqual([
      {
        code: "candle.high_below_low",
        count: 1,
        message: "1 row refused by candle.high_below_low",
      },
    ]);
    expect(summary.deductions).toEqual([
      {
        metric: "duplicate",
        count: 3,
        points: 3,
        more: 0,
        evidence: [
          { open_time: formatTime(minuteMs(4)), rule: "candle.duplicate", detail: "why b", occurrences: 1 },
          { open_time: formatTime(minuteMs(3)), rule: "candle.duplicate", detail: "why a", occurrences: 2 },
        ],
      },
      {
        metric: "out_of_order",
        count: 1,
        points: 1,
        more: 0,
        evidence: [
          {
            open_time: formatTime(minuteMs(5)),
            rule: "candle.out_of_order",
            detail: "why c",
            occurrences: 1,
          },
        ],
      },
    ]);
  });

  it("flagged candles cost half, and stand beside what was usual before them", async () => {
    const world = await newWorld();
    // Closes alternate between 100 and 200, so that the usual return is ln 2; volumes are 12.345.
    const candles = candlesBetween(0, 100).map((candle, minute) => ({
      ...candle,
      high: decimal("200"),
      close: decimal(minute % 2 === 0 ? "100" : "200"),
    }));
    candles[50] = candleAt(50, { high: decimal("900"), close: decimal("900"), volume: decimal("5000") });
    await world.store.commit([batchOf(world.market.id, candles)]);
    await world.database.sql("UPDATE ohlcv SET flags = 3 WHERE open_time = $1", [formatTime(minuteMs(50))]);
    await world.database.sql("UPDATE ohlcv SET flags = 4 WHERE open_time = $1", [formatTime(minuteMs(60))]);
    const summary = await check(world);
    expect(summary).toMatchObject({ priceJumpCount: 1, volumeSpikeCount: 1, score: 99, isValid: false });
    expect(summary.errors).toEqual([
      {
        code: "rule_broken",
        count: 1,
        message: "1 stored candle broke a rule, the latest at 2024-01-01T01:00:00Z",
      },
    ]);
    expect(summary.warnings.map(({ code, count }) => [code, count])).toEqual([
      ["price_jumps", 1],
      ["volume_spikes", 1],
    ]);
    expect(summary.deductions).toEqual([
      {
        metric: "price_jump",
        count: 1,
        points: 0.5,
        more: 0,
        evidence: [
          {
            open_time: formatTime(minuteMs(50)),
            close: "900",
            previous_close: "200",
            usual_return: Math.log(2),
          },
        ],
      },
      {
        metric: "volume_spike",
        count: 1,
        points: 0.5,
        more: 0,
        evidence: [{ open_time: formatTime(minuteMs(50)), volume: "5000", usual_volume: 12.345 }],
      },
    ]);
  });

  it("the points of all metrics and the score add up to 100, also where the defects are worth more", async () => {
    const world = await newWorld();
    const rejected = candlesBetween(0, 50).map((candle, i) => ({
      rule: "candle.duplicate",
      detail: "twice",
      openTimeMs: candle.openTimeMs,
      raw: String(i),
    }));
    await world.store.commit([batchOf(world.market.id, candlesBetween(0, 25), { rejected })]);
    await world.database.sql("UPDATE ohlcv SET flags = 1");
    const summary = await check(world);
    expect(summary.score).toBe(0);
    expect(summary.deductions.map(({ metric, count, points }) => [metric, count, points])).toEqual([
      ["missing", 75, 75],
      ["duplicate", 50, 25],
      ["price_jump", 25, 0],
    ]);
  });

  it("warns of revisions, imports, and a series nobody follows any more", async () => {
    const world = await newWorld();
    const key = { marketId: world.market.id, timeframe: "1m" } as const;
    await world.store.follow(key, { startMs: minuteMs(0), endMs: minuteMs(80) });
    await world.store.commit([
      batchOf(key.marketId, candlesBetween(0, 50)),
      batchOf(key.marketId, candlesBetween(50, 100), { source: "import", evidence: "import" }),
    ]);
    await world.store.commit([
      batchOf(key.marketId, [candleAt(7, { close: decimal("100.75") }), candleAt(8)]),
    ]);
    const summary = await check(world);
    expect(summary).toMatchObject({ score: 100, isValid: true, errors: [] });
    expect(summary.warnings).toEqual([
      {
        code: "revisions",
        count: 1,
        message: "the source has changed 1 candle since they were first stored",
      },
      {
        code: "imported",
        count: 50,
        message: "50 % rests on imported files, not on the exchange's own word",
      },
      {
        code: "not_followed",
        count: 20,
        message: "no collector has followed it for 20 min 20 s: what came since is not judged",
      },
    ]);
  });
});

describe("what is checked", () => {
  it("looks back as far as it is told, and no further", async () => {
    const world = await newWorld();
    await world.store.commit([batchOf(world.market.id, candlesBetween(20, 90))]);
    expect(await check(world, 40 * 60_000)).toMatchObject({
      startMs: minuteMs(60),
      endMs: minuteMs(100),
      expectedRecords: 40,
      totalRecords: 30,
      missingCount: 10,
      score: 75,
    });
  });

  it("judges the whole candles of a range", async () => {
    const { checker, market, store } = await newWorld();
    await store.commit([batchOf(market.id, candlesBetween(0, 100))]);
    const range = { startMs: minuteMs(10) + 1, endMs: minuteMs(20) + 59_999 };
    expect(await checker.checkOhlcvQuality({ market, timeframe: "1m", range })).toMatchObject({
      startMs: minuteMs(11),
      endMs: minuteMs(20),
      totalRecords: 9,
    });
  });

  it("has no score where nothing was expected", async () => {
    const world = await newWorld();
    world.clock.advance(48 * HOUR_MS);
    const summary = await check(world);
    expect(summary).toMatchObject({ expectedRecords: 0, totalRecords: 0, isValid: true, deductions: [] });
    expect(summary.score).toBeUndefined();
    expect(summary.verifiedPercent).toBeUndefined();
  });

  it("refuses a series that was never collected, by its name", async () => {
    const world = await newWorld();
    await expect(check(world, HOUR_MS, "1h")).rejects.toThrow(
      "binance:BTC/USDT 1h has never been collected: there is nothing to check",
    );
  });

  it("leaves out inactive markets unless they miss something", async () => {
    const off = (symbol: string): MarketInfo => ({
      ...BTC_USDT,
      symbol,
      nativeSymbol: symbol,
      isActive: false,
    });
    const world = await newWorld([BTC_USDT, off("GONE/USDT"), off("HALF/USDT")]);
    for (const market of world.stored)
      await world.store.commit([
        batchOf(market.id, candlesBetween(0, market.symbol === "HALF/USDT" ? 50 : 100)),
      ]);
    const summaries = await world.checker.checkAllActiveMarkets({ lookbackMs: 50 * 60_000 });
    expect(summaries.map(({ market, score }) => [market, score])).toEqual([
      ["binance:BTC/USDT", 100],
      ["binance:HALF/USDT", 0],
    ]);
  });

  it("takes as many statements for ten markets as for one", async () => {
    const statements: number[] = [];
    for (const total of [1, 10]) {
      const markets = Array.from({ length: total }, (_, i) => ({
        ...BTC_USDT,
        symbol: `M${i}/USDT`,
        nativeSymbol: `M${i}`,
      }));
      const world = await newWorld(markets);
      for (const market of world.stored) {
        const rejection = { rule: "candle.duplicate", detail: "", openTimeMs: minuteMs(1), raw: "" };
        await world.store.commit([batchOf(market.id, candlesBetween(0, 90), { rejected: [rejection] })]);
      }
      await world.database.sql("UPDATE ohlcv SET flags = 1 WHERE open_time = $1", [formatTime(minuteMs(5))]);
      await world.database.sql("DELETE FROM ohlcv WHERE open_time = $1", [formatTime(minuteMs(6))]);
      const query = vi.spyOn(pg.Client.prototype, "query");
      const summaries = await world.checker.checkAllActiveMarkets({ lookbackMs: HOUR_MS * 2 });
      statements.push(query.mock.calls.length);
      query.mockRestore();
      expect(summaries.map(({ missingCount }) => missingCount)).toEqual(markets.map(() => 11));
    }
    expect(statements[0]).toBeGreaterThan(5);
    expect(statements[1]).toBe(statements[0]);
  });
});

describe("what is stored", () => {
  it("the summary is a row, and comes back as it was", async () => {
    const world = await newWorld();
    await world.store.commit([batchOf(world.market.id, candlesBetween(0, 90))]);
    await check(world, 40 * 60_000);
    world.clock.advance(1_000);
    const summary = await check(world);
    expect(await world.store.quality.latest({ marketId: world.market.id, timeframe: "1m" })).toEqual([
      summary,
    ]);
    expect(
      await world.database.sql(
        "SELECT data_type, missing_count::int, quality_score, is_valid, validation_errors->0->>'code' AS error FROM data_quality_summary ORDER BY check_time",
      ),
    ).toEqual([
      {
        data_type: "ohlcv",
        missing_count: 10,
        quality_score: 75,
        is_valid: false,
        error: "missing_candles",
      },
      { data_type: "ohlcv", missing_count: 10, quality_score: 90, is_valid: false, error: "missing_candles" },
    ]);
  });

  it("the query of the contract works as it stands", async () => {
    const eth = { ...BTC_USDT, symbol: "ETH/USDT", nativeSymbol: "ETHUSDT" };
    const world = await newWorld([BTC_USDT, eth]);
    for (const { id, symbol } of world.stored)
      await world.store.commit([batchOf(id, candlesBetween(0, symbol === "BTC/USDT" ? 100 : 80))]);
    await world.checker.checkAllActiveMarkets({ lookbackMs: 24 * HOUR_MS });
    // The checker's clock stands in 2024; the query speaks of now. A hypertable's rows do not move by an UPDATE.
    await world.database.sql(`
      CREATE TEMP TABLE moved AS SELECT * FROM data_quality_summary;
      UPDATE moved SET check_time = now();
      TRUNCATE data_quality_summary;
      INSERT INTO data_quality_summary OVERRIDING SYSTEM VALUE SELECT * FROM moved;`);
    const { columns, rows } = await world.store.query(
      `SELECT m.symbol, AVG(dqs.quality_score) AS avg_score, SUM(dqs.missing_count) AS total_missing
FROM data_quality_summary dqs JOIN markets m ON dqs.market_id = m.id
WHERE dqs.check_time >= NOW() - INTERVAL '24 hours'
GROUP BY m.symbol ORDER BY avg_score DESC;`,
      new AbortController().signal,
    );
    expect(columns).toEqual(["symbol", "avg_score", "total_missing"]);
    expect(rows).toEqual([
      ["BTC/USDT", 100, "0"],
      ["ETH/USDT", 80, "20"],
    ]);
  });

  it("a report counts what is valid and names the lowest score", async () => {
    const eth = { ...BTC_USDT, symbol: "ETH/USDT", nativeSymbol: "ETHUSDT" };
    const world = await newWorld([BTC_USDT, eth]);
    await world.store.commit(world.stored.map(({ id }, i) => batchOf(id, candlesBetween(0, 100 - 20 * i))));
    const report = world.checker.generateQualityReport(
      await world.checker.checkAllActiveMarkets({ lookbackMs: 24 * HOUR_MS }),
    );
    expect(report).toMatchObject({
      check_time: "2024-01-01T01:40:20Z",
      lowest_score: 80,
      missing_count: 20,
      valid_series: 1,
    });
    expect(report.series.map(({ market, quality_score }) => [market, quality_score])).toEqual([
      ["binance:BTC/USDT", 100],
      ["binance:ETH/USDT", 80],
    ]);
  });
});
