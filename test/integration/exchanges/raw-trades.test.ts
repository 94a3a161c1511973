// Binance's raw trades by REST: found through aggregated ones, paged by id.
import { afterEach, beforeEach, expect, it } from "vitest";
import { createExchange } from "../../../src/exchanges/registry.js";
import type { Exchange, TradePage } from "../../../src/exchanges/exchange.js";
import { EagerClock } from "../../unit/core/net/manual-clock.js";
import { json, startStubServer, type StubServer } from "./stub-server.js";

const NOW_MS = Date.UTC(2026, 0, 5, 12);
const FROM_MS = NOW_MS - 6 * 3_600_000;
const TO_MS = FROM_MS + 60_000;
const never = new AbortController().signal;

/** Three fills each; the fills of aggregate a are 10 a to 10 a + 2, and so on without a hole. */
interface Fill {
  readonly id: number;
  readonly time: number;
}

let server: StubServer;
let exchange: Exchange;

beforeEach(async () => {
  server = await startStubServer();
  exchange = createExchange("binance", {
    restUrl: server.url,
    trades: "raw",
    clock: new EagerClock(NOW_MS),
    retry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
  });
});
afterEach(async () => {
  await exchange.close();
  await server.close();
});

/** @param joined fills of one aggregate */
function serve(fills: readonly Fill[], joined = 3, rowsMax = 1_000, served: readonly Fill[] = fills): void {
  const aggregates = Array.from({ length: Math.ceil(fills.length / joined) }, (_, a) => {
    const own = fills.slice(a * joined, (a + 1) * joined);
    return { a: a + 1, T: own[0]?.time ?? 0, f: own[0]?.id, l: own.at(-1)?.id, p: "2.5", q: "1", m: true };
  });
  server.answer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", server.url);
    const number = (name: string): number => Number(searchParams.get(name));
    const limit = Math.min(number("limit"), rowsMax);
    const answer =
      pathname === "/api/v3/aggTrades"
        ? aggregates.filter(({ T }) => T >= number("startTime") && T <= number("endTime")).slice(0, limit)
        : served
            .filter(({ id }) => id >= number("fromId"))
            .slice(0, limit)
            .map((fill) => ({
              ...fill,
              price: "2.50",
              qty: "0.1",
              isBuyerMaker: fill.id % 2 === 0,
              isBestMatch: true,
            }));
    json(answer)(request, response);
  });
}

async function fetchAll(): Promise<TradePage[]> {
  const pages: TradePage[] = [];
  let cursor: string | undefined;
  do {
    const page = await exchange.fetchTrades(
      { nativeSymbol: "BTCUSDT", fromMs: FROM_MS, toMs: TO_MS, cursor },
      never,
    );
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined && pages.length < 20);
  return pages;
}

const idsOf = (pages: readonly TradePage[]) =>
  pages.flatMap(({ candidates }) => candidates.map(({ id }) => id));
const fillsOf = (count: number, firstId = 100): Fill[] =>
  Array.from({ length: count }, (_, i) => ({ id: firstId + i, time: FROM_MS + i * 10 }));

it("finds the first by time, goes on by id, and ends with the first one behind the range", async () => {
  const inside = fillsOf(2_500);
  serve([...inside, { id: 2_600, time: TO_MS }]);
  expect(idsOf(await fetchAll())).toEqual(inside.map(({ id }) => id));
  expect(server.asked).toEqual([
    `/api/v3/aggTrades?symbol=BTCUSDT&startTime=${FROM_MS}&endTime=${TO_MS - 1}&limit=1000`,
    "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=100&limit=1000",
    "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=1100&limit=1000",
    "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=2100&limit=1000",
  ]);
});

it("takes a short page for no proof of the end", async () => {
  const inside = fillsOf(10);
  serve(inside, 3, 4);
  expect(idsOf(await fetchAll())).toEqual(inside.map(({ id }) => id));
});

it("says that there is nothing where no aggregated trade is", async () => {
  serve([]);
  expect(await fetchAll()).toMatchObject([{ candidates: [], next: undefined }]);
});

it("does not take an answer without the fill that an aggregated trade begins with for an empty time", async () => {
  serve(fillsOf(9), 3, 1_000, []);
  await expect(fetchAll()).rejects.toThrow(/expected trade 100, found nothing/);
  serve(fillsOf(9), 3, 1_000, fillsOf(9).slice(2));
  await expect(fetchAll()).rejects.toThrow(/expected trade 100, found 102/);
});

it("reads each fill with its own id, the taker's side, and microseconds where they are told", async () => {
  serve([
    { id: 100, time: FROM_MS * 1_000 + 7 },
    { id: 101, time: FROM_MS * 1_000 + 8 },
  ]);
  // Aggregated trades are asked for in milliseconds here, so that the stub finds them.
  const page = await exchange.fetchTrades(
    { nativeSymbol: "BTCUSDT", fromMs: FROM_MS, toMs: TO_MS, cursor: "100" },
    never,
  );
  expect(page.candidates).toMatchObject([
    {
      id: 100,
      firstFillId: 100,
      lastFillId: 100,
      timeMs: FROM_MS,
      microsecond: 7,
      price: "2.50",
      side: "sell",
    },
    { id: 101, qty: "0.1", microsecond: 8, side: "buy" },
  ]);
});

it("are not to be had of the futures", () => {
  expect(() => createExchange("binanceusdm", { trades: "raw" })).toThrow(/API key.*exchange\.trades/);
});
