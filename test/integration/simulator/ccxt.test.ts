import { binance } from "ccxt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";

const START_MS = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;

describe("ccxt's own client on the simulated exchange", () => {
  let simulated: SimulatedExchange;
  let client: binance;

  beforeAll(async () => {
    simulated = await startSimulatedExchange({
      seed: 11,
      clock: systemClock,
      faults: {
        faults: [{ kind: "outage", from: START_MS + 20 * MINUTE_MS, to: START_MS + 30 * MINUTE_MS }],
      },
    });
    client = new binance({
      enableRateLimit: false,
      options: { defaultType: "spot" },
    });
    // Markets of spot only: the others have hosts of their own, which are not simulated.
    (client.options as Record<string, unknown>).fetchMarkets = { types: ["spot"] };
    (client.urls.api as Record<string, string>).public = `${simulated.url}/api/v3`;
    await client.loadMarkets();
  });
  afterAll(async () => {
    await client.close();
    await simulated.close();
  });

  it("lists the markets with their grids, and knows the suspended one", () => {
    expect(Object.keys(client.markets ?? {}).sort()).toEqual([...simulated.symbols].sort());
    expect(client.market("BTC/USDT")).toMatchObject({
      id: "BTCUSDT",
      spot: true,
      active: true,
      precision: { price: 0.01, amount: 0.00001 },
      limits: { cost: { min: 5 } },
    });
    expect(client.market("LUNA/USDT").active).toBe(false);
  });

  it("reads the exchange's clock", async () => {
    const serverMs = await client.fetchTime();
    expect(Math.abs((serverMs ?? NaN) - systemClock.nowMs())).toBeLessThan(5_000);
  });

  it.each(["1m", "15m", "1h", "1d", "1w"] as const)(
    "fetches %s candles equal to the truth",
    async (timeframe) => {
      const candles = await client.fetchOHLCV("ETH/USDT", timeframe, START_MS, 40);
      const lastMs = Number(candles.at(-1)?.[0]);
      const truth = simulated.truth.candles("ETH/USDT", timeframe, START_MS, lastMs + 1);
      expect(candles).toHaveLength(40);
      expect(candles).toEqual(
        truth.map(({ openTimeMs, open, high, low, close, volume }) => [
          openTimeMs,
          ...[open, high, low, close, volume].map(Number),
        ]),
      );
    },
  );

  it("pages through trades equal to the truth", async () => {
    const endMs = START_MS + 60 * MINUTE_MS;
    const trades = await client.fetchTrades("SOL/USDT", START_MS, 1_000, { until: endMs - 1 });
    const truth = simulated.truth.trades("SOL/USDT", START_MS, endMs);
    const firstOfAggregate = truth.filter((trade, i) => trade.aggregateId !== truth[i - 1]?.aggregateId);
    expect(trades.length).toBeGreaterThan(100);
    expect(trades.map(({ id, timestamp, price, side }) => ({ id, timestamp, price, side }))).toEqual(
      firstOfAggregate.map((trade) => ({
        id: String(trade.aggregateId),
        timestamp: trade.timeMs,
        price: Number(trade.price),
        side: trade.side,
      })),
    );
  });

  it("fetches an order book and a ticker around the last price", async () => {
    const book = await client.fetchOrderBook("BTC/USDT", 50);
    const ticker = await client.fetchTicker("BTC/USDT");
    expect(book.bids).toHaveLength(50);
    expect(book.asks).toHaveLength(50);
    const [bid, ask] = [Number(book.bids[0]?.[0]), Number(book.asks[0]?.[0])];
    expect(bid).toBeLessThan(ask);
    // The minute may turn between the two questions; the market does not move by a percent in it.
    expect(Math.abs(Number(ticker.last) / bid - 1)).toBeLessThan(0.01);
    expect(Number(ticker.high)).toBeGreaterThanOrEqual(Number(ticker.low));
  });

  it("is told of a symbol that does not exist in a way it understands", async () => {
    const asked = client.fetchOHLCV("BTC/USDT", "1m", START_MS, 1, { symbol: "NOPEUSDT" });
    await expect(asked).rejects.toMatchObject({ name: "BadSymbol" });
  });

  it("is answered nothing but what it understands", () => {
    expect(simulated.requests.count({ endpoint: "unknown" })).toBe(0);
  });
});
