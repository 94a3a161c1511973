// The WebSocket protocols of the simulated venues, as a bare client sees them.
import { afterEach, describe, expect, it } from "vitest";
import { scaledClock } from "../../../src/core/clock.js";
import {
  startSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../../../simulator/simulated-exchange.js";
import { until } from "../../support/until.js";
import { openStreamClient, type StreamClient } from "./stream-client.js";

const START_MS = Date.UTC(2026, 0, 1, 0, 0, 30);
const MINUTE_MS = 60_000;

let simulated: SimulatedExchange | undefined;
const clients: StreamClient[] = [];

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.terminate();
  await simulated?.close();
  simulated = undefined;
});

async function start(
  factor: number,
  options: Partial<SimulatedExchangeOptions> = {},
): Promise<SimulatedExchange> {
  simulated = await startSimulatedExchange({
    seed: 5,
    clock: scaledClock({ startMs: START_MS, factor }),
    ...options,
  });
  return simulated;
}

async function open(path: string): Promise<StreamClient> {
  if (!simulated) throw new Error("start it first");
  const client = await openStreamClient(simulated, path);
  clients.push(client);
  return client;
}

const isData = (text: string): boolean => text.includes('"data"') || text.includes('"e":');

describe("Binance's streams", () => {
  it("acknowledges requests, lists subscriptions, and refuses by code", async () => {
    await start(1);
    const client = await open("/stream?streams=btcusdt@aggTrade/btcusdt@bookTicker");
    client.send({ method: "LIST_SUBSCRIPTIONS", id: 1 });
    client.send("{");
    client.send({ method: "SHOUT", id: 2 });
    client.send({ method: "SET_PROPERTY", params: ["colour", true], id: "x3" });
    const isAnswer = (text: string): boolean => !text.startsWith('{"stream"');
    expect(await client.take(4, isAnswer)).toMatchObject([
      { result: ["btcusdt@aggTrade", "btcusdt@bookTicker"], id: 1 },
      { code: 3 },
      { code: 2 },
      { code: 0, id: "x3" },
    ]);
    const [wrapped] = await client.take(1, (text) => text.includes('@bookTicker","data"'));
    expect(wrapped).toMatchObject({ stream: "btcusdt@bookTicker", data: { s: "BTCUSDT" } });
  });

  it("turns wrapping on and off, and ends what is unsubscribed", async () => {
    await start(1);
    const client = await open("/ws");
    client.send({ method: "SUBSCRIBE", params: ["ethusdt@bookTicker", "nobody@trade"], id: 7 });
    client.send({ method: "SET_PROPERTY", params: ["combined", true], id: null });
    const [subscribed, property] = await client.take(2, (text) => text.includes('"result"'));
    expect([subscribed, property]).toEqual([
      { result: null, id: 7 },
      { result: null, id: null },
    ]);
    await client.take(1, (text) => text.startsWith('{"stream":"ethusdt@bookTicker"'));
    client.send({ method: "UNSUBSCRIBE", params: ["ethusdt@bookTicker"], id: 8 });
    await client.take(1, (text) => text === '{"result":null,"id":8}');
    const after = client.texts.length;
    client.send({ method: "LIST_SUBSCRIPTIONS", id: 9 });
    const [list] = await client.take(1, (text) => text.includes('"id":9'));
    expect(list).toEqual({ result: ["nobody@trade"], id: 9 });
    expect(client.texts.slice(after).filter(isData)).toEqual([]);
  });

  it("tells every trade and every closed candle once, also those of minutes without a trade", async () => {
    const { truth } = await start(60);
    const client = await open(
      "/stream?streams=btcusdt@aggTrade/btcusdt@trade/qkcbtc@kline_1m&timeUnit=MICROSECOND",
    );
    const fromMs = Number(START_MS) + MINUTE_MS;
    const minutes = 12;
    const isClosed = (text: string): boolean => text.includes('"x":true');
    const closed = (await client.take(minutes, isClosed)) as { data: { k: Record<string, unknown> } }[];
    const wanted = truth.candles(
      "QKC/BTC",
      "1m",
      START_MS - (START_MS % MINUTE_MS),
      fromMs + minutes * MINUTE_MS,
    );
    expect(closed.map(({ data: { k } }) => [Number(k.t) / 1_000, Number(k.c), k.n])).toEqual(
      wanted
        .slice(0, minutes)
        .map(({ openTimeMs, close, tradeCount }) => [openTimeMs, Number(close), tradeCount]),
    );
    expect(wanted.slice(0, minutes).some(({ tradeCount }) => tradeCount === 0)).toBe(true);

    const toMs = fromMs + 8 * MINUTE_MS;
    const told = (e: string) =>
      client.texts
        .map((text) => JSON.parse(text) as { data: Record<string, unknown> })
        .map(({ data }) => data)
        .filter((data) => data.e === e && Number(data.T) >= fromMs * 1_000 && Number(data.T) < toMs * 1_000);
    const trades = truth.trades("BTC/USDT", fromMs, toMs);
    expect(trades.length).toBeGreaterThan(50);
    expect(told("trade").map(({ t, p, q, T, m }) => [t, Number(p), Number(q), T, m])).toEqual(
      trades.map(({ id, price, qty, timeUs, side }) => [
        id,
        Number(price),
        Number(qty),
        timeUs,
        side === "sell",
      ]),
    );
    const aggregates = truth.aggregateTrades("BTC/USDT", fromMs, toMs);
    expect(told("aggTrade").map(({ a, f, l, q, T }) => [a, f, l, Number(q), T])).toEqual(
      aggregates.map(({ id, firstTradeId, lastTradeId, qty, timeUs }) => [
        id,
        firstTradeId,
        lastTradeId,
        Number(qty),
        timeUs,
      ]),
    );
    const url = `${simulated?.url ?? ""}/api/v3/aggTrades?symbol=BTCUSDT&fromId=${aggregates[0]?.id ?? 0}&limit=3`;
    const asked = await fetch(url, { headers: { "X-MBX-TIME-UNIT": "MICROSECOND" } });
    expect(((await asked.json()) as { T: number }[]).map(({ T }) => T)).toEqual(
      aggregates.slice(0, 3).map(({ timeUs }) => timeUs),
    );
  });

  it("serves a REST snapshot that falls into the chain of its stream", async () => {
    const { truth, url } = await start(10);
    const client = await open("/ws/ethusdt@depth@100ms");
    await client.take(5, isData);
    const snapshot = (await (await fetch(`${url}/api/v3/depth?symbol=ETHUSDT&limit=5000`)).json()) as {
      lastUpdateId: number;
      bids: [string, string][];
    };
    const wanted = truth.bookAt("ETH/USDT", snapshot.lastUpdateId);
    expect(wanted.sequence).toBe(snapshot.lastUpdateId);
    expect(snapshot.bids.map(([price]) => Number(price))).toEqual(
      wanted.bids.map(([price]) => Number(price)),
    );
    const reached = (text: string): boolean =>
      Number((JSON.parse(text) as { u?: number }).u) > snapshot.lastUpdateId;
    const [event] = (await client.take(1, reached)) as { U: number; u: number }[];
    expect(event?.U).toBeLessThanOrEqual(snapshot.lastUpdateId + 1);
  });

  it("pings, and drops who does not answer", async () => {
    // A pong is due within a second: a busy machine manages that.
    const { url } = await start(60);
    const answering = await open("/ws/btcusdt@bookTicker");
    const silent = await openStreamClient({ url } as SimulatedExchange, "/ws/btcusdt@bookTicker", {
      autoPong: false,
    });
    clients.push(silent);
    await until(() => silent.closed() !== undefined, { timeoutMs: 10_000 });
    expect(silent.closed()?.[0]).toBe(1_008);
    expect(answering.pings()).toBeGreaterThan(2);
    expect(answering.closed()).toBeUndefined();
  });

  it("drops who sends more than five messages a second", async () => {
    await start(1);
    const client = await open("/ws/btcusdt@trade");
    for (let id = 0; id < 6; id++) client.send({ method: "LIST_SUBSCRIPTIONS", id });
    await until(() => client.closed() !== undefined);
    expect(client.closed()?.[0]).toBe(1_008);
  });

  it("ends a connection after a day, and not before", async () => {
    let nowMs = START_MS;
    await start(1, { clock: { nowMs: () => nowMs, sleep: () => Promise.resolve() } });
    const client = await open("/ws/nobody@trade");
    nowMs += 24 * 60 * MINUTE_MS - 1;
    await until(() => client.pings() === 1);
    expect(client.closed()).toBeUndefined();
    nowMs += 1;
    await until(() => client.closed() !== undefined);
    expect(client.closed()?.[0]).toBe(1_001);
    expect(simulated?.streams()).toEqual([]);
  });

  it("serves USDⓈ-M by category, and says nothing on the wrong one", async () => {
    await start(10, { exchanges: ["binanceusdm"] });
    const market = await open("/market/stream?streams=btcusdt@aggTrade/btcusdt@kline_1m/btcusdt@depth");
    const books = await open(
      "/public/stream?streams=btcusdt@depth@100ms/btcusdt@bookTicker/btcusdt@aggTrade",
    );
    const legacy = await open("/stream?streams=btcusdt@aggTrade");
    legacy.send({ method: "SUBSCRIBE", params: ["btcusdt@depth"], id: 1 });
    await market.take(1, (text) => text.includes("aggTrade"));
    await market.take(1, (text) => text.includes("kline"));
    await books.take(20, (text) => text.includes("depthUpdate"));
    await books.take(20, (text) => text.includes("bookTicker"));
    expect(market.texts.filter((text) => text.includes("depth"))).toEqual([]);
    expect(books.texts.filter((text) => text.includes("aggTrade"))).toEqual([]);
    expect(legacy.texts).toEqual(['{"result":null,"id":1}']);
  });
});

