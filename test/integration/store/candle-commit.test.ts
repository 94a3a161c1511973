import { afterAll, beforeAll, describe, expect, it } from "vitest";
import fc from "fast-check";
import { TickwellError } from "../../../src/core/fault.js";
import type { Store } from "../../../src/store/store.js";
import { batchOf, BTC_USDT, candleAt, candlesBetween, decimal, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

let database: TestDatabase;
let store: Store;
let marketNumber = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

/** A market of its own for each test, expected to hold the day. */
async function newMarket(): Promise<number> {
  const symbol = `T${++marketNumber}/USDT`;
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol }], { isSimulated: true });
  const marketId = market?.id ?? 0;
  await store.expect({ marketId, timeframe: "1m" }, { startMs: minuteMs(0), endMs: minuteMs(60) });
  return marketId;
}

function coverageOf(
  marketId: number,
): Promise<{ from: number; to: number; evidence: string; records: string }[]> {
  return database.sql(
    `SELECT (extract(epoch FROM start_time - '2024-01-01Z') / 60)::int AS from, (extract(epoch FROM end_time - '2024-01-01Z') / 60)::int AS to,
            evidence, records FROM coverage WHERE market_id = $1 ORDER BY start_time`,
    [marketId],
  );
}

const gap = (from: number, to: number) => ({ startMs: minuteMs(from), endMs: minuteMs(to) });

