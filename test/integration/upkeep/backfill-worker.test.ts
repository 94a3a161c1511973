// The worker on a real queue: how attempts end, by what coverage and the gap log say after them.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { TickwellError, type Fault } from "../../../src/core/fault.js";
import { silentLog } from "../../../src/core/log.js";
import { until } from "../../support/until.js";
import { seededRandom } from "../../../src/core/random.js";
import type { SeriesKey, Store } from "../../../src/store/store.js";
import type { ClaimedTask } from "../../../src/store/task-queue.js";
import { BackfillWorker, type BackfillWorkerOptions } from "../../../src/upkeep/backfill-worker.js";
import { CandleKeeper } from "../../../src/upkeep/candle-keeper.js";
import { batchOf, BTC_USDT, candlesBetween, MINUTE_MS, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { openWorld } from "../../support/scenario-world.js";
import { ScenarioClock } from "../../support/scenario-clock.js";

let database: TestDatabase;
let store: Store;
let marketNumber = 0;
const never = new AbortController().signal;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql("DELETE FROM backfill_tasks");
});

/** A series of so many missing minutes, planned in tasks of ten. */
async function newTasks(minutes: number, maxRetries = 5): Promise<SeriesKey> {
  const symbol = `T${++marketNumber}/USDT`;
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol }], { isSimulated: true });
  const key = { marketId: market?.id ?? 0, timeframe: "1m" } as const;
  await store.expect(key, { startMs: minuteMs(0), endMs: minuteMs(minutes) });
  await store.tasks.plan({ series: [key], taskCandlesMax: 10, maxRetries });
  return key;
}

type Fill = BackfillWorkerOptions["fill"];

const minuteOf = (timeMs: number): number => (timeMs - minuteMs(0)) / MINUTE_MS;

/** Stores the whole range of the task. */
const fillAll = async (task: ClaimedTask): Promise<{ candles: number; nextAskMs: undefined }> => {
  const candles = candlesBetween(minuteOf(task.startMs), minuteOf(task.endMs));
  await store.commit([batchOf(task.marketId, candles)]);
  return { candles: candles.length, nextAskMs: undefined };
};

const failWith =
  (fault: Fault): Fill =>
  async () => {
    throw new TickwellError(fault, "the exchange said no");
  };

function worker(fill: Fill, options: Partial<BackfillWorkerOptions> = {}): BackfillWorker {
  const clock = new ScenarioClock(minuteMs(2_000));
  return new BackfillWorker({
    store,
    fill,
    clock,
    nowMs: () => clock.nowMs(),
    random: seededRandom(1),
    name: "test",
    concurrency: 2,
    ...options,
  });
}

const NOTHING = { completed: 0, postponed: 0, retried: 0, failed: 0, candles: 0 };

