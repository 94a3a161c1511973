// Trades and order books on a real database: what a commit stores, claims, and leaves as a gap.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import type { BookBatch, TradeBatch, TradeRun } from "../../../src/core/model/record-batch.js";
import type { Trade } from "../../../src/core/model/trade.js";
import type { Store, StoredTrade } from "../../../src/store/store.js";
import { LiveQualityChecker } from "../../../src/upkeep/quality/live-quality-checker.js";
import { BTC_USDT, decimal } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const T0 = Date.UTC(2024, 0, 10, 12);
const never = new AbortController().signal;
let database: TestDatabase;
let store: Store;
let marketNumber = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

async function newMarket(): Promise<number> {
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol: `L${++marketNumber}/USDT` }], {
    isSimulated: true,
  });
  return market?.id ?? 0;
}

function trade(id: number, ms: number, change: Partial<Trade> = {}): Trade {
  return {
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs: T0 + ms,
    microsecond: 0,
    price: decimal("100.5"),
    qty: decimal("0.25"),
    side: "buy",
    ...change,
  };
}

const run = (startMs: number, endMs: number, firstId: number, lastId: number): TradeRun => ({
  startMs: T0 + startMs,
  endMs: T0 + endMs,
  firstId,
  lastId,
});

function trades(marketId: number, rows: readonly Trade[], change: Partial<TradeBatch> = {}): TradeBatch {
  return {
    kind: "trades",
    marketId,
    evidence: "ws_sequence",
    trades: rows,
    runs: [],
    voids: [],
    missing: [],
    rejected: [],
    tally: { ...NO_TALLY, received: rows.length },
    receivedMs: T0 + 10_000,
    ...change,
  };
}

async function read(marketId: number): Promise<StoredTrade[]> {
  const all: StoredTrade[] = [];
  for await (const page of store.live.readTrades(marketId, { startMs: 0, endMs: T0 * 2 }, never))
    all.push(...page);
  return all;
}

const refused = (marketId: number) =>
  database.sql("SELECT rule FROM quarantine WHERE market_id = $1", [marketId]);

const holes = async (marketId: number) =>
  (await store.live.missingTrades(marketId)).map(({ startMs, endMs, afterId, beforeId }) => [
    startMs - T0,
    endMs - T0,
    afterId,
    beforeId,
  ]);

