// What every venue has in common, whatever its wire format. A venue's test says how its server would put things. The
// cases are numbered; docs/adding-an-exchange.md has the table.
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { classifyError, type FaultKind } from "../../src/core/fault.js";
import { silentLog } from "../../src/core/log.js";
import { transientBanMemory } from "../../src/core/net/ban-memory.js";
import { seededRandom } from "../../src/core/random.js";
import { timeframeMs, TIMEFRAMES } from "../../src/core/timeframe.js";
import type {
  Exchange,
  ExchangeOptions,
  RequestFailure,
  RequestSuccess,
  TradePage,
} from "../../src/exchanges/exchange.js";
import { hang, json, startStubServer, type StubServer } from "../integration/exchanges/stub-server.js";
import { EagerClock } from "../unit/core/net/manual-clock.js";

/** One fill, as a venue's server would know it. */
export interface WireTrade {
  readonly id: number;
  readonly timeMs: number;
}

type Refusal = readonly [status: number, body: unknown];

/** A venue's wire format, as far as the suite has to speak it. */
export interface VenueWire {
  readonly create: (options: ExchangeOptions) => Exchange;
  readonly nativeSymbol: string;
  /** The answer that holds candles with these open times, given in ascending order. */
  readonly candles: (openTimesMs: readonly number[], change?: WireChange) => unknown;
  /** The answer that holds these trades, given in ascending order; each sells 1.5 at 42000.1. */
  readonly trades: (trades: readonly WireTrade[]) => unknown;
  /** Rows of a page of trades at most. */
  readonly tradePageRowsMax: number;
  readonly serverTime: (timeMs: number) => unknown;
  /** The list that holds {@link VenueWire.nativeSymbol} twice: trading, and suspended under another name. */
  readonly markets: unknown;
  /** {@link VenueWire.nativeSymbol} as everybody calls it. */
  readonly symbol: string;
  readonly unknownSymbol: Refusal;
  readonly rateLimited: readonly [status: number, body: unknown, headers: Record<string, string>];
  /** Where the venue gives errors with status 200. */
  readonly errorInAnswer?: { readonly body: unknown; readonly kind: FaultKind };
  /** Where an answer says whose trades it holds: trades of another market. */
  readonly foreignTrades?: unknown;
  /** Where the venue says whether a candle is closed: the answer with a candle that is not. */
  readonly formingCandle?: (openTimeMs: number) => unknown;
}

export interface WireChange {
  /** Instead of the opening price. */
  readonly open?: string;
  /** Brings the rows in the order the venue does not use. */
  readonly isBackwards?: boolean;
}

/** 2024-01-01, a Monday: on every timeframe's grid. */
const FROM_MS = Date.UTC(2024, 0, 1);
const NOW_MS = Date.UTC(2026, 0, 5, 12);
/** Venues keep trades for days or months only. */
const TRADES_FROM_MS = NOW_MS - 3_600_000;

