import { binanceusdm } from "ccxt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import type { GroundTruth } from "../../../simulator/ground-truth.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";

const START_MS = Date.UTC(2024, 1, 1);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

describe("ccxt's own USDⓈ-M client on the simulated exchange", () => {
  let simulated: SimulatedExchange;
  let truth: GroundTruth;
  let client: binanceusdm;

  beforeAll(async () => {
    simulated = await startSimulatedExchange({ seed: 11, clock: systemClock });
    ({ truth } = simulated.venue("binanceusdm"));
    client = new binanceusdm({ enableRateLimit: false });
    (client.urls.api as Record<string, string>).fapiPublic = `${simulated.url}/fapi/v1`;
    await client.loadMarkets();
  });
  afterAll(async () => {
    await client.close();
    await simulated.close();
  });

  it("lists linear perpetuals with their grids and the day they were listed", () => {
    expect(Object.keys(client.markets ?? {}).sort()).toEqual(
      [...simulated.venue("binanceusdm").symbols].sort(),
    );
    expect(client.market("BTC/USDT:USDT")).toMatchObject({
      id: "BTCUSDT",
      swap: true,
      linear: true,
      active: true,
      contractSize: 1,
      precision: { price: 0.1, amount: 0.001 },
    });
    expect(client.market("WIF/USDT:USDT").created).toBe(truth.listedMs("WIF/USDT:USDT"));
  });

  it("reads the exchange's clock", async () => {
    expect(Math.abs(((await client.fetchTime()) ?? NaN) - systemClock.nowMs())).toBeLessThan(5_000);
  });

  it.each(["1m", "1h", "1d"] as const)(
    "fetches %s candles page by page, equal to the truth and to no other venue's",
    async (timeframe) => {
      const stepMs = client.parseTimeframe(timeframe) * 1_000;
      const candles = [
        ...(await client.fetchOHLCV("BTC/USDT:USDT", timeframe, START_MS, 40)),
        ...(await client.fetchOHLCV("BTC/USDT:USDT", timeframe, START_MS + 40 * stepMs, 25)),
      ];
      const rows = (from: GroundTruth, symbol: string) =>
        from
          .candles(symbol, timeframe, START_MS, START_MS + 65 * stepMs)
          .map(({ openTimeMs, open, high, low, close, volume }) => [
            openTimeMs,
            ...[open, high, low, close, volume].map(Number),
          ]);
      expect(candles).toHaveLength(65);
      expect(candles).toEqual(rows(truth, "BTC/USDT:USDT"));
      expect(candles).not.toEqual(rows(simulated.truth, "BTC/USDT"));
      expect(candles).not.toEqual(rows(simulated.venue("okx").truth, "BTC/USDT:USDT"));
    },
  );

  it("pages through the trades of the last hours by id, equal to the truth", async () => {
    const fromMs = systemClock.nowMs() - 3 * HOUR_MS;
    const first = await client.fetchTrades("ETH/USDT:USDT", fromMs, 100, {
      until: fromMs + 30 * MINUTE_MS,
    });
    const next = await client.fetchTrades("ETH/USDT:USDT", undefined, 50, {
      fromId: Number(first.at(-1)?.id) + 1,
    });
    const trades = [...first, ...next];
    const all = truth.trades("ETH/USDT:USDT", fromMs, fromMs + 2 * HOUR_MS);
    const aggregates = all
      .filter((trade, i) => trade.aggregateId !== all[i - 1]?.aggregateId)
      .slice(0, trades.length);
    expect(trades.length).toBeGreaterThan(100);
    expect(trades.map(({ id, timestamp, price, side }) => ({ id, timestamp, price, side }))).toEqual(
      aggregates.map((trade) => ({
        id: String(trade.aggregateId),
        timestamp: trade.timeMs,
        price: Number(trade.price),
        side: trade.side,
      })),
    );
  });

  it("is refused trades older than two days, and times more than an hour apart", async () => {
    const refusal = async (query: string): Promise<unknown> => {
      const answer = await fetch(`${simulated.url}/fapi/v1/aggTrades?symbol=BTCUSDT&${query}`);
      return [answer.status, ((await answer.json()) as { code: number }).code];
    };
    const nowMs = systemClock.nowMs();
    expect(await refusal(`startTime=${nowMs - 49 * HOUR_MS}`)).toEqual([400, -4166]);
    expect(await refusal("fromId=0")).toEqual([400, -4166]);
    expect(await refusal(`startTime=${nowMs - 2 * HOUR_MS}&endTime=${nowMs}`)).toEqual([400, -1127]);
  });

  it("is told of a symbol that does not exist in a way it understands", async () => {
    const asked = client.fetchOHLCV("BTC/USDT:USDT", "1m", START_MS, 1, { symbol: "NOPEUSDT" });
    await expect(asked).rejects.toMatchObject({ name: "BadSymbol" });
  });

  it("is answered nothing but what it understands", () => {
    expect(simulated.requests.count({ endpoint: "unknown" })).toBe(0);
  });
});
