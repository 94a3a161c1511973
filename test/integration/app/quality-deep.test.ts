// `tickwell quality --deep` as the command line runs it, against a simulated exchange on the real clock.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { formatTime } from "../../../src/core/time.js";
import type { FaultPlanInput } from "../../../simulator/fault-plan.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { MINUTE_MS } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";

let database: TestDatabase;
let exchange: SimulatedExchange;
let folder: string;
let fromMs: number;
let toMs: number;

beforeEach(async () => {
  database = await createTestDatabase();
  folder = await mkdtemp(join(tmpdir(), "tickwell-deep-"));
  toMs = Math.floor(systemClock.nowMs() / MINUTE_MS - 10) * MINUTE_MS;
  fromMs = toMs - 20 * MINUTE_MS;
});
afterEach(async () => {
  await exchange.close();
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

function run(...argv: readonly string[]): Promise<CommandResult> {
  return runCommand([...argv, "-c", join(folder, "configs")]);
}

/** Twenty minutes of a market stored. */
async function prepare(
  faults: FaultPlanInput["faults"],
  [name, symbol]: readonly [string, string] = ["binance", "BTC/USDT"],
): Promise<void> {
  exchange = await startSimulatedExchange({ seed: 5, clock: systemClock, faults: { faults } });
  await mkdir(join(folder, "configs", "collector"), { recursive: true });
  await writeFile(join(folder, "configs", "tickwell.yml"), `storage: {url: '${database.url}'}\n`);
  await writeFile(
    join(folder, "configs", "collector", "a.yml"),
    `exchange: {name: ${name}, rest_url: '${exchange.url}'}\nsymbols: [{symbol: '${symbol}'}]\n`,
  );
  const { status } = await run(
    ...["backfill", `${name}:${symbol}`, "1m", "--since", formatTime(fromMs), "--until", formatTime(toMs)],
  );
  expect(status).toBe(0);
}

describe("quality --deep", () => {
  it.each([
    ["binance", "BTC/USDT"],
    ["binanceusdm", "BTC/USDT:USDT"],
    ["okx", "BTC/USDT"],
    ["okx", "BTC/USDT:USDT"],
  ] as const)("says that every minute of %s %s agrees with the exchange's trades", async (name, symbol) => {
    await prepare([], [name, symbol]);
    const { status, stdout } = await run("quality", "--deep", "--samples", "6", "--fail-under", "0");
    expect(status).toBe(0);
    expect(stdout).toContain("Checked against the exchange's trades");
    expect(stdout).toMatch(new RegExp(`${name}:${symbol} +6 +6 +0 +0 +0 +0`));
  });

  it("brings in what the exchange has changed since", async () => {
    const struck = { from: fromMs + 5 * MINUTE_MS, to: fromMs + 7 * MINUTE_MS };
    await prepare([{ kind: "revised", ...struck, answers: 1 }]);
    const { status, stdout } = await run(
      "quality",
      "--deep",
      "--samples",
      "20",
      "--json",
      "--fail-under",
      "0",
    );
    expect(status).toBe(0);
    const { deep } = JSON.parse(stdout) as { deep: unknown };
    expect(deep).toMatchObject([
      {
        report: { agreements: 18, counts: { revision: 2, our_loss: 0, late_trade: 0, source_fault: 0 } },
        repair: { refetchedCandles: 2, reopenedVoids: 0, failures: [] },
      },
    ]);
    expect(await database.sql("SELECT 1 FROM candle_revisions")).toHaveLength(2);
  });

  it("exits with 3 on a loss of ours when asked to fail, and has repaired it", async () => {
    await prepare([]);
    // A void that was believed wrongly, as if two answers had lacked the minute.
    const struck = [formatTime(fromMs + 5 * MINUTE_MS), formatTime(fromMs + 6 * MINUTE_MS)];
    await database.sql("DELETE FROM ohlcv WHERE open_time = $1", [struck[0]]);
    await database.sql("UPDATE coverage SET end_time = $1, records = 5", [struck[0]]);
    await database.sql(
      `INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records, proof)
       SELECT market_id, data_type, timeframe, r.start_time, r.end_time, r.evidence, r.records, '{"asked": []}'
       FROM coverage, (VALUES ($1::timestamptz, $2::timestamptz, 'exchange_void', 0), ($2, $3, 'rest_page', 14)) AS r (start_time, end_time, evidence, records)`,
      [...struck, formatTime(toMs)],
    );
    const first = await run("quality", "--deep", "--samples", "20", "--fail-under", "0");
    expect(first.stdout).toContain("our_loss: believed void, and the exchange has a candle");
    expect(first.stdout).toContain("1 voids reopened, 1 candles fetched again.");
    expect(first.status).toBe(3);
    const second = await run("quality", "--deep", "--samples", "20", "--fail-under", "0");
    expect(second.stdout).toMatch(/binance:BTC\/USDT +20 +20 +0 +0 +0 +0/);
    expect(second.status).toBe(0);
  });

  it.each([
    [["--samples", "5"], "--samples: says how many minutes --deep looks at; give both"],
    [["--deep", "--samples", "0"], '--samples: found "0", expected a count from 1 to 10000'],
  ])("refuses %s", async (more, words) => {
    await prepare([]);
    const { status, stderr } = await run("quality", ...more);
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });
});