describe("OKX's channels", () => {
  it("acknowledges each argument with the id and a connection id, and refuses by code", async () => {
    await start(1);
    const client = await open("/ws/v5/public");
    const args = [
      { channel: "trades", instId: "BTC-USDT" },
      { channel: "books", instId: "NOBODY-USDT" },
      { channel: "candle1m", instId: "BTC-USDT" },
      { channel: "instruments", instType: "SWAP" },
    ];
    client.send({ id: "a1", op: "subscribe", args });
    client.send("hello");
    client.send("ping");
    const answers = await client.take(5, (text) => text.includes('"event"'));
    expect(answers).toMatchObject([
      { id: "a1", event: "subscribe", arg: args[0] },
      { id: "a1", event: "error", code: "60018" },
      { id: "a1", event: "error", code: "60018" },
      { id: "a1", event: "subscribe", arg: args[3] },
      { event: "error", code: "60012" },
    ]);
    expect(new Set(answers.map(({ connId }) => connId)).size).toBe(1);
    await until(() => client.texts.includes("pong"));
    const [instruments] = await client.take(1, (text) => text.startsWith('{"arg":{"channel":"instruments"'));
    expect(instruments?.data).toMatchObject([{ instId: "BTC-USDT-SWAP" }, { instId: "ETH-USDT-SWAP" }]);
    client.send({ op: "unsubscribe", args: [args[0]] });
    await client.take(1, (text) => text.includes('"event":"unsubscribe"'));
  });

  it("tells every trade joined and single, and every closed candle", async () => {
    const exchange = await start(60);
    const { truth } = exchange.venue("okx");
    const joined = await open("/ws/v5/public");
    const single = await open("/ws/v5/business");
    const instId = "BTC-USDT-SWAP";
    joined.send({ op: "subscribe", args: [{ channel: "trades", instId }] });
    single.send({
      op: "subscribe",
      args: [
        { channel: "trades-all", instId },
        { channel: "candle1m", instId },
      ],
    });
    const closed = (await single.take(8, (text) => text.includes('"1"]]'))) as { data: string[][] }[];
    const fromMs = Number(closed[0]?.data[0]?.[0]);
    const wanted = truth.candles("BTC/USDT:USDT", "1m", fromMs, fromMs + 8 * MINUTE_MS);
    expect(closed.map(({ data: [row = []] }) => [Number(row[0]), Number(row[4]), Number(row[6])])).toEqual(
      wanted.map(({ openTimeMs, close, volume }) => [openTimeMs, Number(close), Number(volume)]),
    );
    const [tradesFrom, tradesTo] = [fromMs + MINUTE_MS, fromMs + 7 * MINUTE_MS];
    const told = (client: StreamClient) =>
      client.texts
        .filter((text) => text.includes('"channel":"trades') && text.includes('"data"'))
        .map((text) => (JSON.parse(text) as { data: [Record<string, string>] }).data[0])
        .filter(({ ts }) => Number(ts) >= tradesFrom && Number(ts) < tradesTo);
    const trades = truth.trades("BTC/USDT:USDT", tradesFrom, tradesTo);
    expect(
      told(single).map(({ tradeId, px, sz, side }) => [Number(tradeId), Number(px), Number(sz), side]),
    ).toEqual(
      trades.map(({ id, price, qty, side }) => [
        id,
        Number(price),
        Number((Number(qty) * 100).toFixed(4)),
        side,
      ]),
    );
    const aggregates = truth.aggregateTrades("BTC/USDT:USDT", tradesFrom, tradesTo);
    expect(told(joined).map(({ tradeId, count }) => [Number(tradeId), Number(count)])).toEqual(
      aggregates.map(({ firstTradeId, lastTradeId }) => [lastTradeId, lastTradeId - firstTradeId + 1]),
    );
  });

  it("drops a connection on which nothing is said for 30 s, unless it pings", async () => {
    await start(100);
    const silent = await open("/ws/v5/public");
    const pinging = await open("/ws/v5/public");
    await until(() => {
      if (pinging.closed() === undefined) pinging.send("ping");
      return silent.closed() !== undefined;
    });
    expect(silent.closed()?.[0]).toBe(4_004);
    expect(pinging.closed()).toBeUndefined();
  });

  it("takes three new connections a second", async () => {
    await start(1);
    const attempts = await Promise.allSettled(Array.from({ length: 5 }, () => open("/ws/v5/public")));
    expect(attempts.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(simulated?.requests.count({ endpoint: "/ws/v5/public", end: 429 })).toBe(2);
  });

  it("drops a client that does not read", async () => {
    const exchange = await start(600, { exchanges: ["okx"] });
    const client = await open("/ws/v5/public");
    const instIds = ["BTC-USDT", "ETH-USDT", "SOL-USDT", "BTC-USDT-SWAP", "ETH-USDT-SWAP", "WIF-USDT"];
    client.send({ op: "subscribe", args: instIds.map((instId) => ({ channel: "books", instId })) });
    await client.take(1, (text) => text.includes("snapshot"));
    client.socket.pause();
    await until(() => exchange.streams().length === 0, { timeoutMs: 30_000 });
    client.socket.resume();
    await until(() => client.closed() !== undefined);
  });

  it("writes the same book by REST", async () => {
    const exchange = await start(1);
    const url = `${exchange.url}/api/v5/market/books?instId=BTC-USDT-SWAP&sz=5`;
    const { data } = (await (await fetch(url)).json()) as {
      data: [{ seqId: number; bids: string[][]; asks: string[][] }];
    };
    const { bids, asks } = exchange.venue("okx").truth.bookAt("BTC/USDT:USDT", data[0].seqId, 5);
    const numbers = (rows: readonly (readonly string[])[], scale: number): number[][] =>
      rows.map(([price, qty]) => [Number(price), Number((Number(qty) * scale).toFixed(4))]);
    expect(numbers(data[0].bids, 1)).toEqual(numbers(bids, 100));
    expect(numbers(data[0].asks, 1)).toEqual(numbers(asks, 100));
  });
});
