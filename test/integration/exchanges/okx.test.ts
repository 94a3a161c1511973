import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { classifyError } from "../../../src/core/fault.js";
import { silentLog } from "../../../src/core/log.js";
import { transientBanMemory } from "../../../src/core/net/ban-memory.js";
import { seededRandom } from "../../../src/core/random.js";
import type { CandleRequest, Exchange, RequestFailure, TradePage } from "../../../src/exchanges/exchange.js";
import { createOkx } from "../../../src/exchanges/okx/index.js";
import { EagerClock } from "../../unit/core/net/manual-clock.js";
import { json, startStubServer, type StubServer } from "./stub-server.js";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 5, 12, 0, 20);
const never = new AbortController().signal;

let server: StubServer;
let clock: EagerClock;
let failures: RequestFailure[];
let okx: Exchange;

beforeEach(async () => {
  server = await startStubServer();
  clock = new EagerClock(NOW_MS);
  failures = [];
  okx = createOkx({
    restUrl: server.url,
    timeoutMs: 5_000,
    rateLimitShare: 1,
    retry: { attempts: 3, baseDelayMs: 100, maxDelayMs: 1_000 },
    clock,
    random: seededRandom(1),
    bans: transientBanMemory(),
    log: silentLog,
    onFailure: (failure) => failures.push(failure),
  });
});

afterEach(async () => {
  await okx.close();
  await server.close();
});

const answerOf = (data: readonly unknown[]) => ({ code: "0", msg: "", data });
const faultOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => classifyError(error),
  );

/** Serves minutes as OKX does: both bounds exclusive, newest first, cut at the old end. */
function serveCandles(opensMs: readonly number[], { rowsMax = 300 } = {}): void {
  const newestFirst = opensMs.toSorted((a, b) => b - a);
  server.answer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", server.url);
    const number = (name: string): number => Number(searchParams.get(name));
    const isRecent = pathname.endsWith("/candles");
    const rows = newestFirst
      .filter((openMs) => openMs > number("before") && openMs < number("after"))
      .filter((openMs) => (isRecent ? openMs > NOW_MS - 1_440 * MINUTE_MS : openMs < NOW_MS - 3 * MINUTE_MS))
      .slice(0, Math.min(number("limit"), rowsMax))
      .map((openMs) => [String(openMs), "2", "3", "1", "2", "500", "5", "10", "1"]);
    json(answerOf(rows))(request, response);
  });
}

const ask = (request: Partial<CandleRequest>) =>
  okx.fetchCandles(
    { nativeSymbol: "BTC-USDT", timeframe: "1m", fromMs: 0, toMs: 0, limit: 300, ...request },
    never,
  );
const minutesFrom = (fromMs: number, count: number) =>
  Array.from({ length: count }, (_, i) => fromMs + i * MINUTE_MS);