describe("commit", () => {
  it("stores rows and coverage together and leaves the rest of what is expected as gaps", async () => {
    const marketId = await newMarket();
    const result = await store.commit([
      batchOf(marketId, [...candlesBetween(0, 10), ...candlesBetween(15, 20)]),
    ]);
    expect(result).toEqual({ inserted: 15, revised: 0, refused: 0, live: 0 });
    expect(await coverageOf(marketId)).toEqual([
      { from: 0, to: 10, evidence: "rest_page", records: "10" },
      { from: 15, to: 20, evidence: "rest_page", records: "5" },
    ]);
    expect(await store.missing({ marketId, timeframe: "1m" }, gap(0, 60))).toEqual([
      gap(10, 15),
      gap(20, 60),
    ]);
    expect(await store.audit({ marketId })).toEqual([]);
  });

  it("joins neighbouring ranges of the same evidence into one", async () => {
    const marketId = await newMarket();
    await store.commit([batchOf(marketId, candlesBetween(0, 5)), batchOf(marketId, candlesBetween(5, 10))]);
    await store.commit([batchOf(marketId, candlesBetween(10, 12))]);
    expect(await coverageOf(marketId)).toEqual([{ from: 0, to: 12, evidence: "rest_page", records: "12" }]);
  });

  it("changes nothing when a batch is repeated", async () => {
    const marketId = await newMarket();
    const batch = batchOf(marketId, candlesBetween(0, 10));
    await store.commit([batch]);
    expect(await store.commit([batch, batch])).toEqual({ inserted: 0, revised: 0, refused: 0, live: 0 });
    const rows = await database.sql("SELECT DISTINCT revision FROM ohlcv WHERE market_id = $1", [marketId]);
    expect(rows).toEqual([{ revision: 0 }]);
    expect(await store.audit({ marketId })).toEqual([]);
  });

  it("counts a changed candle as a revision and keeps what it said before", async () => {
    const marketId = await newMarket();
    await store.commit([batchOf(marketId, candlesBetween(0, 3))]);
    const result = await store.commit([
      batchOf(marketId, [candleAt(1, { close: decimal("99.5"), tradeCount: 8 }), candleAt(2)]),
    ]);
    expect(result).toEqual({ inserted: 0, revised: 1, refused: 0, live: 0 });
    const now = await database.sql(
      "SELECT close, trade_count, revision FROM ohlcv WHERE market_id = $1 ORDER BY open_time",
      [marketId],
    );
    expect(now).toEqual([
      { close: "100", trade_count: "7", revision: 0 },
      { close: "99.5", trade_count: "8", revision: 1 },
      { close: "100", trade_count: "7", revision: 0 },
    ]);
    const before = await database.sql(
      "SELECT close, trade_count, revision FROM candle_revisions WHERE market_id = $1",
      [marketId],
    );
    expect(before).toEqual([{ close: "100", trade_count: "7", revision: 0 }]);
  });

  it("lets the exchange revise an imported candle, and quarantines an imported one that contradicts the exchange", async () => {
    const marketId = await newMarket();
    const imported = { source: "import", evidence: "import" } as const;
    const bare = { quoteVolume: undefined, tradeCount: undefined };
    await store.commit([
      batchOf(marketId, [candleAt(0, bare), candleAt(1, { ...bare, close: decimal("99.9") })], imported),
    ]);
    expect(await store.commit([batchOf(marketId, [candleAt(0), candleAt(1)])])).toEqual({
      inserted: 0,
      revised: 1,
      refused: 0,
      live: 0,
    });
    expect(
      await store.commit([
        batchOf(marketId, [candleAt(0, bare), candleAt(1, { ...bare, open: decimal("99.9") })], imported),
      ]),
    ).toEqual({
      inserted: 0,
      revised: 0,
      refused: 1,
      live: 0,
    });
    const rows = await database.sql(
      "SELECT open, close, quote_volume, source, revision FROM ohlcv WHERE market_id = $1 ORDER BY open_time",
      [marketId],
    );
    expect(rows).toEqual([
      { open: "100.5", close: "100", quote_volume: "1234.5", source: "rest", revision: 0 },
      { open: "100.5", close: "100", quote_volume: "1234.5", source: "rest", revision: 1 },
    ]);
    expect(await coverageOf(marketId)).toEqual([{ from: 0, to: 2, evidence: "rest_page", records: "2" }]);
    const kept = await database.sql("SELECT rule, source FROM quarantine WHERE market_id = $1", [marketId]);
    expect(kept).toEqual([{ rule: "candle.contradicts_exchange", source: "import" }]);
  });

  it("falls back to the upsert when a row stands where coverage knows of none", async () => {
    const marketId = await newMarket();
    await database.sql(
      "INSERT INTO ohlcv (market_id, timeframe, open_time, source, open, high, low, close, volume) VALUES ($1, '1m', '2024-01-01 00:02Z', 'rest', 1, 1, 1, 1, 1)",
      [marketId],
    );
    const result = await store.commit([batchOf(marketId, candlesBetween(0, 5))]);
    expect(result).toEqual({ inserted: 4, revised: 1, refused: 0, live: 0 });
    expect(await store.audit({ marketId })).toEqual([]);
  });

  it("believes a void where nothing is stored, and cuts it when the exchange has a candle after all", async () => {
    const marketId = await newMarket();
    const proof = {
      asked: [
        { atMs: minuteMs(60), request: "/one" },
        { atMs: minuteMs(61), request: "/two" },
      ],
    };
    await store.commit([
      batchOf(marketId, [...candlesBetween(0, 5), ...candlesBetween(10, 12)], {
        voids: [{ ...gap(4, 10), proof }],
      }),
    ]);
    expect(await coverageOf(marketId)).toEqual([
      { from: 0, to: 5, evidence: "rest_page", records: "5" },
      { from: 5, to: 10, evidence: "exchange_void", records: "0" },
      { from: 10, to: 12, evidence: "rest_page", records: "2" },
    ]);
    await store.commit([batchOf(marketId, [candleAt(7)])]);
    expect(await coverageOf(marketId)).toEqual([
      { from: 0, to: 5, evidence: "rest_page", records: "5" },
      { from: 5, to: 7, evidence: "exchange_void", records: "0" },
      { from: 7, to: 8, evidence: "rest_page", records: "1" },
      { from: 8, to: 10, evidence: "exchange_void", records: "0" },
      { from: 10, to: 12, evidence: "rest_page", records: "2" },
    ]);
    expect(await store.audit({ marketId })).toEqual([]);
    expect((await store.voids({ marketId })).map((each) => each.proof)).toEqual([proof, proof]);
  });

  it("logs a missing range once, counts each time it is asked for, and closes it with what became of it", async () => {
    const marketId = await newMarket();
    const key = { marketId, timeframe: "1m" } as const;
    const missing = [{ ...gap(5, 8), reason: "absent" as const, detail: "/klines", nextAskMs: minuteMs(70) }];
    await store.commit([batchOf(marketId, candlesBetween(0, 5), { missing })]);
    await store.commit([batchOf(marketId, [], { missing })]);
    expect(await store.openGaps(key)).toMatchObject([{ ...gap(5, 8), reason: "absent", asked: 2 }]);
    const proof = { asked: [] };
    await store.commit([batchOf(marketId, [candleAt(5)], { voids: [{ ...gap(6, 8), proof }] })]);
    expect(await store.openGaps(key)).toEqual([]);
    const history = await store.gapHistory();
    expect(history.find((each) => each.marketId === marketId)).toMatchObject({
      found: 1,
      repairedCandles: 1,
      voidCandles: 2,
    });
  });

  it("counts the same refused record once more instead of keeping it twice", async () => {
    const marketId = await newMarket();
    const rejected = [
      { rule: "candle.high_below_low", detail: "high 1 < low 2", openTimeMs: minuteMs(3), raw: '["\u0000"]' },
    ];
    await store.commit([batchOf(marketId, [], { rejected: [...rejected, ...rejected] })]);
    await store.commit([batchOf(marketId, [], { rejected })]);
    const rows = await database.sql("SELECT rule, occurrences, raw FROM quarantine WHERE market_id = $1", [
      marketId,
    ]);
    expect(rows).toEqual([{ rule: "candle.high_below_low", occurrences: 3, raw: '["\uFFFD"]' }]);
  });

  it("stores nothing at all when one part of the transaction fails", async () => {
    const marketId = await newMarket();
    const bad = batchOf(marketId, candlesBetween(0, 5), {
      missing: [
        { ...gap(8, 5), reason: "absent", detail: "", nextAskMs: 0 },
        { ...gap(6, 7), reason: "nonsense" as "absent", detail: "", nextAskMs: 0 },
      ],
    });
    await expect(store.commit([bad])).rejects.toThrow(TickwellError);
    expect(await coverageOf(marketId)).toEqual([]);
    expect(await database.sql("SELECT 1 FROM ohlcv WHERE market_id = $1", [marketId])).toEqual([]);
  });

  it("gives two writers of one series the same result as one after the other", async () => {
    const marketId = await newMarket();
    const other = await database.openStore();
    const halves = Array.from({ length: 20 }, (_, i) => batchOf(marketId, candlesBetween(i * 3, i * 3 + 4)));
    await Promise.all(halves.map((batch, i) => (i % 2 === 0 ? store : other).commit([batch])));
    expect(await coverageOf(marketId)).toEqual([{ from: 0, to: 61, evidence: "rest_page", records: "61" }]);
    expect(await store.audit({ marketId })).toEqual([]);
  });

  it("stores every decimal digit for digit", async () => {
    const digits = fc
      .tuple(fc.bigInt({ min: 1n, max: 10n ** 20n }), fc.integer({ min: 0, max: 18 }))
      .map(([value, scale]) => {
        const padded = value.toString().padStart(scale + 1, "0");
        return decimal(scale === 0 ? padded : `${padded.slice(0, -scale)}.${padded.slice(-scale)}`);
      });
    const prices = fc.sample(digits, { numRuns: 500, seed: 7 });
    const marketId = await newMarket();
    const candles = prices.map((price, minute) =>
      candleAt(minute, {
        open: price,
        high: price,
        low: price,
        close: price,
        volume: price,
        quoteVolume: price,
      }),
    );
    await store.commit([batchOf(marketId, candles)]);
    const rows = await database.sql<Record<string, string>>(
      "SELECT open::text, high::text, low::text, close::text, volume::text, quote_volume::text FROM ohlcv WHERE market_id = $1 ORDER BY open_time",
      [marketId],
    );
    expect(rows.map((row) => Object.values(row))).toEqual(
      prices.map((price) => Array.from({ length: 6 }, () => price)),
    );
  });
});

