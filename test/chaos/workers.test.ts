// Several backfill workers, each a process, on one database: every task is done once, and one that is killed loses none.
import { spawn, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SeriesKey, Store } from "../../src/store/store.js";
import { BTC_USDT, minuteMs } from "../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { expectPartition } from "../support/partition.js";
import { until } from "../support/until.js";

const SCRIPT = resolve(import.meta.dirname, "worker-process.js");
const SERIES = 6;
const MINUTES = 400;
/** 40 tasks a series. */
const TASK_CANDLES = 10;
const TASKS = SERIES * (MINUTES / TASK_CANDLES);
const LEASE_AND_MORE_MS = 90_000;

let database: TestDatabase;
let store: Store;
const children: ChildProcess[] = [];

beforeEach(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  await database.sql("CREATE TABLE fills (task_id bigint NOT NULL, worker text NOT NULL)");
  const markets = Array.from({ length: SERIES }, (_, i) => ({ ...BTC_USDT, symbol: `T${i}/USDT` }));
  const series: SeriesKey[] = [];
  for (const { id } of await store.putMarkets("binance", markets, { isSimulated: true })) {
    series.push({ marketId: id, timeframe: "1m" });
    await store.expect({ marketId: id, timeframe: "1m" }, { startMs: minuteMs(0), endMs: minuteMs(MINUTES) });
  }
  expect(await store.tasks.plan({ series, taskCandlesMax: TASK_CANDLES })).toEqual({
    tasks: TASKS,
    candles: SERIES * MINUTES,
  });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await new Promise((done) => child.once("close", done));
  }
  await database.drop();
});

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;
  readonly events: () => { kind: string; id: number }[];
  readonly stderr: () => string;
}

function start(name: string, { fillMs = 20, aheadMs = 0 } = {}): WorkerProcess {
  const child = spawn(
    process.execPath,
    ["--import", "tsx", SCRIPT, database.url, name, `${fillMs}`, `${aheadMs}`],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  children.push(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const whole = (): string => stdout.slice(0, stdout.lastIndexOf("\n") + 1);
  return {
    child,
    ended: new Promise((done) => child.once("close", (status, signal) => done({ status, signal }))),
    events: () =>
      whole()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as { kind: string; id: number }),
    stderr: () => stderr,
  };
}

const completedBy = (worker: WorkerProcess): number[] =>
  worker
    .events()
    .filter((event) => event.kind === "completed")
    .map((event) => event.id);

/** Everything is stored, each row once, and the ledger says the same. */
async function expectWhole(): Promise<void> {
  expect(await store.tasks.count()).toEqual({ pending: 0, running: 0, failed: 0, completed: TASKS });
  const rows = await database.sql(
    "SELECT count(*)::int AS rows, count(DISTINCT (market_id, timeframe, open_time))::int AS different FROM ohlcv",
  );
  expect(rows).toEqual([{ rows: SERIES * MINUTES, different: SERIES * MINUTES }]);
  expect(await store.audit({})).toEqual([]);
  expect(await store.gaps({})).toEqual([]);
  await expectPartition(database.sql);
}

describe("workers in processes of their own", () => {
  it("do every task exactly once between them", async () => {
    const workers = [start("one"), start("two")];
    for (const worker of workers)
      expect({ ...(await worker.ended), stderr: worker.stderr() }).toMatchObject({ status: 0, stderr: "" });
    const fills = await database.sql<{ fills: number; tasks: number; workers: number }>(
      "SELECT count(*)::int AS fills, count(DISTINCT task_id)::int AS tasks, count(DISTINCT worker)::int AS workers FROM fills",
    );
    expect(fills).toEqual([{ fills: TASKS, tasks: TASKS, workers: 2 }]);
    expect(new Set(workers.flatMap(completedBy)).size).toBe(TASKS);
    await expectWhole();
  });

  it("lose nothing when one is killed: its tasks come back after the lease and are done by another", async () => {
    const victim = start("victim", { fillMs: 300 });
    const survivor = start("survivor");
    await until(() => completedBy(victim).length >= 4, { what: () => victim.stderr() });
    victim.child.kill("SIGKILL");
    expect(await victim.ended).toMatchObject({ signal: "SIGKILL" });
    expect(await survivor.ended).toMatchObject({ status: 0 });

    const left = await store.tasks.list({ statuses: ["running"] });
    expect(left.map((task) => task.worker)).toEqual(left.map(() => "victim"));
    expect(left.length).toBeGreaterThan(0);
    expect(await store.tasks.count()).toMatchObject({
      pending: 0,
      failed: 0,
      completed: TASKS - left.length,
    });
    expect(await store.audit({})).toEqual([]);

    const heir = start("heir", { aheadMs: LEASE_AND_MORE_MS });
    expect({ ...(await heir.ended), stderr: heir.stderr() }).toMatchObject({ status: 0, stderr: "" });
    expect(completedBy(heir).sort((a, b) => a - b)).toEqual(
      left.map((task) => task.id).sort((a, b) => a - b),
    );
    const twice = await database.sql<{ task_id: string; fills: number }>(
      "SELECT task_id, count(*)::int AS fills FROM fills GROUP BY 1 HAVING count(*) > 1",
    );
    const ofVictim = new Set(left.map((task) => task.id));
    expect(twice.every((each) => each.fills === 2 && ofVictim.has(Number(each.task_id)))).toBe(true);
    await expectWhole();
  });

  it("give their tasks back at once when they are told to stop", async () => {
    const worker = start("one", { fillMs: 2_000 });
    await until(() => worker.events().length >= 2, { what: () => worker.stderr() });
    worker.child.kill("SIGTERM");
    expect({ ...(await worker.ended), stderr: worker.stderr() }).toMatchObject({ status: 0, stderr: "" });
    expect(await store.tasks.count()).toEqual({ pending: TASKS, running: 0, failed: 0, completed: 0 });
    expect((await store.tasks.pending()).every((task) => task.retryCount === 0)).toBe(true);
    const next = start("two");
    expect(await next.ended).toMatchObject({ status: 0 });
    await expectWhole();
  });
});