describe("trades that are counted by their fills", () => {
  const quantities = async (marketId: number) =>
    (await read(marketId)).map((each) => [each.id, each.fills, each.qty]);
  const fill = (id: number, ms: number, qty = "1") => trade(id, ms, { qty: decimal(qty) });
  const joined = (firstId: number, lastId: number, ms: number, qty: string) =>
    trade(lastId, ms, { firstFillId: firstId, qty: decimal(qty) });

  async function countedMarket(): Promise<number> {
    const id = await newMarket();
    await store.live.countTradesBy([id], "fill");
    return id;
  }

  it("are stored once, be they told one by one after they were told together", async () => {
    const id = await countedMarket();
    const together = [fill(1, 0), joined(2, 4, 5, "3"), fill(5, 9)];
    await store.commit([trades(id, together, { runs: [run(0, 9, 1, 5)] })]);
    const single = [1, 2, 3, 4, 5].map((each) => fill(each, each === 1 ? 0 : each === 5 ? 9 : 5));
    await store.commit([trades(id, single, { evidence: "rest_page" })]);
    expect(await quantities(id)).toEqual([
      [1, 1, "1"],
      [4, 3, "3"],
      [5, 1, "1"],
    ]);
    expect(await store.live.audit()).toEqual([]);
  });

  it("are stored once, be they told together after some of them were told one by one", async () => {
    const id = await countedMarket();
    await store.commit([trades(id, [fill(2, 5), fill(3, 5), fill(5, 9)], { evidence: "rest_page" })]);
    const together = [fill(1, 0), joined(2, 4, 5, "3"), fill(5, 9)];
    await store.commit([trades(id, together, { runs: [run(0, 9, 1, 5)] })]);
    expect(await quantities(id)).toEqual([
      [1, 1, "1"],
      [4, 3, "3"],
      [5, 1, "1"],
    ]);
    expect(await store.live.audit()).toEqual([]);
  });

  it("stay as they are once all of them are proven one by one, be they told together afterwards", async () => {
    const id = await countedMarket();
    const single = [fill(1, 0), fill(2, 5), fill(3, 5), fill(4, 9)];
    await store.commit([trades(id, single, { evidence: "rest_page", runs: [run(0, 9, 1, 4)] })]);
    await store.commit([trades(id, [joined(2, 3, 5, "2"), fill(5, 12)], { runs: [run(9, 12, 5, 5)] })]);
    expect(await quantities(id)).toEqual([1, 2, 3, 4, 5].map((each) => [each, 1, "1"]));
    expect(await refused(id)).toEqual([]);
    expect(await store.live.audit()).toEqual([]);
  });

  it("are stored once where one commit tells them both ways", async () => {
    const id = await countedMarket();
    await store.commit([trades(id, [fill(9, 20)], { evidence: "rest_page" })]);
    const single = [1, 2, 3, 4].map((each) => fill(each, each === 1 ? 0 : 5));
    await store.commit([
      trades(id, single, { evidence: "rest_page" }),
      trades(id, [fill(1, 0), joined(2, 4, 5, "3")], { runs: [run(0, 5, 1, 4)] }),
    ]);
    const rows = await quantities(id);
    expect(rows.reduce((sum, [, , qty]) => sum + Number(qty), 0)).toBe(5);
    expect(await store.live.audit()).toEqual([]);
  });

  it("keep a fill in quarantine that contradicts those it was told with", async () => {
    const id = await countedMarket();
    await store.commit([trades(id, [joined(1, 3, 5, "3")], { runs: [run(5, 6, 1, 3)] })]);
    const other = trade(2, 5, { price: decimal("99") });
    await store.commit([trades(id, [other], { evidence: "rest_page" })]);
    expect(await quantities(id)).toEqual([[3, 3, "3"]]);
    expect(await refused(id)).toEqual([{ rule: "trade.contradicts_stored" }]);
  });

  it("never share a market with trades that are counted otherwise", async () => {
    const id = await countedMarket();
    await store.live.countTradesBy([id], "fill");
    await expect(store.live.countTradesBy([await newMarket(), id], "record")).rejects.toThrow(
      /^binance:L\d+\/USDT: raw trades are stored, and aggregated ones are asked for.*exchange\.trades: raw/,
    );
  });
});

