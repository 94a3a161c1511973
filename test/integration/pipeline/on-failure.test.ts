// What validation.on_failure promises, from an exchange that lies to the rows of a real PostgreSQL.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { TickwellError } from "../../../src/core/fault.js";
import { silentLog } from "../../../src/core/log.js";
import { CANDLE_FLAGS } from "../../../src/core/model/candle-flags.js";
import type { CandleCandidate } from "../../../src/core/model/candle.js";
import { CandleFeed, type FeedOutcome } from "../../../src/pipeline/feed/candle-feed.js";
import { DEFAULT_VALIDATION, type OnFailure } from "../../../src/pipeline/gate/validation.js";
import { Pipeline } from "../../../src/pipeline/pipeline.js";
import type { Store, StoredMarket } from "../../../src/store/store.js";
import { batchOf, BTC_USDT, candleAt, candlesBetween, decimal, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { MapExchange } from "../../unit/pipeline/feed/map-exchange.js";
import { rowAt } from "../../unit/pipeline/gate/candidates.js";

const NOW_MS = minuteMs(1_440);
const never = new AbortController().signal;
const between = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const range = (from: number, to: number) => ({ startMs: minuteMs(from), endMs: minuteMs(to) });

let database: TestDatabase;
let store: Store;
let marketNumber = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

async function newMarket(): Promise<StoredMarket> {
  const symbol = `T${++marketNumber}/USDT`;
  const [market] = await store.putMarkets("map", [{ ...BTC_USDT, symbol }], { isSimulated: true });
  if (!market) throw new Error("the market was not stored");
  await store.expect({ marketId: market.id, timeframe: "1m" }, range(0, 60));
  return market;
}

/** Fetches minutes 0 to 60; `rows` take the place of the exchange's own in the first `times` answers that hold them. */
async function collect(
  market: StoredMarket,
  onFailure: OnFailure,
  { rows = [], times = Infinity }: { rows?: readonly CandleCandidate[]; times?: number } = {},
): Promise<FeedOutcome> {
  const exchange = new MapExchange(between(0, 60), 20);
  const left = new Map(rows.map(({ openTimeMs }) => [openTimeMs, times]));
  exchange.onAnswer = (page) => ({
    ...page,
    candidates: page.candidates.map((own) => {
      const lie = rows.find(({ openTimeMs }) => openTimeMs === own.openTimeMs);
      const remaining = left.get(own.openTimeMs) ?? 0;
      if (!lie || remaining <= 0) return own;
      left.set(own.openTimeMs, remaining - 1);
      return lie;
    }),
  });
  const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 1_000 });
  const feed = new CandleFeed({
    exchange,
    stage: pipeline.stage,
    exchangeClock: { nowMs: () => NOW_MS },
    concurrency: 1,
    voidConfirmAfterMs: 60_000,
    recentCandles: (key, beforeMs, count) => store.recentCandles(key, beforeMs, count),
  });
  try {
    return await feed.fetchRange(
      {
        market,
        timeframe: "1m",
        range: range(0, 60),
        openGaps: [],
        latestSeenMs: -Infinity,
        validation: { ...DEFAULT_VALIDATION, onFailure },
      },
      never,
    );
  } finally {
    await pipeline.close();
  }
}

async function stateOf({ id }: StoredMarket) {
  const key = { marketId: id, timeframe: "1m" } as const;
  const minute = "(extract(epoch FROM open_time - '2024-01-01Z') / 60)::int AS minute";
  const [rows, flagged, quarantine] = await Promise.all([
    database.sql<{ count: string }>("SELECT count(*) FROM ohlcv WHERE market_id = $1", [id]),
    database.sql(
      `SELECT ${minute}, flags, revision, low FROM ohlcv WHERE market_id = $1 AND (flags <> 0 OR revision <> 0) ORDER BY 1`,
      [id],
    ),
    database.sql(`SELECT ${minute}, rule, occurrences FROM quarantine WHERE market_id = $1 ORDER BY 1, 2`, [
      id,
    ]),
  ]);
  expect(await store.audit({ marketId: id })).toEqual([]);
  return {
    rows: Number(rows[0]?.count),
    flagged,
    quarantine,
    missing: await store.missing(key, range(0, 60)),
  };
}

const LIE = rowAt(33, { low: "0" });
const inQuarantine = (occurrences: number) => [
  { minute: 33, rule: "candle.price_not_positive", occurrences },
];