describe("audit", () => {
  it.each([
    ["missing_rows", "DELETE FROM ohlcv WHERE market_id = $1 AND open_time = '2024-01-01 00:02Z'"],
    [
      "uncovered_rows",
      "INSERT INTO ohlcv (market_id, timeframe, open_time, source, open, high, low, close, volume) VALUES ($1, '1m', '2024-01-01 00:30Z', 'rest', 1, 1, 1, 1, 1)",
    ],
    ["rows_in_void", "UPDATE coverage SET evidence = 'exchange_void' WHERE market_id = $1"],
    [
      "overlap",
      "INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records) VALUES ($1, 'ohlcv', '1m', '2024-01-01 00:03Z', '2024-01-01 00:05Z', 'rest_page', 2)",
    ],
    ["wrong_count", "UPDATE coverage SET records = 4 WHERE market_id = $1"],
    ["unexpected_coverage", "UPDATE series SET expected = '{}' WHERE market_id = $1"],
    [
      "off_grid",
      "INSERT INTO ohlcv (market_id, timeframe, open_time, source, open, high, low, close, volume) VALUES ($1, '1m', '2024-01-01 00:02:01Z', 'rest', 1, 1, 1, 1, 1)",
    ],
  ])("finds %s", async (finding, damage) => {
    const marketId = await newMarket();
    await store.commit([batchOf(marketId, candlesBetween(0, 5))]);
    await database.sql(damage, [marketId]);
    expect((await store.audit({ marketId })).map((each) => each.finding)).toContain(finding);
  });
});
