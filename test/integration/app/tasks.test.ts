// `tasks`: what people see of the queue, and what they can do to it.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Store } from "../../../src/store/store.js";
import { BTC_USDT, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";
import { newWorkFolder } from "../../support/work-folder.js";

let database: TestDatabase;
let store: Store;
let marketId = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  marketId = market?.id ?? 0;
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.sql("TRUNCATE backfill_tasks RESTART IDENTITY");
});

async function tasks(...argv: string[]): Promise<CommandResult> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url } },
    collector: { exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] },
  });
  return runCommand([...folder.options, "tasks", ...argv]);
}

/** Tasks of ten minutes from minute 0, 10, …; the ids are 1, 2, …. */
async function create(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const range = { startMs: minuteMs(i * 10), endMs: minuteMs(i * 10 + 10) };
    await store.tasks.create({ marketId, timeframe: "1m", range });
  }
}

async function fail(count: number): Promise<void> {
  for (const task of await store.tasks.claim({ worker: "w", leaseMs: 60_000, limit: count }))
    await store.tasks.finish(task, { status: "failed", errorMessage: "gave up\nafter all" });
}

/** Rows of the table, cells parted by two blanks or more. */
const cells = ({ stdout }: CommandResult): string[][] =>
  stdout
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));

describe("tasks", () => {
  it("says so when there are none", async () => {
    expect(await tasks()).toEqual({
      status: 0,
      stdout: "There are no backfill tasks: nothing is missing, or no backfill cycle has run yet.\n",
      stderr: "",
    });
    expect((await tasks("list", "--status", "failed")).stdout).toBe("No backfill task is failed.\n");
    expect((await tasks("retry")).stdout).toBe("No task has failed.\n");
    expect((await tasks("cleanup")).stdout).toBe("No task ended longer than 30d ago.\n");
  });

  it("lists the open ones and the newest first", async () => {
    await create(3);
    await fail(1);
    const market = ["binance:BTC/USDT", "1m"];
    expect(cells(await tasks())).toEqual([
      [
        "id",
        "market",
        "timeframe",
        "from (UTC)",
        "to, exclusive",
        "candles",
        "status",
        "tries",
        "next try (UTC)",
        "error",
      ],
      ["2", ...market, "2024-01-01 00:10", "2024-01-01 00:20", "0 of 10", "pending", "0 of 5", "at once"],
      ["1", ...market, "2024-01-01 00:00", "2024-01-01 00:10", "0 of 10", "pending", "0 of 5", "at once"],
      [
        "3",
        ...market,
        "2024-01-01 00:20",
        "2024-01-01 00:30",
        "0 of 10",
        "failed",
        "0 of 5",
        "gave up after all",
      ],
      [""],
      ["2 pending, 1 failed"],
    ]);
  });

  it("lists as JSON, by status and up to a limit", async () => {
    await create(3);
    const { stdout } = await tasks("list", "--status", "pending", "--limit", "1", "--json");
    const listed = JSON.parse(stdout) as { tasks: object[]; counts: object };
    expect(listed.counts).toEqual({ pending: 3, running: 0, completed: 0, failed: 0 });
    expect(listed.tasks).toMatchObject([
      {
        id: 3,
        market: "binance:BTC/USDT",
        start: "2024-01-01T00:20:00Z",
        end: "2024-01-01T00:30:00Z",
        error_message: null,
      },
    ]);
  });

  it("puts failed tasks back: those named, or all", async () => {
    await create(3);
    await fail(3);
    expect((await tasks("retry", "2")).stdout).toBe("1 task put back into the queue.\n");
    expect((await tasks("retry", "2", "3")).stdout).toBe(
      "1 of 2 tasks put back into the queue: only failed tasks can be.\n",
    );
    expect(JSON.parse((await tasks("retry", "--json")).stdout)).toEqual({ retried: 1 });
    expect(await store.tasks.count()).toMatchObject({ pending: 3, failed: 0 });
  });

  it("deletes what ended long ago and leaves what is open", async () => {
    await create(3);
    await fail(2);
    await database.sql("UPDATE backfill_tasks SET updated_at = now() - interval '40 days' WHERE id <> 3");
    expect((await tasks("cleanup")).stdout).toBe("1 task deleted.\n");
    expect((await tasks("cleanup", "--older-than", "0")).stdout).toBe("1 task deleted.\n");
    expect(await store.tasks.count()).toEqual({ pending: 1, running: 0, completed: 0, failed: 0 });
  });

  it.each([
    [["list", "--status", "done"], "--status"],
    [["list", "--limit", "0"], "--limit"],
    [["retry", "x"], "id"],
    [["cleanup", "--older-than", "long"], "--older-than"],
  ])("refuses %j", async (argv, named) => {
    const { status, stderr } = await tasks(...argv);
    expect([status, stderr]).toEqual([2, expect.stringContaining(`${named}: found`)]);
  });
});
