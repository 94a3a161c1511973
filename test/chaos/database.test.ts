// The database dies, goes away and runs out of disk while it is written to: the collector says so, waits, and ends exact.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { mkdir, open, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { silentLog } from "../../src/core/log.js";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.js";
import { startSimulatedExchange } from "../../simulator/simulated-exchange.js";
import { newBackfill } from "../support/backfill-run.js";
import { testSeed } from "../support/seed.js";
import { spawnCli } from "../support/spawn-cli.js";
import { until } from "../support/until.js";
import { newWorkFolder } from "../support/work-folder.js";

const isLinux = process.platform === "linux";

function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => {
      try {
        return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${each}/stat`, "utf8"))?.[1]) === pid;
      } catch {
        return false; // ended meanwhile
      }
    });
}

/** The postmaster ends its other children as soon as one is killed: one that is gone already is as dead as can be. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

describe.runIf(isLinux)("the embedded server killed in mid-backfill", () => {
  it.each([
    ["the postmaster", (pid: number) => [pid]],
    ["the postmaster's children", childrenOf],
    ["the postmaster and its children", (pid: number) => [pid, ...childrenOf(pid)]],
  ])("by SIGKILL of %s: is waited for with a message, and the result is exact", async (_name, victims) => {
    const run = await newBackfill({ days: 21, delayMs: 100 });
    const cli = run.start();
    await run.served(6, cli);
    const pid = run.folder.postmasterPid();
    expect(pid).toBeDefined();
    const killed = victims(pid ?? 0);
    expect(killed.length).toBeGreaterThan(0);
    for (const each of killed) kill(each);
    await cli.says("what has been collected is kept");
    await cli.says("nothing was lost");
    const { status, stderr } = await cli.ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    await run.expectTruth();
  });
});

describe.runIf(isLinux)("the embedded server killed while nothing is being written", () => {
  it("by SIGKILL in the pause before a void is believed: the backfill brings it back and ends exact", async () => {
    const run = await newBackfill({ days: 2, delayMs: 10, outageMinutes: 30 });
    const cli = run.start();
    await cli.says("asking the exchange once more");
    process.kill(run.folder.postmasterPid() ?? 0, "SIGKILL");
    const { status, stderr } = await cli.ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toContain("the database cannot be reached");
    await run.expectTruth();
  });

  it("by SIGKILL between two cycles of `start`: the next cycles bring it back and nothing is missing", async () => {
    const exchange = await startSimulatedExchange({ seed: testSeed(), clock: systemClock });
    const folder = await newWorkFolder();
    await folder.configure({
      collector: {
        exchange: { name: "binance", rest_url: exchange.url },
        symbols: [{ symbol: "BTC/USDT" }],
        mode: { history: { since: "1h" }, intervals: { collect: "1s" } },
      },
    });
    try {
      const cli = spawnCli([...folder.options, "start"]);
      await cli.says("nothing missing");
      const killed = folder.postmasterPid() ?? 0;
      process.kill(killed, "SIGKILL");
      await cli.says("bringing it back");
      await until(() => (folder.postmasterPid() ?? killed) !== killed, { what: () => cli.stderr });
      const before = cli.stderr.length;
      await until(() => cli.stderr.slice(before).includes("nothing missing"), { what: () => cli.stderr });
      expect(await cli.kill("SIGINT")).toMatchObject({ status: 0, stdout: "" });
    } finally {
      await exchange.close();
    }
  });
});

describe("an external database that goes away in mid-backfill", () => {
  it("is waited for with a message, and the result is exact when it is back", async () => {
    const place = await newWorkFolder();
    const openServer = () =>
      openEmbeddedPostgres({
        dataDir: place.dataDir,
        role: "owner",
        clock: systemClock,
        log: silentLog,
        signal: AbortSignal.timeout(60_000),
      });
    let server = await openServer();
    try {
      const databaseUrl = server.connectionString;
      const run = await newBackfill({ days: 21, delayMs: 100, databaseUrl });
      const cli = run.start();
      await run.served(6, cli);
      await server.close();
      await cli.says("what has been collected is kept");
      // The exchange is asked on meanwhile: what comes is kept in memory, up to its bound.
      await run.served(15, cli);
      server = await openServer();
      expect(server.connectionString).toBe(databaseUrl);
      await cli.says("nothing was lost");
      const { status, stderr } = await cli.ended;
      expect({ status, stderr }).toMatchObject({ status: 0 });
      expect(stderr.match(/what has been collected is kept/g)).toHaveLength(1);
      expect(stderr).not.toContain(new URL(databaseUrl).password);
      await run.expectTruth();
    } finally {
      await server.close();
    }
  });
});

describe("a disk that fills up in mid-backfill", () => {
  const mounts: string[] = [];
  afterEach(() => {
    for (const mount of mounts.splice(0)) execFileSync("umount", ["--lazy", mount]);
  });

  /** @returns false where this process may not mount */
  function mountTmpfs(path: string, sizeMb: number): boolean {
    try {
      const options = `size=${sizeMb}m,mode=0755`;
      execFileSync("mount", ["-t", "tmpfs", "-o", options, "tickwell-test", path], { stdio: "ignore" });
      mounts.push(path);
      return true;
    } catch {
      return false;
    }
  }

  it("is waited for with a message; when there is room again the result is exact", async (context) => {
    const run = await newBackfill({ days: 35, delayMs: 100 });
    const disk = join(run.folder.path, "disk");
    await mkdir(disk);
    if (!isLinux || !mountTmpfs(disk, 300)) {
      context.skip("SKIPPED: a full disk needs a small tmpfs, and this process may not mount one");
    }
    const dataDir = join(disk, "data");
    const cli = run.start({ dataDir });
    await run.served(4, cli);
    const ballast = await open(join(disk, "ballast"), "w");
    const block = Buffer.alloc(1024 ** 2);
    try {
      // What the server frees meanwhile is taken as well.
      await until(
        async () => {
          const { bavail, bsize } = await statfs(disk);
          if (bavail > 0)
            await ballast.write(block, 0, Math.min(block.length, bavail * bsize)).catch(() => undefined);
          return cli.stderr.includes("what has been collected is kept") || cli.hasEnded;
        },
        { what: () => cli.stderr },
      );
      expect(cli.hasEnded, cli.stderr).toBe(false);
    } finally {
      await ballast.close();
    }
    await rm(join(disk, "ballast"));
    await cli.says("nothing was lost", 120_000);
    const { status, stderr } = await cli.ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toMatch(/full|space/i);
    await run.expectTruth(dataDir);
  });
});
