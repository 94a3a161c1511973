// Live connections against a real WebSocket server that misbehaves on purpose, on a clock that runs a hundred times as fast.
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { scaledClock } from "../../../../src/core/clock.js";
import { silentLog } from "../../../../src/core/log.js";
import { seededRandom } from "../../../../src/core/random.js";
import type { LiveChannel, LiveDialect, LiveMessage } from "../../../../src/exchanges/live.js";
import {
  LiveConnections,
  type LiveConnectionsOptions,
} from "../../../../src/pipeline/feed/live/live-connections.js";
import type { LiveSink } from "../../../../src/pipeline/feed/live/live-sink.js";
import { noTraffic } from "../../../../src/pipeline/feed/live/stream-traffic.js";
import { until } from "../../../support/until.js";

const FACTOR = 100;

/** A protocol in its shortest form: `+topic id`, `-topic id`; answers `ok id`, `no topic`, `busy topic`, `busy #id`, `trouble id`, `topic number`. */
const dialect: LiveDialect = {
  tradeGrain: "aggregated",
  limits: {
    topicsPerConnection: 3,
    booksPerConnection: 1,
    messages: { count: 100, perMs: 1_000 },
    connects: { count: 200, perMs: 1_000 },
    subscriptionsPerHour: undefined,
    topicsPerMessage: 2,
    lifetimeMs: undefined,
  },
  heartbeat: { ping: "ping", idleMs: 20_000, deadAfterMs: 30_000 },
  wsUrl: "ws://unused",
  pathOf: ({ kind }) => (kind === "candles" ? "/slow" : "/fast"),
  topicOf: ({ kind, nativeSymbol }) => `${kind}:${nativeSymbol}`,
  subscribe: (topics, id) => `+${topics.join(",")} ${id}`,
  unsubscribe: (topics, id) => `-${topics.join(",")} ${id}`,
  decode(text): LiveMessage[] {
    if (text === "pong") return [{ kind: "pong" }];
    if (text === "bye") return [{ kind: "closing", detail: "maintenance" }];
    const [first = "", second = ""] = text.split(" ");
    if (first === "ok") return [{ kind: "ack", id: second, topics: undefined, isSubscribed: true }];
    if (first === "no")
      return [
        {
          kind: "refused",
          id: undefined,
          topic: second,
          fault: { kind: "bad_symbol", code: undefined },
          detail: "unknown",
        },
      ];
    if (first === "busy") {
      const isWhole = second.startsWith("#");
      return [
        {
          kind: "refused",
          id: isWhole ? second.slice(1) : undefined,
          topic: isWhole ? undefined : second,
          fault: { kind: "rate_limit", retryAfterMs: 2_000 },
          detail: "too many requests",
        },
      ];
    }
    if (first === "trouble")
      return [
        {
          kind: "refused",
          id: second,
          topic: undefined,
          fault: { kind: "exchange", code: "1" },
          detail: "try again",
        },
      ];
    const id = Number(second);
    if (!Number.isInteger(id)) return [{ kind: "malformed", topic: undefined, path: "$", detail: "cut" }];
    return [
      {
        kind: "trades",
        topic: first,
        candidates: [
          { id, firstFillId: id, lastFillId: id, timeMs: 1, price: "1", qty: "1", side: "buy", raw: text },
        ],
      },
    ];
  },
};

interface Seen {
  readonly ids: Map<string, number[]>;
  readonly opened: string[];
  readonly lost: string[];
  readonly unreadable: string[];
  /** Ids of connections. */
  readonly ended: number[];
}

