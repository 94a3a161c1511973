// Every route against a real database: what it answers, in which form, page by page, and what it says to bad input.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Validator } from "@seriousme/openapi-schema-validator";
import { formatTime } from "../../../src/core/time.js";
import { problemSchema, ROUTES, type RouteName } from "../../../src/web/contract.js";
import { createApiWorld, NOW_MS, type ApiWorld } from "../../support/api-world.js";
import { minuteMs } from "../../support/candles.js";

let world: ApiWorld;
let url: string;
beforeAll(async () => {
  world = await createApiWorld();
  const server = await world.startApi({ writeToken: "write-0123456789abcdef" });
  url = server.url;
});
afterAll(() => world.close());

const BTC = "binance:BTC/USDT";
const time = (minute: number): string => formatTime(minuteMs(minute));

function get(
  path: string,
  query: Record<string, string | number> = {},
  init?: RequestInit,
): Promise<Response> {
  const search = new URLSearchParams(
    Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]),
  );
  return fetch(`${url}${path}?${search.toString()}`, init);
}

interface Page {
  readonly data: Record<string, unknown>[];
  readonly next_cursor: string | null;
}

/** The answer, held against the contract: no field missing, none beside it. */
async function ask(name: RouteName, query: Record<string, string | number> = {}): Promise<Page> {
  const response = await get(`/api/v1${ROUTES[name].path}`, query);
  expect(response.status).toBe(200);
  const body = (await response.json()) as Page;
  expect(ROUTES[name].answer.parse(body)).toEqual(body);
  return body;
}

async function all(
  name: RouteName,
  query: Record<string, string | number>,
): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  let cursor: string | null = "";
  for (let pages = 0; cursor !== null; pages++) {
    expect(pages).toBeLessThan(200);
    const page: Page = await ask(name, cursor === "" ? query : { ...query, cursor });
    rows.push(...page.data);
    cursor = page.next_cursor;
  }
  return rows;
}

