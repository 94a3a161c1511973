// A long range goes out as the client takes it: nothing is gathered on the way.
import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Store } from "../../../src/store/store.js";
import { createApiWorld, type ApiWorld } from "../../support/api-world.js";
import { until } from "../../support/until.js";

const ROWS = 400_000;
let world: ApiWorld;
beforeAll(async () => {
  world = await createApiWorld();
  await world.database.sql(
    `INSERT INTO ohlcv (market_id, timeframe, open_time, source, open, high, low, close, volume)
     SELECT $1, '1m', timestamptz '2020-01-01Z' + make_interval(mins => n), 'rest', 1, 2, 0.5, n, 1 FROM generate_series(0, $2::int - 1) n`,
    [world.eth.id, ROWS],
  );
});
afterAll(() => world.close());

/** The store, and how many pages of candles were asked of it. */
function counting(store: Store): { readonly store: Store; readonly pages: () => number } {
  let pages = 0;
  // Objects with private fields want their methods called on themselves.
  const passing = <T extends object>(
    target: T,
    change: (key: string | symbol, value: unknown) => unknown,
  ): T =>
    new Proxy(target, {
      get: (_, key) => {
        const value: unknown = Reflect.get(target, key);
        return change(key, typeof value === "function" ? value.bind(target) : value);
      },
    });
  const api = passing(store.api, (key, value) => {
    if (key === "candlePage") pages++;
    return value;
  });
  const counted = passing(store, (key, value) => (key === "api" ? api : value));
  return { store: counted, pages: () => pages };
}

const PATH = "/api/v1/candles?market=okx:ETH/USDT&timeframe=1m&from=2020-01-01&to=2021-01-01&limit=all";

function open(port: number, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, agent: false }, resolve).on("error", reject).end();
  });
}

it.each(["json", "csv", "ndjson"])(
  "%s waits for a client that does not read, and then has every row",
  async (format) => {
    const { store, pages } = counting(world.store);
    const server = await world.startApi({ store });
    const response = await open(server.port, `${PATH}&format=${format}`);
    response.pause();
    let before = -1;
    // Until nothing moves any more: all buffers on the way are full.
    await until(async () => {
      const now = pages();
      const isStill = now === before && now > 0;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return isStill;
    });
    expect(pages()).toBeLessThan(ROWS / 5_000 / 2); // sockets hold some megabytes
    let text = "";
    for await (const part of response.setEncoding("utf8")) text += String(part);
    const rows =
      format === "json"
        ? (JSON.parse(text) as { data: { close: string }[] }).data.map(({ close }) => close)
        : text
            .trimEnd()
            .split("\n")
            .slice(format === "csv" ? 1 : 0)
            .map((line) =>
              format === "csv" ? line.split(",")[4] : (JSON.parse(line) as { close: string }).close,
            );
    expect(rows).toHaveLength(ROWS);
    expect(rows.every((close, i) => close === String(i))).toBe(true);
  },
);

it("ends when the client goes", async () => {
  const { store, pages } = counting(world.store);
  const server = await world.startApi({ store });
  const response = await open(server.port, PATH);
  response.once("data", () => response.destroy());
  await until(() => response.destroyed);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const then = pages();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(pages()).toBe(then);
  expect(then).toBeLessThan(ROWS / 5_000);
});

it("lets go of a client that never reads", async () => {
  const server = await world.startApi({ limits: { idleMs: 500 } });
  const response = await open(server.port, PATH);
  response.pause();
  const closed = new Promise((resolve) => response.socket.once("close", resolve));
  // What is on its way is taken from the kernel now, so that the end behind it shows.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  response.on("error", () => undefined).resume();
  await closed;
  expect(response.complete).toBe(false);
});

it("tells what a range is worth without reading it, to whoever asks for no more", async () => {
  const { store, pages } = counting(world.store);
  const server = await world.startApi({ store });
  const response = await fetch(server.url + PATH, { method: "HEAD" });
  expect([response.status, response.headers.get("x-data-quality")]).toEqual([200, "unknown"]);
  expect(pages()).toBe(0);
});
