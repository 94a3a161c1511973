// `tickwell quality` on the embedded database while a collector owns it, as it is run beside a `start` that never ends.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { systemClock } from "../../../src/core/clock.js";
import { formatTime } from "../../../src/core/time.js";
import { openStore } from "../../../src/store/open-store.js";
import type { Store } from "../../../src/store/store.js";
import { MINUTE_MS } from "../../support/candles.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";
import { newWorkFolder, type WorkFolder } from "../../support/work-folder.js";

let folder: WorkFolder;
let exchange: SimulatedExchange;
let owner: Store | undefined;
const run = (...argv: string[]): Promise<CommandResult> => runCommand([...folder.options, ...argv]);

/** Twenty minutes of a market stored, two of them with what the exchange has changed since; then an owner at work. */
beforeEach(async () => {
  const toMs = Math.floor(systemClock.nowMs() / MINUTE_MS - 10) * MINUTE_MS;
  const fromMs = toMs - 20 * MINUTE_MS;
  const revised = { from: fromMs + 5 * MINUTE_MS, to: fromMs + 7 * MINUTE_MS };
  exchange = await startSimulatedExchange({
    seed: 5,
    clock: systemClock,
    faults: { faults: [{ kind: "revised", ...revised, answers: 1 }] },
  });
  folder = await newWorkFolder();
  await folder.configure({
    collector: { exchange: { name: "binance", rest_url: exchange.url }, symbols: [{ symbol: "BTC/USDT" }] },
  });
  const range = ["--since", formatTime(fromMs), "--until", formatTime(toMs)];
  expect(await run("backfill", "binance:BTC/USDT", "1m", ...range)).toMatchObject({ status: 0 });
  owner = await openStore("embedded", { dataDir: folder.dataDir, role: "owner" });
});
afterEach(async () => {
  await owner?.close();
  owner = undefined;
  await exchange.close();
});

describe("quality beside an owner of the embedded database", () => {
  it("checks what is stored and keeps the summary", async () => {
    const { status, stdout } = await run("quality", "--json");
    expect({ status, report: JSON.parse(stdout) as unknown }).toMatchObject({
      status: 0,
      report: {
        series: [{ market: "binance:BTC/USDT", timeframe: "1m", expected_records: 20, total_records: 20 }],
      },
    });
    const { rows } = await query("SELECT count(*) FROM data_quality_summary");
    expect(rows).toEqual([[1]]);
  });

  it("looks deeply, and stores what the exchange has changed", async () => {
    const { status, stdout } = await run("quality", "--deep", "--samples", "20", "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      deep: [{ report: { counts: { revision: 2 } }, repair: { refetchedCandles: 2, failures: [] } }],
    });
    const { rows } = await query("SELECT count(*) FROM candle_revisions");
    expect(rows).toEqual([[2]]);
  });
});

async function query(sql: string): Promise<{ rows: readonly unknown[] }> {
  if (owner === undefined) throw new Error("no owner");
  return owner.query(sql, new AbortController().signal);
}
