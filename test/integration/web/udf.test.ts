// TradingView's datafeed, asked as its library asks.
import { afterAll, beforeAll, expect, it } from "vitest";
import { createApiWorld, type ApiWorld } from "../../support/api-world.js";
import { minuteMs } from "../../support/candles.js";

let world: ApiWorld;
let url: string;
beforeAll(async () => {
  world = await createApiWorld();
  url = (await world.startApi()).url;
});
afterAll(() => world.close());

const BTC = "binance:BTC/USDT";
const second = (minute: number): number => minuteMs(minute) / 1_000;

async function ask(
  path: string,
  query: Record<string, string | number> = {},
): Promise<Record<string, unknown>> {
  const search = new URLSearchParams(
    Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
  );
  const response = await fetch(`${url}/udf/${path}?${search.toString()}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Record<string, unknown>;
}

it("says what it can do and what time it is", async () => {
  expect(await ask("config")).toMatchObject({
    supports_search: true,
    supports_marks: true,
    supports_time: true,
  });
  expect(await (await fetch(`${url}/udf/time`)).text()).toBe(String(second(600)));
});

it("finds markets and describes them", async () => {
  const found = (await ask("search", { query: "btc", limit: 5 })) as unknown as { symbol: string }[];
  expect(found.map(({ symbol }) => symbol)).toEqual([BTC]);
  expect(await ask("search", { query: "", exchange: "okx" })).toHaveLength(1);
  expect(await ask("symbols", { symbol: BTC })).toMatchObject({
    ticker: BTC,
    session: "24x7",
    timezone: "Etc/UTC",
    pricescale: 1,
    intraday_multipliers: ["1", "3", "5", "15", "30", "60", "120", "240", "360", "480", "720"],
    has_daily: true,
  });
});

it("gives bars of a range, or so many before an end, ascending", async () => {
  const range = await ask("history", { symbol: BTC, resolution: "1", from: second(0), to: second(3) });
  expect(range).toEqual({
    s: "ok",
    t: [0, 1, 2].map(second),
    o: [100.5, 100.5, 100.5],
    h: [101, 101, 101],
    l: [99.25, 99.25, 99.25],
    c: [100, 100, 100],
    v: [12.345, 12.345, 12.345],
  });
  // Across the gap: four before it and one behind.
  const back = await ask("history", {
    symbol: BTC,
    resolution: "1",
    from: second(250),
    to: second(251),
    countback: 5,
  });
  expect(back["t"]).toEqual([236, 237, 238, 239, 250].map(second));
});

it("makes longer bars of whole ones only, and marks what they lack", async () => {
  const hours = { symbol: BTC, resolution: "60", from: second(0), to: second(600) };
  const bars = await ask("history", hours);
  expect(bars["t"]).toEqual([0, 60, 120, 180, 300, 360, 420, 480, 540].map(second));
  expect((bars["v"] as number[])[0]).toBe(740.7);
  expect((await ask("history", { ...hours, countback: 2 }))["t"]).toEqual([480, 540].map(second));
  const marks = await ask("marks", hours);
  expect(marks["time"]).toEqual([second(240), second(540)]);
});

it("says where to look on when a range has none", async () => {
  expect(await ask("history", { symbol: BTC, resolution: "1", from: second(241), to: second(249) })).toEqual({
    s: "no_data",
    nextTime: second(239),
  });
  expect(await ask("history", { symbol: BTC, resolution: "1", from: 0, to: 60 })).toEqual({ s: "no_data" });
});

it("marks gaps and voids", async () => {
  const marks = await ask("marks", { symbol: BTC, resolution: "1", from: second(0), to: second(600) });
  expect(marks["time"]).toEqual([second(240), second(590)]);
  expect(marks["label"]).toEqual(["G", "V"]);
  expect((marks["text"] as string[])[0]).toContain("missing (absent)");
});

it("tells what is wrong in the feed's own way", async () => {
  expect(await ask("symbols", { symbol: "BTC" })).toMatchObject({
    s: "error",
    errmsg: expect.stringContaining(BTC) as string,
  });
  expect(await ask("history", { symbol: BTC, resolution: "7", from: 0, to: 1 })).toMatchObject({
    s: "error",
  });
  expect((await fetch(`${url}/udf/history?symbol=${BTC}&resolution=1&to=soon`)).status).toBe(400);
});
