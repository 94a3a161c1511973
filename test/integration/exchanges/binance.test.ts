import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Clock } from "../../../src/core/clock.js";
import { TickwellError, type Fault } from "../../../src/core/fault.js";
import { silentLog } from "../../../src/core/log.js";
import { transientBanMemory, type BanMemory } from "../../../src/core/net/ban-memory.js";
import { seededRandom } from "../../../src/core/random.js";
import { createBinance } from "../../../src/exchanges/binance/index.js";
import type {
  CandleRequest,
  Exchange,
  ExchangeOptions,
  RequestFailure,
} from "../../../src/exchanges/exchange.js";
import { EagerClock, ManualClock } from "../../unit/core/net/manual-clock.js";
import { hang, json, startStubServer, type Answer, type StubServer } from "./stub-server.js";

const MINUTE_MS = 60_000;
const FROM_MS = Date.UTC(2024, 0, 1);
const START_MS = Date.UTC(2026, 0, 5, 12, 0, 20);
const never = new AbortController().signal;

const row = (openTimeMs: unknown): unknown[] => {
  const price = "42000.10000000";
  return [openTimeMs, price, price, price, price, "1.50000000", 0, "63000.15000000", 7, "0", "0", "0"];
};
const rows = (count: number, fromMs = FROM_MS): unknown[][] =>
  Array.from({ length: count }, (_, i) => row(fromMs + i * MINUTE_MS));

const ask = (request: Partial<CandleRequest> = {}): CandleRequest => ({
  nativeSymbol: "BTCUSDT",
  timeframe: "1m",
  fromMs: FROM_MS,
  toMs: FROM_MS + 5 * MINUTE_MS,
  limit: 1_000,
  ...request,
});

let server: StubServer;
let failures: RequestFailure[];
let exchanges: Exchange[];

beforeEach(async () => {
  server = await startStubServer();
  failures = [];
  exchanges = [];
});

afterEach(async () => {
  for (const exchange of exchanges) await exchange.close();
  await expect.poll(() => server.connections()).toBe(0);
  await server.close();
});

function create(options: Partial<ExchangeOptions> & { clock: Clock }): Exchange {
  const exchange = createBinance({
    restUrl: server.url,
    timeoutMs: 5_000,
    rateLimitShare: 1,
    retry: { attempts: 3, baseDelayMs: 100, maxDelayMs: 1_000 },
    random: seededRandom(1),
    bans: transientBanMemory(),
    log: silentLog,
    onFailure: (failure) => failures.push(failure),
    ...options,
  });
  exchanges.push(exchange);
  return exchange;
}

const eager = (options: Partial<ExchangeOptions> = {}) =>
  create({ clock: new EagerClock(START_MS), ...options });