interface Server {
  readonly url: string;
  readonly sockets: Set<WebSocket>;
  /** Connections accepted so far. */
  connections: number;
  /** Subscriptions by topic. */
  readonly subscribed: Map<string, number>;
  /** What came in on each connection, counted from 1, and when: `2 +trades:A`. */
  readonly asked: string[];
  readonly askedMs: number[];
  /** Answers 503 to whoever wants to connect. */
  isAway: boolean;
  /** Topics that get no ack. */
  readonly unacked: Set<string>;
  readonly refused: Set<string>;
  /** Topics that are refused in passing. */
  readonly busy: Set<string>;
  /** Whole messages are refused in passing, after a number of each topic that was under way. */
  isBusy: boolean;
  /** Topics that spoil any message that asks for them. */
  readonly spoiled: Set<string>;
  /** Topics that are acked and send nothing. */
  readonly silent: Set<string>;
  /** Sends nothing at all any more, also no pongs. */
  isFrozen: boolean;
  numberOf(topic: string): number;
  readonly close: () => Promise<void>;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** Sends each subscribed topic's next number every few ms; numbers go on whoever listens, as an exchange's do. */
async function startServer(): Promise<Server> {
  const server = new WebSocketServer({
    port: 0,
    host: "127.0.0.1",
    verifyClient: (_: unknown, answer: (isAccepted: boolean, status?: number) => void) =>
      answer(!state.isAway, 503),
  });
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const topicsOf = new Map<WebSocket, Set<string>>();
  const numbers = new Map<string, number>();
  const state: Server = {
    url: `ws://127.0.0.1:${port}`,
    sockets: new Set(),
    connections: 0,
    subscribed: new Map(),
    asked: [],
    askedMs: [],
    isAway: false,
    unacked: new Set(),
    refused: new Set(),
    busy: new Set(),
    spoiled: new Set(),
    isBusy: false,
    silent: new Set(),
    isFrozen: false,
    numberOf: (topic) => numbers.get(topic) ?? 0,
    close: (): Promise<void> =>
      new Promise((resolve) => {
        clearInterval(timer);
        for (const socket of server.clients) socket.terminate();
        server.close(() => resolve());
      }),
  };
  const timer = setInterval(() => {
    if (state.isFrozen) return;
    const all = new Set([...topicsOf.values()].flatMap((topics) => [...topics]));
    for (const topic of new Set([...all, ...numbers.keys()]))
      numbers.set(topic, (numbers.get(topic) ?? 0) + 1);
    for (const [socket, topics] of topicsOf)
      for (const topic of topics) if (!state.silent.has(topic)) socket.send(`${topic} ${numbers.get(topic)}`);
  }, 5);
  server.on("connection", (socket) => {
    const number = ++state.connections;
    state.sockets.add(socket);
    const topics = new Set<string>();
    topicsOf.set(socket, topics);
    socket.on("close", () => {
      state.sockets.delete(socket);
      topicsOf.delete(socket);
    });
    socket.on("message", (data: Buffer) => {
      if (state.isFrozen) return;
      const text = data.toString();
      if (text === "ping") return socket.send("pong");
      const [list = "", id = ""] = text.slice(1).split(" ");
      state.asked.push(`${number} ${text.split(" ")[0]}`);
      state.askedMs.push(performance.now());
      if (text.startsWith("+") && state.isBusy) {
        for (const topic of list.split(","))
          if (numbers.has(topic)) socket.send(`${topic} ${numbers.get(topic)}`);
        return socket.send(`busy #${id}`);
      }
      if (text.startsWith("+") && list.split(",").some((topic) => state.spoiled.has(topic)))
        return socket.send(`trouble ${id}`);
      for (const topic of list.split(",")) {
        if (text.startsWith("-")) {
          topics.delete(topic);
          continue;
        }
        state.subscribed.set(topic, (state.subscribed.get(topic) ?? 0) + 1);
        if (state.refused.has(topic)) socket.send(`no ${topic}`);
        else if (state.busy.has(topic)) socket.send(`busy ${topic}`);
        else if (!state.unacked.has(topic)) topics.add(topic);
      }
      if (!list.split(",").some((topic) => state.unacked.has(topic))) socket.send(`ok ${id}`);
    });
  });
  closers.push(state.close);
  return state;
}

function channel(kind: LiveChannel["kind"], nativeSymbol: string): LiveChannel {
  return { kind, nativeSymbol };
}

async function follow(
  server: Server,
  channels: readonly LiveChannel[],
  change: Partial<LiveConnectionsOptions> = {},
): Promise<{ seen: Seen; connections: LiveConnections; stop: () => Promise<void> }> {
  const seen: Seen = { ids: new Map(), opened: [], lost: [], unreadable: [], ended: [] };
  let isOver = false;
  const alive = (): void => {
    if (isOver) throw new Error("the sink was called after the end");
  };
  const sink: LiveSink = {
    message(each, message) {
      alive();
      if (message.kind !== "trades") return;
      const ids = seen.ids.get(message.topic) ?? [];
      seen.ids.set(message.topic, ids);
      ids.push(...message.candidates.map(({ id }) => id ?? NaN));
      expect(dialect.topicOf(each)).toBe(message.topic);
    },
    opened: (each) => seen.opened.push(dialect.topicOf(each)),
    lost: (each, { reason }) => seen.lost.push(`${dialect.topicOf(each)} ${reason}`),
    unreadable: ({ detail }) => seen.unreadable.push(detail),
    connectionEnded: (connectionId) => {
      alive();
      seen.ended.push(connectionId);
    },
  };
  const stop = new AbortController();
  const connections = new LiveConnections({
    traffic: noTraffic(),
    dialect,
    wsUrl: server.url,
    channels,
    sink,
    askQuiet: () => Promise.resolve("unknown"),
    clock: scaledClock({ startMs: 1_700_000_000_000, factor: FACTOR }),
    random: seededRandom(7),
    log: silentLog,
    ...change,
  });
  const running = connections.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort(new Error("the test is over"));
    await running;
    isOver = true;
    await delay(20);
  };
  closers.unshift(end);
  return { seen, connections, stop: end };
}

