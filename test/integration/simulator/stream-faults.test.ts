// What the fault plan does to streams, as a bare client sees it, and that each strike is counted.
import { afterEach, describe, expect, it } from "vitest";
import { scaledClock } from "../../../src/core/clock.js";
import type { FaultPlanInput } from "../../../simulator/fault-plan.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { until } from "../../support/until.js";
import { openStreamClient, type StreamClient } from "./stream-client.js";

const START_MS = Date.UTC(2026, 0, 1, 0, 0, 30);

type Fault = FaultPlanInput["faults"][number];

let simulated: SimulatedExchange;
const clients: StreamClient[] = [];

afterEach(async () => {
  for (const { socket } of clients.splice(0)) socket.terminate();
  await simulated.close();
});

async function start(faults: Fault[], factor = 10, checksums = false): Promise<void> {
  simulated = await startSimulatedExchange({
    seed: 5,
    clock: scaledClock({ startMs: START_MS, factor }),
    faults: { faults },
    okx: { checksums },
  });
}

async function open(path: string, isRefusable = false): Promise<StreamClient> {
  const client = await openStreamClient(simulated, path);
  if (!isRefusable) clients.push(client);
  return client;
}

const BOOK = "/ws/btcusdt@depth@100ms";

interface DepthEvent {
  readonly U: number;
  readonly u: number;
}

async function depth(client: StreamClient, count: number): Promise<DepthEvent[]> {
  return (await client.take(count, (text) =>
    text.startsWith('{"e":"depthUpdate"'),
  )) as unknown as DepthEvent[];
}

async function books(channel = "books"): Promise<StreamClient> {
  const client = await open("/ws/v5/public");
  client.send({ op: "subscribe", args: [{ channel, instId: "BTC-USDT" }] });
  return client;
}

interface BooksData {
  readonly prevSeqId: number;
  readonly seqId: number;
  readonly checksum: number;
}

async function pushes(client: StreamClient, count: number): Promise<BooksData[]> {
  const found = await client.take(count, (text) => text.includes('"action"'));
  return found.map(({ data }) => (data as [BooksData])[0]);
}

/** Where an event does not continue the one before. */
function breaks(events: readonly DepthEvent[]): number[] {
  return events.flatMap(({ U }, i) => (i > 0 && U !== (events[i - 1]?.u ?? 0) + 1 ? [i] : []));
}

describe("faults of connections", () => {
  it("refuses an upgrade, and takes the next one", async () => {
    await start([{ kind: "ws_refuse", exchange: "binance", status: 503, count: 1 }]);
    await expect(open(BOOK, true)).rejects.toThrow("503");
    await depth(await open(BOOK), 1);
    expect(simulated.faults.struck("ws_refuse")).toBe(1);
    expect(simulated.requests.count({ endpoint: "/ws", end: 503 })).toBe(1);
  });

  it.each([
    [undefined, 1_006],
    [1_012, 1_012],
  ])("breaks a connection with close code %s, which the client sees as %s", async (code, seen) => {
    await start([{ kind: "ws_disconnect", channel: "depth", nth: 5, ...(code ? { code } : {}) }]);
    const client = await open(BOOK);
    await until(() => client.closed() !== undefined);
    expect(client.closed()?.[0]).toBe(seen);
    expect(client.texts).toHaveLength(4);
    expect(simulated.faults.struck("ws_disconnect")).toBe(1);
  });

  it("leaves a connection half open: no data, no pings, no pongs, and no end", async () => {
    await start([{ kind: "ws_half_open", nth: 3 }], 100);
    const client = await open(BOOK);
    await until(() => simulated.faults.struck("ws_half_open") === 1);
    let pongs = 0;
    client.socket.on("pong", () => pongs++);
    const other = await open(BOOK);
    client.socket.ping();
    client.send({ method: "LIST_SUBSCRIPTIONS", id: 1 });
    await until(() => other.pings() > 1);
    expect(client.texts).toHaveLength(2);
    expect([pongs, client.pings(), client.closed()]).toEqual([0, 0, undefined]);
  });

  it("ends a connection early, as at the end of its lifetime", async () => {
    await start([{ kind: "ws_end", after_s: 10 }]);
    const client = await open(BOOK);
    await until(() => client.closed() !== undefined);
    expect(client.closed()?.[0]).toBe(1_001);
    expect(client.texts.length).toBeGreaterThan(50);
  });

  it("announces a shutdown in each venue's words, and closes the connection later", async () => {
    await start([{ kind: "ws_shutdown_notice", nth: 2, count: 1, after_s: 2, exchange: "binance" }]);
    const client = await open("/stream?streams=btcusdt@depth@100ms");
    const [notice] = await client.take(1, (text) => text.includes("serverShutdown"));
    expect(notice).toMatchObject({ stream: "!serverShutdown", data: { e: "serverShutdown" } });
    const told = client.texts.length;
    await until(() => client.closed() !== undefined);
    expect(client.texts.length).toBeGreaterThan(told + 5);
  });

  it("announces OKX's service upgrade", async () => {
    await start([{ kind: "ws_shutdown_notice", nth: 2, after_s: 2 }]);
    const client = await books();
    const [notice] = await client.take(1, (text) => text.includes("64008"));
    expect(notice).toMatchObject({ event: "notice", code: "64008" });
    await until(() => client.closed() !== undefined);
  });
});