export function describeExchangeConformance(id: string, wire: VenueWire): void {
  describe(`${id} keeps the contract of a venue`, () => {
    let server: StubServer;
    let clock: EagerClock;
    let failures: RequestFailure[];
    let successes: RequestSuccess[];
    let exchange: Exchange;
    let abort: AbortController;

    beforeEach(async () => {
      server = await startStubServer();
      clock = new EagerClock(NOW_MS);
      failures = [];
      successes = [];
      abort = new AbortController();
      exchange = wire.create({
        restUrl: server.url,
        timeoutMs: 5_000,
        rateLimitShare: 1,
        retry: { attempts: 3, baseDelayMs: 100, maxDelayMs: 1_000 },
        clock,
        random: seededRandom(1),
        bans: transientBanMemory(),
        log: silentLog,
        onFailure: (failure) => failures.push(failure),
        onSuccess: (success) => successes.push(success),
      });
    });

    afterEach(async () => {
      expect(getEventListeners(abort.signal, "abort")).toEqual([]);
      await exchange.close();
      await expect.poll(() => server.connections()).toBe(0);
      await server.close();
    });

    const fetch = (limit: number, timeframe = TIMEFRAMES[0] ?? "1m", steps = 5) =>
      exchange.fetchCandles(
        {
          nativeSymbol: wire.nativeSymbol,
          timeframe,
          fromMs: FROM_MS,
          toMs: FROM_MS + steps * timeframeMs(timeframe),
          limit,
        },
        abort.signal,
      );
    const minutes = (...numbers: number[]) => numbers.map((number) => FROM_MS + number * 60_000);
    const faultOf = async (promise: Promise<unknown>) =>
      promise.then(
        () => undefined,
        (error: unknown) => classifyError(error),
      );

    it("C01 names itself, its host and what it can", () => {
      expect(exchange.id).toBe(id);
      expect(exchange.restUrl).toBe(server.url);
      expect(exchange.traits.timeframes.length).toBeGreaterThan(0);
      expect(exchange.traits.candlePageRowsMax).toBeGreaterThanOrEqual(1);
    });

    it("C02 returns candles in ascending order, and speaks for the whole range when the page is short", async () => {
      server.answer(json(wire.candles(minutes(0, 1, 4))));
      const page = await fetch(exchange.traits.candlePageRowsMax);
      expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(minutes(0, 1, 4));
      expect(page.provenToMs).toBe(FROM_MS + 300_000);
      expect(page.request).toBe(server.asked[0]);
    });

    it("C03 fills every field of a candle it promises, as text where it is a decimal", async () => {
      server.answer(json(wire.candles(minutes(0))));
      const candidate = (await fetch(10)).candidates[0];
      expect(Object.values(candidate ?? {})).not.toContain(undefined);
      for (const field of ["open", "high", "low", "close", "volume"] as const) {
        expect(candidate?.[field]).toEqual(expect.stringMatching(/^\d+(\.\d+)?$/));
      }
    });

    it("C04 speaks for the whole range when the page is empty", async () => {
      server.answer(json(wire.candles([])));
      expect(await fetch(10)).toMatchObject({ candidates: [], provenToMs: FROM_MS + 300_000 });
    });

    it("C05 refuses rows nobody asked for", async () => {
      server.answer(json(wire.candles(minutes(-1, 0))));
      expect(await faultOf(fetch(10))).toMatchObject({ kind: "malformed_payload" });
    });

    it("C06 asks for each timeframe it claims", async () => {
      server.answer(json(wire.candles([FROM_MS])));
      for (const timeframe of exchange.traits.timeframes) {
        expect((await fetch(10, timeframe)).provenToMs).toBe(FROM_MS + timeframeMs(timeframe));
      }
      expect(new Set(server.asked).size).toBe(exchange.traits.timeframes.length);
    });

    it("C07 reads the venue's clock", async () => {
      server.answer(json(wire.serverTime(NOW_MS)));
      expect(await exchange.fetchServerTime(abort.signal)).toBe(NOW_MS);
    });

    it("C08 knows an unknown symbol, and does not ask for it twice", async () => {
      server.answer(json(wire.unknownSymbol[1], wire.unknownSymbol[0]));
      expect(await faultOf(fetch(10))).toMatchObject({ kind: "bad_symbol" });
      expect(server.asked).toHaveLength(1);
    });

    it("C09 waits when it is told it asks too much, reports that, and succeeds", async () => {
      const [status, body, headers] = wire.rateLimited;
      server.answer(json(body, status, headers), json(wire.candles(minutes(0))));
      expect((await fetch(10)).candidates).toHaveLength(1);
      expect(clock.nowMs()).toBeGreaterThan(NOW_MS);
      expect(failures.map(({ exchange: name, fault }) => [name, fault.kind])).toEqual([[id, "rate_limit"]]);
    });

    it("C10 stops at once when it is aborted", async () => {
      server.answer(hang);
      const request = fetch(10);
      request.catch(() => undefined);
      await server.arrived(1);
      const reason = new Error("stopped");
      abort.abort(reason);
      await expect(request).rejects.toBe(reason);
      expect(failures).toEqual([]);
    });

    it("C11 proves nothing behind its last row when rows are missing at the end", async () => {
      server.answer(json(wire.candles(minutes(0, 1, 2))));
      expect((await fetch(10)).provenToMs).toBe(FROM_MS + 180_000);
    });

    it("C12 lists the markets by their common names, suspended ones included", async () => {
      server.answer(json(wire.markets));
      const markets = await exchange.fetchMarkets(abort.signal);
      const [market] = markets.filter(({ nativeSymbol }) => nativeSymbol === wire.nativeSymbol);
      expect(market).toMatchObject({ symbol: wire.symbol, isActive: true });
      expect(markets.some(({ isActive }) => !isActive)).toBe(true);
    });

    it("C13 reports each request that was answered, and whose market it was about", async () => {
      server.answer(json("oops", 500), json(wire.candles(minutes(0))));
      await fetch(10);
      const endpoint = new URL(server.url + (server.asked[1] ?? "")).pathname;
      expect(successes).toEqual([
        {
          exchange: id,
          endpoint,
          nativeSymbol: wire.nativeSymbol,
          atMs: clock.nowMs(),
          tookMs: expect.any(Number) as number,
        },
      ]);
      expect(successes[0]?.tookMs).toBeGreaterThanOrEqual(0);
      expect(failures.map(({ attempt, nativeSymbol }) => [attempt, nativeSymbol])).toEqual([
        [1, wire.nativeSymbol],
      ]);
    });

    it("C14 leaves a host alone after failures in a row, tries it once later, and goes on when it answers", async () => {
      server.answer(json("oops", 500));
      for (let i = 0; i < 4; i++) await faultOf(fetch(10));
      const before = { asked: server.asked.length, failures: failures.length };
      expect(before).toEqual({ asked: 10, failures: 10 });
      expect(await faultOf(fetch(10))).toMatchObject({ kind: "exchange" });
      expect(server.asked).toHaveLength(before.asked);
      expect(failures).toHaveLength(before.failures);
      await clock.sleep(300_000);
      server.answer(json(wire.candles(minutes(0))));
      expect((await fetch(10)).candidates).toHaveLength(1);
      expect((await fetch(10)).candidates).toHaveLength(1);
    });

    it("C15 leaves numbers as they were written to the gate", async () => {
      for (const open of ["4.2e4", "NaN"]) {
        server.answer(json(wire.candles(minutes(0), { open })));
        expect((await fetch(10)).candidates.map((candidate) => candidate.open)).toEqual([open]);
      }
    });

    it.each<[string, () => unknown]>([
      ["C16 more rows than it asked for", () => wire.candles(minutes(0, 1, 2, 3))],
      ["C17 a page that runs backwards", () => wire.candles(minutes(0, 1, 2), { isBackwards: true })],
      ["C18 a list of no rows' kind", () => ({ hello: "world" })],
    ])("refuses %s, and does not ask for ever", async (_name, body) => {
      server.answer(json(body()));
      expect(await faultOf(fetch(3))).toMatchObject({ kind: "malformed_payload" });
      expect(server.asked).toHaveLength(3);
    });

    const fetchTrades = (cursor?: string) =>
      exchange.fetchTrades(
        { nativeSymbol: wire.nativeSymbol, fromMs: TRADES_FROM_MS, toMs: TRADES_FROM_MS + 60_000, cursor },
        abort.signal,
      );
    const trade = (id: number, second: number): WireTrade => ({
      id,
      timeMs: TRADES_FROM_MS + second * 1_000,
    });

    it("C19 returns trades in ascending order, with the taker's side and the quantity in base units", async () => {
      server.answer(json(wire.trades([trade(5, 1), trade(6, 2)])));
      const { candidates, request } = await fetchTrades();
      expect(candidates).toMatchObject([
        { id: 5, firstFillId: 5, lastFillId: 5, timeMs: TRADES_FROM_MS + 1_000 },
        { id: 6, firstFillId: 6, lastFillId: 6, timeMs: TRADES_FROM_MS + 2_000 },
      ]);
      for (const { price, qty, side } of candidates)
        expect([Number(price), Number(qty), side]).toEqual([42000.1, 1.5, "sell"]);
      expect(request).toBe(server.asked.at(-1));
    });

    it("C20 says that a range without trades is complete", async () => {
      server.answer(json(wire.trades([])));
      expect(await fetchTrades()).toMatchObject({ candidates: [], next: undefined });
    });

    it("C21 refuses trades nobody asked for", async () => {
      server.answer(json(wire.trades([trade(5, -3_600), trade(6, 2 * 3_600)])));
      expect(await faultOf(fetchTrades())).toMatchObject({ kind: "malformed_payload" });
    });

    it("C22 refuses the same page of trades again and again", async () => {
      const count = wire.tradePageRowsMax;
      const rows = Array.from({ length: count }, (_, i) => ({
        id: 100 + i,
        timeMs: TRADES_FROM_MS + 1_000 + i,
      }));
      server.answer(json(wire.trades(rows)));
      let page: TradePage | undefined;
      let fault: unknown;
      for (let pages = 0; pages < 5 && fault === undefined; pages++) {
        const cursor = page?.next;
        fault = await faultOf(fetchTrades(cursor).then((next) => (page = next)));
      }
      expect(fault).toMatchObject({ kind: "malformed_payload" });
    });

    it("C23 refuses more trades than a page holds", async () => {
      const rows = Array.from({ length: wire.tradePageRowsMax + 1 }, (_, i) => trade(i + 1, 1));
      server.answer(json(wire.trades(rows)));
      expect(await faultOf(fetchTrades())).toMatchObject({ kind: "malformed_payload" });
    });

    const { errorInAnswer, foreignTrades, formingCandle } = wire;

    it.runIf(errorInAnswer)("C24 sees an error that arrives with status 200", async () => {
      server.answer(json(errorInAnswer?.body));
      expect(await faultOf(fetch(10))).toMatchObject({ kind: errorInAnswer?.kind });
    });

    it.runIf(foreignTrades)("C25 refuses trades of another market", async () => {
      server.answer(json(foreignTrades));
      expect(await faultOf(fetchTrades())).toMatchObject({ kind: "malformed_payload" });
    });

    it.runIf(formingCandle)("C26 passes on that a candle is still forming", async () => {
      server.answer(json(formingCandle?.(FROM_MS)));
      expect((await fetch(10)).candidates.map(({ isClosed }) => isClosed)).toEqual([false]);
      server.answer(json(wire.candles(minutes(0))));
      expect((await fetch(10)).candidates.map(({ isClosed }) => isClosed)).toEqual([true]);
    });
  });
}