const received = (seen: Seen, topic: string): number => seen.ids.get(topic)?.length ?? 0;

/** Every number from the first to the last, as often as it came. */
function hasNoHole(ids: readonly number[]): boolean {
  const sorted = [...new Set(ids)].sort((a, b) => a - b);
  return sorted.every((id, i) => i === 0 || id === (sorted[i - 1] ?? NaN) + 1);
}

it("spreads channels over connections by path, books and size, and hands each its messages", async () => {
  const server = await startServer();
  const channels = [
    ...["A", "B", "C", "D"].map((symbol) => channel("trades", symbol)),
    channel("book", "A"),
    channel("book", "B"),
    channel("candles", "A"),
  ];
  const { seen, connections } = await follow(server, channels);
  await until(() => channels.every((each) => received(seen, dialect.topicOf(each)) > 3));
  expect(connections.state().map(({ path, channels: count }) => [path, count])).toEqual([
    ["/fast", 3],
    ["/fast", 2],
    ["/fast", 1],
    ["/slow", 1],
  ]);
  expect(server.connections).toBe(4);
  expect(seen.opened).toHaveLength(7);
});

it("connects again after an abrupt end, tells what was lost, and gives up nothing else", async () => {
  const server = await startServer();
  const { seen } = await follow(server, [channel("trades", "A"), channel("candles", "B")]);
  await until(() => received(seen, "trades:A") > 3 && received(seen, "candles:B") > 3);
  const before = received(seen, "candles:B");
  for (const socket of server.sockets) if (socket !== [...server.sockets][1]) socket.terminate();
  await until(() => seen.opened.length === 3);
  await until(() => received(seen, "candles:B") > before);
  expect(seen.lost).toHaveLength(1);
  expect(server.connections).toBe(3);
});

it("asks for a lost ack once more, and then begins anew", async () => {
  const server = await startServer();
  server.unacked.add("trades:A");
  const { seen } = await follow(server, [channel("trades", "A")]);
  await until(() => server.connections === 2);
  expect(server.subscribed.get("trades:A")).toBeGreaterThanOrEqual(2);
  server.unacked.clear();
  await until(() => received(seen, "trades:A") > 3);
});

it("leaves the other channels alone when one is refused", async () => {
  const server = await startServer();
  server.refused.add("trades:X");
  const { seen } = await follow(server, [
    channel("trades", "A"),
    channel("trades", "X"),
    channel("trades", "B"),
  ]);
  await until(() => received(seen, "trades:A") > 3 && received(seen, "trades:B") > 3);
  expect(seen.lost).toEqual(["trades:X refused"]);
  expect(server.connections).toBe(1);
});

it("subscribes anew to a channel that is acked and silent while its market is not, then replaces the connection", async () => {
  const server = await startServer();
  server.silent.add("trades:A");
  const asked: string[] = [];
  const { seen } = await follow(
    server,
    [channel("trades", "A"), channel("trades", "B"), channel("trades", "C")],
    {
      askQuiet: (each) => {
        asked.push(each.nativeSymbol);
        return Promise.resolve("missed");
      },
    },
  );
  await until(() => server.subscribed.get("trades:A") === 2);
  expect(server.connections).toBe(1);
  await until(() => server.connections === 2);
  expect(new Set(asked)).toEqual(new Set(["A"]));
  expect(seen.lost.filter((each) => each === "trades:A stale").length).toBeGreaterThanOrEqual(2);
  server.silent.clear();
  await until(() => received(seen, "trades:A") > 3);
});