describe("on_failure", () => {
  it("skip_and_log leaves the candle missing and keeps the row in quarantine", async () => {
    const market = await newMarket();
    await collect(market, "skip_and_log", { rows: [LIE] });
    expect(await stateOf(market)).toEqual({
      rows: 59,
      flagged: [],
      quarantine: inQuarantine(1),
      missing: [range(33, 34)],
    });
  });

  it("retry stores what the second answer tells and keeps the first one's row in quarantine", async () => {
    const market = await newMarket();
    await collect(market, "retry", { rows: [LIE], times: 1 });
    expect(await stateOf(market)).toEqual({
      rows: 60,
      flagged: [],
      quarantine: inQuarantine(1),
      missing: [],
    });
  });

  it("retry leaves missing what three answers tell alike", async () => {
    const market = await newMarket();
    await collect(market, "retry", { rows: [LIE] });
    expect(await stateOf(market)).toEqual({
      rows: 59,
      flagged: [],
      quarantine: inQuarantine(3),
      missing: [range(33, 34)],
    });
  });

  it("store_and_flag stores the row as it is, flagged and in quarantine; a clean answer revises it", async () => {
    const market = await newMarket();
    await collect(market, "store_and_flag", { rows: [LIE] });
    expect(await stateOf(market)).toEqual({
      rows: 60,
      flagged: [{ minute: 33, flags: CANDLE_FLAGS.rule_broken, revision: 0, low: "0" }],
      quarantine: inQuarantine(1),
      missing: [],
    });
    await collect(market, "store_and_flag");
    expect((await stateOf(market)).flagged).toEqual([{ minute: 33, flags: 0, revision: 1, low: "99.25" }]);
    const revisions = await database.sql("SELECT low FROM candle_revisions WHERE market_id = $1", [
      market.id,
    ]);
    expect(revisions).toEqual([{ low: "0" }]);
  });

  it("store_and_flag never puts an impossible row in the place of a sound one", async () => {
    const market = await newMarket();
    await collect(market, "store_and_flag");
    await collect(market, "store_and_flag", { rows: [LIE] });
    expect(await stateOf(market)).toEqual({
      rows: 60,
      flagged: [],
      quarantine: inQuarantine(1),
      missing: [],
    });
  });

  it("store_and_flag leaves missing what cannot be stored", async () => {
    const market = await newMarket();
    await collect(market, "store_and_flag", { rows: [rowAt(33, { close: "1e2" })] });
    expect(await stateOf(market)).toMatchObject({ rows: 59, flagged: [], missing: [range(33, 34)] });
  });

  it("halt ends the run, with what came before stored and the row on record", async () => {
    const market = await newMarket();
    const failure: unknown = await collect(market, "halt", { rows: [LIE] }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TickwellError);
    expect((failure as TickwellError).fault).toEqual({ kind: "validation" });
    // Two pages of twenty, less the row; the third was not asked for.
    expect(await stateOf(market)).toEqual({
      rows: 39,
      flagged: [],
      quarantine: inQuarantine(1),
      missing: [range(33, 34), range(40, 60)],
    });
    const gaps = await database.sql("SELECT reason, detail FROM gap_log WHERE market_id = $1", [market.id]);
    expect(gaps).toEqual([{ reason: "rejected", detail: "candle.price_not_positive" }]);
  });
});

describe("flags", () => {
  const flagsOf = async ({ id }: StoredMarket) =>
    (
      await database.sql<{ flags: number }>(
        "SELECT flags FROM ohlcv WHERE market_id = $1 ORDER BY open_time",
        [id],
      )
    ).map(({ flags }) => flags);
  const { price_jump: JUMP, volume_spike: SPIKE } = CANDLE_FLAGS;

  it("are stored with rows that are new, by both ways into the table", async () => {
    const market = await newMarket();
    const flags = new Map([[minuteMs(1), JUMP | SPIKE]]);
    await store.commit([batchOf(market.id, candlesBetween(0, 2), { flags })]);
    const later = new Map([
      [minuteMs(1), SPIKE],
      [minuteMs(3), SPIKE],
    ]);
    await store.commit([batchOf(market.id, candlesBetween(1, 4), { flags: later })]);
    // The second minute is unchanged, and so is what was said of it.
    expect(await flagsOf(market)).toEqual([0, JUMP | SPIKE, 0, SPIKE]);
  });

  it("of a revised candle are the new ones", async () => {
    const market = await newMarket();
    await store.commit([batchOf(market.id, candlesBetween(0, 2), { flags: new Map([[minuteMs(1), JUMP]]) })]);
    const revised = candleAt(1, { volume: decimal("9000") });
    await store.commit([batchOf(market.id, [revised], { flags: new Map([[minuteMs(1), SPIKE]]) })]);
    expect(await flagsOf(market)).toEqual([0, SPIKE]);
  });

  it("come from the exchange's own candles, measured by those stored before", async () => {
    const market = await newMarket();
    await collect(market, "skip_and_log", {
      rows: [rowAt(45, { close: "100.9", volume: "5000" }), rowAt(5, { volume: "5000" })],
    });
    const flags = await flagsOf(market);
    // From 100 to 100.9 and back is 90 basis points; a flat market's jumps begin at 40.
    const expected = new Map([
      [5, SPIKE],
      [45, SPIKE | JUMP],
      [46, JUMP],
    ]);
    expect(flags).toEqual(between(0, 60).map((minute) => expected.get(minute) ?? 0));
  });
});

describe("recent candles", () => {
  it("are the last ones before a time, ascending, without those that contradict themselves", async () => {
    const market = await newMarket();
    const flags = new Map([
      [minuteMs(3), CANDLE_FLAGS.rule_broken],
      [minuteMs(4), CANDLE_FLAGS.price_jump],
    ]);
    await store.commit([batchOf(market.id, candlesBetween(0, 8), { flags })]);
    const recent = await store.recentCandles({ marketId: market.id, timeframe: "1m" }, minuteMs(6), 3);
    expect(recent.map(({ openTimeMs }) => openTimeMs)).toEqual([2, 4, 5].map(minuteMs));
    expect(recent[0]).toMatchObject({ close: "100", volume: "12.345" });
    expect(await store.recentCandles({ marketId: market.id, timeframe: "1h" }, minuteMs(6), 3)).toEqual([]);
  });
});
