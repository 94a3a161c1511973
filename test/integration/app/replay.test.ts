// The program captures what it follows, is killed, and `replay` brings the rows into another database.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { startSimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { createTestDatabase } from "../../support/database.js";
import { testSeed } from "../../support/seed.js";
import { runCli, spawnCli } from "../../support/spawn-cli.js";
import { until } from "../../support/until.js";
import { newWorkFolder, type WorkFolder } from "../../support/work-folder.js";

const SYMBOL = "BTC/USDT";

it.each(["aggregated", "raw"])(
  "captures %s trades, is killed, and replays what it had captured",
  async (trades) => {
    const exchange = await startSimulatedExchange({
      seed: testSeed(),
      clock: systemClock,
      venueMarkets: {
        binance: [
          {
            symbol: SYMBOL,
            priceDecimals: 2,
            qtyDecimals: 3,
            baseTicks: 40_000,
            typicalLots: 400,
            aggregatesPerMinute: 200,
            volatility: 0.0004,
            listedMs: Date.UTC(2024, 0, 1),
            bookLevels: 20,
          },
        ],
      },
    });
    const [first, second] = [await createTestDatabase(), await createTestDatabase()];
    try {
      const folder = await newWorkFolder();
      const configure = (url: string): Promise<void> =>
        folder.configure({
          instance: { storage: { url }, log: { format: "json" }, capture: { enabled: true } },
          collector: {
            exchange: {
              name: "binance",
              rest_url: exchange.url,
              ws_url: exchange.url.replace("http", "ws"),
              trades,
            },
            symbols: [{ symbol: SYMBOL, channels: ["candles", "trades", "book"] }],
          },
        });
      await configure(first.url);
      const cli = spawnCli([...folder.options, "start"]);
      const count = async (): Promise<number> =>
        (await first.sql<{ n: number }>("SELECT count(*)::int AS n FROM trades").catch(() => []))[0]?.n ?? 0;
      await until(async () => cli.hasEnded || (await count()) > 15, { what: () => cli.stderr });
      // What is captured reaches the file within a second.
      await systemClock.sleep(1_500);
      await cli.kill("SIGKILL");
      const captures = join(folder.dataDir, "captures");
      expect(await readdir(captures)).toEqual([
        expect.stringMatching(/^test-\d{8}T\d{6}Z-0001\.ndjson\.gz$/),
      ]);

      await configure(second.url);
      const replayed = await runCli([...folder.options, "replay", captures, "--json"]);
      expect({ status: replayed.status, stderr: replayed.stderr }).toMatchObject({ status: 0 });
      expect(replayed.stderr).toContain("was cut off");
      const report = JSON.parse(replayed.stdout) as { frames: number; trades: number; sessions: number };
      expect(report).toMatchObject({ sessions: 1 });
      expect(report.trades).toBeGreaterThan(15);
      const rows = "SELECT trade_id::int AS id, price::text, quantity::text, side FROM trades ORDER BY 1";
      const [live, again] = [await first.sql<{ id: number }>(rows), await second.sql<{ id: number }>(rows)];
      // The last second before the kill is in one of them only.
      const lastId = Math.min(live.at(-1)?.id ?? 0, again.at(-1)?.id ?? 0);
      const upTo = (all: readonly { id: number }[]) => all.filter(({ id }) => id <= lastId);
      expect(upTo(again)).toEqual(upTo(live));
      expect(upTo(live).length).toBeGreaterThan(10);
    } finally {
      await exchange.close();
      await Promise.all([first.drop(), second.drop()]);
    }
  },
);

it.each([
  [["replay", "nowhere.ndjson.gz"], "replay: there is no nowhere.ndjson.gz"],
  [["replay", ".", "--speed", "0"], '--speed: found "0", expected max or a number above 0'],
])("refuses %j with a word about it", async (argv, words) => {
  const folder: WorkFolder = await newWorkFolder();
  const { status, stderr } = await runCli([...argv, "--data-dir", folder.dataDir]);
  expect(status).toBe(2);
  expect(stderr).toContain(words);
});
