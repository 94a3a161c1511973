// What a window of fetched trades proves, when some of its rows are no trades.
import { describe, expect, it } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import type { TradeBatch } from "../../../src/core/model/record-batch.js";
import type { TradeCandidate } from "../../../src/core/model/trade.js";
import type { StoredMarket } from "../../../src/store/store.js";
import type { TradeGap } from "../../../src/pipeline/feed/trade-window.js";
import { TradeRepair } from "../../../src/upkeep/trade-repair.js";
import { BTC_USDT, minuteMs } from "../../support/candles.js";
import { ManualClock } from "../core/net/manual-clock.js";

const MARKET: StoredMarket = { ...BTC_USDT, id: 5, exchange: "binance", isSimulated: true };
const T0 = minuteMs(0);
const never = new AbortController().signal;

const row = (id: number, ms: number, price = "100"): TradeCandidate => ({
  id,
  firstFillId: id,
  lastFillId: id,
  timeMs: T0 + ms,
  price,
  qty: "1",
  side: "buy",
  raw: { id },
});

async function repair(rows: readonly TradeCandidate[], gap: Partial<TradeGap> = {}): Promise<TradeBatch[]> {
  const batches: TradeBatch[] = [];
  const repairing = new TradeRepair({
    exchange: {
      id: "binance",
      traits: { candlePageRowsMax: 1_000, timeframes: ["1m"], tradeNumbering: "record" },
      fetchTrades: async ({ fromMs, toMs }) => ({
        candidates: rows.filter(({ timeMs = 0 }) => timeMs >= fromMs && timeMs < toMs),
        next: undefined,
        request: "/trades",
      }),
    },
    stage: { append: async () => 1, settled: async () => undefined },
    clock: new ManualClock(T0 + 3_600_000),
    log: silentLog,
    exchangeNowMs: () => T0 + 3_600_000,
  });
  const whole = { startMs: T0 + 1_000, endMs: T0 + 61_000, afterId: 9, beforeId: undefined, ...gap };
  await repairing.repair(MARKET, whole, never, (batch) => batches.push(batch));
  return batches;
}

describe("a window of fetched trades", () => {
  it("is void when it holds nothing", async () => {
    expect(await repair([])).toMatchObject([
      { voids: [{ startMs: T0 + 1_000, endMs: T0 + 61_000 }], missing: [] },
    ]);
  });

  it("is void behind the trade it begins with, which lies before it by its id", async () => {
    // The run before claims up to the time of its last trade, and not that millisecond itself.
    const [batch] = await repair([row(8, 500), row(9, 1_000)]);
    expect(batch?.runs).toEqual([{ startMs: T0 + 1_000, endMs: T0 + 1_001, firstId: 9, lastId: 9 }]);
    expect(batch?.trades.map(({ id }) => id)).toEqual([9]);
    expect(batch?.voids).toEqual([{ startMs: T0 + 1_001, endMs: T0 + 61_000 }]);
  });

  it("is no void when all of its rows were refused: it stays a gap, with the reason", async () => {
    const [batch] = await repair([row(10, 5_000, "no price"), row(11, 6_000, "-1")]);
    expect(batch?.voids).toEqual([]);
    expect(batch?.runs).toEqual([]);
    expect(batch?.missing).toMatchObject([{ startMs: T0 + 1_000, endMs: T0 + 61_000, reason: "rejected" }]);
    expect(batch?.rejected).toHaveLength(2);
  });

  it("claims no time from a refused row on that its ids do not bound", async () => {
    const [batch] = await repair([row(10, 5_000), row(11, 6_000), row(12, 20_000, "no price")]);
    expect(batch?.runs).toEqual([{ startMs: T0 + 1_000, endMs: T0 + 6_000, firstId: 10, lastId: 11 }]);
    expect(batch?.missing).toMatchObject([{ startMs: T0 + 6_000, endMs: T0 + 61_000, reason: "rejected" }]);
  });

  it("has an exact hole where a refused row stands between two good ones", async () => {
    const [batch] = await repair([row(10, 5_000), row(11, 6_000, "no price"), row(12, 20_000)], {
      beforeId: 13,
    });
    expect(batch?.missing).toMatchObject([{ firstId: 11, lastId: 11 }]);
    expect(batch?.runs.map(({ firstId, lastId }) => [firstId, lastId])).toEqual([
      [10, 10],
      [12, 12],
    ]);
  });

  it("holds in its claim the trades that belong to it by their ids and carry times just behind it", async () => {
    // The gap was cut off at the present, and what comes behind it has become known meanwhile.
    const [batch] = await repair([row(10, 5_000), row(11, 61_400)], { beforeId: 12 });
    expect(batch?.runs).toEqual([{ startMs: T0 + 1_000, endMs: T0 + 61_401, firstId: 10, lastId: 11 }]);
    expect(batch?.trades.map(({ id }) => id)).toEqual([10, 11]);
  });

  it("has a hole where the exchange told two trades of one id", async () => {
    const again = { ...row(10, 5_000), price: "101" };
    const [batch] = await repair([row(10, 5_000), again, row(11, 6_000), row(11, 6_000)]);
    // Of two with one id that differ, neither is believed.
    expect(batch?.rejected.length).toBeGreaterThan(0);
    expect(batch?.voids).toEqual([]);
    expect(batch?.missing).toMatchObject([{ firstId: 10, lastId: 10 }]);
  });
});