describe("faults of messages", () => {
  it("acknowledges a stream and never says anything on it, while others go on", async () => {
    await start([{ kind: "ws_silent", symbols: ["BTC/USDT"], channel: "orderbook", count: 1 }]);
    const client = await open("/ws");
    client.send({ method: "SUBSCRIBE", params: ["btcusdt@depth@100ms", "ethusdt@depth@100ms"], id: 1 });
    await depth(client, 20);
    expect(client.texts[0]).toBe('{"result":null,"id":1}');
    expect(client.texts.filter((text) => text.includes("BTCUSDT"))).toEqual([]);
    const [again] = await depth(await open(BOOK), 1);
    expect(again).toMatchObject({ s: "BTCUSDT" });
  });

  it("drops, doubles and swaps messages", async () => {
    await start([
      { kind: "ws_drop", channel: "depth@100ms", nth: 4 },
      { kind: "ws_duplicate", nth: 7 },
      { kind: "ws_reorder", nth: 11 },
    ]);
    const events = await depth(await open(BOOK), 20);
    // The fourth is missing. Of those that were left over the seventh came twice; later two came in the wrong order.
    const [first, second, ...later] = breaks(events);
    expect(first).toBe(3);
    expect(second).toBe(7);
    expect(events[7]).toEqual(events[6]);
    expect(later).toHaveLength(3);
    const swapped = later[0] ?? 0;
    expect(events[swapped]?.U).toBe((events[swapped + 1]?.u ?? 0) + 1);
    for (const kind of ["ws_drop", "ws_duplicate", "ws_reorder"] as const) {
      expect(simulated.faults.struck(kind)).toBe(1);
    }
  });

  it.each([
    ["cut", (text: string) => text.startsWith('{"e":"depthUpdate"') && !text.endsWith("}")],
    ["wrong_types", (text: string) => text.includes('"b":[[["') && /"u":"\d+"/.test(text)],
    ["numbers", (text: string) => /"b":\[\[\d+\.?\d*,\d/.test(text)],
    ["unknown_event", (text: string) => text.includes("tidesUpdate")],
    ["other_symbol", (text: string) => text.includes('"s":"NOBODYUSDT"')],
    ["huge", (text: string) => text.length > 2 ** 21],
  ] as const)("spoils a message: %s", async (how, isSpoiled) => {
    await start([{ kind: "ws_corrupt", how, nth: 3, mb: 2 }]);
    const client = await open(BOOK);
    await until(() => client.texts.length >= 6);
    expect(client.texts.filter(isSpoiled)).toHaveLength(1);
    expect(isSpoiled(client.texts[2] ?? "")).toBe(true);
  });

  it("sends a binary frame instead of a message", async () => {
    await start([{ kind: "ws_corrupt", how: "binary", nth: 3 }]);
    const client = await open(BOOK);
    expect(breaks(await depth(client, 6))).toEqual([2]);
    expect(client.binaries).toHaveLength(1);
  });

  it("breaks the chain of ids without leaving anything out", async () => {
    await start([{ kind: "ws_sequence_reset", how: "break", nth: 5 }]);
    const events = await depth(await open(BOOK), 10);
    expect(breaks(events)).toEqual([4]);
  });

  it("lets OKX's sequence begin anew for all who follow it", async () => {
    await start([{ kind: "ws_sequence_reset", exchange: "okx", nth: 20 }]);
    const clientA = await books();
    const clientB = await books();
    for (const client of [clientA, clientB]) {
      const told = await pushes(client, 40);
      expect(told.slice(1).map(({ prevSeqId }) => prevSeqId)).toEqual(
        told.slice(0, -1).map(({ seqId }) => seqId),
      );
      expect(told.filter(({ seqId, prevSeqId }) => seqId < prevSeqId)).toHaveLength(1);
    }
  });

  it("sends one wrong checksum", async () => {
    await start([{ kind: "ws_wrong_checksum", nth: 4 }], 10);
    const told = await pushes(await books(), 10);
    expect(told.map(({ checksum }) => checksum)).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  });
});

describe("faults of candles", () => {
  interface Kline {
    readonly E: number;
    readonly k: { readonly t: number; readonly T: number; readonly c: string; readonly x: boolean };
  }
  const closes = async (count: number): Promise<Kline[]> => {
    const client = await open("/ws/btcusdt@kline_1m");
    return (await client.take(count, (text) => text.includes('"x":true'))) as unknown as Kline[];
  };

  it("pushes a close late", async () => {
    await start([{ kind: "ws_late_close", nth: 2, delay_ms: 24_000 }], 60);
    const lags = (await closes(3)).map(({ E, k }) => E - k.T - 1);
    expect(lags[0]).toBeLessThan(500);
    expect(lags[1]).toBeGreaterThan(24_000);
    expect(lags[2]).toBeLessThan(500);
  });

  it("pushes a close with other figures first, and the right ones later", async () => {
    await start([{ kind: "ws_revised_close", channel: "candles", nth: 2 }], 60);
    const [, wrong, right] = await closes(3);
    expect(right?.k.t).toBe(wrong?.k.t);
    const [wanted] = simulated.truth.candles("BTC/USDT", "1m", right?.k.t ?? 0, (right?.k.t ?? 0) + 60_000);
    expect(Number(right?.k.c)).toBe(Number(wanted?.close));
    expect(Number(wrong?.k.c)).not.toBe(Number(wanted?.close));
  });
});
