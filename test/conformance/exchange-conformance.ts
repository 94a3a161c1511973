// What every venue has in common, whatever its wire format. A venue's test says how its server would put things.
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { classifyError } from "../../src/core/fault.js";
import { silentLog } from "../../src/core/log.js";
import { transientBanMemory } from "../../src/core/net/ban-memory.js";
import { seededRandom } from "../../src/core/random.js";
import { timeframeMs, TIMEFRAMES } from "../../src/core/timeframe.js";
import type { Exchange, ExchangeOptions, RequestFailure } from "../../src/exchanges/exchange.js";
import { hang, json, startStubServer, type StubServer } from "../integration/exchanges/stub-server.js";
import { EagerClock } from "../unit/core/net/manual-clock.js";

/** A venue's wire format, as far as the suite has to speak it. */
export interface VenueWire {
  readonly create: (options: ExchangeOptions) => Exchange;
  readonly nativeSymbol: string;
  /** The answer that holds candles with these open times, given in ascending order. */
  readonly candles: (openTimesMs: readonly number[]) => unknown;
  readonly serverTime: (timeMs: number) => unknown;
  /** Refusals: status, body and headers. */
  readonly unknownSymbol: readonly [status: number, body: unknown];
  readonly rateLimited: readonly [status: number, body: unknown, headers: Record<string, string>];
}

/** 2024-01-01, a Monday: on every timeframe's grid. */
const FROM_MS = Date.UTC(2024, 0, 1);
const NOW_MS = Date.UTC(2026, 0, 5, 12);

export function describeExchangeConformance(id: string, wire: VenueWire): void {
  describe(`${id} keeps the contract of a venue`, () => {
    let server: StubServer;
    let clock: EagerClock;
    let failures: RequestFailure[];
    let exchange: Exchange;
    let abort: AbortController;

    beforeEach(async () => {
      server = await startStubServer();
      clock = new EagerClock(NOW_MS);
      failures = [];
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

    it("names itself, its host and what it can", () => {
      expect(exchange.id).toBe(id);
      expect(exchange.restUrl).toBe(server.url);
      expect(exchange.traits.timeframes.length).toBeGreaterThan(0);
      expect(exchange.traits.candlePageRowsMax).toBeGreaterThanOrEqual(1);
    });

    it("returns candles in ascending order, and speaks for the whole range when the page is short", async () => {
      server.answer(json(wire.candles(minutes(0, 1, 4))));
      const page = await fetch(exchange.traits.candlePageRowsMax);
      expect(page.candidates.map(({ openTimeMs }) => openTimeMs)).toEqual(minutes(0, 1, 4));
      expect(page.provenToMs).toBe(FROM_MS + 300_000);
      expect(page.request).toBe(server.asked[0]);
    });

    it("fills every field of a candle it promises, as text where it is a decimal", async () => {
      server.answer(json(wire.candles(minutes(0))));
      const candidate = (await fetch(10)).candidates[0];
      expect(Object.values(candidate ?? {})).not.toContain(undefined);
      for (const field of ["open", "high", "low", "close", "volume"] as const) {
        expect(candidate?.[field]).toEqual(expect.stringMatching(/^\d+(\.\d+)?$/));
      }
    });

    it("speaks for the whole range when the page is empty", async () => {
      server.answer(json(wire.candles([])));
      expect(await fetch(10)).toMatchObject({ candidates: [], provenToMs: FROM_MS + 300_000 });
    });

    it("refuses rows nobody asked for", async () => {
      server.answer(json(wire.candles(minutes(-1, 0))));
      expect(await faultOf(fetch(10))).toMatchObject({ kind: "malformed_payload" });
    });

    it("asks for each timeframe it claims", async () => {
      server.answer(json(wire.candles([FROM_MS])));
      for (const timeframe of exchange.traits.timeframes) {
        expect((await fetch(10, timeframe)).provenToMs).toBe(FROM_MS + timeframeMs(timeframe));
      }
      expect(new Set(server.asked).size).toBe(exchange.traits.timeframes.length);
    });

    it("reads the venue's clock", async () => {
      server.answer(json(wire.serverTime(NOW_MS)));
      expect(await exchange.fetchServerTime(abort.signal)).toBe(NOW_MS);
    });

    it("knows an unknown symbol, and does not ask for it twice", async () => {
      server.answer(json(wire.unknownSymbol[1], wire.unknownSymbol[0]));
      expect(await faultOf(fetch(10))).toMatchObject({ kind: "bad_symbol" });
      expect(server.asked).toHaveLength(1);
    });

    it("waits when it is told it asks too much, reports that, and succeeds", async () => {
      const [status, body, headers] = wire.rateLimited;
      server.answer(json(body, status, headers), json(wire.candles(minutes(0))));
      expect((await fetch(10)).candidates).toHaveLength(1);
      expect(clock.nowMs()).toBeGreaterThan(NOW_MS);
      expect(failures.map(({ exchange: name, fault }) => [name, fault.kind])).toEqual([[id, "rate_limit"]]);
    });

    it("stops at once when it is aborted", async () => {
      server.answer(hang);
      const request = fetch(10);
      request.catch(() => undefined);
      await server.arrived(1);
      const reason = new Error("stopped");
      abort.abort(reason);
      await expect(request).rejects.toBe(reason);
      expect(failures).toEqual([]);
    });
  });
}