it("leaves a quiet market alone, and asks less and less often", async () => {
  const server = await startServer();
  server.silent.add("trades:A");
  const askedMs: number[] = [];
  await follow(server, [channel("trades", "A"), channel("trades", "B")], {
    askQuiet: () => {
      askedMs.push(performance.now());
      return Promise.resolve("quiet");
    },
  });
  await until(() => askedMs.length === 4);
  const gaps = askedMs.slice(1).map((ms, i) => ms - (askedMs[i] ?? 0));
  expect(gaps[2]).toBeGreaterThan((gaps[0] ?? Infinity) * 2);
  expect(server.subscribed.get("trades:A")).toBe(1);
  expect(server.connections).toBe(1);
});

it("takes a connection without any sign of life for dead", async () => {
  const server = await startServer();
  const { seen } = await follow(server, [channel("trades", "A")]);
  await until(() => received(seen, "trades:A") > 3);
  server.isFrozen = true;
  await until(() => seen.lost.length === 1);
  server.isFrozen = false;
  const before = received(seen, "trades:A");
  await until(() => received(seen, "trades:A") > before + 3);
  expect(seen.lost).toEqual(["trades:A disconnected"]);
});

it("misses nothing when a connection is replaced before its lifetime ends", async () => {
  const server = await startServer();
  const short: LiveDialect = { ...dialect, limits: { ...dialect.limits, lifetimeMs: 30_000 } };
  const { seen, stop } = await follow(server, [channel("trades", "A"), channel("trades", "B")], {
    dialect: short,
  });
  await until(() => server.connections >= 4, { timeoutMs: 20_000 });
  await stop();
  expect(seen.lost).toEqual([]);
  for (const topic of ["trades:A", "trades:B"]) expect(hasNoHole(seen.ids.get(topic) ?? [])).toBe(true);
});

it("tells nothing lost when it is told to stop while a connection is being replaced", async () => {
  const server = await startServer();
  const { seen, stop } = await follow(server, [channel("trades", "A")]);
  await until(() => received(seen, "trades:A") > 3);
  // The successor waits for an ack when the end comes.
  server.unacked.add("trades:A");
  for (const socket of server.sockets) socket.send("bye");
  await until(() => server.subscribed.get("trades:A") === 2);
  await stop();
  expect(seen.lost).toEqual([]);
});

it("misses nothing when the server announces its end", async () => {
  const server = await startServer();
  const { seen, stop } = await follow(server, [channel("trades", "A")]);
  await until(() => received(seen, "trades:A") > 3);
  for (const socket of server.sockets) socket.send("bye");
  await until(() => server.connections === 2 && server.sockets.size === 1);
  const before = received(seen, "trades:A");
  await until(() => received(seen, "trades:A") > before + 3);
  await stop();
  expect(hasNoHole(seen.ids.get("trades:A") ?? [])).toBe(true);
  expect(seen.lost).toEqual([]);
});

it("tells at once what is lost when a connection ends before its successor could be opened, and tells it once", async () => {
  const server = await startServer();
  const { seen } = await follow(server, [channel("trades", "A")]);
  await until(() => received(seen, "trades:A") > 3);
  server.isAway = true;
  for (const socket of server.sockets) socket.send("bye");
  await delay(50);
  expect(seen.lost).toEqual([]);
  for (const socket of server.sockets) socket.terminate();
  await until(() => seen.lost.length > 0, { timeoutMs: 2_000 });
  server.isAway = false;
  const before = received(seen, "trades:A");
  await until(() => received(seen, "trades:A") > before);
  expect(seen.lost).toEqual(["trades:A disconnected"]);
  expect(seen.opened).toEqual(["trades:A", "trades:A"]);
});