describe("a commit of trades", () => {
  it("stores each once, claims its run, and changes nothing when it is repeated", async () => {
    const id = await newMarket();
    const rows = [trade(1, 0), trade(2, 5, { microsecond: 123, side: "sell" }), trade(3, 5)];
    const batch = trades(id, rows, { runs: [run(0, 5, 1, 3)] });
    expect((await store.commit([batch])).live).toBe(3);
    expect((await store.commit([batch, batch])).live).toBe(0);
    expect(
      (await read(id)).map((each) => [each.id, each.timeMs - T0, each.microsecond, each.side, each.price]),
    ).toEqual([
      [1, 0, 0, "buy", "100.5"],
      [3, 5, 0, "buy", "100.5"],
      [2, 5, 123, "sell", "100.5"],
    ]);
    expect(await store.live.lastTrade(id)).toEqual({ lastId: 3, endMs: T0 + 5 });
    expect(await store.live.audit()).toEqual([]);
  });

  it("is the same trade in microseconds and in milliseconds, and keeps one that contradicts it in quarantine", async () => {
    const id = await newMarket();
    await store.commit([
      trades(id, [trade(1, 0), trade(2, 5, { microsecond: 7 })], { runs: [run(0, 5, 1, 2)] }),
    ]);
    const again = trades(id, [trade(2, 5), trade(3, 9)], { evidence: "rest_page", runs: [run(5, 9, 3, 3)] });
    expect((await store.commit([again])).live).toBe(1);
    await store.commit([trades(id, [trade(3, 9, { price: decimal("99") })], { evidence: "rest_page" })]);
    expect((await read(id)).map((each) => [each.id, each.microsecond, each.price])).toEqual([
      [1, 0, "100.5"],
      [2, 7, "100.5"],
      [3, 0, "100.5"],
    ]);
    expect(await refused(id)).toEqual([{ rule: "trade.contradicts_stored" }]);
  });

  it("stores no second trade under an id that is proven, whatever time it is told with", async () => {
    const id = await newMarket();
    await store.commit([trades(id, [trade(1, 0), trade(2, 10)], { runs: [run(0, 10, 1, 2)] })]);
    const again = [trade(1, 5, { price: decimal("99") }), trade(3, 20)];
    const batch = trades(id, again, { evidence: "rest_page", runs: [run(10, 20, 3, 3)] });
    expect((await store.commit([batch])).live).toBe(1);
    expect((await read(id)).map((each) => [each.id, each.timeMs - T0, each.price])).toEqual([
      [1, 0, "100.5"],
      [2, 10, "100.5"],
      [3, 20, "100.5"],
    ]);
    expect(await refused(id)).toEqual([{ rule: "trade.contradicts_stored" }]);
  });

  it("stores a trade once that was stored without a claim before, and is told again in microseconds", async () => {
    const id = await newMarket();
    await store.commit([trades(id, [trade(1, 0)], { runs: [run(0, 5, 1, 1)] })]);
    // As the parts of a batch in which the database refuses a row.
    await store.commit([trades(id, [trade(3, 8), trade(2, 9)])]);
    const fetched = [trade(2, 9, { microsecond: 250 }), trade(3, 8, { microsecond: 1 }), trade(4, 9)];
    await store.commit([trades(id, fetched, { evidence: "rest_page", runs: [run(5, 10, 2, 4)] })]);
    const ids = (await read(id)).map((each) => each.id);
    expect(ids.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
    expect(await store.live.audit()).toEqual([]);
  });

  it("reads on where a page ends within the first millisecond of a second", async () => {
    const id = await newMarket();
    const rows = Array.from({ length: 5_010 }, (_, i) =>
      trade(i, i < 4_990 ? i / 10_000 : 1_000, { microsecond: i % 1_000 }),
    );
    const whole = rows.map((each) => ({ ...each, timeMs: Math.floor(each.timeMs) }));
    await store.commit([trades(id, whole)]);
    expect((await read(id)).length).toBe(5_010);
  });

  it("leaves a gap with its ids where trades are missing, until REST has brought them", async () => {
    const id = await newMarket();
    const missing = {
      ...run(100, 200, 11, 14),
      reason: "absent" as const,
      detail: "trades 11 to 14 did not come in",
      nextAskMs: T0,
    };
    await store.commit([
      trades(id, [trade(10, 0), trade(15, 200)], {
        runs: [run(0, 100, 10, 10), run(200, 300, 15, 15)],
        missing: [missing],
      }),
    ]);
    expect(await holes(id)).toEqual([[100, 200, 10, 15]]);
    const rows = [11, 12, 13, 14].map((each) => trade(each, 100 + each));
    await store.commit([trades(id, rows, { evidence: "rest_page", runs: [run(100, 200, 11, 14)] })]);
    expect(await holes(id)).toEqual([]);
    expect(
      await database.sql("SELECT reason, closed_at IS NOT NULL AS closed FROM gap_log WHERE market_id = $1", [
        id,
      ]),
    ).toEqual([{ reason: "absent", closed: true }]);
  });

  it("finds a batch that a stage has lost, also when all of it lay in one millisecond", async () => {
    const id = await newMarket();
    await store.commit([trades(id, [trade(1, 0)], { runs: [run(0, 100, 1, 1)] })]);
    // Lost: [100, 200) with trade 2.
    await store.commit([trades(id, [trade(3, 200)], { runs: [run(200, 300, 3, 3)] })]);
    expect(await holes(id)).toEqual([[100, 200, 1, 3]]);
    // Lost: a run without time, with trades 4 and 5.
    await store.commit([trades(id, [trade(6, 300)], { runs: [run(300, 400, 6, 6)] })]);
    expect(await holes(id)).toEqual([
      [100, 200, 1, 3],
      [299, 300, 3, 6],
    ]);
    await store.commit([
      trades(id, [trade(2, 150)], { evidence: "rest_page", runs: [run(100, 200, 2, 2)] }),
      trades(id, [trade(4, 300), trade(5, 300)], { evidence: "rest_page", runs: [run(299, 300, 4, 5)] }),
    ]);
    expect(await holes(id)).toEqual([]);
    expect(await store.live.audit()).toEqual([]);
  });

  it("expects the time between two sessions", async () => {
    const id = await newMarket();
    await store.commit([trades(id, [trade(1, 0)], { runs: [run(0, 100, 1, 1)] })]);
    await store.commit([trades(id, [trade(9, 60_000)], { runs: [run(60_000, 60_100, 9, 9)] })]);
    expect(await holes(id)).toEqual([[100, 60_000, 1, 9]]);
    await store.commit([
      trades(id, [], { voids: [{ startMs: T0 + 100, endMs: T0 + 60_000 }], evidence: "rest_page" }),
    ]);
    expect(await holes(id)).toEqual([]);
  });

  it("stores nothing of a commit that fails in its middle", async () => {
    const id = await newMarket();
    const bad = trades(id, [trade(1, 0, { price: "no number" as Trade["price"] })], {
      runs: [run(0, 5, 1, 1)],
    });
    await expect(
      store.commit([trades(id, [trade(2, 9)], { runs: [run(5, 9, 2, 2)] }), bad]),
    ).rejects.toThrow();
    expect([await read(id), await store.live.lastTrade(id)]).toEqual([[], undefined]);
  });
});

const bookOf = (marketId: number, change: Partial<BookBatch>): BookBatch => ({
  kind: "book",
  marketId,
  snapshots: [],
  deltas: [],
  valid: [],
  outages: [],
  rejected: [],
  tally: NO_TALLY,
  receivedMs: T0 + 5_000,
  ...change,
});
const snapshotAt = (ms: number) => ({
  kind: "book_snapshot" as const,
  timeMs: T0 + ms,
  sequence: 1_000 + ms,
  bids: [[decimal("100.5"), decimal("1")] as const, [decimal("100"), decimal("0.001")] as const],
  asks: [[decimal("101"), decimal("2")] as const],
});
const span = (startMs: number, endMs: number) => ({ startMs: T0 + startMs, endMs: T0 + endMs });

describe("a commit of books", () => {
  it("keeps snapshots readable by SQL, joins validity, and names every time without a book", async () => {
    const id = await newMarket();
    const outage = {
      ...span(2_000, 3_000),
      reason: "sequence_break" as const,
      detail: "U=9 does not continue u=7",
    };
    await store.commit([
      bookOf(id, { snapshots: [snapshotAt(0)], valid: [span(0, 1_000)] }),
      bookOf(id, { snapshots: [snapshotAt(1_000)], valid: [span(1_000, 2_000)] }),
      bookOf(id, { snapshots: [snapshotAt(3_000)], valid: [span(3_000, 4_000)], outages: [outage] }),
    ]);
    expect(
      await database.sql(
        "SELECT bids[1][1]::text AS bid, asks[1][2]::text AS ask_size FROM orderbook_snapshots WHERE market_id = $1 ORDER BY ts LIMIT 1",
        [id],
      ),
    ).toEqual([{ bid: "100.5", ask_size: "2" }]);
    const coverage =
      "SELECT (extract(epoch FROM start_time) * 1000)::bigint::text AS s, records::int FROM coverage WHERE market_id = $1 ORDER BY start_time";
    expect(await database.sql(coverage, [id])).toEqual([
      { s: String(T0), records: 2 },
      { s: String(T0 + 3_000), records: 1 },
    ]);
    expect(await store.live.outages(id, span(0, 10_000))).toEqual([outage]);
    expect(await store.live.bookFollowedTo(id)).toBe(T0 + 4_000);
    const pages: unknown[] = [];
    for await (const page of store.live.readBooks(id, span(0, 10_000), never)) pages.push(...page);
    expect(pages).toHaveLength(3);
    expect(pages[0]).toMatchObject({
      sequence: 1_000,
      bids: [
        ["100.5", "1"],
        ["100", "0.001"],
      ],
      asks: [["101", "2"]],
    });
    expect(await store.live.audit()).toEqual([]);
  });
});

describe("how many books a range of coverage holds", () => {
  it("depends on the books alone, and not on how they were committed", async () => {
    const counts: unknown[] = [];
    for (const cuts of [[], [1], [2], [3], [1, 2, 3], [2, 3]] as const) {
      const id = await newMarket();
      const all = [0, 1, 2, 3].map((at) =>
        bookOf(id, {
          snapshots: [snapshotAt(1_000 * at + 400), snapshotAt(1_000 * at + 1_000)],
          valid: [span(1_000 * at, 1_000 * at + 1_000)],
        }),
      );
      let from = 0;
      for (const to of [...cuts, 4]) {
        await store.commit(all.slice(from, to));
        from = to;
      }
      // Told again, as a stage may.
      await store.commit(all.slice(1, 3));
      counts.push(
        await database.sql(
          "SELECT records::int FROM coverage WHERE market_id = $1 AND data_type = 'orderbook'",
          [id],
        ),
      );
    }
    // The last one lies at the very end, which is not within the range.
    expect(counts).toEqual(Array.from({ length: 6 }, () => [{ records: 7 }]));
  });
});

describe("the quality of live data", () => {
  it("counts missing trades and time without a book, says what the streams were like, and is a row of the summary", async () => {
    const id = await newMarket();
    const nowMs = T0 + 60_000;
    const tally = { ...NO_TALLY, received: 12, duplicates: 2, missingIds: 1 };
    const rows = Array.from({ length: 9 }, (_, i) => trade(i < 5 ? i : i + 1, 1_000 * i));
    await store.commit(
      [
        trades(id, rows, { runs: [run(0, 4_500, 0, 4), run(5_000, 9_000, 6, 9)], tally }),
        {
          kind: "book",
          marketId: id,
          snapshots: [],
          deltas: [],
          valid: [{ startMs: T0, endMs: T0 + 30_000 }],
          outages: [{ startMs: T0 + 30_000, endMs: T0 + 40_000, reason: "stale", detail: "silent" }],
          rejected: [],
          tally: { ...NO_TALLY, resyncs: 1, sequenceBreaks: 1 },
          receivedMs: T0 + 40_000,
        },
      ],
      T0 + 8_100,
    );
    const clock = { ...systemClock, nowMs: () => nowMs };
    const checker = new LiveQualityChecker({ store, clock, minScore: 80 });
    const [tradesSummary, books] = await checker.check({ lookbackMs: 3_600_000, marketIds: [id] });
    // One of ten trades is missing; the hole is half a second of nine.
    expect(tradesSummary).toMatchObject({
      dataType: "trades",
      score: 90,
      missingIds: 1,
      stored: 9,
      isValid: false,
    });
    expect(tradesSummary?.verifiedPercent).toBeCloseTo((100 * 8.5) / 9, 6);
    // The last trade took 100 ms to the store, the first 8.1 s.
    expect(tradesSummary?.lagMs).toEqual({ p50: 5_000, p95: 10_000, p99: 10_000 });
    expect(books).toMatchObject({ dataType: "orderbook", score: 75, verifiedPercent: 75, isValid: false });
    expect(books?.holes).toEqual([
      { startMs: T0 + 30_000, endMs: T0 + 40_000, reason: "stale", detail: "silent" },
    ]);
    const stored = await database.sql(
      `SELECT data_type, quality_score, missing_count::int, duplicate_count::int, metrics->'resyncs' AS resyncs FROM data_quality_summary
       WHERE market_id = $1 ORDER BY data_type`,
      [id],
    );
    expect(stored).toEqual([
      { data_type: "orderbook", quality_score: 75, missing_count: 10, duplicate_count: 0, resyncs: 1 },
      { data_type: "trades", quality_score: 90, missing_count: 1, duplicate_count: 2, resyncs: null },
    ]);
  });
});