describe("fetchCandles", () => {
  const fromMs = Date.UTC(2024, 0, 1);

  it("asks for one window with exclusive bounds, and brings the rows to ascending order", async () => {
    serveCandles(minutesFrom(fromMs - 10 * MINUTE_MS, 1_000));
    const page = await ask({ fromMs, toMs: fromMs + 500 * MINUTE_MS });
    expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(minutesFrom(fromMs, 300));
    expect(page.provenToMs).toBe(fromMs + 300 * MINUTE_MS);
    const path = `/api/v5/market/history-candles?instId=BTC-USDT&bar=1m&before=${fromMs - 1}&after=${fromMs + 300 * MINUTE_MS}&limit=300`;
    expect(server.asked).toEqual([path]);
    expect(page.request).toBe(path);
  });

  it("asks on at the old end when less rows come than it asked for", async () => {
    serveCandles(minutesFrom(fromMs, 300), { rowsMax: 100 });
    const page = await ask({ fromMs, toMs: fromMs + 300 * MINUTE_MS });
    expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(minutesFrom(fromMs, 300));
    expect(server.asked).toHaveLength(3);
  });

  it("believes that older rows are absent only when asking for them brings nothing", async () => {
    const listedMs = fromMs + 120 * MINUTE_MS;
    serveCandles(minutesFrom(listedMs, 500), { rowsMax: 100 });
    const page = await ask({ fromMs, toMs: fromMs + 300 * MINUTE_MS });
    expect(page.candidates[0]?.openTimeMs).toBe(listedMs);
    expect(page.candidates).toHaveLength(180);
    expect(server.asked).toHaveLength(3);
  });

  it("crosses the years before a listing in some twenty requests", async () => {
    const listedMs = Date.UTC(2025, 5, 17, 8, 3);
    serveCandles(minutesFrom(listedMs, 100_000));
    const page = await ask({ fromMs: Date.UTC(2015, 0, 1), toMs: NOW_MS - (NOW_MS % MINUTE_MS) });
    expect(page.candidates[0]?.openTimeMs).toBe(listedMs);
    expect(page.provenToMs).toBe((page.candidates.at(-1)?.openTimeMs ?? 0) + MINUTE_MS);
    expect(server.asked.length).toBeLessThanOrEqual(22);
  });

  it.each([1, 2, 7, 300])("finds the first row after a void with pages of %i", async (limit) => {
    const firstMs = fromMs + 4_321 * MINUTE_MS;
    serveCandles(minutesFrom(firstMs, 5_000));
    const page = await ask({ fromMs, toMs: fromMs + 9_000 * MINUTE_MS, limit });
    expect(page.candidates[0]?.openTimeMs).toBe(firstMs);
    expect(page.candidates.length).toBeLessThanOrEqual(limit);
  });

  it("takes nothing for proof of the whole range after two questions", async () => {
    serveCandles([]);
    const toMs = fromMs + 100_000 * MINUTE_MS;
    expect(await ask({ fromMs, toMs })).toMatchObject({ candidates: [], provenToMs: toMs });
    expect(server.asked).toHaveLength(2);
  });

  it("finds a market listed an hour ago, which the older endpoint does not know yet", async () => {
    const nowMs = NOW_MS - (NOW_MS % MINUTE_MS);
    serveCandles(minutesFrom(nowMs - 2 * MINUTE_MS, 3));
    const page = await ask({ fromMs, toMs: nowMs });
    expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(
      minutesFrom(nowMs - 2 * MINUTE_MS, 2),
    );
  });

  it("takes the base volume of a linear swap from its own column", async () => {
    serveCandles([fromMs]);
    const range = { fromMs, toMs: fromMs + MINUTE_MS };
    expect((await ask(range)).candidates[0]).toMatchObject({ volume: "500", quoteVolume: "10" });
    const swap = await ask({ ...range, nativeSymbol: "BTC-USDT-SWAP" });
    expect(swap.candidates[0]).toMatchObject({ volume: "5", quoteVolume: "10", tradeCount: null });
  });

  it.each([
    ["candles of another length", minutesFrom(fromMs, 4).map((ms) => fromMs + (ms - fromMs) * 5)],
    ["candles off the grid", [fromMs + 16_000]],
  ])("refuses %s", async (_name, opensMs) => {
    serveCandles(opensMs);
    expect(await faultOf(ask({ fromMs, toMs: fromMs + 60 * MINUTE_MS }))).toMatchObject({
      kind: "malformed_payload",
    });
  });

  it("gives up on a server that gives a row at a time", async () => {
    serveCandles(minutesFrom(fromMs, 300), { rowsMax: 1 });
    const fault = await faultOf(ask({ fromMs, toMs: fromMs + 300 * MINUTE_MS }));
    expect(fault).toMatchObject({ kind: "malformed_payload" });
    expect(server.asked).toHaveLength(40);
  });

  it("waits two seconds at least when it is told with status 200 that it asks too often", async () => {
    const rows = answerOf([[String(fromMs), "2", "3", "1", "2", "500", "5", "10", "1"]]);
    server.answer(json({ code: "50011", msg: "Too Many Requests", data: [] }), json(rows));
    await ask({ fromMs, toMs: fromMs + MINUTE_MS });
    expect(clock.nowMs()).toBeGreaterThanOrEqual(NOW_MS + 2_000);
    expect(failures.map(({ fault }) => fault)).toEqual([{ kind: "rate_limit", retryAfterMs: 2_000 }]);
  });
});

