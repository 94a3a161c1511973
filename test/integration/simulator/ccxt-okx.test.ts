import { okx } from "ccxt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import type { GroundTruth } from "../../../simulator/ground-truth.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";

const START_MS = Date.UTC(2024, 1, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Base units of one contract, as OKX has them. */
const CONTRACTS_A_COIN = { "BTC/USDT": 1, "BTC/USDT:USDT": 100, "ETH/USDT:USDT": 10 } as const;

describe("ccxt's own OKX client on the simulated exchange", () => {
  let simulated: SimulatedExchange;
  let truth: GroundTruth;
  let client: okx;

  beforeAll(async () => {
    simulated = await startSimulatedExchange({
      seed: 11,
      clock: systemClock,
      okx: { isLimited: false },
    });
    ({ truth } = simulated.venue("okx"));
    client = new okx({ enableRateLimit: false });
    (client.urls.api as Record<string, string>).rest = simulated.url;
    await client.loadMarkets();
  });
  afterAll(async () => {
    await client.close();
    await simulated.close();
  });

  it("lists spot and swaps with their grids, and not what was delisted", () => {
    const listed = simulated.venue("okx").symbols.filter((symbol) => symbol !== "XMR/USDT");
    expect(Object.keys(client.markets ?? {}).sort()).toEqual([...listed].sort());
    expect(client.market("BTC/USDT")).toMatchObject({
      id: "BTC-USDT",
      spot: true,
      active: true,
      precision: { price: 0.1, amount: 0.000001 },
    });
    expect(client.market("BTC/USDT:USDT")).toMatchObject({
      id: "BTC-USDT-SWAP",
      swap: true,
      linear: true,
      contractSize: 0.01,
      precision: { price: 0.1, amount: 0.01 },
    });
    expect(client.market("ETH/USDT:USDT").contractSize).toBe(0.1);
    expect(client.market("WIF/USDT").created).toBe(truth.listedMs("WIF/USDT"));
  });

  it("reads the exchange's clock", async () => {
    expect(Math.abs(((await client.fetchTime()) ?? NaN) - systemClock.nowMs())).toBeLessThan(5_000);
  });

  it.each([
    ["BTC/USDT", "1m"],
    ["BTC/USDT:USDT", "15m"],
    ["ETH/USDT:USDT", "1h"],
    ["ETH/USDT:USDT", "6h"],
    ["BTC/USDT", "1d"],
  ] as const)("fetches %s %s candles page by page, equal to the truth", async (symbol, timeframe) => {
    const stepMs = client.parseTimeframe(timeframe) * 1_000;
    const pages = [
      await client.fetchOHLCV(symbol, timeframe, START_MS, 40),
      await client.fetchOHLCV(symbol, timeframe, START_MS + 40 * stepMs, 25),
    ];
    const wanted = truth.candles(symbol, timeframe, START_MS, START_MS + 65 * stepMs);
    expect(wanted).toHaveLength(65);
    // ccxt's volume of a swap is OKX's volCcy: base units.
    expect(pages.flat()).toEqual(
      wanted.map(({ openTimeMs, open, high, low, close, volume }) => [
        openTimeMs,
        ...[open, high, low, close, volume].map(Number),
      ]),
    );
  });

  it("fetches the latest candles, the forming one last", async () => {
    const candles = await client.fetchOHLCV("ETH/USDT", "1m", undefined, 300);
    expect(candles).toHaveLength(300);
    const [fromMs, lastMs] = [Number(candles[0]?.[0]), Number(candles.at(-1)?.[0])];
    expect(lastMs - fromMs).toBe(299 * MINUTE_MS);
    const wanted = truth.candles("ETH/USDT", "1m", fromMs, lastMs);
    expect(candles.slice(0, -1).map((candle) => candle[4])).toEqual(wanted.map(({ close }) => Number(close)));
  });

  it.each(["BTC/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"] as const)(
    "pages back through the trades of %s, equal to the truth",
    async (symbol) => {
      const method = "publicGetMarketHistoryTrades";
      const newest = await client.fetchTrades(symbol, undefined, 100, { method });
      const older = await client.fetchTrades(symbol, undefined, 100, { method, after: newest[0]?.id });
      const trades = [...older, ...newest];
      const lastMs = trades.at(-1)?.timestamp ?? NaN;
      const wanted = truth.trades(symbol, lastMs - 2 * HOUR_MS, lastMs + 1).slice(-200);
      expect(trades.map(({ id, timestamp, price, side }) => ({ id, timestamp, price, side }))).toEqual(
        wanted.map((trade) => ({
          id: String(trade.id),
          timestamp: trade.timeMs,
          price: Number(trade.price),
          side: trade.side,
        })),
      );
      const scale = CONTRACTS_A_COIN[symbol];
      expect(trades.map(({ amount }) => Number(amount?.toFixed(8)))).toEqual(
        wanted.map(({ qty }) => Number((Number(qty) * scale).toFixed(8))),
      );
    },
  );

  it("fetches an order book and tickers around the last price", async () => {
    const book = await client.fetchOrderBook("BTC/USDT:USDT", 50);
    const ticker = await client.fetchTicker("BTC/USDT:USDT");
    const tickers = await client.fetchTickers(undefined, { type: "spot" });
    expect([book.bids.length, book.asks.length]).toEqual([50, 50]);
    const [bid, ask] = [Number(book.bids[0]?.[0]), Number(book.asks[0]?.[0])];
    expect(bid).toBeLessThan(ask);
    // The minute may turn between the two questions; the market does not move by a percent in it.
    expect(Math.abs(Number(ticker.last) / bid - 1)).toBeLessThan(0.01);
    expect(Object.keys(tickers).sort()).toEqual(["BTC/USDT", "ETH/USDT", "SOL/USDT", "WIF/USDT"]);
  });

  it("is told of a symbol that does not exist in a way it understands", async () => {
    const asked = client.fetchOHLCV("BTC/USDT", "1m", START_MS, 1, { instId: "XMR-USDT" });
    await expect(asked).rejects.toMatchObject({ name: "BadSymbol" });
  });

  it("is told of no maintenance", async () => {
    expect(await client.fetchStatus()).toMatchObject({ status: "ok" });
  });

  it("is answered nothing but what it understands", () => {
    expect(simulated.requests.count({ endpoint: "unknown" })).toBe(0);
  });
});