it("takes what the successor has acknowledged for carried when the old connection ends in between", async () => {
  const server = await startServer();
  const { seen } = await follow(server, [channel("trades", "A"), channel("trades", "B")]);
  await until(() => received(seen, "trades:A") > 3 && received(seen, "trades:B") > 3);
  server.unacked.add("trades:B");
  const [old] = server.sockets;
  old?.send("bye");
  await until(() => seen.opened.length === 3);
  old?.terminate();
  await until(() => seen.lost.length > 0, { timeoutMs: 2_000 });
  expect(seen.lost).toEqual(["trades:B disconnected"]);
  server.unacked.clear();
  const before = received(seen, "trades:B");
  await until(() => received(seen, "trades:B") > before);
});

it("keeps the old connection when its successor breaks before it carries everything, and tries another", async () => {
  const server = await startServer();
  const { seen, stop } = await follow(server, [channel("trades", "A")]);
  await until(() => received(seen, "trades:A") > 3);
  server.unacked.add("trades:A");
  for (const socket of server.sockets) socket.send("bye");
  // The first one is given up for want of its ack.
  await until(() => server.connections === 3);
  server.unacked.clear();
  await until(() => server.sockets.size === 1);
  const before = received(seen, "trades:A");
  await until(() => received(seen, "trades:A") > before + 3);
  await stop();
  expect(seen.lost).toEqual([]);
  expect(hasNoHole(seen.ids.get("trades:A") ?? [])).toBe(true);
});

it("asks the newest connection that carries a channel for it anew", async () => {
  const server = await startServer();
  const [a, b] = [channel("trades", "A"), channel("trades", "B")];
  const { seen, connections } = await follow(server, [a, b]);
  await until(() => received(seen, "trades:A") > 3 && received(seen, "trades:B") > 3);
  // The second connection carries one of the two, and waits for the other.
  server.unacked.add("trades:B");
  for (const socket of server.sockets) socket.send("bye");
  await until(() => seen.opened.length === 3);
  const first = server.asked.length;
  connections.resubscribe(a);
  connections.resubscribe(b);
  await until(() => server.asked.length >= first + 4);
  expect(server.asked.slice(first, first + 4).sort()).toEqual([
    "1 +trades:B",
    "1 -trades:B",
    "2 +trades:A",
    "2 -trades:A",
  ]);
});

it("tells of each connection that has gone for good, and of none at the end", async () => {
  const server = await startServer();
  const { seen, stop } = await follow(server, [channel("trades", "A")]);
  await until(() => received(seen, "trades:A") > 3);
  for (const socket of server.sockets) socket.send("bye");
  await until(() => seen.ended.length === 1, { timeoutMs: 5_000 });
  for (const socket of server.sockets) socket.terminate();
  await until(() => seen.ended.length === 2, { timeoutMs: 5_000 });
  await until(() => seen.opened.length === 3);
  await stop();
  expect(seen.ended).toEqual([1, 2]);
  expect(seen.lost).toEqual(["trades:A disconnected"]);
});

it("asks again, later and later, for a topic that is refused in passing, and leaves the others alone", async () => {
  const server = await startServer();
  server.busy.add("trades:X");
  const { seen } = await follow(server, [channel("trades", "A"), channel("trades", "X")]);
  await until(() => server.askedMs.length >= 5, { timeoutMs: 5_000 });
  const gaps = server.askedMs.slice(1).map((ms, i) => ms - (server.askedMs[i] ?? 0));
  expect(gaps[3]).toBeGreaterThan((gaps[0] ?? Infinity) * 1.5);
  expect(server.subscribed.get("trades:A")).toBe(1);
  expect(seen.lost).toEqual(["trades:X refused"]);
  server.busy.clear();
  await until(() => received(seen, "trades:X") > 3);
  expect(server.connections).toBe(1);
});

it("asks again for all topics of a message that is refused in passing, also where they still came in", async () => {
  const server = await startServer();
  const [a, b] = [channel("trades", "A"), channel("trades", "B")];
  const { seen, connections } = await follow(server, [a, b]);
  await until(() => received(seen, "trades:A") > 3 && received(seen, "trades:B") > 3);
  server.isBusy = true;
  connections.resubscribe(a);
  await until(() => seen.lost.length > 0, { timeoutMs: 5_000 });
  server.isBusy = false;
  await until(() => server.asked.length === 4, { timeoutMs: 5_000 });
  const before = received(seen, "trades:A");
  await until(() => received(seen, "trades:A") > before + 3);
  expect(server.asked).toEqual(["1 +trades:A,trades:B", "1 -trades:A", "1 +trades:A", "1 +trades:A"]);
  expect(seen.lost).toEqual(["trades:A refused"]);
});

