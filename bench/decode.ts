// Frames of real connections, decoded, checked and folded into books and runs of trades, against a bare JSON.parse of the
// same frames on one core, in turn. Needs the recordings in ../shared/data; without them it measures frames of the simulated
// exchange.
// npx tsx bench/decode.ts [--short]
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { WebSocket } from "ws";
import { scaledClock } from "../src/core/clock.js";
import type { BookPage } from "../src/core/model/book.js";
import type { BookRules } from "../src/exchanges/book-rules.js";
import { SPOT_BOOK_RULES } from "../src/exchanges/binance/book-rules.js";
import { createBinanceDialect, SPOT_STREAMS } from "../src/exchanges/binance/stream.js";
import type { LiveChannel, LiveDialect } from "../src/exchanges/live.js";
import { OKX_BOOK_RULES } from "../src/exchanges/okx/book-rules.js";
import { createOkxDialect } from "../src/exchanges/okx/stream.js";
import { BookKeeper } from "../src/pipeline/feed/live/book-keeper.js";
import { CandleTracker } from "../src/pipeline/feed/live/candle-tracker.js";
import { TradeTracker } from "../src/pipeline/feed/live/trade-tracker.js";
import { DEFAULT_VALIDATION } from "../src/pipeline/gate/validation.js";
import { startSimulatedExchange } from "../simulator/simulated-exchange.js";
import { IS_SHORT, median, printTable, requireGoal, thousands } from "./support.js";

const OKX_DIALECT = createOkxDialect("raw");

const FOLDER = "../shared/data/recordings";
const ROUNDS = IS_SHORT ? 3 : 21;
const PASSES = IS_SHORT ? 2 : 20;
const GOAL = 0.6;
/** What is computed ends here, so that it is computed. */
let sink = 0;

/** Frames of one connection, and what a follower of it knows. */
interface Recording {
  /** The exchange's clock meanwhile, epoch ms. */
  readonly atMs: number;
  readonly name: string;
  readonly frames: readonly string[];
  readonly dialect: LiveDialect;
  readonly rules: BookRules;
  readonly channels: ReadonlyMap<string, LiveChannel>;
  /** By native symbol, where books start from REST. */
  readonly pages: ReadonlyMap<string, BookPage>;
}

const recordings = existsSync(FOLDER)
  ? [
      binanceRecording(),
      okxRecording("OKX as it sends today, checksum 0", { hasChecksums: false }),
      okxRecording("OKX of 2022 with checksums", { hasChecksums: true }),
    ]
  : [await simulatedRecording()];
const rows: string[][] = [];
for (const recording of recordings) {
  for (const part of ["all frames", "books alone"] as const) {
    const chosen = part === "all frames" ? recording : booksOf(recording);
    const { parse, follow, ratio } = measure(chosen);
    const bytes = chosen.frames.reduce((sum, frame) => sum + frame.length, 0) / chosen.frames.length;
    rows.push([
      `${recording.name}, ${part}`,
      bytes.toFixed(0),
      thousands(parse),
      thousands(follow),
      ratio.toFixed(2),
    ]);
  }
}
printTable(
  `Decode, check and fold, frames/s, median of ${ROUNDS}`,
  ["frames", "bytes each", "JSON.parse alone", "decode → gate → book", "ratio"],
  rows,
);
if (sink === 0) throw new Error("nothing was computed");
for (const [name = "", , , , ratio = "0"] of rows)
  requireGoal(Number(ratio) >= GOAL, `${name}: at least ${GOAL}`);

function measure(recording: Recording): { parse: number; follow: number; ratio: number } {
  const times = { parse: [] as number[], follow: [] as number[], ratio: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    const parse = timed(() => parseAll(recording));
    const followed = Array.from({ length: PASSES }, () => prepare(recording));
    const follow = timed((pass) => followAll(recording, followed[pass] ?? prepare(recording)));
    times.parse.push(parse);
    times.follow.push(follow);
    times.ratio.push(parse / follow);
  }
  const perSecond = (ms: number): number => (PASSES * recording.frames.length * 1_000) / ms;
  return {
    parse: perSecond(median(times.parse)),
    follow: perSecond(median(times.follow)),
    ratio: median(times.ratio),
  };
}