describe("BackfillWorker", () => {
  it("works off what is due and completes what coverage confirms", async () => {
    const key = await newTasks(95);
    const started: number[] = [];
    const report = await worker((task) => {
      started.push(minuteOf(task.startMs));
      return fillAll(task);
    }).workOff(never);
    expect(report).toEqual({ ...NOTHING, completed: 10, candles: 95 });
    expect(started).toEqual([90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
    expect(await store.missing(key, { startMs: 0, endMs: minuteMs(2_000) })).toEqual([]);
    expect(await store.audit({})).toEqual([]);
    const tasks = await store.tasks.list();
    expect(
      tasks.every((task) => task.status === "completed" && task.actualRecords === task.expectedRecords),
    ).toBe(true);
  });

  it("does not take a fill's word for it", async () => {
    await newTasks(10);
    const report = await worker(async () => ({ candles: 10, nextAskMs: undefined })).workOff(never);
    expect(report).toEqual({ ...NOTHING, retried: 1, candles: 10 });
    expect(await store.tasks.list()).toMatchObject([
      {
        status: "pending",
        retryCount: 1,
        errorMessage: "10 of 10 candles are missing, 2024-01-01 00:00 to 2024-01-01 00:10 UTC",
      },
    ]);
  });

  it("waits for the confirmation of an absence without counting a try", async () => {
    await newTasks(10);
    const askMs = minuteMs(2_001);
    const report = await worker(async (task) => {
      const gap = {
        startMs: minuteMs(4),
        endMs: minuteMs(6),
        reason: "absent",
        detail: "",
        nextAskMs: askMs,
      } as const;
      const candles = [...candlesBetween(0, 4), ...candlesBetween(6, 10)];
      await store.commit([batchOf(task.marketId, candles, { missing: [gap], receivedMs: minuteMs(2_000) })]);
      return { candles: 8, nextAskMs: askMs };
    }).workOff(never);
    expect(report).toEqual({ ...NOTHING, postponed: 1, candles: 8 });
    expect(await store.tasks.list()).toMatchObject([
      { status: "pending", retryCount: 0, nextAttemptMs: askMs, actualRecords: 8 },
    ]);
  });

  it("fails after as many retries as the task has, saying what is missing and what went wrong", async () => {
    await newTasks(10, 2);
    const clock = new ScenarioClock(minuteMs(2_000));
    const reports: unknown[] = [];
    for (let attempt = 1; attempt <= 4; attempt++) {
      const failing = worker(failWith({ kind: "malformed_payload", path: "$", sample: "" }), {
        clock,
        nowMs: () => clock.nowMs(),
      });
      reports.push(await failing.workOff(never));
      clock.advance(3_600_000);
    }
    expect(reports).toEqual([
      { ...NOTHING, retried: 1 },
      { ...NOTHING, retried: 1 },
      { ...NOTHING, failed: 1 },
      NOTHING,
    ]);
    const [task] = await store.tasks.list();
    expect(task).toMatchObject({ status: "failed", retryCount: 2 });
    expect(task?.errorMessage).toBe(
      "gave up after 3 attempts: 10 of 10 candles are missing, 2024-01-01 00:00 to 2024-01-01 00:10 UTC; the exchange said no",
    );
  });

  it.each(["bad_symbol", "bad_request"] as const)("fails at once when the exchange says %s", async (kind) => {
    await newTasks(10);
    expect(await worker(failWith({ kind, code: "-1" })).workOff(never)).toEqual({ ...NOTHING, failed: 1 });
  });

  it("comes back no earlier than a ban ends", async () => {
    await newTasks(10);
    const untilMs = minuteMs(2_500);
    await worker(failWith({ kind: "ip_ban", untilMs })).workOff(never);
    const [task] = await store.tasks.list();
    expect(task?.nextAttemptMs).toBeGreaterThanOrEqual(untilMs);
    expect(task?.nextAttemptMs).toBeLessThanOrEqual(untilMs + MINUTE_MS);
  });

  it("leaves the queue alone when one task after the other finds the exchange away", async () => {
    await newTasks(100);
    const report = await worker(failWith({ kind: "network" }), { concurrency: 1 }).workOff(never);
    expect(report).toEqual({ ...NOTHING, postponed: 3 });
    const pending = await store.tasks.pending();
    expect(pending.map((task) => task.retryCount)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(pending.filter((task) => task.nextAttemptMs === undefined)).toHaveLength(7);
  });

  it("gives its tasks back at once when it is told to stop", async () => {
    await newTasks(100);
    const stop = new AbortController();
    const events: string[] = [];
    let working = 0;
    const work = worker(
      (_task, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
          if (++working === 2) stop.abort(new Error("stop"));
        }),
      { onTask: (event) => events.push(event.kind) },
    ).workOff(stop.signal);
    await expect(work).rejects.toThrow("stop");
    expect(events.sort()).toEqual(["claimed", "claimed", "returned", "returned"]);
    const tasks = await store.tasks.list();
    expect(tasks.map((task) => [task.status, task.retryCount, task.nextAttemptMs])).toEqual(
      Array.from({ length: 10 }, () => ["pending", 0, undefined]),
    );
  });

  it("ends with the database's error and lets the lease run out", async () => {
    await newTasks(20);
    const away = failWith({ kind: "database", code: "57P01", isTransient: true });
    await expect(worker(away, { concurrency: 1 }).workOff(never)).rejects.toMatchObject({
      fault: { kind: "database" },
    });
    expect(await store.tasks.count()).toMatchObject({ running: 1, pending: 1 });
    const clock = new ScenarioClock(minuteMs(2_001));
    const later = worker(fillAll, { clock, nowMs: () => clock.nowMs() });
    expect(await later.workOff(never)).toMatchObject({ completed: 2 });
  });

  it("says nothing of a task that another worker has taken over", async () => {
    await newTasks(10);
    const clock = new ScenarioClock(minuteMs(2_000));
    const parts = { clock, nowMs: () => clock.nowMs(), concurrency: 1 };
    const second = worker(fillAll, parts);
    const kinds: string[] = [];
    const first = worker(
      async () => {
        // The machine slept, and its lease ran out.
        clock.advance(61_000);
        expect(await second.workOff(never)).toMatchObject({ completed: 1 });
        throw new TickwellError({ kind: "bad_symbol", code: "-1" }, "too late");
      },
      { ...parts, onTask: (event) => kinds.push(event.kind) },
    );
    expect(await first.workOff(never)).toEqual(NOTHING);
    expect(kinds).toEqual(["claimed", "lost"]);
    expect(await store.tasks.count()).toMatchObject({ completed: 1, failed: 0 });
  });

  it("does not claim its own task again when the clock jumps past the lease", async () => {
    await newTasks(20);
    const clock = new ScenarioClock(minuteMs(2_000));
    const begun: number[] = [];
    let release = (): void => undefined;
    const second = new Promise<void>((resolve) => (release = resolve));
    const fill = async (task: ClaimedTask) => {
      begun.push(task.id);
      if (begun.length === 1) {
        await second;
      } else {
        clock.advance(600_000);
        setTimeout(release, 50);
      }
      return fillAll(task);
    };
    const report = await worker(fill, { clock, nowMs: () => clock.nowMs() }).workOff(never);
    expect(report).toMatchObject({ completed: 2 });
    expect(new Set(begun).size).toBe(begun.length);
  });

  it("takes no more tasks than it may, and none of other markets", async () => {
    const one = await newTasks(50);
    await newTasks(50);
    const report = await worker(fillAll, { tasksMax: 3, marketIds: [one.marketId] }).workOff(never);
    expect(report).toMatchObject({ completed: 3 });
    const rest = worker(fillAll, { marketIds: [one.marketId] });
    expect(await rest.workOff(never)).toMatchObject({ completed: 2 });
  });
});

describe("tasks filled by the candle keeper", () => {
  it("bring in exactly what the exchange has, and leave the rest as voids that were asked for twice", async () => {
    const startMs = Date.UTC(2024, 2, 4);
    const range = { startMs, endMs: startMs + 6 * 3_600_000 };
    const world = await openWorld({
      nowMs: range.endMs + 3_600_000,
      faults: [{ kind: "outage", from: startMs + 3_600_000, to: startMs + 3_900_000 }],
    });
    const { store, pipeline } = await world.process();
    const venue = await world.venue();
    const [market] = await store.putMarkets(
      "binance",
      (await venue.fetchMarkets(never)).filter((each) => each.symbol === "BTC/USDT"),
      { isSimulated: true },
    );
    if (!market) throw new Error("no market");
    const key = { marketId: market.id, timeframe: "1m" } as const;
    await store.expect(key, range);
    await store.tasks.plan({ series: [key], taskCandlesMax: 100, nowMs: world.clock.nowMs() });
    const keeper = new CandleKeeper({
      store,
      stage: pipeline.stage,
      exchange: venue,
      clock: world.clock,
      log: silentLog,
      concurrency: 2,
      voidConfirmAfterMs: 30_000,
    });
    const working = new BackfillWorker({
      store,
      fill: (task, signal) => keeper.fill({ market, timeframe: task.timeframe }, task, signal),
      clock: world.clock,
      nowMs: () => world.clock.nowMs(),
      random: seededRandom(1),
      name: "test",
      concurrency: 1,
    });
    expect(await working.workOff(never)).toMatchObject({ completed: 3, postponed: 1, retried: 0, failed: 0 });
    world.clock.advance(60_000);
    expect(await working.workOff(never)).toMatchObject({ completed: 1, postponed: 0, retried: 0, failed: 0 });
    expect((await store.tasks.list()).reduce((sum, task) => sum + task.actualRecords, 0)).toBe(355);
    await world.expectTruth("BTC/USDT", "1m", range);
  });

  it("goes on with other markets while tasks of one hang, and takes no more of that one", async () => {
    const hanging = await newTasks(40);
    const healthy = await newTasks(95);
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const begun: number[] = [];
    const fill = async (task: ClaimedTask) => {
      begun.push(task.marketId);
      if (task.marketId === hanging.marketId) await released;
      return fillAll(task);
    };
    // Ties of priority and end go by id: the one that hangs would be first wherever both wait.
    const run = worker(fill, { concurrency: 2 }).workOff(never);
    await until(async () => (await store.missing(healthy, { startMs: 0, endMs: minuteMs(95) })).length === 0);
    const heldByHanging = begun.filter((marketId) => marketId === hanging.marketId).length;
    expect(heldByHanging).toBeGreaterThan(0);
    expect(heldByHanging).toBeLessThanOrEqual(2);
    release();
    expect(await run).toMatchObject({ completed: 14, failed: 0 });
  });

  it("leaves the rest of a market alone after three faults in a row, and goes on with the others", async () => {
    const faulty = await newTasks(95);
    const healthy = await newTasks(95);
    let tried = 0;
    const fill: Fill = async (task) => {
      if (task.marketId !== faulty.marketId) return fillAll(task);
      tried++;
      throw new TickwellError({ kind: "timeout", timeoutMs: 10_000 }, "no answer");
    };
    const report = await worker(fill, { concurrency: 1 }).workOff(never);
    expect(report).toMatchObject({ completed: 10, postponed: 3 });
    expect(tried).toBe(3);
    expect(await store.missing(healthy, { startMs: 0, endMs: minuteMs(95) })).toEqual([]);
  });
});
