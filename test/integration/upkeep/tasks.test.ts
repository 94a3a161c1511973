// The queue of backfill tasks on a real database: what is planned, who may claim it, and that only its holder changes it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { TimeRange } from "../../../src/core/range.js";
import type { SeriesKey, Store } from "../../../src/store/store.js";
import type { BackfillTask } from "../../../src/store/task-queue.js";
import { BackfillScheduler } from "../../../src/upkeep/backfill-scheduler.js";
import { batchOf, BTC_USDT, candlesBetween, MINUTE_MS, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

let database: TestDatabase;
let store: Store;
let marketNumber = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql("DELETE FROM backfill_tasks");
});

const span = (from: number, to: number): TimeRange => ({ startMs: minuteMs(from), endMs: minuteMs(to) });

/** A series expected to hold `expected` minutes, of which those in `stored` are. */
async function newSeries(
  expected: number,
  stored: readonly (readonly [number, number])[] = [],
): Promise<SeriesKey> {
  const symbol = `T${++marketNumber}/USDT`;
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol }], { isSimulated: true });
  const key = { marketId: market?.id ?? 0, timeframe: "1m" } as const;
  await store.expect(key, span(0, expected));
  for (const [from, to] of stored) await store.commit([batchOf(key.marketId, candlesBetween(from, to))]);
  return key;
}

const minutesOf = (tasks: readonly BackfillTask[]): number[][] =>
  tasks.map((task) => [
    (task.startMs - minuteMs(0)) / MINUTE_MS,
    (task.endMs - minuteMs(0)) / MINUTE_MS,
    task.expectedRecords,
  ]);

async function queued(): Promise<number[][]> {
  return minutesOf(await store.tasks.pending());
}

async function autoCreate(key: SeriesKey, range: TimeRange, more = ""): Promise<number | undefined> {
  const [row] = await database.sql<{ created: number }>(
    `SELECT auto_create_backfill_tasks($1, $2, $3, $4${more}) AS created`,
    [key.marketId, key.timeframe, new Date(range.startMs), new Date(range.endMs)],
  );
  return row?.created;
}

const LEASE = { worker: "test", leaseMs: 60_000 };

describe("auto_create_backfill_tasks", () => {
  it("makes one task of each contiguous gap, the most recent first", async () => {
    const key = await newSeries(60, [
      [0, 10],
      [15, 40],
    ]);
    expect(await autoCreate(key, span(0, 60))).toBe(2);
    expect(await queued()).toEqual([
      [40, 60, 20],
      [10, 15, 5],
    ]);
  });

  it("counts voids as known", async () => {
    const key = await newSeries(20);
    const proof = { asked: [{ atMs: minuteMs(30), request: "klines" }] };
    await store.commit([batchOf(key.marketId, [], { voids: [{ ...span(5, 8), proof }] })]);
    expect(await autoCreate(key, span(0, 20))).toBe(2);
    expect(await queued()).toEqual([
      [8, 20, 12],
      [0, 5, 5],
    ]);
  });

  it("cuts a long gap into pieces of at most max_candles", async () => {
    const key = await newSeries(25);
    expect(await autoCreate(key, span(0, 25), ", max_candles => 10")).toBe(3);
    expect(await queued()).toEqual([
      [20, 25, 5],
      [10, 20, 10],
      [0, 10, 10],
    ]);
  });

  it("takes the candles that open within the range, on the timeframe's grid", async () => {
    const { marketId } = await newSeries(60);
    const key = { marketId, timeframe: "5m" } as const;
    await store.expect(key, span(0, 60));
    expect(await autoCreate(key, span(3, 21))).toBe(1);
    expect(await queued()).toEqual([[5, 25, 4]]);
  });

  it("begins weeks on Monday", async () => {
    const { marketId } = await newSeries(60);
    const key = { marketId, timeframe: "1w" } as const;
    const week = { startMs: Date.UTC(2024, 0, 1), endMs: Date.UTC(2024, 0, 22) };
    await store.expect(key, week);
    expect(await autoCreate(key, { startMs: Date.UTC(2024, 0, 2), endMs: Date.UTC(2024, 0, 9) })).toBe(1);
    const [task] = await store.tasks.pending();
    expect(task).toMatchObject({
      startMs: Date.UTC(2024, 0, 8),
      endMs: Date.UTC(2024, 0, 15),
      expectedRecords: 1,
    });
  });

  it("creates nothing the second time", async () => {
    const key = await newSeries(60, [[10, 20]]);
    expect([await autoCreate(key, span(0, 60)), await autoCreate(key, span(0, 60))]).toEqual([2, 0]);
  });

  it.each(["pending", "running", "failed"])("queues only the rest beside a %s task", async (status) => {
    const key = await newSeries(60);
    await autoCreate(key, span(20, 30));
    const [claimed] = status === "pending" ? [] : await store.tasks.claim(LEASE);
    if (status === "failed" && claimed)
      await store.tasks.finish(claimed, { status: "failed", errorMessage: "x" });
    expect(await autoCreate(key, span(0, 60))).toBe(2);
    expect(minutesOf(await store.tasks.list()).sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0))).toEqual([
      [0, 20, 20],
      [20, 30, 10],
      [30, 60, 30],
    ]);
  });

  it("queues a range again that a completed task has left missing", async () => {
    const key = await newSeries(10);
    await autoCreate(key, span(0, 10));
    const [task] = await store.tasks.claim(LEASE);
    if (task) await store.tasks.finish(task, { status: "completed" });
    expect(await autoCreate(key, span(0, 10))).toBe(1);
  });

  it("queues each gap once however many call it at the same time", async () => {
    const key = await newSeries(60, [[10, 20]]);
    const created = await Promise.all(Array.from({ length: 8 }, () => autoCreate(key, span(0, 60))));
    expect(created.reduce<number>((sum, each) => sum + (each ?? 0), 0)).toBe(2);
    expect(await queued()).toEqual([
      [20, 60, 40],
      [0, 10, 10],
    ]);
  });

  it("knows nothing of a series that is not expected", async () => {
    expect(await autoCreate({ marketId: 999_999, timeframe: "1m" }, span(0, 60))).toBe(0);
  });
});

