// `status` shows what is missing as `gaps` lists it, whatever the log of gaps says.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchOf, BTC_USDT, candlesBetween, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand } from "../../support/run-command.js";
import { newWorkFolder } from "../../support/work-folder.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const store = await database.openStore();
  const [btc, eth] = await store.putMarkets(
    "binance",
    [BTC_USDT, { ...BTC_USDT, symbol: "ETH/USDT", nativeSymbol: "ETHUSDT", baseAsset: "ETH" }],
    { isSimulated: true },
  );
  // Nobody has asked for these yet, so that the log knows nothing of them.
  await store.expect(
    { marketId: btc?.id ?? 0, timeframe: "1m" },
    { startMs: minuteMs(0), endMs: minuteMs(100) },
  );
  await store.commit([batchOf(btc?.id ?? 0, candlesBetween(10, 40))]);
  // One hole, asked for twice with different outcomes.
  await store.expect(
    { marketId: eth?.id ?? 0, timeframe: "1m" },
    { startMs: minuteMs(0), endMs: minuteMs(20) },
  );
  await store.commit([
    batchOf(eth?.id ?? 0, [], {
      missing: [
        { startMs: minuteMs(0), endMs: minuteMs(10), reason: "absent", detail: "", nextAskMs: minuteMs(30) },
        {
          startMs: minuteMs(10),
          endMs: minuteMs(20),
          reason: "fetch_failed",
          detail: "late",
          nextAskMs: minuteMs(30),
        },
      ],
    }),
  ]);
});
afterAll(() => database.drop());

async function run(...argv: string[]): Promise<string> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url } },
    collector: { exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] },
  });
  const { status, stdout } = await runCommand([...folder.options, ...argv]);
  expect(status).toBe(0);
  return stdout;
}

describe("status", () => {
  it("counts the gaps that `gaps` lists, and the candles in them", async () => {
    const { gaps } = JSON.parse(await run("--json", "gaps")) as { gaps: { market: string }[] };
    const listed = (market: string): number => gaps.filter((gap) => gap.market === market).length;
    const { series } = JSON.parse(await run("--json", "status")) as {
      series: { market: string; open_gaps: number; missing_candles: number }[];
    };
    expect(series.map((each) => [each.market, each.open_gaps, each.missing_candles])).toEqual([
      ["binance:BTC/USDT", 2, 70],
      ["binance:ETH/USDT", 1, 20],
    ]);
    for (const each of series) expect(listed(each.market)).toBe(each.open_gaps);
    const text = await run("status");
    expect(text).toMatch(/market +timeframe +candles +missing +open gaps +proven /);
    expect(text).toMatch(/binance:BTC\/USDT +1m +30 +70 +2 +30\.00 % /);
    expect(text).toMatch(/binance:ETH\/USDT +1m +0 +20 +1 +0\.00 % /);
  });
});
