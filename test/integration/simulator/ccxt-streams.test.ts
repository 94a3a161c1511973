// ccxt's own streaming clients on the simulated venues: what they understand of the streams is the truth.
import ccxt, { type OHLCV, type Trade } from "ccxt";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scaledClock } from "../../../src/core/clock.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import type { VenueName } from "../../../simulator/venue-name.js";

const MINUTE_MS = 60_000;
/** A minute of the exchange passes in a second. */
const FACTOR = 60;
const MINUTES = 4;
const UPDATES = 40;

type Client = InstanceType<typeof ccxt.pro.binance | typeof ccxt.pro.binanceusdm | typeof ccxt.pro.okx>;

let simulated: SimulatedExchange;
const clients = new Map<VenueName, Client>();

beforeAll(async () => {
  simulated = await startSimulatedExchange({
    seed: 21,
    clock: scaledClock({ startMs: Date.UTC(2026, 0, 1, 10), factor: FACTOR }),
  });
  const streams = simulated.url.replace(/^http/, "ws");
  const options = { enableRateLimit: false };
  const api = (client: Client): Record<string, string> => client.urls.api;
  const hosts = (client: Client): Record<string, string> => Reflect.get(api(client), "ws") as never;

  const spot = new ccxt.pro.binance({ ...options, options: { fetchMarkets: { types: ["spot"] } } });
  api(spot).public = `${simulated.url}/api/v3`;
  // ccxt knows spot by "/stream" in the address; the simulator does not read what follows the question mark.
  hosts(spot).spot = `${streams}/ws?as=/stream`;
  const futures = new ccxt.pro.binanceusdm(options);
  api(futures).fapiPublic = `${simulated.url}/fapi/v1`;
  hosts(futures).future = `${streams}/ws`;
  const okx = new ccxt.pro.okx(options);
  api(okx).rest = simulated.url;
  api(okx).ws = `${streams}/ws/v5`;
  clients.set("binance", spot).set("binanceusdm", futures).set("okx", okx);
  for (const client of clients.values()) {
    // Addresses without TLS need this.
    await client.loadHttpProxyAgent();
    await client.loadMarkets();
  }
});
afterAll(async () => {
  for (const client of clients.values()) await client.close();
  await simulated.close();
});

describe.each([
  ["binance", "BTC/USDT", 1],
  ["binanceusdm", "ETH/USDT:USDT", 1],
  ["okx", "BTC/USDT:USDT", 100],
] as const)("ccxt's streaming client of %s on %s", (venue, symbol, contractsACoin) => {
  const setting = () => {
    const client = clients.get(venue);
    if (!client) throw new Error(`no client ${venue}`);
    return { client, truth: simulated.venue(venue).truth };
  };
  const inContracts = (qty: string): number => Number((Number(qty) * contractsACoin).toFixed(6));

  it("keeps the true book, update by update", async () => {
    const { client, truth } = setting();
    const sequences = new Set<number>();
    for (let i = 0; i < UPDATES; i++) {
      const { nonce, bids, asks } = await client.watchOrderBook(symbol);
      const wanted = truth.bookAt(symbol, nonce ?? NaN);
      sequences.add(wanted.sequence);
      const numbers = (rows: typeof wanted.bids): number[][] =>
        rows.map(([price, qty]) => [Number(price), inContracts(qty)]);
      expect(wanted.sequence).toBe(nonce);
      expect({ bids: [...bids], asks: [...asks] }).toEqual({
        bids: numbers(wanted.bids),
        asks: numbers(wanted.asks),
      });
    }
    expect(sequences.size).toBeGreaterThan(UPDATES / 2);
  });

  it("hears every trade", async () => {
    const { client, truth } = setting();
    const [first] = await client.watchTrades(symbol);
    const fromMs = Number(first?.timestamp);
    let lastMs = fromMs;
    while (lastMs < fromMs + MINUTES * MINUTE_MS) {
      lastMs = Number((await client.watchTrades(symbol)).at(-1)?.timestamp);
    }
    // What was returned is what is new, and not all of it when messages come in bulk; this is what was heard.
    const trades = [...((client.trades as Record<string, Trade[]>)[symbol] ?? [])];
    const told = trades.map(({ id, timestamp, price, amount, side }) => ({
      id,
      timestamp,
      price,
      amount,
      side,
    }));
    const toMs = Number(told.at(-1)?.timestamp) + 1;
    // OKX joins the fills of an order, and names the last of them.
    const wanted = [
      ...(venue === "okx"
        ? truth.aggregateTrades(symbol, fromMs, toMs).map((each) => ({ ...each, id: each.lastTradeId }))
        : truth.trades(symbol, fromMs, toMs)),
    ].map(({ id, timeMs, price, qty, side }) => ({
      id: String(id),
      timestamp: timeMs,
      price: Number(price),
      amount: inContracts(qty),
      side,
    }));
    // The last message may have been read before its fellows of the same order came.
    expect(wanted.length - told.length).toBeLessThan(3);
    expect(told.length).toBeGreaterThan(20);
    expect(told).toEqual(wanted.slice(0, told.length));
  });

  it("ends up with the true candles", async () => {
    const { client, truth } = setting();
    const heard = (): OHLCV[] =>
      (client.ohlcvs as Record<string, Record<string, OHLCV[]>>)[symbol]?.["1m"] ?? [];
    while (heard().length < MINUTES) await client.watchOHLCV(symbol, "1m");
    const candles = [...heard()];
    const fromMs = Number(candles[0]?.[0]);
    const wanted = truth.candles(symbol, "1m", fromMs, fromMs + (MINUTES - 1) * MINUTE_MS);
    expect(wanted).toHaveLength(MINUTES - 1);
    expect(candles.slice(0, MINUTES - 1)).toEqual(
      wanted.map(({ openTimeMs, open, high, low, close, volume }) => [
        openTimeMs,
        ...[open, high, low, close, volume].map(Number),
      ]),
    );
  });
});
