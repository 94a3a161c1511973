// A small store with something of everything, and the API in front of it. Now is ten hours after DAY_START_MS.
//
//   binance:BTC/USDT 1m   minutes 0 to 600 expected; 0–240 and 250–590 stored, 240–250 a gap, 590–600 void
//   binance:BTC/USDT      trades 1 to 30, and 41 to 50 after a hole of ten; a book each second of a minute
//   okx:ETH/USDT 1m       minutes 0 to 10 stored, revised once at minute 3
import { NO_TALLY } from "../../src/core/model/live-tally.js";
import { silentLog, type Log } from "../../src/core/log.js";
import type { Clock } from "../../src/core/clock.js";
import { LiveHub } from "../../src/pipeline/live-hub.js";
import type { Store, StoredMarket } from "../../src/store/store.js";
import { startApi, type ApiOptions, type ApiServer } from "../../src/web/server.js";
import { batchOf, BTC_USDT, candleAt, candlesBetween, decimal, minuteMs } from "./candles.js";
import { createTestDatabase, type TestDatabase } from "./database.js";

export const NOW_MS = minuteMs(600);
/** Stands still, so that answers can be foretold. */
export const stillClock: Clock = { nowMs: () => NOW_MS, sleep: async () => undefined };

export interface ApiWorld {
  readonly database: TestDatabase;
  readonly store: Store;
  readonly btc: StoredMarket;
  readonly eth: StoredMarket;
  /** Started with {@link stillClock}; closed with the world. */
  readonly startApi: (options?: Partial<ApiOptions>) => Promise<ApiServer>;
  readonly close: () => Promise<void>;
}

export async function createApiWorld(): Promise<ApiWorld> {
  const database = await createTestDatabase();
  const store = await database.openStore();
  const [btc] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  const [eth] = await store.putMarkets(
    "okx",
    [{ ...BTC_USDT, symbol: "ETH/USDT", nativeSymbol: "ETH-USDT", baseAsset: "ETH" }],
    { isSimulated: false },
  );
  if (!btc || !eth) throw new Error("markets were stored and are not there");
  await seed(store, btc, eth);
  const servers: ApiServer[] = [];
  return {
    database,
    store,
    btc,
    eth,
    startApi: async (options = {}) => {
      const server = await startApi({
        store,
        version: "1.2.3",
        log: silentLog,
        clock: stillClock,
        ...options,
      });
      servers.push(server);
      return server;
    },
    close: async () => {
      await Promise.all(servers.map((server) => server.close()));
      await database.drop();
    },
  };
}

async function seed(store: Store, btc: StoredMarket, eth: StoredMarket): Promise<void> {
  const key = { marketId: btc.id, timeframe: "1m" } as const;
  await store.expect(key, { startMs: minuteMs(0), endMs: minuteMs(600) });
  await store.commit([
    batchOf(btc.id, candlesBetween(0, 240)),
    batchOf(btc.id, candlesBetween(250, 590), {
      flags: new Map([[minuteMs(300), 1]]),
      voids: [
        {
          startMs: minuteMs(590),
          endMs: minuteMs(600),
          proof: {
            asked: [
              { atMs: minuteMs(601), request: "/a" },
              { atMs: minuteMs(606), request: "/b" },
            ],
          },
        },
      ],
      missing: [
        {
          startMs: minuteMs(240),
          endMs: minuteMs(250),
          reason: "absent",
          detail: "not in the answer",
          nextAskMs: minuteMs(610),
        },
      ],
    }),
  ]);
  const ethKey = { marketId: eth.id, timeframe: "1m" } as const;
  await store.expect(ethKey, { startMs: minuteMs(0), endMs: minuteMs(10) });
  await store.commit([batchOf(eth.id, candlesBetween(0, 10))]);
  await store.commit([batchOf(eth.id, [candleAt(3, { close: decimal("100.75") })])]);
  await seedLive(store, btc);
  await store.quality.put([
    {
      ...key,
      market: "binance:BTC/USDT",
      startMs: minuteMs(0),
      endMs: minuteMs(600),
      checkMs: minuteMs(599),
      totalRecords: 580,
      expectedRecords: 590,
      missingCount: 10,
      duplicateCount: 0,
      outOfOrderCount: 0,
      priceJumpCount: 1,
      volumeSpikeCount: 0,
      score: 98.25,
      verifiedPercent: 98.33,
      isValid: false,
      errors: [{ code: "missing_candles", count: 10, message: "10 candles are missing" }],
      warnings: [],
      deductions: [{ metric: "missing", count: 10, points: 1.69, more: 0, evidence: [] }],
    },
  ]);
  await store.tasks.create({ ...key, range: { startMs: minuteMs(240), endMs: minuteMs(250) } });
  const ended = { ...ethKey, range: { startMs: minuteMs(20), endMs: minuteMs(30) } };
  await store.tasks.create(ended);
  const [claim] = await store.tasks.claim({ worker: "w", leaseMs: 60_000, marketIds: [eth.id] });
  if (claim) await store.tasks.finish(claim, { status: "failed", errorMessage: "the exchange says no" });
  await store.errors.add(
    [1, 2, 3].map((n) => ({
      atMs: minuteMs(500 + n),
      exchange: "binance",
      endpoint: "/api/v3/klines",
      nativeSymbol: "BTCUSDT",
      kind: n === 3 ? ("timeout" as const) : ("network" as const),
      code: undefined,
      message: `failure ${n}`,
      params: { symbol: "BTCUSDT", signature: "hush" },
      attempt: 1,
      suppressed: 0,
    })),
  );
}

