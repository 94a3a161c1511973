// A collector pointed at another host by `rest_url`: what that host serves comes out of `query` to the last digit.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseDecimal } from "../../../src/core/decimal.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand } from "../../support/run-command.js";
import { startTinyBinance, type ServedCandle, type TinyBinance } from "../../support/tiny-binance.js";
import { newWorkFolder, type WorkFolder } from "../../support/work-folder.js";

const START_MS = Date.UTC(2024, 5, 1);
const AWKWARD: readonly ServedCandle[] = [
  ["0.00000001", "0.00000002", "0.00000001", "0.00000001", "92233720368.54775807", "922.33720368", 1],
  ["12345678.10000000", "12345678.10000001", "12345678.09999999", "12345678.1", "0.00000000", "0", 0],
  ["9007199254740993", "9007199254740993.5", "9007199254740992.75", "9007199254740993.25", "1", "1.10", 2],
  [
    "0.10",
    "0.3",
    "0.1",
    "0.30000000000000004",
    "100000000000000000000.00000001",
    "123456789.123456789",
    2147483648,
  ],
  ["1000000", "1000000.000", "1000000.0", "1000000.00", "10000.0001", "99999999999.99999999", 7],
  // Forming: never to be stored.
  ["1", "1", "1", "1", "1", "1", 1],
];
const CLOSED = AWKWARD.slice(0, -1);
// 0.3 is below that close: the one row that cannot be.
const IMPOSSIBLE = 3;

let tiny: TinyBinance;
let database: TestDatabase;
beforeAll(async () => {
  tiny = await startTinyBinance(START_MS, AWKWARD);
});
afterAll(() => tiny.close());

async function newFolder(): Promise<WorkFolder> {
  database = await createTestDatabase();
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url } },
    collector: {
      exchange: { name: "binance", rest_url: tiny.url },
      symbols: [{ symbol: "TINY/USDT" }],
      mode: { history: { since: "2024-06-01" } },
      backfill: { void_confirm_after: "50ms" },
    },
  });
  return folder;
}

const SQL =
  "SELECT open_time, open, high, low, close, volume, quote_volume, trade_count FROM ohlcv ORDER BY open_time";

async function stored(folder: WorkFolder): Promise<{ columns: string[]; rows: unknown[][] }> {
  const { status, stdout } = await runCommand([...folder.options, "--json", "query", SQL]);
  expect(status).toBe(0);
  return JSON.parse(stdout) as { columns: string[]; rows: unknown[][] };
}

const right = CLOSED.flatMap((candle, i) =>
  i === IMPOSSIBLE
    ? []
    : [
        [
          new Date(START_MS + i * 60_000).toISOString().replace(".000Z", "Z"),
          ...candle.slice(0, 6).map((text) => parseDecimal(String(text))),
          candle[6],
        ],
      ],
);

describe("rest_url", () => {
  it("is asked by `start --once`, and what it serves is stored without a digit lost", async () => {
    const folder = await newFolder();
    const { status, stdout } = await runCommand([...folder.options, "start", "--once"]);
    // The impossible row stays a gap.
    expect({ status, stdout }).toEqual({ status: 3, stdout: "" });
    expect((await stored(folder)).rows).toEqual(right);
    await database.drop();
  });

  it("is asked by `backfill`, which says what it could not store and why", async () => {
    const folder = await newFolder();
    const command = ["backfill", "binance:TINY/USDT", "1m", "--since", "2024-06-01"];
    const { status, stdout } = await runCommand([
      ...folder.options,
      "--json",
      ...command,
      "--until",
      "2024-06-02",
    ]);
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      start: "2024-06-01T00:00:00Z",
      end: "2024-06-01T00:05:00Z",
      expected_candles: 5,
      stored_candles: 4,
      missing_candles: 1,
    });
    expect((await stored(folder)).rows).toEqual(right);
    const gaps = await runCommand([...folder.options, "--json", "gaps"]);
    expect(JSON.parse(gaps.stdout)).toMatchObject({
      gaps: [
        {
          market: "binance:TINY/USDT",
          timeframe: "1m",
          start: "2024-06-01T00:03:00Z",
          end: "2024-06-01T00:04:00Z",
          reason: "rejected",
          detail: "candle.close_outside",
        },
      ],
      voids: [],
      series: [{ expected_candles: 5, stored_candles: 4, missing_candles: 1 }],
    });
    await database.drop();
  });
});
