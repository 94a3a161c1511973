// What a repair cycle tells people, on a real database; the fetching itself is replaced.
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { silentLog } from "../../../src/core/log.js";
import { seededRandom } from "../../../src/core/random.js";
import type { Store } from "../../../src/store/store.js";
import type { Alert } from "../../../src/upkeep/alerts/alert-message.js";
import type { CandleKeeper } from "../../../src/upkeep/candle-keeper.js";
import { RepairCycle } from "../../../src/upkeep/repair-cycle.js";
import { BTC_USDT, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

it("tells of a task that has cost every worker its life, and of its end when it is tried again", async () => {
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: false });
  if (!market) throw new Error("no market");
  const key = { marketId: market.id, timeframe: "1m" } as const;
  await store.expect(key, { startMs: minuteMs(0), endMs: minuteMs(10) });
  await store.tasks.create({ ...key, range: { startMs: minuteMs(0), endMs: minuteMs(10) }, maxRetries: 0 });
  // A worker that never came back.
  await store.tasks.claim({ worker: "w1 pid=7", leaseMs: 1, nowMs: minuteMs(20) });

  const raised: Alert[] = [];
  const resolved: string[] = [];
  const keeper: Pick<CandleKeeper, "nowMs" | "fill"> = {
    nowMs: () => systemClock.nowMs(),
    fill: () => Promise.reject(new Error("nothing should be fetched")),
  };
  const cycle = new RepairCycle({
    store,
    keeper: keeper as CandleKeeper,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    alerts: { raise: (alert) => raised.push(alert), resolve: (each) => resolved.push(each) },
    workerName: "w2",
    workers: 1,
    taskCandles: 10_000,
    maxRetries: 0,
    retryFailedAfterMs: 3_600_000,
    isSimulated: false,
  });
  await cycle.run([{ market, timeframe: "1m" }], new AbortController().signal);
  expect(raised).toHaveLength(1);
  expect(raised[0]?.title).toBe("binance:BTC/USDT 1m: a gap could not be repaired");
  expect(raised[0]?.text).toContain("worker w1 pid=7 died or was cut off");
  expect(resolved).toEqual([]);

  await database.sql("DELETE FROM backfill_tasks");
  await database.sql("UPDATE series SET expected = '{}'");
  await cycle.run([{ market, timeframe: "1m" }], new AbortController().signal);
  expect(resolved).toEqual(["repair:binance:BTC/USDT 1m"]);
});
