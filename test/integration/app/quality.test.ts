// `tickwell quality` as people and scripts see it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatTime } from "../../../src/core/time.js";
import type { Store, StoredMarket } from "../../../src/store/store.js";
import { batchOf, BTC_USDT, candleAt, decimal, MINUTE_MS } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";
import { newWorkFolder } from "../../support/work-folder.js";

const ETH_USDT = { ...BTC_USDT, symbol: "ETH/USDT", nativeSymbol: "ETHUSDT", baseAsset: "ETH" };
/** The command's clock is the machine's: the candles end at the last full hour, and begin 100 minutes before. */
const endMs = Math.floor(Date.now() / 3_600_000) * 3_600_000;
const minuteMs = (minute: number): number => endMs + (minute - 100) * MINUTE_MS;

let database: TestDatabase;
let empty: TestDatabase;
let store: Store;
beforeAll(async () => {
  [database, empty] = await Promise.all([createTestDatabase(), createTestDatabase()]);
  store = await database.openStore();
  const markets = await store.putMarkets("binance", [BTC_USDT, ETH_USDT], { isSimulated: true });
  for (const market of markets) await fill(market);
});
afterAll(() => Promise.all([database.drop(), empty.drop()]));

/** BTC misses the minutes 60 to 79, and has a jump and a duplicate; ETH is whole. */
async function fill({ id, symbol }: StoredMarket): Promise<void> {
  await store.expect({ marketId: id, timeframe: "1m" }, { startMs: minuteMs(0), endMs: minuteMs(100) });
  const isWhole = symbol === "ETH/USDT";
  const candles = Array.from({ length: 100 }, (_, minute) =>
    candleAt(0, {
      openTimeMs: minuteMs(minute),
      ...(!isWhole && minute === 50 ? { high: decimal("250"), close: decimal("250") } : {}),
    }),
  ).filter((_, minute) => isWhole || minute < 60 || minute >= 80);
  const rejected = isWhole
    ? []
    : [{ rule: "candle.duplicate", detail: "it stands there twice", openTimeMs: minuteMs(3), raw: "[]" }];
  await store.commit([batchOf(id, candles, { rejected })]);
  if (!isWhole)
    await database.sql("UPDATE ohlcv SET flags = 1 WHERE market_id = $1 AND open_time = $2", [
      id,
      formatTime(minuteMs(50)),
    ]);
}

async function quality(argv: readonly string[], url = database.url): Promise<CommandResult> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url } },
    collector: { exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] },
  });
  return runCommand([...folder.options, "quality", ...argv]);
}

const at = (minute: number): string => formatTime(minuteMs(minute)).slice(0, 16).replace("T", " ");
/** The day stands there once, unless midnight lies between. */
const span = (from: number, to: number): string =>
  `${at(from)} to ${at(from).slice(0, 10) === at(to).slice(0, 10) ? at(to).slice(11) : at(to)}`;

describe("quality", () => {
  it("prints one line for each series, and below it what costs how many points", async () => {
    const { status, stdout, stderr } = await quality(["--lookback", "1d"]);
    expect([status, stderr]).toEqual([0, ""]);
    const lines = stdout.split("\n").map((line) => line.replace(/ +/g, " "));
    expect(lines.slice(0, 3)).toEqual([
      "market timeframe score verified expected stored missing dup order jumps spikes",
      "binance:BTC/USDT 1m 78.37 80.00 % 100 80 20 1 0 1 0 not valid",
      "binance:ETH/USDT 1m 100.00 100.00 % 100 100 0 0 0 0 0",
    ]);
    expect(stdout).toContain("1 of 2 series valid, 20 candles missing.");
    const from = lines.findIndex((line) => line.startsWith("binance:BTC/USDT 1m, "));
    expect(lines.slice(from + 1, from + 7)).toEqual([
      " −20.00 20 candles missing",
      ` ${span(60, 80)}, 20 candles: not fetched yet`,
      " −1.00 1 row sent twice",
      ` ${at(3)}: it stands there twice`,
      " −0.63 1 price jump",
      ` ${at(50)}: close 250 after 100 (+150 %), usually ±0 %`,
    ]);
  });

  it("stores a summary of each series each time", async () => {
    const count = async (): Promise<unknown> =>
      (await database.sql("SELECT count(*)::int AS summaries FROM data_quality_summary"))[0]?.summaries;
    const before = Number(await count());
    await quality([]);
    expect(await count()).toBe(before + 2);
  });

  it("with --json prints one document with the names of the table", async () => {
    const { stdout } = await quality(["--json", "--market", "binance:BTC/USDT", "--lookback", "1d"]);
    expect(JSON.parse(stdout)).toMatchObject({
      lowest_score: 78.375,
      missing_count: 20,
      valid_series: 0,
      series: [
        {
          market: "binance:BTC/USDT",
          timeframe: "1m",
          quality_score: 78.375,
          verified_percent: 80,
          missing_count: 20,
          duplicate_count: 1,
          price_jump_count: 1,
          validation_errors: [{ code: "missing_candles", count: 20 }],
          deductions: [
            { metric: "missing", evidence: [{ start: formatTime(minuteMs(60)), reason: "not_fetched" }] },
            { metric: "duplicate", evidence: [{ rule: "candle.duplicate" }] },
            { metric: "price_jump", evidence: [{ close: "250", previous_close: "100" }] },
          ],
        },
      ],
    });
  });

  it("with --markdown prints a table of Markdown", async () => {
    const { stdout } = await quality(["--markdown", "--market", "binance:ETH/USDT", "--lookback", "1d"]);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("# Data quality");
    expect(lines.filter((line) => line.startsWith("|"))).toEqual([
      "| market | timeframe | score | verified | expected | stored | missing | dup | order | jumps | spikes |  |",
      "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
      "| binance:ETH/USDT | 1m | 100.00 | 100.00 % | 100 | 100 | 0 | 0 | 0 | 0 | 0 |  |",
    ]);
  });

  it.each([
    ["78.375", 0],
    ["78.38", 3],
    ["100", 3],
  ])("with --fail-under %s ends with %i", async (score, expected) => {
    const { status } = await quality(["--lookback", "1d", "--fail-under", score]);
    expect(status).toBe(expected);
  });

  it.each([
    [["--fail-under", "101"], "expected a score from 0 to 100"],
    [["--fail-under", "-1"], "expected a score from 0 to 100"],
    [["--lookback", "soon"], "expected a duration"],
    [["--market", "binance:BTC/USDX"], "did you mean binance:BTC/USDT"],
  ])("refuses %j", async (argv, message) => {
    const { status, stderr, stdout } = await quality(argv);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });

  it("says in a sentence that nothing has been collected yet, and that is no failure", async () => {
    const { status, stdout } = await quality(["--fail-under", "100"], empty.url);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^There is nothing to check yet: try `tickwell start`/);
  });
});
