// The stream from the other end of a socket: what is asked for comes, what is not does not, and a client that does not read
// loses its own messages and nobody else's.
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Trade } from "../../../src/core/model/trade.js";
import type { LiveHub } from "../../../src/pipeline/live-hub.js";
import { streamMessageSchema, type StreamMessage, type StreamMessageOf } from "../../../src/web/contract.js";
import type { ApiServer } from "../../../src/web/server.js";
import { createApiWorld, newHub, recordingLog, type ApiWorld } from "../../support/api-world.js";
import { candleAt, batchOf, decimal, minuteMs } from "../../support/candles.js";
import { until } from "../../support/until.js";

const BTC = "binance:BTC/USDT";
const ETH = "okx:ETH/USDT";
let world: ApiWorld;
let server: ApiServer;
let hub: LiveHub;
beforeAll(async () => {
  world = await createApiWorld();
  hub = newHub();
  server = await world.startApi({ hub });
});
afterAll(() => world.close());

const clients: Client[] = [];
const servers: ApiServer[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  for (const each of servers.splice(0)) await each.close();
});

class Client {
  readonly socket: WebSocket;
  readonly messages: StreamMessage[] = [];
  closedWith: number | undefined;

  constructor(
    { port }: ApiServer,
    protocols: string[] = ["tickwell.v1"],
    headers: Record<string, string> = {},
  ) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/stream`, protocols, {
      headers,
      perMessageDeflate: false,
    });
    this.socket.on("message", (data: Buffer) => {
      const message: unknown = JSON.parse(data.toString());
      // Every message is one of the contract, whatever it is about.
      this.messages.push(streamMessageSchema.parse(message));
    });
    this.socket.on("close", (code) => (this.closedWith = code));
    this.socket.on("error", () => (this.closedWith ??= 0));
    clients.push(this);
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  all<Type extends StreamMessage["type"]>(type: Type): StreamMessageOf<Type>[] {
    return this.messages.filter((message): message is StreamMessageOf<Type> => message.type === type);
  }

  async first<Type extends StreamMessage["type"]>(type: Type): Promise<StreamMessageOf<Type>> {
    await until(() => this.all(type).length > 0, {
      what: () => `${type} in ${JSON.stringify(this.messages)}`,
    });
    return this.all(type)[0] as StreamMessageOf<Type>;
  }

  async subscribe(channel: string, markets?: string[]): Promise<void> {
    const before = this.all("subscribed").length;
    this.send({ op: "subscribe", channel, ...(markets ? { markets } : {}) });
    await until(() => this.all("subscribed").length > before);
  }
}

async function open(of = server, ...rest: [string[]?, Record<string, string>?]): Promise<Client> {
  const client = new Client(of, ...rest);
  await client.first("hello");
  return client;
}

function trade(id: number, change: Partial<Trade> = {}): Trade {
  return {
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id + 1,
    timeMs: minuteMs(600),
    microsecond: 5,
    price: decimal("100.25"),
    qty: decimal("0.5"),
    side: "sell",
    ...change,
  };
}

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

describe("a client", () => {
  it("is greeted with what there is", async () => {
    expect(await (await open()).first("hello")).toMatchObject({ version: "1.2.3", is_simulated: true });
  });

  it("hears the trades of its markets as they come, and of no others", async () => {
    const btc = await open();
    const all = await open();
    const none = await open();
    await btc.subscribe("trades", [BTC]);
    await all.subscribe("trades");
    hub.trade(world.btc, trade(1));
    hub.trade(world.eth, trade(7));
    hub.trade(world.btc, trade(2));
    await until(() => all.all("trades").length === 2 && btc.all("trades").length === 1);
    await settle();
    expect(btc.all("trades")).toEqual([
      {
        type: "trades",
        market: BTC,
        data: [1, 2].map((id) => ({
          time: "2024-01-01T10:00:00.000005Z",
          trade_id: id,
          price: "100.25",
          quantity: "0.5",
          side: "sell",
          fills: 2,
        })),
      },
    ]);
    expect(all.all("trades").map(({ market, data }) => [market, data.length])).toEqual([
      [BTC, 2],
      [ETH, 1],
    ]);
    expect(none.all("trades")).toEqual([]);
    btc.send({ op: "unsubscribe", channel: "trades", markets: [BTC], id: "u1" });
    expect(await btc.first("unsubscribed")).toMatchObject({ id: "u1" });
    hub.trade(world.btc, trade(3));
    await until(() => all.all("trades").length === 3);
    expect(btc.all("trades")).toHaveLength(1);
  });

  it("hears prices at once and when they change", async () => {
    hub.trade(world.btc, trade(10, { price: decimal("101") }));
    const client = await open();
    await client.subscribe("prices", [BTC]);
    hub.trade(world.btc, trade(11, { price: decimal("102.5") }));
    hub.trade(world.eth, trade(12, { price: decimal("5") }));
    await until(() => client.all("prices").some(({ data }) => data[0]?.[1] === "102.5"));
    expect(client.all("prices").flatMap(({ data }) => data.map(([market]) => market))).not.toContain(ETH);
  });

  it("hears closed candles when they are stored", async () => {
    const client = await open();
    await client.subscribe("candles", [BTC]);
    hub.committed([{ sequence: 1, batch: batchOf(world.btc.id, [candleAt(600)], { source: "ws" }) }]);
    hub.committed([{ sequence: 2, batch: batchOf(world.eth.id, [candleAt(600)]) }]);
    expect(await client.first("candles")).toMatchObject({
      market: BTC,
      timeframe: "1m",
      data: [{ open_time: "2024-01-01T10:00:00Z", close: "100", source: "ws" }],
    });
    await settle();
    expect(client.all("candles")).toHaveLength(1);
  });

  it("hears of gaps that are found and repaired, of tasks and checks, whoever changes them", async () => {
    const client = await open();
    for (const channel of ["gaps", "tasks", "quality"]) await client.subscribe(channel, [BTC]);
    // The first look takes note of where things stand.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(client.all("gaps")).toEqual([]);
    expect(client.all("tasks")).toEqual([]);
    const { store, btc } = world;
    const candles = Array.from({ length: 10 }, (_, i) => candleAt(240 + i));
    await store.commit([batchOf(btc.id, candles)]);
    const task = await store.tasks.create({
      marketId: btc.id,
      timeframe: "1m",
      range: { startMs: minuteMs(0), endMs: minuteMs(5) },
    });
    await store.quality.put(
      (await store.quality.latest({ marketId: btc.id })).map((each) => ({
        ...each,
        checkMs: minuteMs(600),
        score: 99,
      })),
    );
    expect(await client.first("gaps")).toMatchObject({
      event: "repaired",
      gap: { market: BTC, records: 10 },
    });
    expect(await client.first("tasks")).toMatchObject({ task: { id: task.id, status: "pending" } });
    expect(await client.first("quality")).toMatchObject({ quality: { quality_score: 99 } });
  });

  it("hears how the process stands", async () => {
    const client = await open();
    await client.subscribe("status");
    const { status } = await client.first("status");
    expect(status).toMatchObject({ version: "1.2.3", may_write: false });
    expect(status.stream.clients).toBeGreaterThan(0);
  });

  it("is told what is wrong with what it asks, and stays", async () => {
    const client = await open();
    const wrong: [unknown, string | null][] = [
      ["{", null],
      [{ op: "subscribe", channel: "trade" }, "channel"],
      [{ op: "subscribe", channel: "trades", markets: [] }, "markets"],
      [{ op: "subscribe", channel: "trades", markets: ["binance:BTCUSD"], id: 5 }, "markets"],
      [{ op: "dance" }, "op"],
      [{ op: "ping", more: 1 }, "more"],
      [[], null],
      ["null", null],
    ];
    for (const [message] of wrong) client.send(message);
    await until(() => client.all("error").length === wrong.length);
    // What has to be looked up is answered later than the rest.
    expect(
      client
        .all("error")
        .map(({ parameter }) => parameter)
        .sort(),
    ).toEqual(wrong.map(([, each]) => each).sort());
    expect(client.all("error").find(({ id }) => id === 5)?.nearest[0]).toBe(BTC);
    client.send({ op: "ping", id: "still here" });
    expect(await client.first("pong")).toMatchObject({ id: "still here" });
  });
});

describe("a client that does not read", () => {
  it("loses messages, is told how many of what, and holds up nobody", async () => {
    const own = newHub();
    const small = await world.startApi({ hub: own, limits: { clientBytesMax: 50_000 } });
    servers.push(small);
    const slow = await open(small);
    const quick = await open(small);
    for (const client of [slow, quick]) await client.subscribe("trades", [BTC]);
    slow.socket.pause();
    let sent = 0;
    // More than the kernel's buffers and ours together take.
    while (sent < 200_000) {
      for (let i = 0; i < 2_000; i++) own.trade(world.btc, trade(++sent));
      const wanted = sent;
      await until(() => quick.all("trades").reduce((sum, { data }) => sum + data.length, 0) >= wanted);
    }
    expect(quick.all("lost")).toEqual([]);
    slow.socket.resume();
    const lost = await slow.first("lost");
    expect(lost).toMatchObject({ channel: "trades", markets: [BTC] });
    await settle();
    const heard = slow.all("trades").reduce((sum, { data }) => sum + data.length, 0);
    const missed = slow.all("lost").reduce((sum, { messages }) => sum + messages, 0);
    expect(heard + missed).toBe(sent);
    expect(missed).toBeGreaterThan(0);
    // What it hears afterwards is current.
    own.trade(world.btc, trade(++sent));
    await until(() => slow.all("trades").at(-1)?.data.at(-1)?.trade_id === sent);
  });
});

describe("a client that has nothing to say", () => {
  it("is not let go as an idle connection is", async () => {
    const quiet = await world.startApi({ limits: { idleMs: 300 } });
    servers.push(quiet);
    const client = await open(quiet);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    client.send({ op: "ping", id: 1 });
    await client.first("pong");
  });
});

describe("who is let in", () => {
  it("needs the token beyond loopback; a browser sends it as a subprotocol", async () => {
    const token = "a token/with=odd+chars".replaceAll(" ", "_");
    const closed = await world.startApi({ host: "0.0.0.0", token });
    servers.push(closed);
    const refused = [new Client(closed), new Client(closed, ["tickwell.v1", "bearer.wrong"])];
    await until(() => refused.every(({ closedWith }) => closedWith !== undefined));
    await open(closed, ["tickwell.v1"], { authorization: `Bearer ${token}` });
    const browser = await open(closed, ["tickwell.v1", `bearer.${encodeURIComponent(token)}`]);
    // The token does not come back.
    expect(browser.socket.protocol).toBe("tickwell.v1");
  });

  it("is no page of another origin, nor one that had its name resolved to us", async () => {
    const refused = [
      new Client(server, ["tickwell.v1"], { origin: "http://evil.example" }),
      new Client(server, ["tickwell.v1"], { host: "evil.example" }),
    ];
    await until(() => refused.every(({ closedWith }) => closedWith !== undefined));
    expect(refused.flatMap(({ messages }) => messages)).toEqual([]);
  });

  it("is not one more than there is room for", async () => {
    const small = await world.startApi({ limits: { streamClientsMax: 2 } });
    servers.push(small);
    await open(small);
    const second = await open(small);
    const third = new Client(small);
    await until(() => third.closedWith !== undefined);
    second.socket.close();
    await until(() => second.closedWith !== undefined);
    await until(async () => {
      const late = new Client(small);
      await until(() => late.messages.length > 0 || late.closedWith !== undefined);
      return late.messages.length > 0;
    });
  });
});

describe("an upgrade that became no stream", () => {
  it("leaves nothing open behind it", async () => {
    const own = await world.startApi({ host: "0.0.0.0", token: "read-0123456789abcdef" });
    const handshake =
      "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    const sockets = ["/api/v1/stream", "/healthz", "/nothing"].map((path) => {
      const raw = connect(own.port, "127.0.0.1").on("error", () => undefined);
      raw.resume().write(`GET ${path} HTTP/1.1\r\n${handshake}`);
      return raw;
    });
    await until(() => sockets.every(({ closed }) => closed), { timeoutMs: 5_000 });
    await own.close();
  });
});

describe("what is no message of ours", () => {
  it("closes the one connection, is mentioned once, and troubles nobody else", async () => {
    const { log, lines } = recordingLog();
    const own = await world.startApi({ log });
    servers.push(own);
    const witness = await open(own);
    for (let i = 0; i < 5; i++) {
      const huge = await open(own);
      huge.send("x".repeat(100_000));
      await until(() => huge.closedWith === 1009);
      const binary = await open(own);
      binary.socket.send(Buffer.from([1, 2, 3]));
      await until(() => binary.closedWith === 1008);
    }
    const greedy = await open(own);
    for (let i = 0; i < 400; i++) greedy.send({ op: "ping" });
    await until(() => greedy.closedWith === 1008);
    // A frame with reserved bits, and one whose length is a lie.
    for (const bytes of [Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.from([0x81, 0x05, 0x41])]) {
      const raw = connect(own.port, "127.0.0.1");
      raw.on("error", () => undefined);
      raw.write(
        "GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      await new Promise((resolve) => raw.once("data", resolve));
      raw.write(bytes);
      await until(() => raw.closed);
    }
    witness.send({ op: "ping", id: 1 });
    await witness.first("pong");
    expect(lines.length).toBe(1);
  });
});