it("does not ask for each of many topics by itself when they are refused together in passing", async () => {
  const server = await startServer();
  server.isBusy = true;
  const { seen } = await follow(server, [channel("trades", "A"), channel("trades", "B")]);
  await until(() => server.asked.length === 2, { timeoutMs: 5_000 });
  server.isBusy = false;
  await until(() => received(seen, "trades:A") > 3 && received(seen, "trades:B") > 3);
  expect(new Set(server.asked)).toEqual(new Set(["1 +trades:A,trades:B"]));
});

it("asks for each by itself when one of many spoils the message for the others again", async () => {
  const server = await startServer();
  server.spoiled.add("trades:X");
  const { seen } = await follow(server, [channel("trades", "A"), channel("trades", "X")]);
  await until(() => received(seen, "trades:A") > 3, { timeoutMs: 10_000 });
  expect(server.asked.slice(0, 3)).toEqual(["1 +trades:A,trades:X", "1 +trades:A,trades:X", "1 +trades:A"]);
  server.spoiled.clear();
  await until(() => received(seen, "trades:X") > 3);
  expect(server.connections).toBe(1);
});

it("leaves a connection only when the next one has got what was refused it in passing", async () => {
  const server = await startServer();
  const { seen, stop } = await follow(server, [channel("trades", "A"), channel("trades", "B")]);
  await until(() => received(seen, "trades:A") > 3 && received(seen, "trades:B") > 3);
  server.busy.add("trades:B");
  for (const socket of server.sockets) socket.send("bye");
  await until(() => (server.subscribed.get("trades:B") ?? 0) >= 4);
  expect(server.sockets.size).toBe(2);
  server.busy.clear();
  await until(() => server.sockets.size === 1);
  const before = received(seen, "trades:B");
  await until(() => received(seen, "trades:B") > before + 3);
  await stop();
  expect(seen.lost).toEqual([]);
  expect(hasNoHole(seen.ids.get("trades:B") ?? [])).toBe(true);
});

it("replaces a connection without a pause for the others when one of many channels stays silent", async () => {
  const server = await startServer();
  server.silent.add("trades:A");
  const { seen, stop } = await follow(
    server,
    [channel("trades", "A"), channel("trades", "B"), channel("trades", "C")],
    { askQuiet: () => Promise.resolve("missed") },
  );
  await until(() => server.connections === 2);
  server.silent.clear();
  await until(() => received(seen, "trades:A") > 3 && server.sockets.size === 1);
  await stop();
  expect(seen.lost.filter((each) => !each.startsWith("trades:A"))).toEqual([]);
  expect(hasNoHole(seen.ids.get("trades:B") ?? [])).toBe(true);
});

it("counts frames that cannot be read, and replaces a connection only for one that is too large", async () => {
  const server = await startServer();
  const { seen } = await follow(server, [
    channel("trades", "A"),
    channel("trades", "B"),
    channel("trades", "C"),
  ]);
  await until(() => received(seen, "trades:A") > 3);
  const [socket] = server.sockets;
  socket?.send("trades:A x");
  socket?.send(Buffer.from([1, 2, 3]));
  socket?.send("trades:ZZZ 5");
  await until(() => seen.unreadable.length === 3);
  expect(seen.unreadable).toEqual([
    "cut",
    "a binary frame of 3 bytes, expected text",
    "nobody subscribed to it",
  ]);
  expect(server.connections).toBe(1);
  socket?.send("x".repeat(33 * 1024 * 1024));
  await until(() => server.connections === 2);
  const before = received(seen, "trades:A");
  await until(() => received(seen, "trades:A") > before);
});

it("keeps trying while the server is away, no more often than is allowed", async () => {
  const server = await startServer();
  const failures: string[] = [];
  const { seen } = await follow(server, [channel("trades", "A")], {
    wsUrl: "ws://127.0.0.1:9",
    onFailure: ({ error }) => failures.push(error.fault.kind),
  });
  await until(() => failures.length >= 5, { timeoutMs: 20_000 });
  expect(new Set(failures)).toEqual(new Set(["network"]));
  expect(seen.opened).toEqual([]);
});
