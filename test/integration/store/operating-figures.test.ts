// Figures of the store, compared with what was put there.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SeriesFigures } from "../../../src/store/operating-figures.js";
import type { Store } from "../../../src/store/store.js";
import { batchOf, BTC_USDT, candlesBetween, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

const FOUND_MS = minuteMs(100);

async function newMarket(symbol: string): Promise<number> {
  const [market] = await store.putMarkets("okx", [{ ...BTC_USDT, symbol }], { isSimulated: true });
  const marketId = market?.id ?? 0;
  await store.expect({ marketId, timeframe: "1m" }, { startMs: minuteMs(0), endMs: minuteMs(60) });
  return marketId;
}

const figuresOf = async (marketId: number): Promise<SeriesFigures | undefined> =>
  (await store.figures(minuteMs(200))).series.find((series) => series.marketId === marketId);

describe("figures", () => {
  it("count gaps and what is missing, and know since when the exchange has not given it", async () => {
    const marketId = await newMarket("A/USDT");
    const missing = (from: number, to: number) => ({
      startMs: minuteMs(from),
      endMs: minuteMs(to),
      reason: "absent" as const,
      detail: "",
      nextAskMs: FOUND_MS,
    });
    await store.commit([
      batchOf(marketId, [...candlesBetween(0, 10), ...candlesBetween(15, 20)], {
        missing: [missing(10, 15)],
        receivedMs: FOUND_MS,
      }),
    ]);
    expect(await figuresOf(marketId)).toEqual({
      marketId,
      exchange: "okx",
      market: "okx:A/USDT",
      dataType: "ohlcv",
      timeframe: "1m",
      expectedMs: 60 * 60_000,
      missingMs: 45 * 60_000,
      gaps: 2,
      oldestGapFoundMs: FOUND_MS,
      score: undefined,
      checkedMs: undefined,
    });
    await store.commit([batchOf(marketId, candlesBetween(10, 15))]);
    expect(await figuresOf(marketId)).toMatchObject({ gaps: 1, oldestGapFoundMs: undefined });
  });

  it("do not take history nobody has asked for yet for a gap that stays", async () => {
    const marketId = await newMarket("B/USDT");
    expect(await figuresOf(marketId)).toMatchObject({
      gaps: 1,
      missingMs: 60 * 60_000,
      oldestGapFoundMs: undefined,
    });
  });

  it("leave out what lies after now", async () => {
    const marketId = await newMarket("C/USDT");
    const { series } = await store.figures(minuteMs(30));
    expect(series.find((each) => each.marketId === marketId)).toMatchObject({
      expectedMs: 30 * 60_000,
      missingMs: 30 * 60_000,
    });
  });

  it("take the score of the last check, and count tasks by status", async () => {
    const marketId = await newMarket("D/USDT");
    for (const [at, score] of [
      [10, 80],
      [20, 90],
    ] as const)
      await database.sql(
        `INSERT INTO data_quality_summary (check_time, time_range_start, time_range_end, total_records, expected_records, missing_count,
           duplicate_count, out_of_order_count, price_jump_count, volume_spike_count, quality_score, market_id, is_valid, data_type, timeframe)
         VALUES (to_timestamp($1), now(), now(), 0, 0, 0, 0, 0, 0, 0, $2, $3, true, 'ohlcv', '1m')`,
        [minuteMs(at) / 1_000, score, marketId],
      );
    expect(await figuresOf(marketId)).toMatchObject({ score: 90, checkedMs: minuteMs(20) });
    await database.sql("SELECT auto_create_backfill_tasks($1, '1m', '-infinity', 'infinity')", [marketId]);
    expect((await store.figures(minuteMs(200))).tasks).toEqual({
      pending: 1,
      running: 0,
      completed: 0,
      failed: 0,
    });
  });
});
