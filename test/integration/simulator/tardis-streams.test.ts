// tardis-dev's real-time streams on the simulated venues: what it makes of them is the truth. The address of a stream is
// overridden as its documents say, by WSS_URL_<EXCHANGE>; that of its snapshots by REST is a property of its feeds.
import {
  normalizeBookChanges,
  normalizeTrades,
  streamNormalized,
  type BookChange,
  type Trade,
} from "tardis-dev";
import { setRealTimeFeedFactory } from "tardis-dev/dist/realtimefeeds/index.js";
import { BinanceFuturesRealTimeFeed, BinanceRealTimeFeed } from "tardis-dev/dist/realtimefeeds/binance.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scaledClock } from "../../../src/core/clock.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";

const FACTOR = 20;
const TRADES = 40;
const CHANGES = 200;

let simulated: SimulatedExchange;
const environment = { ...process.env };

beforeAll(async () => {
  simulated = await startSimulatedExchange({
    seed: 31,
    clock: scaledClock({ startMs: Date.UTC(2026, 0, 1, 10), factor: FACTOR }),
  });
  const { url } = simulated;
  const streams = url.replace(/^http/, "ws");
  process.env.WSS_URL_BINANCE = `${streams}/stream?timeUnit=microsecond`;
  process.env.WSS_URL_BINANCE_FUTURES = `${streams}/public/stream`;
  class SpotFeed extends BinanceRealTimeFeed {
    protected override httpURL = `${url}/api/v3`;
  }
  class FuturesFeed extends BinanceFuturesRealTimeFeed {
    protected override httpURL = `${url}/fapi/v1`;
  }
  setRealTimeFeedFactory("binance", SpotFeed);
  setRealTimeFeedFactory("binance-futures", FuturesFeed);
});
afterAll(async () => {
  process.env = environment;
  await simulated.close();
});

describe.each([
  ["binance", "binance", "BTCUSDT"],
  ["binance-futures", "binanceusdm", "ETHUSDT"],
  ["okex", "okx", "BTC-USDT"],
] as const)("tardis-dev's %s on the simulated %s", (exchange, venue, symbol) => {
  it("hears every trade", async () => {
    // It takes single trades, of the channel trades-all, and has one address for both of OKX's paths.
    process.env.WSS_URL_OKEX = `${simulated.url.replace(/^http/, "ws")}/ws/v5/business`;
    const trades: Trade[] = [];
    const stream = streamNormalized({ exchange, symbols: [symbol] }, normalizeTrades);
    for await (const message of stream) {
      if (message.type === "trade") trades.push(message);
      if (trades.length === TRADES) break;
    }
    const { truth } = simulated.venue(venue);
    const fromMs = Number(trades[0]?.timestamp);
    const toMs = Number(trades.at(-1)?.timestamp) + 1;
    const wanted = truth.trades(symbol, fromMs, toMs);
    expect(
      trades.map(({ id, price, amount, side, timestamp }) => [id, price, amount, side, Number(timestamp)]),
    ).toEqual(
      wanted
        .slice(0, TRADES)
        .map(({ id, price, qty, side, timeMs }) => [String(id), Number(price), Number(qty), side, timeMs]),
    );
  });

  it("keeps the true book", async () => {
    process.env.WSS_URL_OKEX = `${simulated.url.replace(/^http/, "ws")}/ws/v5/public`;
    const bids = new Map<number, number>();
    const asks = new Map<number, number>();
    let changes = 0;
    const { truth } = simulated.venue(venue);
    const stream = streamNormalized({ exchange, symbols: [symbol] }, normalizeBookChanges);
    for await (const message of stream) {
      if (message.type !== "book_change") continue;
      apply(message, bids, asks);
      // A snapshot by REST names no time; a change is of the book at its time.
      if (!message.isSnapshot) {
        changes++;
        const wanted = truth.bookAt(symbol, truth.bookSequenceAt(symbol, Number(message.timestamp)) ?? NaN);
        expect({ bids: sorted(bids, -1), asks: sorted(asks, 1) }).toEqual({
          bids: wanted.bids.map((level) => level.map(Number)),
          asks: wanted.asks.map((level) => level.map(Number)),
        });
      }
      if (changes === CHANGES) break;
    }
  });
});

function apply(change: BookChange, bids: Map<number, number>, asks: Map<number, number>): void {
  if (change.isSnapshot) {
    bids.clear();
    asks.clear();
  }
  for (const [side, levels] of [
    [bids, change.bids],
    [asks, change.asks],
  ] as const) {
    for (const { price, amount } of levels) {
      if (amount === 0) side.delete(price);
      else side.set(price, amount);
    }
  }
}

function sorted(side: ReadonlyMap<number, number>, sign: number): number[][] {
  return [...side].sort(([a], [b]) => sign * (a - b));
}