describe("candles", () => {
  it("are digit for digit what is stored, in order, with what the range is worth", async () => {
    const response = await get("/api/v1/candles", {
      market: BTC,
      timeframe: "1m",
      from: time(298),
      to: time(302),
    });
    const { data } = (await response.json()) as Page;
    expect(data.map(({ open_time: at, flags }) => [at, flags])).toEqual([
      [time(298), 0],
      [time(299), 0],
      [time(300), 1],
      [time(301), 0],
    ]);
    expect(data[0]).toEqual({
      open_time: time(298),
      open: "100.5",
      high: "101",
      low: "99.25",
      close: "100",
      volume: "12.345",
      quote_volume: "1234.5",
      trade_count: 7,
      source: "rest",
      revision: 0,
      flags: 0,
    });
    expect(response.headers.get("x-data-quality")).toBe("98.25");
    expect(response.headers.get("x-data-coverage")).toBe("100.00");
  });

  it("tell how much of the range is missing and void", async () => {
    const response = await get("/api/v1/candles", {
      market: BTC,
      timeframe: "1m",
      from: time(230),
      to: time(600),
    });
    expect(response.headers.get("x-data-missing")).toBe("10");
    expect(response.headers.get("x-data-void")).toBe("10");
    // 360 of 370, rounded down.
    expect(response.headers.get("x-data-coverage")).toBe("97.29");
    expect(((await response.json()) as Page).data).toHaveLength(350);
  });

  it.each(["asc", "desc"] as const)(
    "come page by page without repeating or leaving out any, %s",
    async (order) => {
      const rows = await all("candles", { market: BTC, timeframe: "1m", limit: 37, order });
      const times = rows.map(({ open_time: at }) => Date.parse(String(at)));
      expect(times).toHaveLength(580);
      expect(new Set(times).size).toBe(580);
      expect(times).toEqual([...times].sort((a, b) => (order === "asc" ? a - b : b - a)));
    },
  );

  it("are the same in every format, with epoch milliseconds as well as ISO", async () => {
    const query = { market: BTC, timeframe: "1m", from: minuteMs(235), to: minuteMs(252) };
    const { data } = await ask("candles", query);
    const csv = await (await get("/api/v1/candles", { ...query, format: "csv" })).text();
    const ndjson = await (await get("/api/v1/candles", { ...query, format: "ndjson" })).text();
    expect(
      ndjson
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual(data);
    const [head = "", ...lines] = csv.trimEnd().split("\n");
    expect(head).toBe(Object.keys(data[0] ?? {}).join(","));
    expect(lines).toEqual(data.map((row) => Object.values(row).join(",")));
  });

  it("of an empty range are an empty answer in every format", async () => {
    const query = { market: BTC, timeframe: "1m", from: time(241), to: time(249) };
    expect(await ask("candles", query)).toEqual({ data: [], next_cursor: null });
    expect(await ask("candles", { ...query, limit: "all" })).toEqual({ data: [], next_cursor: null });
    expect(await (await get("/api/v1/candles", { ...query, format: "ndjson" })).text()).toBe("");
    expect(await (await get("/api/v1/candles", { ...query, format: "csv" })).text()).toMatch(
      /^open_time,.*\n$/,
    );
  });

  it("of a page in CSV name the next one in a header", async () => {
    const response = await get("/api/v1/candles", { market: BTC, timeframe: "1m", format: "csv", limit: 5 });
    const link = /<(.+)>; rel="next"/.exec(response.headers.get("link") ?? "")?.[1] ?? "";
    const next = await (await fetch(url + link)).text();
    expect(next.split("\n")[1]).toMatch(new RegExp(`^${time(5)},`));
  });

  it("of a closed and whole range need not be sent twice; after a revision they are", async () => {
    const query = { market: "okx:ETH/USDT", timeframe: "1m", from: time(0), to: time(10) };
    const first = await get("/api/v1/candles", query);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^W\/".+"$/);
    expect(first.headers.get("cache-control")).toContain("max-age=300");
    const again = await get("/api/v1/candles", query, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    await world.database.sql(
      "INSERT INTO candle_revisions SELECT open_time, now(), trade_count, market_id, 99, timeframe, source, open, high, low, close, volume, quote_volume FROM ohlcv WHERE market_id = $1 AND open_time = $2",
      [world.eth.id, time(5)],
    );
    const revised = await get("/api/v1/candles", query, { headers: { "if-none-match": etag } });
    expect(revised.status).toBe(200);
    await revised.text();
  });

  it("of a range with a gap, or one that is not over, are never kept", async () => {
    for (const query of [{ from: time(230), to: time(260) }, { from: time(500) }]) {
      const response = await get("/api/v1/candles", { market: BTC, timeframe: "1m", ...query });
      expect(response.headers.get("cache-control")).toBe("no-store");
      await response.text();
    }
  });
});

describe("candles of a timeframe that is not stored", () => {
  const HOURS = { market: BTC, timeframe: "1h" };

  it("are made of minutes, of all of them or not at all", async () => {
    const response = await get("/api/v1/candles", HOURS);
    const body = (await response.json()) as Page;
    expect(ROUTES.candles.answer.parse(body)).toEqual(body);
    // The fifth hour has a gap; the last ten minutes of the tenth are void, and nothing is missing there.
    expect(body.data.map(({ open_time: at }) => at)).toEqual(
      [0, 1, 2, 3, 5, 6, 7, 8, 9].map((hour) => time(hour * 60)),
    );
    expect(body.data[4]).toEqual({
      open_time: time(300),
      open: "100.5",
      high: "101",
      low: "99.25",
      close: "100",
      volume: "740.7",
      quote_volume: "74070",
      trade_count: 420,
      source: "derived",
      revision: 0,
      flags: 1,
    });
    expect(body.data[8]).toMatchObject({ volume: "617.25", trade_count: 350 });
    expect(response.headers.get("x-data-derived-from")).toBe("1m");
    expect(response.headers.get("x-data-missing")).toBe("1");
    expect(response.headers.get("x-data-void")).toBe("0");
    expect(response.headers.get("x-data-coverage")).toBe("90.00");
    expect(response.headers.get("x-data-quality")).toBe("98.25");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  it("have the open of the first minute and the close of the last, and count what was revised", async () => {
    const [first, ...others] = (await ask("candles", { market: "okx:ETH/USDT", timeframe: "5m" })).data;
    expect(first).toMatchObject({ open: "100.5", close: "100", revision: 1 });
    expect(others).toHaveLength(1);
  });

  it("of a bucket that has not ended, or began before the series, are none", async () => {
    // Ten minutes of an hour.
    const response = await get("/api/v1/candles", { market: "okx:ETH/USDT", timeframe: "1h" });
    expect(await response.json()).toEqual({ data: [], next_cursor: null });
    expect(response.headers.get("x-data-missing")).toBe("0");
    expect(
      (await ask("candles", { market: BTC, timeframe: "4h" })).data.map((row) => row["open_time"]),
    ).toEqual([time(0)]);
    expect((await ask("candles", { market: BTC, timeframe: "1d" })).data).toEqual([]);
  });

  it("of time in which the exchange has nothing are void", async () => {
    const query = { market: BTC, timeframe: "5m", from: time(580), to: time(600) };
    const response = await get("/api/v1/candles", query);
    const { data } = (await response.json()) as Page;
    expect(data.map(({ open_time: at }) => at)).toEqual([time(580), time(585)]);
    expect(response.headers.get("x-data-void")).toBe("2");
    expect(response.headers.get("x-data-coverage")).toBe("100.00");
    expect(response.headers.get("etag")).toMatch(/^W/);
  });

  it("begin where their range does, as those that are stored", async () => {
    const { data } = await ask("candles", { ...HOURS, from: time(61), to: time(421) });
    expect(data.map(({ open_time: at }) => at)).toEqual([120, 180, 300, 360, 420].map(time));
  });

  it.each(["asc", "desc"] as const)("come page by page, %s", async (order) => {
    const query = { market: BTC, timeframe: "15m" };
    const rows = await all("candles", { ...query, limit: 7, order });
    const expected = Array.from({ length: 40 }, (_, i) => time(i * 15)).filter((_, i) => i !== 16);
    expect(rows.map(({ open_time: at }) => at)).toEqual(order === "asc" ? expected : expected.reverse());
    const csv = await (await get("/api/v1/candles", { ...query, order, format: "csv" })).text();
    expect(csv.trimEnd().split("\n").slice(1)).toEqual(rows.map((row) => Object.values(row).join(",")));
  });

  it("are named by their market", async () => {
    const [btc] = (await ask("markets", { market: BTC })).data;
    expect(btc?.["derived_timeframes"]).toEqual([
      "3m",
      "5m",
      "15m",
      "30m",
      "1h",
      "2h",
      "4h",
      "6h",
      "8h",
      "12h",
      "1d",
      "1w",
    ]);
  });
});

describe("trades", () => {
  it("are what is stored, to the microsecond, page by page", async () => {
    const rows = await all("trades", { market: BTC, limit: 7 });
    expect(rows.map(({ trade_id: id }) => id)).toEqual([
      ...Array.from({ length: 30 }, (_, i) => i + 1),
      ...Array.from({ length: 10 }, (_, i) => i + 41),
    ]);
    expect(rows[1]).toEqual({
      time: "2024-01-01T09:40:02.000345Z",
      trade_id: 2,
      price: "100.5",
      quantity: "0.25",
      side: "sell",
      fills: 1,
    });
    expect(rows[0]?.["time"]).toBe("2024-01-01T09:40:01Z");
    expect(await all("trades", { market: BTC, limit: 7, order: "desc" })).toEqual(rows.reverse());
  });
});

describe("books", () => {
  it("are the last one at an instant, with as many levels as asked for", async () => {
    const { data } = await ask("book", { market: BTC, at: minuteMs(580) + 30_500, depth: 1 });
    expect(data).toEqual([
      {
        time: "2024-01-01T09:40:30Z",
        sequence: 1_030,
        is_valid: true,
        bids: [["100.4", "1"]],
        asks: [["100.6", "2.5"]],
      },
    ]);
    expect((await ask("book", { market: BTC })).data[0]?.["sequence"]).toBe(1_059);
    expect((await ask("book", { market: BTC, at: minuteMs(1) })).data).toEqual([]);
  });

  it("that are stored have all their levels unless fewer are asked for", async () => {
    await world.database.sql(
      `INSERT INTO orderbook_snapshots (market_id, ts, sequence, bids, asks)
       SELECT $1, $2, 7, array_agg(ARRAY[1000 - i, 1]::numeric[] ORDER BY i), array_agg(ARRAY[1000 + i, 1]::numeric[] ORDER BY i)
       FROM generate_series(1, 400) AS i`,
      [world.btc.id, time(5)],
    );
    const levels = async (query: Record<string, string | number>): Promise<number[]> => {
      const { data } = await ask("book", { market: BTC, ...query });
      const [book] = data as { bids: unknown[]; asks: unknown[] }[];
      return [book?.bids.length ?? 0, book?.asks.length ?? 0];
    };
    expect(await levels({ at: minuteMs(6) })).toEqual([400, 400]);
    expect(await levels({ from: time(5), to: time(6) })).toEqual([400, 400]);
    expect(await levels({ from: time(5), to: time(6), depth: 150 })).toEqual([150, 150]);
    await world.database.sql("DELETE FROM orderbook_snapshots WHERE market_id = $1 AND sequence = 7", [
      world.btc.id,
    ]);
  });

  it("of a range are all of them", async () => {
    const rows = await all("book", { market: BTC, from: time(580), to: time(581), limit: 11 });
    expect(rows.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 60 }, (_, i) => 1_000 + i));
    const csv = await (
      await get("/api/v1/book", { market: BTC, from: time(580), to: minuteMs(580) + 1, format: "csv" })
    ).text();
    expect(csv).toBe(
      'time,sequence,is_valid,bids,asks\n2024-01-01T09:40:00Z,1000,true,"[[""100.4"",""1""],[""100.3"",""1""]]","[[""100.6"",""2.5""]]"\n',
    );
  });
});

describe("the ledger", () => {
  it("lists gaps with what is known of them and the task that holds them", async () => {
    const { data } = await ask("gaps", { market: BTC });
    expect(
      data.map((gap) => [gap["data_type"], gap["start"], gap["end"], gap["records"], gap["reason"]]),
    ).toEqual([
      ["ohlcv", time(240), time(250), 10, "absent"],
      ["trades", "2024-01-01T09:40:30Z", "2024-01-01T09:40:41Z", 10, "absent"],
    ]);
    expect(data[0]?.["task"]).toMatchObject({ status: "pending" });
  });

  it("lists voids apart, and both together", async () => {
    const { data } = await ask("gaps", { market: BTC, kind: "void" });
    expect(data.map((gap) => [gap["kind"], gap["start"], gap["end"]])).toEqual([
      ["void", time(590), time(600)],
    ]);
    expect(await all("gaps", { kind: "all", limit: 1 })).toHaveLength(3);
  });

  it("divides the expected time without a rest and without an overlap, page by page", async () => {
    const parts = await all("coverage", { market: BTC, data_type: "ohlcv", limit: 2 });
    expect(parts.map((part) => [part["start"], part["end"], part["state"], part["evidence"]])).toEqual([
      [time(0), time(240), "covered", "rest_page"],
      [time(240), time(250), "repairing", null],
      [time(250), time(590), "covered", "rest_page"],
      [time(590), time(600), "void", "exchange_void"],
    ]);
    const [clipped] = (
      await ask("coverage", { market: BTC, data_type: "ohlcv", from: time(100), to: time(101) })
    ).data;
    expect([clipped?.["start"], clipped?.["end"]]).toEqual([time(100), time(101)]);
  });
});

describe("markets", () => {
  it("say how each stands: price, coverage of a day, score, gaps, tasks", async () => {
    const { data } = await ask("markets", { include: "summary" });
    expect(data.map(({ market }) => market)).toEqual([BTC, "okx:ETH/USDT"]);
    const summary = data[0]?.["summary"] as Record<string, unknown> & {
      strip: { states: string; from: string };
    };
    expect(summary).toMatchObject({
      last_price: "100",
      price_source: "candle",
      score: 98.25,
      is_valid: false,
      open_gaps: 2,
      candle_gaps: 1,
      trade_gaps: 1,
      missing_candles: 10,
      open_tasks: 1,
      failed_tasks: 0,
      behind_ms: NOW_MS - minuteMs(240),
      is_live: false,
    });
    expect(summary.strip.states).toHaveLength(96);
    // 10 hours of 15 minutes, the last 40 slots: the gap of 04:00 in the 17th, the void of 09:50 in the last.
    const states = summary.strip.states.slice(-40);
    expect(states).toBe(`${"c".repeat(16)}r${"c".repeat(22)}v`);
    expect(summary.strip.states.slice(0, 56)).toBe("-".repeat(56));
    const [only] = (await ask("markets", { market: "okx:ETH/USDT" })).data;
    expect(only).toMatchObject({ is_simulated: false, summary: null });
    expect(await all("markets", { limit: 1 })).toHaveLength(2);
  });

  it("belong to exchanges", async () => {
    expect((await ask("exchanges")).data).toEqual([
      { name: "binance", markets: 1, active_markets: 1, is_simulated: true, ban: null },
      { name: "okx", markets: 1, active_markets: 1, is_simulated: false, ban: null },
    ]);
  });
});

describe("quality", () => {
  it("is the latest check, all of a range, by day, and a file", async () => {
    const [latest] = (await ask("quality", { market: BTC, data_type: "ohlcv" })).data;
    expect(latest).toMatchObject({ quality_score: 98.25, missing_count: 10, check_time: time(599) });
    expect(await all("quality", { history: "true", limit: 1 })).toHaveLength(1);
    expect((await ask("quality", { history: "true", from: time(600), to: time(601) })).data).toEqual([]);
    const days = (await ask("qualityDaily", { market: BTC, from: "2023-12-31", to: "2024-01-02" })).data;
    expect(
      days.map((day) => [day["date"], day["score"], day["covered_percent"], day["missing_candles"]]),
    ).toEqual([
      ["2023-12-31", null, null, 0],
      ["2024-01-01", 98.25, 98.3333, 10],
    ]);
    const csv = await (await get("/api/v1/quality/report", { format: "csv" })).text();
    expect(csv).toContain(`${BTC},ohlcv,1m,${time(599)}`);
    const markdown = await get("/api/v1/quality/report", { format: "markdown" });
    expect(markdown.headers.get("content-disposition")).toContain(
      'filename="tickwell-quality-2024-01-01.md"',
    );
    expect(await markdown.text()).toContain("| binance:BTC/USDT 1m | 98.25 |");
    expect((await ask("qualityReport")).data).toHaveLength(1);
  });
});

describe("work", () => {
  it("lists tasks, and puts a failed one back for whoever may write, once", async () => {
    expect((await ask("tasks", { status: "pending" })).data).toHaveLength(1);
    expect(await all("tasks", { limit: 1 })).toHaveLength(2);
    const [failed] = (await ask("tasks", { status: "failed,completed" })).data;
    const retry = (init: RequestInit = {}): Promise<Response> =>
      fetch(`${url}/api/v1/backfill-tasks/${String(failed?.["id"])}/retry`, { method: "POST", ...init });
    expect((await retry()).status).toBe(401);
    expect((await retry({ headers: { authorization: "Bearer write-0123456789abcdeg" } })).status).toBe(401);
    const headers = { authorization: "Bearer write-0123456789abcdef" };
    const response = await retry({ headers });
    expect(response.status).toBe(200);
    expect(ROUTES.retryTask.answer.parse(await response.json())).toMatchObject({
      status: "pending",
      retry_count: 0,
    });
    expect((await retry({ headers })).status).toBe(409);
    const unknown = await fetch(`${url}/api/v1/backfill-tasks/999999/retry`, { method: "POST", headers });
    expect(unknown.status).toBe(404);
  });

  it("lists failures without what was sent, and sums them up", async () => {
    const rows = await all("errors", { limit: 2 });
    expect(rows.map(({ message }) => message)).toEqual(["failure 3", "failure 2", "failure 1"]);
    expect(JSON.stringify(rows)).not.toContain("hush");
    expect((await ask("errors", { error_type: "timeout" })).data).toHaveLength(1);
    const { data } = await ask("errorSummary", { from: time(0) });
    expect(data.map((row) => [row["error_type"], row["count"]])).toEqual([
      ["network", 2],
      ["timeout", 1],
    ]);
  });

  it("tells how it stands", async () => {
    const response = await get("/api/v1/status");
    const status = ROUTES.status.answer.parse(await response.json());
    expect(status).toMatchObject({
      version: "1.2.3",
      is_simulated: true,
      may_write: false,
      database: { is_reachable: true },
      totals: {
        markets: 2,
        series: 4,
        candles_missing: 10,
        open_gaps: 2,
        candle_gaps: 1,
        trade_gaps: 1,
        errors_24h: 3,
      },
    });
    expect(status.database.bytes).toBeGreaterThan(1_000_000);
  });
});

describe("bad input", () => {
  it.each([
    ["/api/v1/candles", "market", "timeframe=1m"],
    ["/api/v1/candles", "timeframe", `market=${BTC}`],
    ["/api/v1/candles", "timeframe", `market=${BTC}&timeframe=7m`],
    ["/api/v1/candles", "from", `market=${BTC}&timeframe=1m&from=yesterday`],
    ["/api/v1/candles", "from", `market=${BTC}&timeframe=1m&from=2024-02-30`],
    ["/api/v1/candles", "from", `market=${BTC}&timeframe=1m&from=2024-01-02&to=2024-01-01`],
    ["/api/v1/candles", "limit", `market=${BTC}&timeframe=1m&limit=0`],
    ["/api/v1/candles", "limit", `market=${BTC}&timeframe=1m&limit=10001`],
    ["/api/v1/candles", "cursor", `market=${BTC}&timeframe=1m&cursor=abc`],
    ["/api/v1/candles", "format", `market=${BTC}&timeframe=1m&format=xml`],
    ["/api/v1/candles", "colour", `market=${BTC}&timeframe=1m&colour=red`],
    ["/api/v1/candles", "market", `market=${BTC}&market=${BTC}&timeframe=1m`],
    ["/api/v1/quality/daily", "from", "from=2020-01-01&to=2024-01-01"],
    ["/api/v1/backfill-tasks", "status", "status=lost"],
    ["/api/v1/errors", "exchange", "exchange=%00"],
  ])("%s names the parameter %s: %s", async (path, parameter, query) => {
    const response = await fetch(`${url}${path}?${query}`);
    expect(response.status).toBe(400);
    expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
    const problem = problemSchema.parse(await response.json());
    expect(problem.parameter).toBe(parameter);
    expect(problem.detail.length).toBeGreaterThan(10);
  });

  it.each([
    ["/api/v1/candles", "market", "timeframe=1m"],
    ["/api/v1/candles", "timeframe", `market=${BTC}`],
    ["/api/v1/trades", "market", ""],
    ["/api/v1/book", "market", ""],
    ["/api/v1/coverage", "market", ""],
    ["/udf/history", "symbol", "resolution=1&to=1704067200"],
    ["/udf/history", "to", `symbol=${BTC}&resolution=1`],
  ])("%s says that %s is missing", async (path, parameter, query) => {
    const response = await fetch(`${url}${path}?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ parameter, detail: `${parameter}: is missing` });
  });

  it.each([
    ["/api/v1/candles", "from", `market=${BTC}&timeframe=1m&from=1704067200`],
    ["/api/v1/candles", "to", `market=${BTC}&timeframe=1m&to=1704067200`],
    ["/api/v1/book", "at", `market=${BTC}&at=1704067200`],
    ["/api/v1/errors/summary", "from", "from=1704067200"],
  ])("%s takes no epoch seconds for milliseconds in %s", async (path, parameter, query) => {
    const response = await fetch(`${url}${path}?${query}`);
    expect(response.status).toBe(400);
    const problem = problemSchema.parse(await response.json());
    expect(problem.parameter).toBe(parameter);
    expect(problem.detail).toContain("epoch milliseconds, 1704067200000");
  });

  it("answers what is not stored of a market with what is", async () => {
    const refusal = async (path: string, query: Record<string, string>): Promise<unknown> => {
      const response = await get(path, query);
      expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
      return { ...problemSchema.parse(await response.json()), type: undefined };
    };
    // What can be made of stored minutes is there; of hours nothing shorter can be made.
    const [{ id } = { id: 0 }] = await world.database.sql<{ id: number }>(
      `INSERT INTO markets (exchange_id, symbol, native_symbol, base_asset, quote_asset, market_type)
       SELECT id, 'HOURS/USDT', 'HOURS-USDT', 'HOURS', 'USDT', 'spot' FROM exchanges WHERE name = 'okx' RETURNING id`,
    );
    await world.database.sql(
      "INSERT INTO series (market_id, data_type, timeframe, expected) VALUES ($1, 'ohlcv', '1h', '{[2024-01-01,2024-01-02)}')",
      [id],
    );
    const candles = { market: "okx:HOURS/USDT", timeframe: "3m", from: time(0), format: "csv" };
    // What there is is looked up again within seconds.
    await expect
      .poll(() => refusal("/api/v1/candles", candles), { timeout: 10_000 })
      .toMatchObject({
        status: 404,
        detail: "timeframe: nothing is stored of okx:HOURS/USDT 3m; stored: 1h",
        parameter: "timeframe",
        nearest: ["1h"],
      });
    await world.database.sql("DELETE FROM series WHERE market_id = $1", [id]);
    await world.database.sql("DELETE FROM markets WHERE id = $1", [id]);
    for (const [path, what] of [
      ["/api/v1/trades", "trades"],
      ["/api/v1/book", "book"],
    ] as const)
      expect(await refusal(path, { market: "okx:ETH/USDT" })).toMatchObject({
        status: 404,
        detail: `market: nothing is stored of okx:ETH/USDT ${what}; stored: 1m`,
        parameter: "market",
      });
  });

  it("knows a market by the exchange's own name too", async () => {
    const response = await get("/api/v1/candles", { market: "okx:ETH-USDT", timeframe: "1m", limit: 1 });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-disposition") ?? "").not.toContain("BTC");
    await response.text();
  });

  it("answers an unknown market with the nearest", async () => {
    const response = await get("/api/v1/candles", { market: "binance:BTCUSD", timeframe: "1m" });
    expect(response.status).toBe(404);
    const problem = problemSchema.parse(await response.json());
    expect(problem.parameter).toBe("market");
    expect(problem.nearest?.[0]).toBe(BTC);
  });
});

describe("the description", () => {
  it("is a valid OpenAPI 3.1 document with every route in it", async () => {
    const document = (await (await get("/api/v1/openapi.json")).json()) as {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
    };
    const result = await new Validator().validate(structuredClone(document));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(document.openapi).toBe("3.1.0");
    for (const route of Object.values(ROUTES))
      expect(document.paths[`/api/v1${route.path}`]?.[route.method.toLowerCase()]).toBeDefined();
  });
});