async function errorOf(promise: Promise<unknown>): Promise<TickwellError> {
  const error: unknown = await promise.then(
    () => new Error("expected a failure"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof TickwellError) return error;
  throw error;
}

describe("fetchCandles", () => {
  it("asks for both ends inclusively, and takes rows as proof up to the last of them, however few they are", async () => {
    server.answer(json(rows(3)));
    const page = await eager().fetchCandles(ask(), never);
    const path = `/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=${FROM_MS}&endTime=${FROM_MS + 299_999}&limit=1000`;
    expect(server.asked).toEqual([path]);
    expect(page.request).toBe(path);
    expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(rows(3).map(([open]) => open));
    expect(page.provenToMs).toBe(FROM_MS + 3 * MINUTE_MS);
  });

  it("refuses candles of a longer timeframe than it asked for", async () => {
    const longer = rows(2).map((each) => each.with(6, Number(each[0]) + 5 * MINUTE_MS - 1));
    server.answer(json(longer));
    const error = await errorOf(eager().fetchCandles(ask(), never));
    expect(error.fault).toMatchObject({ kind: "malformed_payload", path: "$[0][6]" });
  });

  it("takes an empty page as proof of the whole range", async () => {
    server.answer(json([]));
    const page = await eager().fetchCandles(ask(), never);
    expect(page).toMatchObject({ candidates: [], provenToMs: FROM_MS + 5 * MINUTE_MS });
  });

  it("takes a page cut by its limit as proof up to the end of its last row", async () => {
    server.answer(json(rows(2)));
    const page = await eager().fetchCandles(ask({ limit: 2 }), never);
    expect(page.provenToMs).toBe(FROM_MS + 2 * MINUTE_MS);
  });

  it("proves nothing beyond the range when the page fills it exactly", async () => {
    server.answer(json(rows(5)));
    const page = await eager().fetchCandles(ask({ limit: 5 }), never);
    expect(page.provenToMs).toBe(FROM_MS + 5 * MINUTE_MS);
  });

  it("ends the proof of a cut page on the grid when its last row is off it", async () => {
    server.answer(json([row(FROM_MS), row(FROM_MS + MINUTE_MS + 14_800)]));
    const page = await eager().fetchCandles(ask({ limit: 2 }), never);
    expect(page.provenToMs).toBe(FROM_MS + 2 * MINUTE_MS);
    expect(page.candidates).toHaveLength(2);
  });

  it("ends the proof of a cut page at the last row whose time can be read", async () => {
    server.answer(json([row(FROM_MS), row("soon")]));
    const page = await eager().fetchCandles(ask({ limit: 2 }), never);
    expect(page.provenToMs).toBe(FROM_MS + MINUTE_MS);
    expect(page.candidates).toHaveLength(2);
  });

  it("never asks for more rows than a page holds", async () => {
    server.answer(json([]));
    await eager().fetchCandles(ask({ limit: 5_000 }), never);
    expect(server.asked[0]).toContain("&limit=1000");
  });

  it("passes rows on that are off the grid, doubled or out of order: judging them is not its task", async () => {
    const odd = [FROM_MS + MINUTE_MS, FROM_MS, FROM_MS, FROM_MS + 14_800];
    server.answer(json(odd.map(row)));
    const page = await eager().fetchCandles(ask(), never);
    expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(odd);
  });

  it("leaves out the rows of a server that goes on beyond the end it was asked for", async () => {
    server.answer(json([row(FROM_MS), row(FROM_MS + 5 * MINUTE_MS), row(FROM_MS + 6 * MINUTE_MS)]));
    const page = await eager().fetchCandles(ask({ limit: 3 }), never);
    expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual([FROM_MS]);
    expect(page.provenToMs).toBe(FROM_MS + 5 * MINUTE_MS);
  });

  it("encodes symbols of any script", async () => {
    server.answer(json([]));
    await eager().fetchCandles(ask({ nativeSymbol: "币安人生USDT" }), never);
    expect(server.asked[0]).toContain(`symbol=${encodeURIComponent("币安人生USDT")}&`);
  });

  it.each([
    ["a row before the range", [row(FROM_MS - MINUTE_MS)], "$[0][0]"],
    ["a row far behind the range", [row(FROM_MS), row(FROM_MS + 9 * MINUTE_MS)], "$[1][0]"],
    ["microseconds", [row(FROM_MS * 1_000)], "$[0][0]"],
    ["more rows than asked for", rows(4), "$"],
    ["a full page without one readable time", [row(null), row("x"), row({})], "$[0][0]"],
    ["an object instead of a list", { code: 0, msg: "ok" }, "$"],
    ["words instead of JSON", "<html>Welcome</html>", "$"],
    ["JSON that breaks off", '[[1704067200000,"42', "$"],
    ["nothing", "", "$"],
  ])("refuses %s as malformed, with path and sample, after asking again", async (_name, body, path) => {
    server.answer(json(body));
    const error = await errorOf(eager().fetchCandles(ask({ limit: 3 }), never));
    expect(error.fault).toMatchObject({ kind: "malformed_payload", path });
    expect(error.message).toMatch(/^binance \/api\/v3\/klines BTCUSDT: /);
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const { sample } = error.fault as Extract<Fault, { kind: "malformed_payload" }>;
    expect(text).toContain(sample);
    expect(sample === "").toBe(text === "");
    expect(server.asked).toHaveLength(3);
  });
});

describe("fetchMarkets and fetchServerTime", () => {
  it("lists the markets and heeds the published limit", async () => {
    const clock = new EagerClock(START_MS);
    const exchange = create({ clock });
    const symbol = { symbol: "BTCUSDT", status: "TRADING", baseAsset: "BTC", quoteAsset: "USDT" };
    const rateLimits = [{ rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 21 }];
    server.answer(json({ rateLimits, symbols: [symbol] }), json({ serverTime: START_MS }));
    expect((await exchange.fetchMarkets(never)).map((market) => market.symbol)).toEqual(["BTC/USDT"]);
    // 20 used, 1 fits, one more does not.
    await exchange.fetchServerTime(never);
    expect(clock.sleptMs).toEqual([]);
    await exchange.fetchServerTime(never);
    expect(clock.sleptMs).toEqual([40_000]);
  });

  it("reads the exchange's clock", async () => {
    server.answer(json({ serverTime: 1_732_300_000_123 }));
    expect(await eager().fetchServerTime(never)).toBe(1_732_300_000_123);
    expect(server.asked).toEqual(["/api/v3/time"]);
  });
});

describe("requests that fail", () => {
  const cutOff: Answer = (_request, response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write("[[1,", () => response.socket?.end());
  };

  it.each<[string, Answer, string]>([
    ["5xx", json("Bad Gateway", 502), "exchange"],
    ["a cut body", cutOff, "network"],
    ["an overloaded exchange", json({ code: -1008, msg: "Server is overloaded" }, 503), "exchange"],
    ["a body that is no JSON", json("<html>"), "malformed_payload"],
  ])("repeats after %s, and reports the failed attempt", async (_name, answer, kind) => {
    server.answer(answer, json(rows(1)));
    const clock = new EagerClock(START_MS);
    const page = await create({ clock }).fetchCandles(ask(), never);
    expect(page.candidates).toHaveLength(1);
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatchObject({
      exchange: "binance",
      endpoint: "/api/v3/klines",
      params: { symbol: "BTCUSDT", interval: "1m" },
      fault: { kind },
      atMs: START_MS,
      attempt: 1,
      willRetryInMs: clock.sleptMs[0],
    });
    expect(failures[0]?.message).toContain("binance /api/v3/klines BTCUSDT");
  });

  it("gives up after its attempts, and reports each of them", async () => {
    server.answer(json("oops", 500));
    const error = await errorOf(eager().fetchServerTime(never));
    expect(error.fault).toEqual({ kind: "exchange", code: "HTTP 500" });
    expect(failures.map(({ attempt, willRetryInMs }) => [attempt, willRetryInMs === undefined])).toEqual([
      [1, false],
      [2, false],
      [3, true],
    ]);
  });

  it("repeats a request that timed out", async () => {
    server.answer(hang, json(rows(1)));
    const page = await eager({ timeoutMs: 40 }).fetchCandles(ask(), never);
    expect(page.candidates).toHaveLength(1);
    expect(failures[0]?.fault).toEqual({ kind: "timeout", timeoutMs: 40 });
  });

  it("reports a host that refuses connections by name", async () => {
    const gone = await startStubServer();
    await gone.close();
    const error = await errorOf(eager({ restUrl: gone.url }).fetchServerTime(never));
    expect(error.fault).toEqual({ kind: "network" });
    expect(error.message).toBe(`binance /api/v3/time: ${new URL(gone.url).host} refused the connection`);
  });

  it.each<[string, Answer, string]>([
    ["an unknown symbol", json({ code: -1121, msg: "Invalid symbol." }, 400), "bad_symbol"],
    ["a wrong parameter", json({ code: -1120, msg: "Invalid interval." }, 400), "bad_request"],
    ["a restricted place", json({ code: 0, msg: "restricted location" }, 451), "geo_blocked"],
  ])("asks once only after %s", async (_name, answer, kind) => {
    server.answer(answer);
    const error = await errorOf(eager().fetchCandles(ask(), never));
    expect(error.fault.kind).toBe(kind);
    expect(server.asked).toHaveLength(1);
    expect(failures.map(({ willRetryInMs }) => willRetryInMs)).toEqual([undefined]);
  });
});

describe("rate limits", () => {
  it("waits out the Retry-After of a 429, and lets no other request pass meanwhile", async () => {
    const clock = new ManualClock(START_MS);
    const exchange = create({ clock, random: { next: () => 0 } });
    server.answer(
      json({ code: -1003, msg: "Too many requests." }, 429, { "retry-after": "7" }),
      json(rows(1)),
    );
    const first = exchange.fetchCandles(ask(), never);
    await expect.poll(() => failures.length).toBe(1);
    const second = exchange.fetchCandles(ask(), never);
    await expect.poll(() => clock.sleeping).toBe(2);
    await clock.advance(6_999);
    expect(server.asked).toHaveLength(1);
    await clock.advance(1);
    await Promise.all([first, second]);
    expect(server.asked).toHaveLength(3);
    expect(failures[0]).toMatchObject({
      fault: { kind: "rate_limit", retryAfterMs: 7_000 },
      willRetryInMs: 7_000,
    });
  });

  it("waits for the next minute after a refusal that names no time", async () => {
    const clock = new EagerClock(START_MS);
    server.answer(json({ code: -1003, msg: "Too many requests." }, 429), json(rows(1)));
    await create({ clock }).fetchCandles(ask(), never);
    expect(clock.nowMs()).toBe(START_MS + 40_000);
  });

  it("waits a second after a 429 that says to come again at once", async () => {
    const clock = new EagerClock(START_MS);
    const askedMs: number[] = [];
    server.answer((request, response) => {
      askedMs.push(clock.nowMs() - START_MS);
      json({}, 429, { "retry-after": "0" })(request, response);
    });
    await errorOf(create({ clock, random: { next: () => 0 } }).fetchCandles(ask(), never));
    expect(askedMs).toEqual([0, 1_000, 2_000]);
  });

  it("slows down for what others on its IP have used", async () => {
    const clock = new EagerClock(START_MS);
    const date = new Date(START_MS).toUTCString();
    server.answer(json([], 200, { "x-mbx-used-weight-1m": "5999", date }));
    const exchange = create({ clock });
    await exchange.fetchCandles(ask(), never);
    expect(clock.sleptMs).toEqual([]);
    await exchange.fetchCandles(ask(), never);
    expect(clock.sleptMs).toEqual([40_000]);
  });
});

describe("bans", () => {
  const banUntilMs = START_MS + 120_000;
  const banned = json({ code: -1003, msg: `IP banned until ${banUntilMs}.` }, 418, { "retry-after": "120" });

  it("throws at a ban without waiting for it, and asks nothing until it ends", async () => {
    const clock = new ManualClock(START_MS);
    const exchange = create({ clock });
    server.answer(banned, json(rows(1)));
    expect((await errorOf(exchange.fetchCandles(ask(), never))).fault).toEqual({
      kind: "ip_ban",
      untilMs: banUntilMs,
    });
    await clock.advance(119_999);
    const refused = await errorOf(exchange.fetchCandles(ask(), never));
    expect(refused.fault).toEqual({ kind: "ip_ban", untilMs: banUntilMs });
    expect(refused.message).toContain("2026-01-05T12:02:20Z");
    expect(server.asked).toHaveLength(1);
    // What never left is no failed request.
    expect(failures).toHaveLength(1);
    await clock.advance(1);
    expect((await exchange.fetchCandles(ask(), never)).candidates).toHaveLength(1);
  });

  it("takes the firewall's page for a ban: it is not asked again, and neither is anything else", async () => {
    const exchange = create({ clock: new ManualClock(START_MS) });
    server.answer(json("<html>Request blocked</html>", 403), json(rows(1)));
    const ban = { kind: "ip_ban", untilMs: banUntilMs };
    expect((await errorOf(exchange.fetchCandles(ask(), never))).fault).toEqual(ban);
    expect((await errorOf(exchange.fetchServerTime(never))).fault).toEqual(ban);
    expect(server.asked).toHaveLength(1);
  });

  it("remembers the ban across a restart", async () => {
    const bans = transientBanMemory();
    server.answer(banned);
    await errorOf(eager({ bans }).fetchServerTime(never));
    const error = await errorOf(eager({ bans }).fetchServerTime(never));
    expect(error.fault).toEqual({ kind: "ip_ban", untilMs: banUntilMs });
    expect(server.asked).toHaveLength(1);
  });

  it("holds back those who wait for the limiter when the ban comes", async () => {
    const clock = new ManualClock(START_MS);
    // A budget of one: the second request has to wait for the next minute.
    const exchange = create({ clock, rateLimitShare: 0.0002 });
    server.answer(banned);
    const first = errorOf(exchange.fetchServerTime(never));
    const second = errorOf(exchange.fetchServerTime(never));
    await first;
    expect(clock.sleeping).toBe(1);
    await clock.advance(40_000);
    expect((await second).fault).toEqual({ kind: "ip_ban", untilMs: banUntilMs });
    expect(server.asked).toHaveLength(1);
  });

  it("does not repeat a failed request when a ban has come meanwhile, nor report what never left", async () => {
    const clock = new ManualClock(START_MS);
    const exchange = create({ clock });
    server.answer(json("oops", 500), banned);
    const failing = errorOf(exchange.fetchServerTime(never));
    await expect.poll(() => clock.sleeping).toBe(1);
    await errorOf(exchange.fetchServerTime(never));
    await clock.advance(1_000);
    expect((await failing).fault.kind).toBe("ip_ban");
    expect(server.asked).toHaveLength(2);
    expect(failures.map(({ fault }) => fault.kind)).toEqual(["exchange", "ip_ban"]);
  });

  it("holds in this process when it cannot be stored", async () => {
    const bans: BanMemory = {
      load: async () => undefined,
      save: async () => Promise.reject(new Error("the store is away")),
    };
    const exchange = eager({ bans });
    server.answer(banned);
    expect((await errorOf(exchange.fetchServerTime(never))).fault.kind).toBe("ip_ban");
    expect((await errorOf(exchange.fetchServerTime(never))).fault.kind).toBe("ip_ban");
    expect(server.asked).toHaveLength(1);
  });

  it("asks nothing while it cannot know whether it is banned, and looks again the next time", async () => {
    const away = new TickwellError(
      { kind: "database", code: undefined, isTransient: false },
      "the store is away",
    );
    let isAway = true;
    const bans: BanMemory = {
      load: async () => (isAway ? Promise.reject(away) : undefined),
      save: async () => undefined,
    };
    const exchange = eager({ bans });
    server.answer(json({ serverTime: 1 }));
    await expect(exchange.fetchServerTime(never)).rejects.toBe(away);
    expect(server.asked).toEqual([]);
    isAway = false;
    expect(await exchange.fetchServerTime(never)).toBe(1);
  });
});

describe("an abort", () => {
  const reason = new Error("stopped");

  async function abortWhen(clock: ManualClock, ready: () => Promise<unknown>, exchange: Exchange) {
    const abort = new AbortController();
    const request = exchange.fetchCandles(ask(), abort.signal);
    request.catch(() => undefined);
    await ready();
    abort.abort(reason);
    await expect(request).rejects.toBe(reason);
    expect(clock.sleeping).toBe(0);
  }

  it("ends a request under way at once, and is no failure", async () => {
    const clock = new ManualClock(START_MS);
    server.answer(hang);
    await abortWhen(clock, () => server.arrived(1), create({ clock }));
    expect(failures).toEqual([]);
  });

  it("ends the wait between two attempts at once", async () => {
    const clock = new ManualClock(START_MS);
    server.answer(json("oops", 500));
    await abortWhen(clock, () => expect.poll(() => clock.sleeping).toBe(1), create({ clock }));
    expect(failures).toHaveLength(1);
  });

  it("ends the wait for the rate limit at once", async () => {
    const clock = new ManualClock(START_MS);
    const exchange = create({ clock, rateLimitShare: 0.0001 });
    server.answer(json(rows(1)));
    await exchange.fetchCandles(ask(), never);
    await abortWhen(clock, () => expect.poll(() => clock.sleeping).toBe(1), exchange);
    await expect.poll(() => clock.sleeping).toBe(0);
    expect(server.asked).toHaveLength(1);
  });

  it("ends the wait for a ban memory that does not answer", async () => {
    const clock = new ManualClock(START_MS);
    let isAsked = false;
    const bans: BanMemory = {
      load: () => {
        isAsked = true;
        return new Promise(() => undefined);
      },
      save: async () => undefined,
    };
    await abortWhen(clock, () => expect.poll(() => isAsked).toBe(true), create({ clock, bans }));
    expect(server.asked).toEqual([]);
  });
});
