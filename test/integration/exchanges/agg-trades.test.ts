import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import { transientBanMemory } from "../../../src/core/net/ban-memory.js";
import { seededRandom } from "../../../src/core/random.js";
import { createBinance } from "../../../src/exchanges/binance/index.js";
import { createBinanceUsdm } from "../../../src/exchanges/binance/usdm.js";
import type { Exchange, ExchangeOptions, TradePage } from "../../../src/exchanges/exchange.js";
import { EagerClock } from "../../unit/core/net/manual-clock.js";
import { json, startStubServer, type StubServer } from "./stub-server.js";

const NOW_MS = Date.UTC(2026, 0, 5, 12);
const FROM_MS = NOW_MS - 6 * 3_600_000;
const never = new AbortController().signal;

interface Row {
  readonly a: number;
  readonly T: number;
  readonly f: number;
  readonly l: number;
}

let server: StubServer;
let exchange: Exchange | undefined;

beforeEach(async () => {
  server = await startStubServer();
});

afterEach(async () => {
  await exchange?.close();
  await server.close();
});

function create(venue: (options: ExchangeOptions) => Exchange): Exchange {
  exchange = venue({
    restUrl: server.url,
    timeoutMs: 5_000,
    rateLimitShare: 1,
    retry: { attempts: 3, baseDelayMs: 100, maxDelayMs: 1_000 },
    clock: new EagerClock(NOW_MS),
    random: seededRandom(1),
    bans: transientBanMemory(),
    log: silentLog,
  });
  return exchange;
}

/** Serves trades as Binance does: by time with both ends inclusive, or from an id on; oldest first. */
function serve(rows: readonly Row[], rowsMax = 1_000): void {
  server.answer((request, response) => {
    const { searchParams } = new URL(request.url ?? "", server.url);
    const number = (name: string): number => Number(searchParams.get(name));
    const matches = searchParams.has("fromId")
      ? (row: Row) => row.a >= number("fromId")
      : (row: Row) => row.T >= number("startTime") && row.T <= number("endTime");
    const found = rows.filter(matches).slice(0, Math.min(number("limit"), rowsMax));
    json(found.map((row) => ({ ...row, p: row.f < 0 ? "0" : "2.50", q: "1", m: row.a % 2 === 0 })))(
      request,
      response,
    );
  });
}

async function fetchAll(venue: Exchange, toMs: number): Promise<TradePage[]> {
  const pages: TradePage[] = [];
  let cursor: string | undefined;
  do {
    const page = await venue.fetchTrades({ nativeSymbol: "BTCUSDT", fromMs: FROM_MS, toMs, cursor }, never);
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined && pages.length < 50);
  return pages;
}

const idsOf = (pages: readonly TradePage[]) =>
  pages.flatMap(({ candidates }) => candidates.map(({ id }) => id));
const row = (a: number, T: number): Row => ({ a, T, f: a * 10, l: a * 10 + 2 });

describe("fetchTrades of Binance", () => {
  it("finds the first page by time, goes on by id, and ends with the first trade behind the range", async () => {
    // All but the last share ten milliseconds: no page could be continued by time.
    const inside = Array.from({ length: 2_500 }, (_, i) => row(i + 1, FROM_MS + Math.floor(i / 250)));
    serve([row(0, FROM_MS - 1), ...inside, row(2_501, FROM_MS + 60_000)]);
    const pages = await fetchAll(create(createBinance), FROM_MS + 60_000);
    expect(idsOf(pages)).toEqual(inside.map(({ a }) => a));
    expect(server.asked).toEqual([
      `/api/v3/aggTrades?symbol=BTCUSDT&startTime=${FROM_MS}&endTime=${FROM_MS + 59_999}&limit=1000`,
      "/api/v3/aggTrades?symbol=BTCUSDT&fromId=1001&limit=1000",
      "/api/v3/aggTrades?symbol=BTCUSDT&fromId=2001&limit=1000",
    ]);
  });

  it("takes a short page for no proof of the end", async () => {
    const rows = Array.from({ length: 10 }, (_, i) => row(i + 1, FROM_MS + i));
    serve(rows, 4);
    expect(idsOf(await fetchAll(create(createBinance), FROM_MS + 60_000))).toEqual(rows.map(({ a }) => a));
    expect(server.asked).toHaveLength(4);
  });

  it("leaves out what Binance has taken back, and goes on behind it", async () => {
    const taken: Row = { a: 2, T: FROM_MS + 2, f: -1, l: -1 };
    serve([row(1, FROM_MS + 1), taken, row(3, FROM_MS + 3), { ...taken, a: 4 }]);
    const pages = await fetchAll(create(createBinance), FROM_MS + 60_000);
    expect(idsOf(pages)).toEqual([1, 3]);
    expect(pages[0]?.next).toBe("id:5");
  });

  it("reads the ids of the fills, and the taker's side", async () => {
    serve([row(1, FROM_MS), row(2, FROM_MS)]);
    const [page] = await fetchAll(create(createBinance), FROM_MS + 60_000);
    expect(page?.candidates).toMatchObject([
      { id: 1, firstFillId: 10, lastFillId: 12, timeMs: FROM_MS, price: "2.50", qty: "1", side: "buy" },
      { id: 2, side: "sell" },
    ]);
  });
});

describe("fetchTrades of Binance USDⓈ-M", () => {
  it("looks for the first trade an hour at a time", async () => {
    const late = row(7, FROM_MS + 2 * 3_600_000 + 5);
    serve([late, row(8, FROM_MS + 4 * 3_600_000)]);
    expect(idsOf(await fetchAll(create(createBinanceUsdm), FROM_MS + 3 * 3_600_000))).toEqual([7]);
    const hour = (n: number) =>
      `/fapi/v1/aggTrades?symbol=BTCUSDT&startTime=${FROM_MS + n * 3_600_000}&endTime=${FROM_MS + (n + 1) * 3_600_000 - 1}&limit=1000`;
    expect(server.asked).toEqual([
      hour(0),
      hour(1),
      hour(2),
      "/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=8&limit=1000",
    ]);
  });
});

describe("fetchMarkets of Binance USDⓈ-M", () => {
  it("lists perpetuals only, with settlement and listing time", async () => {
    const contract = {
      symbol: "BTCUSDT",
      status: "TRADING",
      baseAsset: "BTC",
      quoteAsset: "USDT",
      marginAsset: "USDT",
      contractType: "PERPETUAL",
      onboardDate: 1_569_398_400_000,
    };
    const symbols = [
      contract,
      { ...contract, symbol: "TSLAUSDT", baseAsset: "TSLA", contractType: "TRADIFI_PERPETUAL" },
      { ...contract, symbol: "BTCUSDT_260327", contractType: "CURRENT_QUARTER" },
    ];
    server.answer(json({ symbols }));
    const markets = await create(createBinanceUsdm).fetchMarkets(never);
    expect(markets.map(({ symbol }) => symbol)).toEqual(["BTC/USDT:USDT", "TSLA/USDT:USDT"]);
    expect(markets[0]).toEqual({
      symbol: "BTC/USDT:USDT",
      nativeSymbol: "BTCUSDT",
      baseAsset: "BTC",
      quoteAsset: "USDT",
      marketType: "swap",
      isActive: true,
      listedMs: 1_569_398_400_000,
    });
  });
});