describe("plan", () => {
  it("plans many series, each for itself", async () => {
    const series = [await newSeries(10), await newSeries(20, [[0, 15]])];
    expect(await store.tasks.plan({ series, priority: 3, maxRetries: 2 })).toEqual({ tasks: 2, candles: 15 });
    const tasks = await store.tasks.pending();
    expect(tasks.map((task) => [task.marketId, task.priority, task.maxRetries])).toEqual([
      [series[1]?.marketId, 3, 2],
      [series[0]?.marketId, 3, 2],
    ]);
  });

  it("lets planners of the same series in another order wait for each other instead of deadlocking", async () => {
    const series: SeriesKey[] = [];
    for (let i = 0; i < 20; i++) series.push(await newSeries(10));
    const plans = Array.from({ length: 6 }, (_, i) =>
      store.tasks.plan({ series: i % 2 === 0 ? series : series.toReversed() }),
    );
    const planned = await Promise.all(plans);
    expect(planned.reduce((sum, each) => sum + each.tasks, 0)).toBe(20);
  });

  it("gives a gap that waits to be asked again the time of the gap log, and only then", async () => {
    const key = await newSeries(30, [[10, 20]]);
    const nowMs = minuteMs(60);
    const absent = (from: number, to: number, nextAskMs: number) =>
      ({ ...span(from, to), reason: "absent", detail: "", nextAskMs }) as const;
    await store.commit([
      batchOf(key.marketId, [], {
        missing: [absent(0, 10, minuteMs(61)), absent(25, 30, minuteMs(62))],
        receivedMs: nowMs,
      }),
    ]);
    await store.tasks.plan({ series: [key], nowMs });
    const tasks = await store.tasks.pending();
    // Of the later gap nobody has asked for the first five minutes.
    expect(tasks.map((task) => task.nextAttemptMs)).toEqual([undefined, minuteMs(61)]);
  });

  it("does not believe a time to ask again that lies hours ahead", async () => {
    const key = await newSeries(10);
    const missing = { ...span(0, 10), reason: "absent", detail: "", nextAskMs: minuteMs(600) } as const;
    await store.commit([batchOf(key.marketId, [], { missing: [missing], receivedMs: minuteMs(60) })]);
    await store.tasks.plan({ series: [key], nowMs: minuteMs(60) });
    expect((await store.tasks.pending())[0]?.nextAttemptMs).toBeUndefined();
  });
});

