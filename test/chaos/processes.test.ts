// Several processes at once, and processes with few rights.
import { chmod, chown, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { floorToTimeframe } from "../../src/core/timeframe.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../simulator/simulated-exchange.js";
import { createTestDatabase } from "../support/database.js";
import { copyPackage } from "../support/package-copy.js";
import { expectPartition } from "../support/partition.js";
import { runCli, spawnCli } from "../support/spawn-cli.js";
import { differencesFromTruth } from "../support/truth.js";
import { newWorkFolder, type WorkFolder } from "../support/work-folder.js";

let exchange: SimulatedExchange;
beforeAll(async () => {
  exchange = await startSimulatedExchange({ seed: 1, clock: systemClock });
});
afterAll(() => exchange.close());

async function newFolder({
  since,
  databaseUrl,
}: {
  since: string;
  databaseUrl?: string;
}): Promise<WorkFolder> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: databaseUrl === undefined ? {} : { storage: { url: databaseUrl } },
    collector: {
      exchange: { name: "binance", rest_url: exchange.url },
      symbols: [{ symbol: "BTC/USDT" }, { symbol: "ETH/USDT" }],
      mode: { history: { since } },
    },
  });
  return folder;
}

describe("two collectors at once", () => {
  it("migrate an empty database together and store each candle once", async () => {
    const database = await createTestDatabase();
    try {
      const sinceMs = floorToTimeframe(systemClock.nowMs(), "1d") - 3 * 86_400_000;
      const folder = await newFolder({ since: new Date(sinceMs).toISOString(), databaseUrl: database.url });
      const endMs = floorToTimeframe(systemClock.nowMs(), "1m");
      const start = [...folder.options, "start", "--once"];
      const both = await Promise.all([runCli(start), runCli(start)]);
      // They share the tasks: whoever ends first may say, truly, that the other's part is still missing.
      expect(both.map(({ stdout }) => stdout)).toEqual(["", ""]);
      expect([
        [0, 0],
        [0, 3],
      ]).toContainEqual(both.map(({ status }) => status).sort());
      for (const symbol of ["BTC/USDT", "ETH/USDT"]) {
        const range = { startMs: sinceMs, endMs };
        const truth = exchange.truth.candles(symbol, "1m", sinceMs, endMs);
        expect(truth.length).toBeGreaterThan(4_000);
        const wanted = { symbol, timeframe: "1m", range, truth } as const;
        expect(await differencesFromTruth(database.sql, wanted)).toEqual([]);
      }
      await expectPartition(database.sql);
      expect(await database.sql("SELECT 1 FROM candle_revisions")).toEqual([]);
      expect(await (await database.openStore()).audit({})).toEqual([]);
    } finally {
      await database.drop();
    }
  });

  it("on one data directory are refused: the second exits with 2 and names the first", async () => {
    const folder = await newFolder({ since: "1h" });
    const first = spawnCli([...folder.options, "start"]);
    await first.says("nothing missing");
    const second = await runCli([...folder.options, "start", "--once"]);
    expect(second).toMatchObject({ status: 2, stdout: "" });
    expect(second.stderr).toContain(`another tickwell (pid ${first.pid}) is already writing`);
    const reader = await runCli([
      ...folder.options,
      "--json",
      "query",
      "SELECT count(*) > 0 AS has FROM ohlcv",
    ]);
    expect(reader).toMatchObject({ status: 0, stdout: '{"columns":["has"],"rows":[[true]]}\n' });
    expect(await first.kill("SIGINT")).toMatchObject({ status: 0 });
    expect(folder.postmasterPid()).toBeUndefined();
  });
});

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const ordinary = isRoot ? { uid: NOBODY } : {};

describe("an ordinary user", () => {
  let copy: Awaited<ReturnType<typeof copyPackage>>;
  beforeAll(async () => {
    copy = await copyPackage();
  });
  afterAll(() => copy.remove());

  it("sees the demo to its end in a folder of their own", async () => {
    const folder = await newWorkFolder();
    const home = join(folder.path, "home");
    await mkdir(home);
    if (isRoot) await chown(home, NOBODY, NOBODY);
    const options = { ...ordinary, cwd: home, env: { HOME: home }, packageFolder: copy.folder };
    const { status, stdout, stderr } = await runCli(["--json", "demo", "--duration", "15s"], options);
    expect({ status, stderr }, stdout).toMatchObject({ status: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ simulated: true, audit: [], truth: { differences: 0 } });
    expect(folder.postmasterPid(join(home, "data/demo"))).toBeUndefined();
  });

  it("is told in words that a data directory is not theirs to write", async () => {
    const folder = await newFolder({ since: "1h" });
    await mkdir(folder.dataDir);
    await chmod(folder.dataDir, 0o555);
    const options = { ...ordinary, cwd: folder.path, packageFolder: copy.folder };
    const { status, stdout, stderr } = await runCli([...folder.options, "start", "--once"], options);
    expect([1, 2]).toContain(status);
    expect(stdout).toBe("");
    expect(stderr).toContain(folder.dataDir);
    expect(stderr).toMatch(/may not|permission|not writable/i);
    expect(stderr).not.toContain("mistake in tickwell");
  });
});