async function seedLive(store: Store, { id }: StoredMarket): Promise<void> {
  const startMs = minuteMs(580);
  const trade = (tradeId: number) => ({
    kind: "trade" as const,
    id: tradeId,
    firstFillId: tradeId,
    lastFillId: tradeId,
    timeMs: startMs + tradeId * 1_000,
    microsecond: tradeId === 2 ? 345 : 0,
    price: decimal("100.5"),
    qty: decimal("0.25"),
    side: tradeId % 2 === 0 ? ("sell" as const) : ("buy" as const),
  });
  const ids = (first: number, last: number): number[] =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i);
  await store.live.expectTrades(id, { startMs, endMs: startMs + 50_000 });
  await store.commit(
    [
      {
        kind: "trades",
        marketId: id,
        evidence: "ws_sequence",
        trades: [...ids(1, 30), ...ids(41, 50)].map(trade),
        runs: [
          { startMs, endMs: startMs + 30_000, firstId: 1, lastId: 30 },
          { startMs: startMs + 41_000, endMs: startMs + 50_000, firstId: 41, lastId: 50 },
        ],
        voids: [],
        missing: [
          {
            startMs: startMs + 30_000,
            endMs: startMs + 41_000,
            firstId: 31,
            lastId: 40,
            reason: "absent",
            detail: "trades 31 to 40 did not come in",
            nextAskMs: startMs,
          },
        ],
        rejected: [],
        tally: { ...NO_TALLY, received: 40 },
        receivedMs: startMs + 50_000,
      },
      {
        kind: "book",
        marketId: id,
        snapshots: ids(0, 59).map((second) => ({
          kind: "book_snapshot" as const,
          timeMs: startMs + second * 1_000,
          sequence: 1_000 + second,
          bids: [
            [decimal("100.4"), decimal("1")],
            [decimal("100.3"), decimal(String(second + 1))],
          ],
          asks: [[decimal("100.6"), decimal("2.5")]],
        })),
        deltas: [],
        valid: [{ startMs, endMs: startMs + 60_000 }],
        outages: [],
        rejected: [],
        tally: { ...NO_TALLY, received: 60 },
        receivedMs: startMs + 60_000,
      },
    ],
    startMs + 60_000,
  );
}

/** What a log was told, by level. */
export function recordingLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  const take = (line: string): void => void lines.push(line);
  const log = { debug: take, info: take, warn: take, error: take } as unknown as Log;
  return { log, lines };
}

/** A hub with nothing behind it, whose trades a test makes. */
export const newHub = (): LiveHub => new LiveHub();