describe("claim", () => {
  it("takes the highest priority, then the most recent", async () => {
    const key = await newSeries(60);
    for (const [from, priority] of [
      [0, 0],
      [10, 0],
      [20, -1],
      [5, 7],
    ] as const)
      await store.tasks.create({ ...key, range: span(from, from + 5), priority });
    const claimed = [
      ...(await store.tasks.claim(LEASE)),
      ...(await store.tasks.claim({ ...LEASE, limit: 9 })),
    ];
    expect(minutesOf(claimed).map(([from]) => from)).toEqual([5, 10, 0, 20]);
    expect(claimed[0]).toMatchObject({
      status: "running",
      worker: "test",
      market: `binance:T${marketNumber}/USDT`,
    });
  });

  it("gives each task to one of many who ask at once", async () => {
    const key = await newSeries(100);
    await store.tasks.plan({ series: [key], taskCandlesMax: 10 });
    const claims = await Promise.all(Array.from({ length: 20 }, () => store.tasks.claim(LEASE)));
    const ids = claims.flat().map((task) => task.id);
    expect([ids.length, new Set(ids).size]).toEqual([10, 10]);
  });

  it("leaves what is not due yet, and markets not asked for", async () => {
    const [one, two] = [await newSeries(10), await newSeries(10)];
    await store.tasks.plan({ series: [one, two] });
    const [task] = await store.tasks.claim({ ...LEASE, marketIds: [one.marketId], nowMs: minuteMs(0) });
    expect(task?.marketId).toBe(one.marketId);
    expect(await store.tasks.claim({ ...LEASE, marketIds: [one.marketId], nowMs: minuteMs(0) })).toEqual([]);
    if (!task) return;
    const later = { status: "pending", isRetry: true, delayMs: 60_000 } as const;
    expect(await store.tasks.finish(task, later, { nowMs: minuteMs(0) })).toBe(true);
    const again = (nowMs: number) => store.tasks.claim({ ...LEASE, marketIds: [one.marketId], nowMs });
    expect(await again(minuteMs(1) - 1)).toEqual([]);
    expect((await again(minuteMs(1)))[0]).toMatchObject({ id: task.id, retryCount: 1 });
  });

  it("takes a running task whose lease has run out, unless it is excluded", async () => {
    const key = await newSeries(10);
    await store.tasks.plan({ series: [key] });
    const [task] = await store.tasks.claim({ ...LEASE, nowMs: minuteMs(0) });
    const id = task?.id ?? 0;
    expect(await store.tasks.claim({ ...LEASE, nowMs: minuteMs(1) - 1 })).toEqual([]);
    expect(await store.tasks.claim({ ...LEASE, nowMs: minuteMs(1), excludedIds: [id] })).toEqual([]);
    expect(await store.tasks.claim({ ...LEASE, worker: "second", nowMs: minuteMs(1) })).toMatchObject([
      { id, worker: "second", retryCount: 1 },
    ]);
  });

  it("counts a lease that ran out as an attempt, and leaves a task that costs every worker its life as failed", async () => {
    const key = await newSeries(10);
    const range = { startMs: minuteMs(0), endMs: minuteMs(10) };
    const task = await store.tasks.create({ ...key, range, maxRetries: 2 });
    const claimAt = (minute: number) => store.tasks.claim({ ...LEASE, nowMs: minuteMs(minute) });
    for (const retryCount of [0, 1, 2])
      expect(await claimAt(10 * retryCount)).toMatchObject([{ id: task.id, retryCount }]);
    expect(await claimAt(40)).toEqual([]);
    const [failed] = await store.tasks.list();
    expect(failed).toMatchObject({ id: task.id, status: "failed", retryCount: 3, worker: undefined });
    expect(failed?.errorMessage).toMatch(/worker test died or was cut off .* lease/);
    expect(await store.tasks.retryFailed({ ids: [task.id] })).toBe(1);
    expect(await claimAt(40)).toMatchObject([{ id: task.id, retryCount: 0 }]);
  });
});

describe("a claim's token", () => {
  it("keeps whoever lost the lease from changing anything", async () => {
    const key = await newSeries(10);
    await store.tasks.plan({ series: [key] });
    const [old] = await store.tasks.claim({ ...LEASE, nowMs: minuteMs(0) });
    const [current] = await store.tasks.claim({ ...LEASE, nowMs: minuteMs(2) });
    if (!old || !current) throw new Error("both should have had it");
    const before = await database.sql("SELECT * FROM backfill_tasks");
    expect(await store.tasks.renew([old], { leaseMs: 1 })).toEqual([]);
    expect(await store.tasks.finish(old, { status: "completed" })).toBe(false);
    expect(await store.tasks.finish(old, { status: "failed", errorMessage: "x" })).toBe(false);
    expect(await database.sql("SELECT * FROM backfill_tasks")).toEqual(before);
    expect(await store.tasks.renew([old, current], { leaseMs: 1 })).toEqual([current.id]);
    expect(await store.tasks.finish(current, { status: "completed" })).toBe(true);
    expect(await store.tasks.finish(current, { status: "completed" })).toBe(false);
  });

  it("keeps the task claimed as long as the lease is renewed", async () => {
    const key = await newSeries(10);
    await store.tasks.plan({ series: [key] });
    const [task] = await store.tasks.claim({ ...LEASE, nowMs: minuteMs(0) });
    if (!task) throw new Error("nothing was claimed");
    expect(await store.tasks.renew([task], { leaseMs: 60_000, nowMs: minuteMs(0.5) })).toEqual([task.id]);
    expect(await store.tasks.claim({ ...LEASE, nowMs: minuteMs(1.4) })).toEqual([]);
    expect(await store.tasks.claim({ ...LEASE, nowMs: minuteMs(1.5) })).toHaveLength(1);
  });
});

