// What is stored of live streams against the simulator's truth, and against the ledger.
import { expect } from "vitest";
import type { GroundTruth } from "../../simulator/ground-truth.js";
import type { TradeGrain } from "../../src/core/model/trade.js";
import type { TimeRange } from "../../src/core/range.js";
import { DecimalSum } from "../../src/pipeline/fold/decimal-sum.js";
import type { Store, StoredCandle, StoredMarket, StoredTrade } from "../../src/store/store.js";
import type { TestDatabase } from "./database.js";

const never = new AbortController().signal;
const EVERYTHING = { startMs: 0, endMs: 4e12 };

/**
 * Fails unless every trade between the first and the last stored one is stored once, as it happened.
 * @param grain what was collected; without it the venue's own: OKX tells single fills, Binance those of one taker order at one
 *   price together
 * @returns their number
 */
export async function expectTrueTrades(
  store: Store,
  truth: GroundTruth,
  market: StoredMarket,
  grain: TradeGrain = market.exchange === "okx" ? "raw" : "aggregated",
): Promise<number> {
  const { id: marketId, exchange, symbol } = market;
  const stored: StoredTrade[] = [];
  for await (const page of store.live.readTrades(marketId, EVERYTHING, never)) stored.push(...page);
  if (exchange === "okx" && grain === "aggregated") return expectTrueFills(stored, truth, market);
  const [first, last] = [stored[0], stored.at(-1)];
  if (!first || !last) return 0;
  const [fromMs, toMs] = [first.timeMs, last.timeMs + 1];
  const happened =
    grain === "raw"
      ? truth.trades(symbol, fromMs, toMs).map((each) => ({ ...each, fills: 1 }))
      : truth
          .aggregateTrades(symbol, fromMs, toMs)
          .map((each) => ({ ...each, fills: each.lastTradeId - each.firstTradeId + 1 }));
  const expected = happened
    .filter(({ id }) => id >= first.id && id <= last.id)
    .map(({ id, fills, timeMs, timeUs, side, price, qty }) => ({
      timeMs,
      microsecond: exchange === "binance" ? timeUs % 1_000 : 0,
      id,
      fills,
      side,
      price,
      qty,
    }));
  expect({ exchange, symbol, trades: stored }).toEqual({ exchange, symbol, trades: expected });
  return stored.length;
}

/** As {@link expectTrueTrades}, where some rows hold several fills and some, fetched by REST, each fill by itself. */
function expectTrueFills(
  stored: readonly StoredTrade[],
  truth: GroundTruth,
  { exchange, symbol }: StoredMarket,
): number {
  const rows = [...stored].sort((a, b) => a.id - b.id);
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return 0;
  const firstId = first.id - first.fills + 1;
  const fills = truth
    .trades(symbol, first.timeMs, last.timeMs + 1)
    .filter(({ id }) => id >= firstId && id <= last.id);
  const expected = rows.map(({ id, fills: count }) => {
    const own = fills.splice(0, count);
    const qty = new DecimalSum();
    for (const each of own) qty.add(each.qty);
    const [{ timeMs, side, price } = { timeMs: 0, side: "", price: "" }] = own;
    return { id, lastId: own.at(-1)?.id, timeMs, side, price, qty: qty.toDecimal() };
  });
  const found = rows.map(({ id, timeMs, side, price, qty }) => ({
    id,
    lastId: id,
    timeMs,
    side,
    price,
    qty,
  }));
  expect({ exchange, symbol, left: fills.length, trades: found }).toEqual({
    exchange,
    symbol,
    left: 0,
    trades: expected,
  });
  return rows.length;
}

/** Fails unless every stored book is the true one at its sequence. @returns their number */
export async function expectTrueBooks(
  store: Store,
  truth: GroundTruth,
  { id: marketId, exchange, symbol }: StoredMarket,
  levels: number,
): Promise<number> {
  let books = 0;
  for await (const page of store.live.readBooks(marketId, EVERYTHING, never)) {
    for (const { sequence, timeMs, bids, asks } of page) {
      const right = truth.bookAt(symbol, sequence, levels);
      const about = { exchange, symbol, sequence, timeMs };
      expect({ ...about, bids, asks }).toEqual({ ...about, bids: right.bids, asks: right.asks });
      books++;
    }
  }
  return books;
}

/** Fails unless every stored candle of a minute is the true one. @returns their number */
export async function expectTrueCandles(
  store: Store,
  truth: GroundTruth,
  { id: marketId, exchange, symbol }: StoredMarket,
): Promise<number> {
  const stored: StoredCandle[] = [];
  for await (const page of store.readCandles({ marketId, timeframe: "1m" }, EVERYTHING, never))
    stored.push(...page);
  const openTimes = new Set(stored.map(({ openTimeMs }) => openTimeMs));
  const textOf = (candle: Pick<StoredCandle, "openTimeMs" | "open" | "high" | "low" | "close" | "volume">) =>
    [candle.openTimeMs, candle.open, candle.high, candle.low, candle.close, candle.volume].join(" ");
  const happened = truth
    .candles(symbol, "1m", Math.min(...openTimes), Math.max(...openTimes) + 60_000)
    .filter(({ openTimeMs }) => openTimes.has(openTimeMs));
  const about = { exchange, symbol };
  expect({ ...about, candles: stored.map(textOf) }).toEqual({ ...about, candles: happened.map(textOf) });
  return stored.length;
}

/**
 * Fails unless ledger and rows agree, and every time without a book has its reason.
 * @param lost when the stage lost what it held: who was following knows nothing of that, and the ledger tells the hole alone
 */
export async function expectLivePartition(
  store: Store,
  database: TestDatabase,
  lost: TimeRange = { startMs: 0, endMs: 0 },
): Promise<void> {
  expect(await store.live.audit()).toEqual([]);
  const unexplained = await database.sql(
    `SELECT s.market_id, hole FROM series s
     CROSS JOIN LATERAL unnest(s.expected - coalesce((SELECT range_agg(tstzrange(c.start_time, c.end_time)) FROM coverage c
       WHERE c.market_id = s.market_id AND c.data_type = s.data_type), '{}')) AS hole
     WHERE s.data_type = 'orderbook' AND NOT tstzmultirange(hole) <@ (
       SELECT coalesce(range_agg(tstzrange(g.start_time, g.end_time)), '{}') FROM gap_log g
       WHERE g.market_id = s.market_id AND g.data_type = s.data_type)
       AND NOT hole <@ tstzrange($1, $2)`,
    [new Date(lost.startMs), new Date(lost.endMs)],
  );
  expect(unexplained).toEqual([]);
}