function timed(work: (pass: number) => void): number {
  const startedMs = performance.now();
  for (let pass = 0; pass < PASSES; pass++) work(pass);
  return performance.now() - startedMs;
}

function parseAll({ frames }: Recording): void {
  for (const frame of frames) {
    const json = JSON.parse(frame) as object;
    if ("data" in json) sink++;
  }
}

/** What holds the state of a connection's markets. */
interface Followed {
  readonly books: ReadonlyMap<string, BookKeeper>;
  readonly trades: ReadonlyMap<string, TradeTracker>;
  readonly candles: ReadonlyMap<string, CandleTracker>;
}

/** Anew for each pass, so that nothing is skipped; books that start from REST stand at their page. */
function prepare(recording: Recording): Followed {
  const { channels, pages } = recording;
  const books = new Map<string, BookKeeper>();
  const trades = new Map<string, TradeTracker>();
  const candles = new Map<string, CandleTracker>();
  for (const [topic, { kind, nativeSymbol }] of channels) {
    if (kind === "book") books.set(topic, keeperOf(recording, nativeSymbol, pages.get(nativeSymbol)));
    else if (kind === "trades")
      trades.set(
        topic,
        new TradeTracker({ marketId: 1, numbering: "record", position: undefined, heldMax: 1e9 }),
      );
    else
      candles.set(
        topic,
        new CandleTracker({ marketId: 1, timeframe: "1m", validation: DEFAULT_VALIDATION, before: [] }),
      );
  }
  return { books, trades, candles };
}

function keeperOf({ rules, atMs }: Recording, nativeSymbol: string, page: BookPage | undefined): BookKeeper {
  const keeper = new BookKeeper({
    marketId: 1,
    rules,
    contractSize: undefined,
    levels: 20,
    // What a stored snapshot costs is the writing's matter; these recordings are quiet, and every change would be one.
    snapshotEveryMs: 3_600_000,
    keepsDeltas: false,
    requestPage: () => undefined,
    resubscribe: () => undefined,
  });
  if (page) {
    const ids = { firstId: page.sequence, lastId: page.sequence, previousId: undefined };
    const nothing = { timeMs: atMs, checksum: undefined, bids: [], asks: [] };
    // A change that lies before the page, so that the page is waited for.
    keeper.onUpdate({ nativeSymbol, isSnapshot: false, ...ids, ...nothing }, arrivalAt(atMs));
    keeper.onPage(page);
  }
  return keeper;
}

function arrivalAt(atMs: number): { connectionId: number; receivedMs: number; exchangeNowMs: number } {
  return { connectionId: 1, receivedMs: atMs, exchangeNowMs: atMs };
}

/** What market-streams.ts does with each message. */
function followAll(
  { frames, dialect, channels, atMs }: Recording,
  { books, trades, candles }: Followed,
): void {
  const arrival = arrivalAt(atMs);
  const channelOf = (topic: string): LiveChannel | undefined => channels.get(topic);
  for (const frame of frames)
    for (const message of dialect.decode(frame, channelOf)) {
      if (message.kind === "book") books.get(message.topic)?.onUpdate(message.update, arrival);
      else if (message.kind === "trades") trades.get(message.topic)?.add(message.candidates, arrival);
      else if (message.kind === "candle" && message.isClosed)
        candles.get(message.topic)?.add(message.candidate, arrival);
    }
  for (const book of books.values()) {
    const top = book.top(1);
    if (!top) throw new Error("a book is not valid at the end of the recording");
    sink += top.sequence;
  }
}

function booksOf(recording: Recording): Recording {
  const { dialect, channels } = recording;
  const frames = recording.frames.filter((frame) =>
    dialect.decode(frame, (topic) => channels.get(topic)).some(({ kind }) => kind === "book"),
  );
  return { ...recording, frames };
}

function linesOf(file: string): string[] {
  return gunzipSync(readFileSync(`${FOLDER}/${file}`))
    .toString("utf8")
    .split("\n");
}

function framesOf(file: string): string[] {
  return linesOf(file).flatMap((line) => /^\d+\.\d+: (.*)$/.exec(line)?.[1] ?? []);
}

