// Books of OKX's protocol from a real WebSocket server to the stage, while connections end, are replaced and say nothing, on a
// clock that runs a hundred times as fast. Each session is captured, and comes to the same when it is replayed.
import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { WebSocketServer, type WebSocket } from "ws";
import { scaledClock } from "../../../../src/core/clock.js";
import { silentLog } from "../../../../src/core/log.js";
import type { BookOutage, BookPage } from "../../../../src/core/model/book.js";
import type { RecordBatch } from "../../../../src/core/model/record-batch.js";
import { seededRandom } from "../../../../src/core/random.js";
import type { Exchange } from "../../../../src/exchanges/exchange.js";
import { OKX_BOOK_RULES } from "../../../../src/exchanges/okx/book-rules.js";
import { createOkxDialect } from "../../../../src/exchanges/okx/stream.js";
import type { CaptureEvent } from "../../../../src/pipeline/capture/capture-event.js";
import { replayCapture } from "../../../../src/pipeline/capture/replay.js";
import type { BookKeeper } from "../../../../src/pipeline/feed/live/book-keeper.js";
import { LiveFeed } from "../../../../src/pipeline/feed/live/live-feed.js";
import { DEFAULT_VALIDATION } from "../../../../src/pipeline/gate/validation.js";
import type { Stage } from "../../../../src/pipeline/stage/stage.js";
import type { StoredMarket } from "../../../../src/store/store.js";
import { BTC_USDT } from "../../../support/candles.js";
import { until } from "../../../support/until.js";

const FACTOR = 100;
const [A, B] = ["BTC-USDT", "ETH-USDT"];
const UPGRADE_NOTICE = JSON.stringify({ event: "notice", code: "64008", msg: "upgrade in 60 s" });
const never = new AbortController().signal;

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A connection as the server has it, counted from 1. */
interface Peer {
  readonly number: number;
  readonly socket: WebSocket;
  readonly instIds: Set<string>;
}

interface World {
  readonly peers: readonly Peer[];
  /** Subscriptions in their order: `2 BTC-USDT`. */
  readonly asked: readonly string[];
  readonly lost: readonly string[];
  /** Answers 503 to whoever wants to connect. */
  isAway: boolean;
  /** The next change of this market is not sent on this connection. */
  dropNext: { readonly number: number; readonly instId: string } | undefined;
  book(instId: string): BookKeeper;
  /** How far the exchange's book has come. */
  sequenceOf(instId: string): number;
  outagesOf(instId: string): BookOutage[];
  /** Exchange's seconds. */
  wait(seconds: number): Promise<void>;
  /** Ends the feed. @returns what was handed on, and what came in */
  stop(): Promise<{ batches: readonly RecordBatch[]; events: readonly CaptureEvent[] }>;
}

const levels = (sequence: number): Pick<BookPage, "bids" | "asks"> => ({
  bids: [["100", String(sequence)]],
  asks: [["101", "1"]],
});

/**
 * Follows the markets' books; the exchange changes each twice in a second.
 * @param says what a subscription is answered with; all of it unless told otherwise
 */
