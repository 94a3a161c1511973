// Faults on the wire of every venue, and what only OKX does: codes with HTTP 200, limits per endpoint, announced
// maintenance.
import { afterEach, describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/clock.js";
import type { FaultPlanInput } from "../../../simulator/fault-plan.js";
import {
  startSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../../../simulator/simulated-exchange.js";

const NOW_MS = Date.UTC(2024, 5, 3, 12, 0, 30);
const START_MS = Date.UTC(2024, 5, 3, 10);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let simulated: SimulatedExchange | undefined;
let nowMs = NOW_MS;
const clock: Clock = { nowMs: () => nowMs, sleep: async () => undefined };

async function start(
  faults: FaultPlanInput["faults"],
  options: Partial<SimulatedExchangeOptions> = {},
): Promise<SimulatedExchange> {
  nowMs = NOW_MS;
  simulated = await startSimulatedExchange({ seed: 3, clock, faults: { faults }, ...options });
  return simulated;
}

afterEach(async () => {
  await simulated?.close();
  simulated = undefined;
});

const VENUES = ["binance", "binanceusdm", "okx"] as const;
type Venue = (typeof VENUES)[number];
const SYMBOLS = { binance: "BTC/USDT", binanceusdm: "BTC/USDT:USDT", okx: "BTC/USDT:USDT" } as const;

/** Ten candles from 10:00 on, or ten trades, as each venue is asked for them. */
const PATHS = {
  binance: {
    candles: `/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=${START_MS}&limit=10`,
    trades: `/api/v3/aggTrades?symbol=BTCUSDT&startTime=${START_MS}&limit=10`,
  },
  binanceusdm: {
    candles: `/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime=${START_MS}&limit=10`,
    trades: `/fapi/v1/aggTrades?symbol=BTCUSDT&startTime=${START_MS}&limit=10`,
  },
  okx: {
    candles: `/api/v5/market/history-candles?instId=BTC-USDT-SWAP&before=${START_MS - 1}&after=${START_MS + 10 * MINUTE_MS}&limit=10`,
    trades: `/api/v5/market/history-trades?instId=BTC-USDT-SWAP&type=2&after=${START_MS}&limit=10`,
  },
} as const;

type Row = readonly unknown[] | Readonly<Record<string, unknown>>;

async function ask(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch((simulated?.url ?? "") + path);
  return { status: response.status, body: await response.json() };
}

/** The rows of an answer, out of OKX's envelope. */
async function rowsOf(path: string): Promise<Row[]> {
  const { status, body } = await ask(path);
  expect(status).toBe(200);
  return Array.isArray(body) ? (body as Row[]) : (body as { data: Row[] }).data;
}

const opens = (rows: Row[]): number[] => rows.map((row) => Number((row as readonly unknown[])[0]));
const ids = (rows: Row[]): number[] =>
  rows.map((row) => {
    const named = row as { a?: number; tradeId?: string };
    return Number(named.a ?? named.tradeId);
  });
const TEN_OPENS = Array.from({ length: 10 }, (_, i) => START_MS + i * MINUTE_MS);
const oldestFirst = (rows: Row[]): Row[] =>
  [...rows].sort((a, b) => (opens([a])[0] ?? 0) - (opens([b])[0] ?? 0));

describe.each(VENUES)("lying_page on %s", (venue: Venue) => {
  const { candles, trades } = PATHS[venue];

  it("other_symbol has the rows of another market, once", async () => {
    const { truth } = (await start([{ kind: "lying_page", how: "other_symbol", nth: 1 }])).venue(venue);
    const lie = oldestFirst(await rowsOf(candles));
    const honest = oldestFirst(await rowsOf(candles));
    expect(opens(lie)).toEqual(TEN_OPENS);
    const close = (rows: Row[]): number[] => rows.map((row) => Number((row as readonly unknown[])[4]));
    const closes = (symbol: string): number[] =>
      truth.candles(symbol, "1m", START_MS, START_MS + 10 * MINUTE_MS).map((candle) => Number(candle.close));
    expect(close(lie)).toEqual(closes(SYMBOLS[venue].replace("BTC", "ETH")));
    expect(close(honest)).toEqual(closes(SYMBOLS[venue]));
  });

  it("backwards turns a page round", async () => {
    await start([{ kind: "lying_page", how: "backwards", nth: 1, count: 2 }]);
    const [candlesLie, tradesLie] = [await rowsOf(candles), await rowsOf(trades)];
    expect(candlesLie).toEqual((await rowsOf(candles)).reverse());
    expect(tradesLie).toEqual((await rowsOf(trades)).reverse());
  });

  it("empty has no rows although there are some", async () => {
    await start([{ kind: "lying_page", how: "empty", nth: 1, count: 2 }]);
    expect([await rowsOf(candles), await rowsOf(trades)]).toEqual([[], []]);
    expect([(await rowsOf(candles)).length, (await rowsOf(trades)).length]).toEqual([10, 10]);
  });

  it("same_page is an old page whatever is asked for", async () => {
    await start([{ kind: "lying_page", how: "same_page" }]);
    const later = (path: string): string =>
      path.replaceAll(/\d{13}/g, (timeMs) => String(Number(timeMs) + HOUR_MS));
    for (const path of [candles, trades]) {
      const page = await rowsOf(path);
      expect(page).toHaveLength(10);
      expect(await rowsOf(later(path))).toEqual(page);
    }
    expect(Math.max(...opens(await rowsOf(candles)))).toBeLessThan(START_MS);
  });

  it("too_many has ten thousand rows", async () => {
    await start([{ kind: "lying_page", how: "too_many" }]);
    expect(await rowsOf(candles)).toHaveLength(10_000);
    expect(await rowsOf(trades)).toHaveLength(10_000);
  });

  it("exponent writes the same numbers in another way, and nan none at all", async () => {
    await start([
      { kind: "lying_page", how: "exponent", endpoint: candles.split("?")[0], nth: 1 },
      { kind: "lying_page", how: "exponent", endpoint: trades.split("?")[0], nth: 1 },
      { kind: "lying_page", how: "nan", endpoint: candles.split("?")[0], nth: 2 },
    ]);
    const exponents = (await rowsOf(candles)) as unknown[][];
    const nans = (await rowsOf(candles)) as unknown[][];
    const honest = (await rowsOf(candles)) as unknown[][];
    for (const [i, row] of exponents.entries()) {
      for (const column of [1, 2, 3, 4, 5]) {
        expect(row[column]).toMatch(/^\d(\.\d*[1-9])?e-?\d+$/);
        expect(Number(row[column])).toBe(Number(honest[i]?.[column]));
        expect(nans[i]?.[column]).toBe("NaN");
      }
    }
    expect(opens(exponents)).toEqual(opens(honest));
    const [trade] = (await rowsOf(trades)) as Record<string, unknown>[];
    expect(trade?.p ?? trade?.px).toMatch(/e\d+$/);
  });

  it("leaves answers without rows alone", async () => {
    const { faults } = await start([{ kind: "lying_page", how: "empty" }]);
    await ask(venue === "okx" ? "/api/v5/public/time" : candles.replace(/klines.*/, "time"));
    expect(faults.struck("lying_page")).toBe(0);
  });
});

describe("faults on every venue", () => {
  it.each(VENUES)("strike %s alone when they name it", async (venue) => {
    const { faults } = await start([
      { kind: "late", exchange: venue, from: START_MS, to: START_MS + MINUTE_MS },
      {
        kind: "lying_rows",
        how: "nan",
        exchange: venue,
        from: START_MS + 5 * MINUTE_MS,
        to: START_MS + 6 * MINUTE_MS,
      },
      { kind: "revised", exchange: venue, from: START_MS + 7 * MINUTE_MS, to: START_MS + 8 * MINUTE_MS },
    ]);
    const first = new Map<Venue, Row[]>();
    const second = new Map<Venue, Row[]>();
    for (const each of VENUES) first.set(each, oldestFirst(await rowsOf(PATHS[each].candles)));
    for (const each of VENUES) second.set(each, oldestFirst(await rowsOf(PATHS[each].candles)));
    for (const each of VENUES) {
      const [was, is] = [first.get(each) ?? [], second.get(each) ?? []];
      expect(opens(is)).toEqual(TEN_OPENS);
      if (each !== venue) expect(was).toEqual(is);
      else {
        expect(opens(was)).not.toContain(START_MS);
        const byOpen = new Map(is.map((row) => [opens([row])[0], JSON.stringify(row)]));
        const changed = was.filter(
          (row) => byOpen.has(opens([row])[0]) && byOpen.get(opens([row])[0]) !== JSON.stringify(row),
        );
        expect(opens(changed)).toEqual([START_MS + 5 * MINUTE_MS, START_MS + 7 * MINUTE_MS]);
      }
    }
    expect(faults.strikes().map(({ strikes }) => strikes)).toEqual([1, 1, 1]);
  });

  it("set off the clock of the venue they name", async () => {
    await start([{ kind: "clock_skew", skew_ms: -3_600_000, exchange: "okx" }]);
    expect((await ask("/api/v5/public/time")).body).toMatchObject({
      data: [{ ts: String(NOW_MS - HOUR_MS) }],
    });
    expect((await ask("/fapi/v1/time")).body).toEqual({ serverTime: NOW_MS });
  });

  it("ban an address from one venue, and not from the others", async () => {
    await start([{ kind: "http_418", exchange: "binanceusdm", nth: 1, ban_s: 60 }]);
    expect((await ask("/fapi/v1/ping")).status).toBe(418);
    expect((await ask("/fapi/v1/ping")).status).toBe(418);
    expect((await ask("/api/v3/ping")).status).toBe(200);
    nowMs += 60_000;
    expect((await ask("/fapi/v1/ping")).status).toBe(200);
  });

  it("leave trades out of OKX's answers too", async () => {
    const path = PATHS.okx.trades.replace("limit=10", "limit=50");
    await start([]);
    const all = ids(await rowsOf(path));
    await simulated?.close();
    await start([{ kind: "trade_missing", from: START_MS - HOUR_MS, to: START_MS, probability: 0.2 }]);
    const left = ids(await rowsOf(path));
    expect(left).toHaveLength(50);
    expect(left.at(-1)).toBeLessThan(all.at(-1) ?? 0);
  });
});

describe("OKX", () => {
  it("answers with its own refusals", async () => {
    await start([
      { kind: "http_429", nth: 1 },
      { kind: "http_5xx", status: 500, nth: 2 },
      { kind: "http_5xx", nth: 3 },
      { kind: "code_200", code: "50026", nth: 4 },
      { kind: "http_451", nth: 5 },
    ]);
    const answers: unknown[] = [];
    for (let times = 0; times < 6; times++) {
      const { status, body } = await ask(PATHS.okx.candles);
      answers.push([status, (body as { code: string }).code]);
    }
    expect(answers).toEqual([
      [429, "50011"],
      [500, "50026"],
      [503, "50001"],
      [200, "50026"],
      [451, "50121"],
      [200, "0"],
    ]);
  });

  it("refuses what is above the limit of an endpoint, now and then with HTTP 200", async () => {
    await start([]);
    const answers: string[] = [];
    for (let times = 0; times < 24; times++) {
      const { status, body } = await ask(PATHS.okx.candles);
      answers.push(`${status} ${(body as { code: string }).code}`);
    }
    expect(answers.slice(0, 20)).toEqual(Array(20).fill("200 0"));
    expect(answers.slice(20)).toEqual(["429 50011", "429 50011", "200 50011", "429 50011"]);
    // Other endpoints have limits of their own, and the window ends after two seconds.
    expect((await ask(PATHS.okx.trades)).body).toMatchObject({ code: "0" });
    nowMs += 2_000;
    expect((await ask(PATHS.okx.candles)).body).toMatchObject({ code: "0" });
  });

  it("announces maintenance, and means it", async () => {
    const [from, to] = [NOW_MS + HOUR_MS, NOW_MS + 2 * HOUR_MS];
    await start([
      { kind: "code_200", code: "50001", endpoint: "history-candles", clock_from: from, clock_to: to },
    ]);
    const announced = async (): Promise<unknown> => (await ask("/api/v5/system/status")).body;
    expect(await announced()).toMatchObject({
      code: "0",
      data: [{ state: "scheduled", begin: String(from), end: String(to), env: "1" }],
    });
    expect((await ask(PATHS.okx.candles)).body).toMatchObject({ code: "0" });
    nowMs = from;
    expect(await announced()).toMatchObject({ data: [{ state: "ongoing" }] });
    expect(await ask(PATHS.okx.candles)).toMatchObject({ status: 200, body: { code: "50001", data: [] } });
    nowMs = to;
    expect(await announced()).toMatchObject({ data: [] });
    expect((await ask(PATHS.okx.candles)).body).toMatchObject({ code: "0" });
  });
});

describe("/sim/truth", () => {
  it("is of the exchange that is named, of Binance spot otherwise", async () => {
    const exchange = await start([]);
    const query = `interval=1m&startTime=${START_MS}&endTime=${START_MS + MINUTE_MS}`;
    const candle = async (rest: string): Promise<unknown> =>
      ((await ask(`/sim/truth?${rest}&${query}`)).body as { candles: unknown[] }).candles[0];
    const wanted = (venue: Venue, symbol: string): unknown =>
      exchange.venue(venue).truth.candles(symbol, "1m", START_MS, START_MS + MINUTE_MS)[0];
    expect(await candle("symbol=BTC/USDT")).toEqual(wanted("binance", "BTC/USDT"));
    expect(await candle("exchange=okx&symbol=BTC-USDT-SWAP")).toEqual(wanted("okx", "BTC/USDT:USDT"));
    expect(await candle("exchange=binanceusdm&symbol=BTCUSDT")).toEqual(
      wanted("binanceusdm", "BTC/USDT:USDT"),
    );
    expect(exchange.truth.candles("BTC/USDT", "1m", START_MS, START_MS + MINUTE_MS)).toEqual([
      wanted("binance", "BTC/USDT"),
    ]);
    expect((await ask(`/sim/truth?exchange=kraken&symbol=BTC/USDT&${query}`)).status).toBe(400);
  });

  it("is not of an exchange that is not served", async () => {
    const exchange = await start([], { exchanges: ["okx"] });
    const { truth, symbols } = exchange;
    expect(() => exchange.venue("binance")).toThrow("expected one of okx");
    expect(symbols).toContain("BTC/USDT:USDT");
    expect(truth.listedMs("BTC-USDT-SWAP")).toBe(Date.UTC(2020, 0, 1));
    await expect(start([], { exchanges: [] })).rejects.toThrow("found no exchange");
  });
});