function channelsOf(
  dialect: LiveDialect,
  symbols: readonly string[],
  kinds: readonly LiveChannel["kind"][],
): Map<string, LiveChannel> {
  const channels = symbols.flatMap((nativeSymbol) =>
    kinds.map((kind): LiveChannel => ({ kind, nativeSymbol, timeframe: "1m" })),
  );
  return new Map(channels.map((channel) => [dialect.topicOf(channel), channel]));
}

function binanceRecording(): Recording {
  const dialect = createBinanceDialect(SPOT_STREAMS);
  const symbols = ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"];
  const channels = channelsOf(dialect, symbols, ["trades", "book", "candles"]);
  const pages = new Map(
    linesOf("BINANCE.http.0.0.gz").flatMap((line) => {
      const match = /symbol=(\w+)&limit=\d+ -> \d+\.\d+: (.*)$/.exec(line);
      if (!match) return [];
      const json = JSON.parse(match[2] ?? "") as Pick<BookPage, "bids" | "asks"> & { lastUpdateId: number };
      const page = { ...json, sequence: json.lastUpdateId, timeMs: undefined, request: "" };
      return [[match[1] ?? "", page] as const];
    }),
  );
  // A best bid alone is a stream that is not followed.
  const frames = framesOf("BINANCE.ws.1.0.gz").filter((frame) => !frame.includes("@bookTicker"));
  return {
    name: "Binance spot",
    atMs: 1_633_998_560_000,
    frames,
    dialect,
    rules: SPOT_BOOK_RULES,
    channels,
    pages,
  };
}

function okxRecording(name: string, { hasChecksums }: { hasChecksums: boolean }): Recording {
  const symbols = ["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"];
  const channels = new Map<string, LiveChannel>(
    symbols.flatMap((nativeSymbol) => [
      [`trades:${nativeSymbol}`, { kind: "trades", nativeSymbol } as const] as const,
      [`books:${nativeSymbol}`, { kind: "book", nativeSymbol } as const] as const,
    ]),
  );
  // In 2022 there were no sequence numbers: they are given here.
  const last = new Map<string, number>();
  let seqId = 0;
  const frames = framesOf("OKX.ws.1.0.gz").flatMap((frame) => {
    const json = JSON.parse(frame) as { arg?: { channel: string; instId: string }; data?: object[] };
    if (!json.arg || !json.data || json.arg.channel === "tickers") return [];
    if (json.arg.channel !== "books") return [frame];
    const { instId } = json.arg;
    const prevSeqId = last.get(instId) ?? -1;
    last.set(instId, ++seqId);
    return [
      JSON.stringify({
        ...json,
        data: json.data.map((row) => ({
          ...row,
          ...(hasChecksums ? {} : { checksum: 0 }),
          prevSeqId,
          seqId,
        })),
      }),
    ];
  });
  return {
    name,
    atMs: 1_652_459_260_000,
    frames,
    dialect: OKX_DIALECT,
    rules: OKX_BOOK_RULES,
    channels,
    pages: new Map(),
  };
}

/** A minute of the simulated OKX. */
async function simulatedRecording(): Promise<Recording> {
  const clock = scaledClock({ startMs: Date.UTC(2026, 0, 5), factor: 30 });
  const simulator = await startSimulatedExchange({ seed: 1, clock, exchanges: ["okx"] });
  const channels = channelsOf(OKX_DIALECT, ["BTC-USDT", "ETH-USDT"], ["book"]);
  const socket = new WebSocket(`${simulator.url.replace("http", "ws")}/ws/v5/public`);
  const frames: string[] = [];
  socket.on("message", (data: Buffer) => frames.push(data.toString()));
  await new Promise((resolve) => socket.once("open", resolve));
  socket.send(OKX_DIALECT.subscribe([...channels.keys()], "1"));
  await clock.sleep(60_000);
  socket.terminate();
  await simulator.close();
  return {
    name: "simulated OKX",
    atMs: clock.nowMs(),
    frames,
    dialect: OKX_DIALECT,
    rules: OKX_BOOK_RULES,
    channels,
    pages: new Map(),
  };
}