async function follow(
  instIds: readonly string[],
  says: (number: number, instId: string) => "everything" | "ack only" | "no snapshot" = () => "everything",
): Promise<World> {
  const clock = scaledClock({ startMs: 1_700_000_000_000, factor: FACTOR });
  const sequences = new Map(instIds.map((instId) => [instId, 1_000]));
  const sequenceOf = (instId: string): number => sequences.get(instId) ?? 0;
  const peers: Peer[] = [];
  const asked: string[] = [];
  const send = (
    { socket }: Peer,
    instId: string,
    action: "snapshot" | "update",
    previousId: number,
  ): void => {
    const sequence = sequenceOf(instId);
    const row = { ...levels(sequence), ts: String(clock.nowMs()), checksum: 0 };
    const data = [{ ...row, prevSeqId: previousId, seqId: sequence }];
    socket.send(JSON.stringify({ arg: { channel: "books", instId }, action, data }));
  };

  const server = createServer();
  const sockets = new WebSocketServer({
    server,
    verifyClient: (_: unknown, answer: (isAccepted: boolean, status?: number) => void) =>
      answer(!world.isAway, 503),
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  sockets.on("connection", (socket) => {
    const peer: Peer = { number: peers.length + 1, socket, instIds: new Set() };
    peers.push(peer);
    socket.on("message", (frame: Buffer) => {
      if (frame.toString() === "ping") return socket.send("pong");
      const { id, op, args } = JSON.parse(frame.toString()) as Record<string, string> & {
        args: { instId: string }[];
      };
      for (const { instId } of args) {
        if (op === "unsubscribe") {
          peer.instIds.delete(instId);
          continue;
        }
        asked.push(`${peer.number} ${instId}`);
        const answer = says(peer.number, instId);
        socket.send(JSON.stringify({ id, event: "subscribe", arg: { channel: "books", instId } }));
        if (answer === "everything") send(peer, instId, "snapshot", -1);
        if (answer !== "ack only") peer.instIds.add(instId);
      }
    });
  });
  const changing = setInterval(() => {
    for (const instId of instIds) {
      const previousId = sequenceOf(instId);
      sequences.set(instId, previousId + 3);
      for (const peer of peers) {
        if (!peer.instIds.has(instId)) continue;
        if (world.dropNext?.number === peer.number && world.dropNext.instId === instId)
          world.dropNext = undefined;
        else send(peer, instId, "update", previousId);
      }
    }
  }, 500 / FACTOR);

  const markets = instIds.map((nativeSymbol, i): StoredMarket => ({
    ...BTC_USDT,
    nativeSymbol,
    id: i + 1,
    exchange: "okx",
    isSimulated: true,
  }));
  const exchange = {
    id: "okx",
    traits: { tradeNumbering: undefined },
    live: {
      dialect: createOkxDialect("aggregated"),
      bookRules: OKX_BOOK_RULES,
      fetchBook: ({ nativeSymbol }: { nativeSymbol: string }): Promise<BookPage> => {
        const sequence = sequenceOf(nativeSymbol);
        return Promise.resolve({ sequence, timeMs: undefined, ...levels(sequence), request: "/books" });
      },
    },
  } as unknown as Exchange;
  const batches: RecordBatch[] = [];
  const events: CaptureEvent[] = [];
  const lost: string[] = [];
  const feed = new LiveFeed({
    exchange,
    wsUrl: `ws://127.0.0.1:${port}`,
    markets: markets.map((market) => ({
      market,
      trades: false,
      book: { levels: 1, snapshotEveryMs: 1_000, keepsDeltas: true },
      timeframes: [],
      validation: DEFAULT_VALIDATION,
    })),
    store: { live: { bookFollowedTo: () => Promise.resolve(undefined) } } as never,
    stage: stageInto(batches),
    clock,
    exchangeClock: { nowMs: () => clock.nowMs(), keepMeasured: () => Promise.resolve() } as never,
    random: seededRandom(3),
    log: silentLog,
    record: (event) => {
      events.push(event);
      if (event.kind === "lost") lost.push(`${instIds[event.channel]} ${event.loss.reason}`);
    },
  });
  const ending = new AbortController();
  const running = feed.run(ending.signal, never);
  const stop = async (): Promise<void> => {
    ending.abort(new Error("the test is over"));
    await running;
  };
  closers.push(async () => {
    await stop();
    clearInterval(changing);
    for (const { socket } of peers) socket.terminate();
    await new Promise((resolve) => server.close(resolve));
  });
  const world: World = {
    peers,
    asked,
    lost,
    isAway: false,
    dropNext: undefined,
    book(instId) {
      const book = feed.markets()[instIds.indexOf(instId)]?.book;
      if (!book) throw new Error(`no book of ${instId}`);
      return book;
    },
    sequenceOf,
    outagesOf: (instId) => outagesOf(batches, instIds.indexOf(instId) + 1),
    wait: (seconds) => delay((seconds * 1_000) / FACTOR),
    stop: async () => {
      await stop();
      expect(await replayed(events, { exchange, markets })).toEqual(batches);
      return { batches, events };
    },
  };
  await until(() => feed.markets().length > 0);
  return world;
}

function stageInto(batches: RecordBatch[]): Stage {
  const append = (batch: RecordBatch): Promise<number> => Promise.resolve(batches.push(batch));
  return { load: { rows: 0, rowsMax: 1 }, append } as unknown as Stage;
}

function outagesOf(batches: readonly RecordBatch[], marketId: number): BookOutage[] {
  return batches.flatMap((each) => (each.kind === "book" && each.marketId === marketId ? each.outages : []));
}

/** @returns what the events come to when they are replayed */
async function replayed(
  events: readonly CaptureEvent[],
  { exchange, markets }: { exchange: Exchange; markets: readonly StoredMarket[] },
): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  const putMarkets = (_: string, [info]: readonly { nativeSymbol: string }[]) =>
    Promise.resolve(markets.filter(({ nativeSymbol }) => nativeSymbol === info?.nativeSymbol));
  // As a file holds them.
  const read = JSON.parse(JSON.stringify(events)) as CaptureEvent[];
  await replayCapture(
    (async function* () {
      yield* read;
    })(),
    {
      store: { putMarkets } as never,
      stage: stageInto(batches),
      exchangeOf: () => exchange,
      clock: scaledClock({ startMs: 0, factor: 1 }),
    },
    never,
  );
  return batches;
}

it("serves no book while no connection carries it: the old one has gone, the new one cannot be opened", async () => {
  const world = await follow([A]);
  await until(() => world.book(A).isValid);
  world.isAway = true;
  world.peers[0]?.socket.send(UPGRADE_NOTICE);
  await world.wait(5);
  expect(world.book(A).isValid).toBe(true);
  world.peers[0]?.socket.terminate();
  await until(() => !world.book(A).isValid, { timeoutMs: 2_000 });
  await world.wait(60);
  world.isAway = false;
  await until(() => world.book(A).isValid);
  const { events } = await world.stop();
  expect(world.lost).toEqual([`${A} disconnected`]);
  expect(world.outagesOf(A).filter(({ endMs, startMs }) => endMs - startMs > 50_000)).toHaveLength(1);
  expect(events.filter(({ kind }) => kind === "disconnected")).toMatchObject([{ connection: 1 }]);
});

it("hands a book over to the next connection without a time that it is not valid", async () => {
  const world = await follow([A]);
  await until(() => world.book(A).isValid);
  world.peers[0]?.socket.send(UPGRADE_NOTICE);
  await until(() => (world.peers[0]?.socket.readyState ?? 0) > 1);
  const before = world.sequenceOf(A);
  await until(() => (world.book(A).top(1)?.sequence ?? 0) > before);
  await world.stop();
  expect(world.outagesOf(A).filter(({ reason, detail }) => `${reason}: ${detail}` !== NOT_YET)).toEqual([]);
});

/** From the first ack to the first snapshot. */
const NOT_YET = "disconnected: not synchronised yet";

it("gives up a book whose connection was replaced by one that sends no snapshot, and gets it another way", async () => {
  const world = await follow([A], (number) => (number === 1 ? "everything" : "no snapshot"));
  await until(() => world.book(A).isValid);
  world.peers[0]?.socket.send(UPGRADE_NOTICE);
  await until(() => (world.peers[0]?.socket.readyState ?? 0) > 1);
  const before = world.sequenceOf(A);
  await until(() => (world.book(A).top(1)?.sequence ?? 0) > before + 30, { timeoutMs: 5_000 });
  const { events } = await world.stop();
  expect(world.asked.slice(0, 3)).toEqual([`1 ${A}`, `2 ${A}`, `2 ${A}`]);
  expect(world.outagesOf(A)).toContainEqual(
    expect.objectContaining({
      reason: "disconnected",
      detail: "the connection that its snapshot came on has ended",
    }),
  );
  expect(events.filter(({ kind }) => kind === "disconnected")).toMatchObject([{ connection: 1 }]);
});

it("begins a book that broke while two connections overlap on the one that stays", async () => {
  // The new one waits for the second market's first word, and has the first already.
  const world = await follow([A, B], (number, instId) =>
    number === 1 || instId === A ? "everything" : "ack only",
  );
  await until(() => world.book(A).isValid && world.book(B).isValid);
  world.peers[0]?.socket.send(UPGRADE_NOTICE);
  await until(() => world.peers[1]?.instIds.has(A) === true);
  world.dropNext = { number: 2, instId: A };
  await until(() => (world.peers[0]?.socket.readyState ?? 0) > 1, { timeoutMs: 5_000 });
  const before = world.sequenceOf(A);
  await until(() => (world.book(A).top(1)?.sequence ?? 0) > before + 30, { timeoutMs: 5_000 });
  await world.stop();
  const asked = world.asked.filter((each) => each.endsWith(A));
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(asked.filter((each) => each.startsWith("1"))).toHaveLength(1);
});

it("asks anew for a book that was acknowledged and says nothing, and replaces its connection in the end", async () => {
  const world = await follow([A, B], (number, instId) =>
    instId === B || number > 1 ? "everything" : "ack only",
  );
  await until(() => world.book(B).isValid);
  await until(() => world.asked.filter((each) => each === `1 ${A}`).length >= 2, { timeoutMs: 5_000 });
  await until(() => world.book(A).isValid, { timeoutMs: 10_000 });
  expect(world.peers).toHaveLength(2);
  await world.stop();
  expect(new Set(world.lost)).toEqual(new Set([`${A} stale`]));
  expect(world.outagesOf(B).filter(({ reason, detail }) => `${reason}: ${detail}` !== NOT_YET)).toEqual([]);
});