describe("finish", () => {
  it("counts what coverage says is stored, without voids", async () => {
    const key = await newSeries(20);
    await store.tasks.plan({ series: [key] });
    const [task] = await store.tasks.claim(LEASE);
    if (!task) throw new Error("nothing was claimed");
    const proof = { asked: [] };
    await store.commit([batchOf(key.marketId, candlesBetween(0, 7), { voids: [{ ...span(7, 9), proof }] })]);
    const nowMs = minuteMs(90);
    await store.tasks.finish(task, { status: "failed", errorMessage: "broken\u0000" }, { nowMs });
    expect(await store.tasks.list()).toMatchObject([
      {
        status: "failed",
        expectedRecords: 20,
        actualRecords: 7,
        errorMessage: "broken\uFFFD",
        updatedMs: nowMs,
      },
    ]);
  });

  it("waits for the later of the delay and the given time", async () => {
    const key = await newSeries(20);
    await store.tasks.plan({ series: [key] });
    const next: (number | undefined)[] = [];
    for (const notBeforeMs of [minuteMs(3), minuteMs(7), undefined]) {
      const [task] = await store.tasks.claim({ ...LEASE, nowMs: minuteMs(60) });
      if (!task) throw new Error("nothing was claimed");
      const outcome = { status: "pending", isRetry: false, delayMs: 5 * MINUTE_MS, notBeforeMs } as const;
      await store.tasks.finish(task, outcome, { nowMs: minuteMs(0) });
      next.push((await store.tasks.pending())[0]?.nextAttemptMs);
    }
    expect(next).toEqual([minuteMs(5), minuteMs(7), minuteMs(5)]);
  });
});

describe("BackfillScheduler", () => {
  it("goes through a task's whole life", async () => {
    let nowMs = minuteMs(100);
    const scheduler = new BackfillScheduler({ store, nowMs: () => nowMs });
    const key = await newSeries(10, [[0, 4]]);
    expect(await scheduler.checkDataGaps(key)).toMatchObject([{ ...span(4, 10), candles: 6 }]);
    expect(await scheduler.planTasks([key])).toEqual({ tasks: 1, candles: 6 });
    const marketIds = [key.marketId];
    expect(minutesOf(await scheduler.getPendingTasks({ marketIds }))).toEqual([[4, 10, 6]]);
    const task = await scheduler.claimTask("me", { marketIds });
    if (!task) throw new Error("nothing was claimed");
    expect(await scheduler.claimTask("you", { marketIds })).toBeUndefined();
    nowMs += 59_000;
    expect(await scheduler.updateTaskStatus(task, { status: "running" })).toBe(true);
    nowMs += 59_000;
    expect(await scheduler.claimTask("you", { marketIds })).toBeUndefined();
    expect(await scheduler.updateTaskStatus(task, { status: "failed", errorMessage: "no" })).toBe(true);
    expect(await scheduler.planTasks([key])).toEqual({ tasks: 0, candles: 0 });
    expect([await scheduler.retryFailedTasks([task.id + 1]), await scheduler.retryFailedTasks()]).toEqual([
      0, 1,
    ]);
    const again = await scheduler.claimTask("you", { marketIds });
    expect(again).toMatchObject({ id: task.id, retryCount: 0 });
    if (again) await scheduler.updateTaskStatus(again, { status: "completed" });
    expect((await store.tasks.list())[0]).toMatchObject({ status: "completed", completedMs: nowMs });
    nowMs += 1_000;
    expect([await scheduler.cleanupOldTasks(1_000), await scheduler.cleanupOldTasks(999)]).toEqual([0, 1]);
    expect(await store.tasks.count()).toEqual({ pending: 0, running: 0, completed: 0, failed: 0 });
  });

  it("declares what a task of its own is to fetch as expected, and queues it once", async () => {
    const scheduler = new BackfillScheduler({ store });
    const key = await newSeries(10);
    const one = await scheduler.createBackfillTask({ ...key, range: span(10, 30), priority: 9 });
    const two = await scheduler.createBackfillTask({ ...key, range: span(12, 20) });
    expect([two.id, one.priority]).toEqual([one.id, 9]);
    expect(await store.missing(key, span(0, 60))).toEqual([span(0, 30)]);
  });

  it.each([
    ["an empty range", { startMs: minuteMs(3), endMs: minuteMs(3) }],
    ["a range off the grid", { startMs: minuteMs(3) + 1, endMs: minuteMs(5) }],
  ])("refuses %s", async (_, range) => {
    const key = await newSeries(10);
    await expect(
      new BackfillScheduler({ store }).createBackfillTask({ ...key, range }),
    ).rejects.toMatchObject({
      fault: { kind: "bad_request" },
    });
  });
});
