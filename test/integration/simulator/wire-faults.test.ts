import { afterEach, describe, expect, it } from "vitest";
import { systemClock, type Clock } from "../../../src/core/clock.js";
import type { FaultPlanInput } from "../../../simulator/fault-plan.js";
import {
  startSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../../../simulator/simulated-exchange.js";

const START_MS = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;
const TEN_ROWS = `/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=${START_MS}&limit=10`;

type Row = (string | number)[];

let simulated: SimulatedExchange | undefined;

async function start(
  faults: FaultPlanInput["faults"],
  options: Partial<SimulatedExchangeOptions> = {},
): Promise<SimulatedExchange> {
  simulated = await startSimulatedExchange({ seed: 3, clock: systemClock, faults: { faults }, ...options });
  return simulated;
}

afterEach(async () => {
  await simulated?.close();
  simulated = undefined;
});

function ask(path: string, signal?: AbortSignal): Promise<Response> {
  if (!simulated) throw new Error("not started");
  return fetch(simulated.url + path, signal ? { signal } : {});
}

async function rowsOf(path = TEN_ROWS): Promise<Row[]> {
  const response = await ask(path);
  expect(response.status).toBe(200);
  return (await response.json()) as Row[];
}

const opens = (rows: Row[]): number[] => rows.map((row) => Number(row[0]));
const TEN_OPENS = Array.from({ length: 10 }, (_, i) => START_MS + i * MINUTE_MS);
const range = (fromMinute: number, toMinute: number): { from: number; to: number } => ({
  from: START_MS + fromMinute * MINUTE_MS,
  to: START_MS + toMinute * MINUTE_MS,
});

describe("faults of an answer", () => {
  it("http_429 refuses with code -1003 and the time to wait", async () => {
    const { faults } = await start([{ kind: "http_429", nth: 1, retry_after: 7 }]);
    const refused = await ask(TEN_ROWS);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("7");
    expect(await refused.json()).toMatchObject({ code: -1003 });
    expect(await rowsOf()).toHaveLength(10);
    expect(faults.struck("http_429")).toBe(1);
  });

  it("http_418 bans every request until its end, and says when that is", async () => {
    const clock = handClock(Date.UTC(2024, 6, 1));
    const untilMs = clock.nowMs() + 180_000;
    await start([{ kind: "http_418", nth: 1, until: untilMs }], { clock });
    const first = await ask(TEN_ROWS);
    expect(first.status).toBe(418);
    expect(Number(first.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await first.json()).toMatchObject({
      code: -1003,
      msg: expect.stringContaining(`IP banned until ${untilMs}`) as string,
    });
    expect((await ask("/api/v3/ping")).status).toBe(418);
    clock.advanceTo(untilMs);
    expect((await ask("/api/v3/ping")).status).toBe(200);
  });

  it("http_451 refuses with code 0", async () => {
    await start([{ kind: "http_451" }]);
    const refused = await ask("/api/v3/exchangeInfo");
    expect(refused.status).toBe(451);
    expect(await refused.json()).toMatchObject({ code: 0 });
  });

  it("http_5xx answers with its status", async () => {
    await start([
      { kind: "http_5xx", status: 500, nth: 1 },
      { kind: "http_5xx", nth: 2 },
    ]);
    const internal = await ask(TEN_ROWS);
    expect([internal.status, await internal.json()]).toMatchObject([500, { code: -1000 }]);
    const unavailable = await ask(TEN_ROWS);
    expect(unavailable.status).toBe(503);
    expect(await unavailable.text()).toContain("<html>");
  });

  it("slow answers late, by the exchange's own clock", async () => {
    const delays: number[] = [];
    const clock: Clock = {
      nowMs: () => systemClock.nowMs(),
      sleep: async (durationMs) => void delays.push(durationMs),
    };
    await start([{ kind: "slow", delay_ms: 12_345, nth: 2 }], { clock });
    await rowsOf();
    expect(await rowsOf()).toHaveLength(10);
    expect(delays).toEqual([12_345]);
  });

  it("slow answers end when the simulator closes", async () => {
    const started = await start([{ kind: "slow", delay_ms: 3_600_000 }]);
    const asked = ask(TEN_ROWS).then(
      () => "answered",
      () => "dropped",
    );
    await reached(() => started.faults.struck("slow") === 1);
    await started.close();
    expect(await asked).toBe("dropped");
  });

  it("hang never answers, and does not keep the simulator from closing", async () => {
    const started = await start([{ kind: "hang" }]);
    const asked = ask(TEN_ROWS).then(
      () => "answered",
      () => "dropped",
    );
    await reached(() => started.requests.count({ end: "hang" }) === 1);
    await started.close();
    expect(await asked).toBe("dropped");
  });

  it("truncated announces a whole body and drops the connection half way", async () => {
    const { requests } = await start([{ kind: "truncated", nth: 1 }]);
    const response = await ask(TEN_ROWS);
    expect(response.status).toBe(200);
    expect(Number(response.headers.get("content-length"))).toBeGreaterThan(1_000);
    await expect(response.text()).rejects.toThrow();
    expect(requests.count({ endpoint: "/api/v3/klines", end: "truncated" })).toBe(1);
    expect(await rowsOf()).toHaveLength(10);
  });

  it("disconnect drops the connection before anything was answered", async () => {
    const { requests } = await start([{ kind: "disconnect", nth: 1 }]);
    await expect(ask(TEN_ROWS)).rejects.toThrow("fetch failed");
    expect(requests.count({ end: "disconnect" })).toBe(1);
    expect(await rowsOf()).toHaveLength(10);
  });

  it.each([
    ["html", /^<html>/],
    ["other_shape", /^\{"success":true/],
    ["empty", /^$/],
    ["broken", /^\[\[\d+,[^\]]*$/],
  ] as const)("wrong_json with %s is 200 and no candles", async (body, text) => {
    await start([{ kind: "wrong_json", body, endpoint: "klines" }]);
    const response = await ask(TEN_ROWS);
    expect(response.status).toBe(200);
    expect(await response.text()).toMatch(text);
    expect((await ask("/api/v3/ping")).status).toBe(200);
  });
});

describe("faults of the data", () => {
  it("outage has neither candles nor trades, and the market goes on afterwards", async () => {
    const { truth } = await start([{ kind: "outage", ...range(3, 6) }]);
    const rows = await rowsOf();
    expect(opens(rows).slice(0, 5)).toEqual([0, 1, 2, 6, 7].map((minute) => START_MS + minute * MINUTE_MS));
    const { from, to } = range(3, 6);
    const trades = await ask(`/api/v3/aggTrades?symbol=BTCUSDT&startTime=${from}&endTime=${to - 1}`);
    expect(await trades.json()).toEqual([]);
    expect(truth.outages("BTC/USDT")).toEqual([{ startMs: from, endMs: to }]);
    expect(truth.candles("BTC/USDT", "1m", from, to)).toEqual([]);
  });

  it("late leaves rows out of the first answers and has them afterwards", async () => {
    const { truth, faults } = await start([{ kind: "late", ...range(4, 6), answers: 2 }]);
    const withoutThem = TEN_OPENS.filter((open) => open < range(4, 6).from || open >= range(4, 6).to);
    expect(opens(await rowsOf()).slice(0, 8)).toEqual(withoutThem);
    expect(opens(await rowsOf()).slice(0, 8)).toEqual(withoutThem);
    expect(opens(await rowsOf())).toEqual(TEN_OPENS);
    expect(faults.struck("late")).toBe(4);
    expect(truth.candles("BTC/USDT", "1m", START_MS, START_MS + 10 * MINUTE_MS)).toHaveLength(10);
  });

  it("late until a time leaves rows out however often they are asked for, until then", async () => {
    const clock = handClock(Date.UTC(2024, 6, 1));
    const until = clock.nowMs() + 5 * MINUTE_MS;
    await start([{ kind: "late", ...range(0, 1), until }], { clock });
    for (let times = 0; times < 3; times++) expect(opens(await rowsOf())[0]).toBe(TEN_OPENS[1]);
    clock.advanceTo(until);
    expect(opens(await rowsOf())[0]).toBe(TEN_OPENS[0]);
  });

  it("revised serves another close and volume first, and what is right afterwards", async () => {
    const { truth } = await start([{ kind: "revised", ...range(2, 3) }]);
    const [first, second] = [await rowsOf(), await rowsOf()];
    const changed = first.flatMap((row, i) => (row.join() === second[i]?.join() ? [] : [i]));
    expect(changed).toEqual([2]);
    const [was, is] = [first[2] ?? [], second[2] ?? []];
    expect(was[4]).not.toBe(is[4]);
    expect(was[5]).not.toBe(is[5]);
    expect(Number(was[2])).toBeGreaterThanOrEqual(Number(was[4]));
    const [candle] = truth.candles("BTC/USDT", "1m", range(2, 3).from, range(2, 3).to);
    expect([is[4], is[5]].map(Number)).toEqual([candle?.close, candle?.volume].map(Number));
  });

  it("clock_skew sets the whole exchange's clock off", async () => {
    const { faults } = await start([{ kind: "clock_skew", skew_ms: -3_600_000 }]);
    const { serverTime } = (await (await ask("/api/v3/time")).json()) as { serverTime: number };
    expect(Math.abs(serverTime + 3_600_000 - systemClock.nowMs())).toBeLessThan(10_000);
    const [forming] = await rowsOf("/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1");
    expect(Math.abs(Number(forming?.[0]) - serverTime)).toBeLessThan(2 * MINUTE_MS);
    expect(faults.struck("clock_skew")).toBe(1);
  });

  it.each([
    ["high_below_low", (row: Row) => Number(row[2]) < Number(row[3])],
    ["negative_volume", (row: Row) => Number(row[5]) < 0],
    ["off_grid", (row: Row) => Number(row[0]) % MINUTE_MS !== 0],
    ["nan", (row: Row) => row[4] === "NaN"],
    ["number", (row: Row) => typeof row[4] === "number"],
    ["short_row", (row: Row) => row.length < 12],
  ] as const)("lying_rows with %s breaks exactly the rows in its range, once", async (how, isBroken) => {
    const { faults } = await start([{ kind: "lying_rows", how, ...range(5, 7) }]);
    const rows = await rowsOf();
    expect(rows.flatMap((row, i) => (isBroken(row) ? [i] : []))).toEqual([5, 6]);
    expect((await rowsOf()).some(isBroken)).toBe(false);
    expect(faults.struck("lying_rows")).toBe(2);
  });

  it("lying_rows can repeat a row, or put it in the wrong place", async () => {
    await start([{ kind: "lying_rows", how: "duplicate", ...range(5, 6) }]);
    expect(opens(await rowsOf())).toEqual([...TEN_OPENS.slice(0, 6), ...TEN_OPENS.slice(5)]);
    await simulated?.close();
    await start([{ kind: "lying_rows", how: "out_of_order", ...range(0, 1) }]);
    expect(opens(await rowsOf()).slice(0, 3)).toEqual([TEN_OPENS[1], TEN_OPENS[0], TEN_OPENS[2]]);
    expect(opens(await rowsOf())).toEqual(TEN_OPENS);
  });
});

describe("the simulated exchange's limits", () => {
  it("tell the weight used with every answer, refuse above the limit, and ban who goes on", async () => {
    const { requests } = await start([], {
      clock: { ...systemClock, nowMs: () => Date.UTC(2024, 6, 1, 12, 0, 10) },
      limits: { weightPerMinute: 6, refusalsMax: 2 },
    });
    const statuses: number[] = [];
    const weights: (string | null)[] = [];
    for (let times = 0; times < 6; times++) {
      const response = await ask(TEN_ROWS);
      await response.text();
      statuses.push(response.status);
      weights.push(response.headers.get("x-mbx-used-weight-1m"));
      if (response.status === 429) expect(response.headers.get("retry-after")).toBe("50");
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429, 418]);
    expect(weights).toEqual(["2", "4", "6", "8", "10", "12"]);
    expect(requests.count({ endpoint: "/api/v3/klines", end: 200 })).toBe(3);
    expect(requests.count({ end: 429 })).toBe(2);
  });

  it("do not hold for what only a simulator tells", async () => {
    const { url } = await start([{ kind: "http_451" }], { limits: { weightPerMinute: 0 } });
    const truth = await fetch(
      `${url}/sim/truth?symbol=BTCUSDT&interval=1m&startTime=2024-01-01T00:00:00Z&endTime=${START_MS + 3 * MINUTE_MS}`,
    );
    const told = (await truth.json()) as { candles: { openTimeMs: number }[] };
    expect(told.candles.map((candle) => candle.openTimeMs)).toEqual(TEN_OPENS.slice(0, 3));
    await (await ask("/api/v3/ping")).text();
    expect(await (await ask("/sim/faults")).json()).toEqual({
      faults: [{ index: 0, kind: "http_451", strikes: 1 }],
    });
    expect(await (await ask("/sim/requests")).json()).toEqual({ "/api/v3/ping": { "429": 1 } });
    const wrong = await ask("/sim/truth?symbol=NOPE&startTime=0&endTime=1");
    expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining("BTC/USDT")]);
  });

  it("answer 404 for a path that does not exist, and 405 for anything but GET", async () => {
    const { url } = await start([]);
    expect((await ask("/api/v1/klines")).status).toBe(404);
    expect((await fetch(`${url}/api/v3/ping`, { method: "POST" })).status).toBe(405);
  });
});

/** A clock that only moves when it is told to. */
function handClock(startMs: number): Clock & { advanceTo(timeMs: number): void } {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    sleep: async () => undefined,
    advanceTo: (timeMs) => void (nowMs = timeMs),
  };
}

/** Waits, by turns of the event loop, until something that other code brings about has happened. */
async function reached(condition: () => boolean): Promise<void> {
  for (let turns = 0; turns < 1_000_000; turns++) {
    if (condition()) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error("it did not happen");
}
