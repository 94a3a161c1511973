// The command line as scripts see it: exit statuses, what goes to stdout, and Ctrl-C.
import { createServer, type AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import type { FaultPlanInput } from "../../../simulator/fault-plan.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import pg from "pg";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";
import { spawnCli } from "../../support/spawn-cli.js";
import { differencesFromTruth } from "../../support/truth.js";
import { until } from "../../support/until.js";
import { newWorkFolder, type WorkFolder } from "../../support/work-folder.js";

const RANGE = { startMs: Date.UTC(2024, 0, 1), endMs: Date.UTC(2024, 0, 15) };
const BACKFILL = ["backfill", "binance:BTC/USDT", "1m", "--since", "2024-01-01", "--until", "2024-01-15"];

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const exchanges: SimulatedExchange[] = [];
afterEach(async () => {
  for (const exchange of exchanges.splice(0)) await exchange.close();
});
async function newExchange(
  faults: FaultPlanInput["faults"] = [],
  port = 0,
  seed = 1,
): Promise<SimulatedExchange> {
  const exchange = await startSimulatedExchange({ seed, clock: systemClock, faults: { faults }, port });
  exchanges.push(exchange);
  return exchange;
}

async function newFolder(
  restUrl: string,
  collector: object = {},
  databaseUrl = database.url,
): Promise<WorkFolder> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: databaseUrl } },
    collector: {
      exchange: { name: "binance", rest_url: restUrl },
      symbols: [{ symbol: "BTC/USDT" }],
      mode: { history: { since: "1h" } },
      retry: { attempts: 1 },
      backfill: { void_confirm_after: "100ms" },
      ...collector,
    },
  });
  return folder;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("exit statuses", () => {
  async function run(...argv: string[]): Promise<CommandResult> {
    const exchange = await newExchange();
    const folder = await newFolder(exchange.url);
    return runCommand([...folder.options, ...argv]);
  }

  it.each([
    [["backfill", "binance:BTC/USDX", "1m", "--since", "1h"], "did you mean binance:BTC/USDT"],
    [["backfill", "binance:BTC/USDT", "2m", "--since", "1h"], "did you mean"],
    [["backfill", "BTC/USDT", "1m", "--since", "1h"], "expected <exchange>:<symbol>"],
    [["backfill", "binnance:BTC/USDT", "1m", "--since", "1h"], "did you mean binance?"],
    [["backfill", "binance:BTC/USDT", "1m", "--since", "yesterday"], "expected a date"],
    [["backfill", "binance:BTC/USDT", "1m", "--since", "2024-02-30"], "expected a date"],
    [
      ["backfill", "binance:BTC/USDT", "1m", "--since", "2024-01-02", "--until", "2024-01-01"],
      "is not before",
    ],
    [["backfill", "binance:BTC/USDT", "1m"], "--since is missing"],
    [["backfill", "binance:BTC/USDT", "1m", "--sinse", "1d"], "unknown option '--sinse'"],
    [["backfill", "binance:BTC/USDT", "1m", "--sinse", "1d"], "Did you mean --since?"],
    [["backfill", "binance:BTC/USDT", "book", "--since", "1d"], "no exchange gives past order books"],
    [["backfill", "binance:BTC/USDT", "weekly", "--since", "1h"], 'found "weekly"; known: 1m'],
    [["backfill", "kraken:BTC/USDT", "1m", "--since", "1h"], 'unknown exchange "kraken"; known: binance'],
    [["start", "--duration", "soon"], "expected a duration"],
    [["start", "--twice"], "unknown option '--twice'"],
    [["strat"], "Did you mean start?"],
    [["gaps", "--timeframe", "1min"], "did you mean 1m"],
    [["--log-level", "loud", "gaps"], "expected one of"],
    [["-c", "/nowhere", "start"], "/nowhere"],
  ])("are 2 for %j, with a word that helps", async (argv, words) => {
    const { status, stdout, stderr } = await run(...argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(words);
    expect(stderr).not.toContain("mistake in tickwell");
  });

  it.each([[["--help"]], [["start", "--help"]], [["--version"]]])("are 0 for %j", async (argv) => {
    expect(await run(...argv)).toMatchObject({ status: 0, stderr: "" });
  });

  it("is 2 when no collector names a market there is", async () => {
    const exchange = await newExchange();
    const folder = await newFolder(exchange.url, {
      symbols: [{ symbol: "BTC/USDX" }, { symbol: "BNB/USDX" }],
    });
    const wrong = await newFolder(exchange.url, { name: "wrong", symbols: [{ symbol: "ETH/USDX" }] });
    const both = ["-c", folder.configs, "-c", `${wrong.configs}/collector/test.yml`];
    const { status, stderr } = await spawnCli([...both, "--data-dir", folder.dataDir, "start"]).ended;
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^tickwell: (test|wrong): nothing to collect: .*collector\/test.yml: symbols\[0\].*; did you mean binance:/m,
    );
  }, 30_000);

  it("is 1 for `start --once` when the exchange cannot be reached", async () => {
    const folder = await newFolder(`http://127.0.0.1:${await freePort()}`);
    const { status, stdout, stderr } = await runCommand([...folder.options, "start", "--once"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("refused the connection");
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  it("is 1 when the database cannot be reached, without its password in the words", async () => {
    const exchange = await newExchange();
    const url = `postgres://someone:secret@127.0.0.1:${await freePort()}/nothing`;
    const folder = await newFolder(exchange.url, {}, url);
    const { status, stdout, stderr } = await runCommand([...folder.options, "start", "--once"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain("the database cannot be reached");
    expect(stderr).not.toContain("secret");
  });
});

describe("a backfill of a market that is listed as suspended", () => {
  it("says so, and how long it goes on asking", async () => {
    const atMs = Math.floor(systemClock.nowMs() / 60_000) * 60_000 - 1_800_000;
    const exchange = await newExchange([{ kind: "delisted", symbol: "BTC/USDT", at: atMs }]);
    const folder = await newFolder(exchange.url);
    const { status, stderr } = await runCommand([
      ...folder.options,
      ...["backfill", "binance:BTC/USDT", "1m", "--since", "1h", "--until", "10m"],
    ]);
    expect(status).toBe(3);
    expect(stderr.match(/binance lists binance:BTC\/USDT as suspended: /g)).toHaveLength(1);
    expect(stderr).toMatch(
      /\d\d candles are not there yet; asking .* in \d+ ms before believing it, 3 times and for 10 min at most\./,
    );
    expect(stderr).toContain("; what is missing then stays on record.");
  });
});

describe("a symbol the exchange has never listed", () => {
  it("is left out with file and key, while the others of its collector and of other collectors go on", async () => {
    const own = await createTestDatabase();
    try {
      const exchange = await newExchange();
      const symbols = [{ symbol: "BTC/USDT" }, { symbol: "SLO/USDT" }];
      const folder = await newFolder(exchange.url, { symbols }, own.url);
      const wrong = await newFolder(exchange.url, { name: "wrong", symbols: [{ symbol: "ETH/USDX" }] });
      const both = ["-c", folder.configs, "-c", `${wrong.configs}/collector/test.yml`];
      const cli = spawnCli([...both, "--data-dir", folder.dataDir, "start"]);
      await cli.says(
        /test\.yml: symbols\[1\]\.symbol: binance has no market .*SLO\/USDT.*did you mean binance:SOL/,
        20_000,
      );
      await cli.says("wrong: nothing to collect: ", 20_000);
      await cli.says(/test: \d+ candles in 1 series; nothing missing/, 20_000);
      await cli.says("test leaves out SLO/USDT", 20_000);
      const { status, stderr } = await cli.kill("SIGINT");
      expect(status).toBe(0);
      expect(stderr).toContain("The other collectors go on");
      const open = await own.sql("SELECT key, severity FROM alerts ORDER BY key");
      expect(open).toEqual([
        { key: "stopped:wrong", severity: "critical" },
        { key: "symbols:test", severity: "warning" },
      ]);
      const once = await runCommand([...folder.options, "start", "--once"]);
      expect(once).toMatchObject({ status: 1, stdout: "" });
    } finally {
      await own.drop();
    }
  }, 60_000);
});

describe("stdout", () => {
  it("is one JSON document with --json, and results alone without", async () => {
    const exchange = await newExchange();
    const folder = await newFolder(exchange.url);
    const run = (...argv: string[]): Promise<CommandResult> => runCommand([...folder.options, ...argv]);
    expect(await run("start", "--once")).toMatchObject({ status: 0, stdout: "" });
    for (const argv of [
      ["gaps"],
      ["status"],
      ["query", "SELECT 1"],
      ["backfill", "binance:BTC/USDT", "1m", "--since", "2h"],
      ["config", "show"],
    ]) {
      const { status, stdout } = await run("--json", ...argv);
      expect({ argv, status }).toEqual({ argv, status: 0 });
      expect(JSON.parse(stdout)).toBeTypeOf("object");
    }
    // Ends in the past: a minute may close between the two.
    const again = await run("backfill", "binance:BTC/USDT", "1m", "--since", "1h", "--until", "10m");
    expect(again.stdout).toMatch(
      /^binance:BTC\/USDT 1m from .* 0 missing, 100.00 % proven \(nothing was missing\)\.\n$/,
    );
    const gaps = await run("--json", "gaps", "--market", "binance:BTC/USDT", "--timeframe", "1m");
    expect(JSON.parse(gaps.stdout)).toMatchObject({
      gaps: [],
      voids: [],
      series: [{ market: "binance:BTC/USDT", timeframe: "1m", missing_candles: 0 }],
    });
  });
});

describe("`start` with an exchange that is away", () => {
  it("says so once, names the demo, and goes on by itself when the exchange appears", async () => {
    const port = await freePort();
    const folder = await newFolder(`http://127.0.0.1:${port}`);
    const cli = spawnCli([...folder.options, "start"]);
    await cli.says("tickwell demo");
    await newExchange([], port);
    await cli.says("nothing missing", 40_000);
    const { status, stdout, stderr } = await cli.kill("SIGINT");
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
    expect(stderr.match(/cannot be reached/g)).toHaveLength(1);
    expect(stderr).toContain("stopped: everything received is stored");
  }, 60_000);
});

describe("Ctrl-C", () => {
  const rows = async (own: TestDatabase): Promise<number> => {
    const found = await own.sql<{ n: number }>("SELECT count(*)::int AS n FROM ohlcv").catch(() => []);
    return found[0]?.n ?? 0;
  };

  it("once ends a backfill cleanly with everything received stored; the same command then goes on", async () => {
    const own = await createTestDatabase();
    try {
      const exchange = await newExchange([{ kind: "slow", endpoint: "klines", delay_ms: 150 }]);
      const folder = await newFolder(exchange.url, { backfill: { concurrency: 2 } }, own.url);
      const cli = spawnCli([...folder.options, ...BACKFILL]);
      await until(async () => (await rows(own)) > 0 || cli.hasEnded, { what: () => cli.stderr });
      const { status, stdout, stderr } = await cli.kill("SIGINT");
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toContain("everything received is stored");
      const kept = await rows(own);
      const answered = exchange.requests.count({ endpoint: "/api/v3/klines" });
      // Two requests may have been on their way.
      expect(kept).toBeGreaterThanOrEqual((answered - 2) * 1_000);
      expect(kept).toBeLessThan((RANGE.endMs - RANGE.startMs) / 60_000);
      const store = await own.openStore();
      expect(await store.audit({})).toEqual([]);

      const again = await runCommand([...folder.options, ...BACKFILL]);
      expect(again.status).toBe(0);
      const asked = exchange.requests.count({ endpoint: "/api/v3/klines" });
      expect(asked).toBeLessThanOrEqual((RANGE.endMs - RANGE.startMs) / 60_000 / 1_000 + 6);
      const truth = exchange.truth.candles("BTC/USDT", "1m", RANGE.startMs, RANGE.endMs);
      expect(
        await differencesFromTruth(own.sql, { symbol: "BTC/USDT", timeframe: "1m", range: RANGE, truth }),
      ).toEqual([]);
    } finally {
      await own.drop();
    }
  }, 60_000);

  it("twice stops now, although the database keeps it waiting", async () => {
    const own = await createTestDatabase();
    const blocker = new pg.Client({ connectionString: own.url });
    try {
      await (await own.openStore()).listMarkets();
      await blocker.connect();
      await blocker.query("BEGIN; LOCK TABLE ohlcv");
      const exchange = await newExchange();
      const folder = await newFolder(exchange.url, {}, own.url);
      const cli = spawnCli([...folder.options, ...BACKFILL]);
      await until(
        async () =>
          (await own.sql("SELECT 1 FROM pg_locks WHERE relation = 'ohlcv'::regclass AND NOT granted"))
            .length > 0,
        { what: () => cli.stderr },
      );
      cli.signal("SIGINT");
      await cli.says("Once more stops at once");
      expect(cli.hasEnded).toBe(false);
      expect(await cli.kill("SIGINT")).toMatchObject({ status: 130, stdout: "" });
    } finally {
      await blocker.end();
      await own.drop();
    }
  }, 60_000);

  it("ends `start` with status 0 and nothing on stdout", async () => {
    const exchange = await newExchange();
    const folder = await newFolder(exchange.url);
    const cli = spawnCli([...folder.options, "start"]);
    // The folder's config names no host for them.
    await cli.says("streams are off");
    await cli.says("nothing missing");
    expect(await cli.kill("SIGTERM")).toMatchObject({ status: 0, stdout: "" });
    const store = await database.openStore();
    expect(await store.audit({})).toEqual([]);
    const [state] = await store.seriesStates({});
    expect(state?.coveredCandles).toBeGreaterThanOrEqual(60);
  }, 60_000);
});