describe("fetchTrades", () => {
  const fromMs = NOW_MS - 3_600_000;
  const toMs = fromMs + 60_000;

  /** Serves trades by time (type 2) or id (type 1), newest first. */
  function serveTrades(
    trades: readonly (readonly [id: number, timeMs: number])[],
    { isInclusive = false, instId = "BTC-USDT" } = {},
  ): void {
    const newestFirst = trades.toSorted(([a], [b]) => b - a);
    server.answer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? "", server.url);
      if (pathname.endsWith("/instruments")) {
        const swap = { instId, ctType: "linear", settleCcy: "USDT", uly: "BTC-USDT", state: "live" };
        json(answerOf([{ ...swap, ctVal: "0.01", ctMult: "10", listTime: "" }]))(request, response);
        return;
      }
      const after = Number(searchParams.get("after"));
      const isOlder = ([id, timeMs]: readonly [number, number]): boolean =>
        searchParams.get("type") === "1" ? id < after : timeMs < after || (isInclusive && timeMs === after);
      const rows = newestFirst.filter(isOlder).slice(0, 100);
      const wire = rows.map(([id, ms]) => ({
        instId,
        side: "buy",
        sz: "3",
        px: "2.5",
        tradeId: `${id}`,
        ts: `${ms}`,
      }));
      json(answerOf(wire))(request, response);
    });
  }

  async function fetchAll(nativeSymbol = "BTC-USDT"): Promise<TradePage[]> {
    const pages: TradePage[] = [];
    let cursor: string | undefined;
    do {
      const page = await okx.fetchTrades({ nativeSymbol, fromMs, toMs, cursor }, never);
      pages.push(page);
      cursor = page.next;
    } while (cursor !== undefined && pages.length < 50);
    return pages;
  }
  const idsOf = (pages: readonly TradePage[]) =>
    pages.flatMap(({ candidates }) => candidates.map(({ id }) => id)).toSorted((a, b) => (a ?? 0) - (b ?? 0));
  const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  describe.each([[false], [true]])("where `after` is inclusive: %s", (isInclusive) => {
    it("returns each trade of the range once, also those that share the millisecond a page ends on", async () => {
      // Seven trades a millisecond: a hundred is no multiple of it.
      const inside = numbers(1_001, 1_950).map((id) => [id, fromMs + Math.floor((id - 1_001) / 7)] as const);
      const around = [[1_000, fromMs - 1] as const, [1_951, toMs] as const, [1_952, toMs + 5] as const];
      serveTrades([...inside, ...around], { isInclusive });
      expect(idsOf(await fetchAll())).toEqual(numbers(1_001, 1_950));
    });

    it("gets through a millisecond that holds more trades than a page", async () => {
      const crowd = numbers(10, 359).map((id) => [id, fromMs + 30_000] as const);
      serveTrades([[9, fromMs - 1], ...crowd, [360, fromMs + 30_001]], { isInclusive });
      expect(idsOf(await fetchAll())).toEqual(numbers(10, 360));
    });

    it("ends where there is nothing older", async () => {
      serveTrades(
        numbers(1, 150).map((id) => [id, fromMs + id] as const),
        { isInclusive },
      );
      expect(idsOf(await fetchAll())).toEqual(numbers(1, 150));
    });
  });

  it("multiplies contracts by their size, which it asks for once", async () => {
    serveTrades([[5, fromMs + 1]], { instId: "BTC-USDT-SWAP" });
    const [page] = await fetchAll("BTC-USDT-SWAP");
    expect(page?.candidates).toMatchObject([{ id: 5, qty: "0.3", price: "2.5", side: "buy" }]);
    await fetchAll("BTC-USDT-SWAP");
    expect(server.asked.filter((path) => path.includes("/instruments"))).toHaveLength(1);
  });

  it("does not know the contract size of a swap that is not listed", async () => {
    serveTrades([], { instId: "ETH-USDT-SWAP" });
    expect(await faultOf(fetchAll("BTC-USDT-SWAP"))).toMatchObject({ kind: "bad_symbol" });
  });

  it.each([
    ["older than OKX keeps any", 100, 0],
    ["that is empty and may be older than OKX keeps", 70, 1],
  ])("does not claim to know a range %s", async (_name, days, asked) => {
    server.answer(json(answerOf([])));
    const startMs = NOW_MS - days * DAY_MS;
    const request = { nativeSymbol: "BTC-USDT", fromMs: startMs, toMs: startMs + 1_000 };
    expect(await faultOf(okx.fetchTrades(request, never))).toMatchObject({ kind: "bad_request" });
    expect(server.asked).toHaveLength(asked);
  });
});
