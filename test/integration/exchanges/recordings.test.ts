// Real connections of Binance and OKX, recorded frame by frame, read by our decoders and kept by our books; what they hold is
// counted beside by code that shares nothing with ours. Skipped by name where the recordings are not at hand.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { BookPage, BookUpdate } from "../../../src/core/model/book.js";
import type { TradeCandidate } from "../../../src/core/model/trade.js";
import { SPOT_BOOK_RULES } from "../../../src/exchanges/binance/book-rules.js";
import { createBinanceDialect, SPOT_STREAMS } from "../../../src/exchanges/binance/stream.js";
import type { LiveChannel, LiveDialect, LiveMessage } from "../../../src/exchanges/live.js";
import { OKX_BOOK_RULES } from "../../../src/exchanges/okx/book-rules.js";
import { createOkxDialect } from "../../../src/exchanges/okx/stream.js";
import { BookKeeper } from "../../../src/pipeline/feed/live/book-keeper.js";
import { TradeTracker } from "../../../src/pipeline/feed/live/trade-tracker.js";
import type { BookBatch } from "../../../src/core/model/record-batch.js";
import type { BookRules } from "../../../src/exchanges/book-rules.js";

const OKX_DIALECT = createOkxDialect("raw");

const FOLDER = "../shared/data/recordings";
const hasRecordings = existsSync(FOLDER);

interface Line {
  readonly atMs: number;
  readonly text: string;
}

/** `EPOCH_SECONDS: PAYLOAD` is a frame of the server; other lines are what was sent to it. */
function framesOf(file: string): Line[] {
  return linesOf(file).flatMap((line) => {
    const match = /^(\d+\.\d+): (.*)$/.exec(line);
    return match ? [{ atMs: Number(match[1]) * 1_000, text: match[2] ?? "" }] : [];
  });
}

function linesOf(file: string): string[] {
  return gunzipSync(readFileSync(`${FOLDER}/${file}`))
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "");
}

/** Our reading of each frame, with the channels a follower of these topics would have. */
function decodeAll(
  frames: readonly Line[],
  dialect: LiveDialect,
  channelOf: (topic: string) => LiveChannel | undefined,
): { atMs: number; message: LiveMessage }[] {
  return frames.flatMap(({ atMs, text }) =>
    dialect.decode(text, channelOf).map((message) => ({ atMs, message })),
  );
}

function updatesOf(
  messages: readonly { atMs: number; message: LiveMessage }[],
): Map<string, { atMs: number; update: BookUpdate }[]> {
  const byTopic = new Map<string, { atMs: number; update: BookUpdate }[]>();
  for (const { atMs, message } of messages) {
    if (message.kind !== "book") continue;
    const list = byTopic.get(message.topic) ?? [];
    byTopic.set(message.topic, [...list, { atMs, update: message.update }]);
  }
  return byTopic;
}

function tradesOf(messages: readonly { message: LiveMessage }[]): Map<string, TradeCandidate[]> {
  const byTopic = new Map<string, TradeCandidate[]>();
  for (const { message } of messages)
    if (message.kind === "trades")
      byTopic.set(message.topic, [...(byTopic.get(message.topic) ?? []), ...message.candidates]);
  return byTopic;
}

/** Replays updates, and pages as they arrived, through a keeper. */
function replay(
  rules: BookRules,
  updates: readonly { atMs: number; update: BookUpdate }[],
  pages: readonly { atMs: number; page: BookPage }[] = [],
): { batch: BookBatch | undefined; isValid: boolean; pagesAsked: number; resubscriptions: number } {
  let pagesAsked = 0;
  let resubscriptions = 0;
  const keeper = new BookKeeper({
    marketId: 1,
    rules,
    contractSize: undefined,
    levels: 20,
    snapshotEveryMs: 1_000,
    keepsDeltas: true,
    requestPage: () => pagesAsked++,
    resubscribe: () => resubscriptions++,
  });
  const events = [
    ...updates.map(({ atMs, update }) => ({ atMs, run: () => keeper.onUpdate(update, arrivalAt(atMs)) })),
    ...pages.map(({ atMs, page }) => ({ atMs, run: () => keeper.onPage(page) })),
  ].sort((a, b) => a.atMs - b.atMs);
  for (const { run } of events) run();
  return { batch: keeper.take(), isValid: keeper.isValid, pagesAsked, resubscriptions };
}

const arrivalAt = (ms: number) => ({ connectionId: 1, receivedMs: ms, exchangeNowMs: ms });

/** How often a text occurs in the frames: a count that parses nothing. */
function occurrences(frames: readonly Line[], text: string): number {
  return frames.reduce((sum, frame) => sum + frame.text.split(text).length - 1, 0);
}

describe.skipIf(!hasRecordings)("a recorded connection of Binance (needs ../shared/data)", () => {
  const dialect = createBinanceDialect(SPOT_STREAMS);
  const symbols = ["NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR"];
  const channels = new Map<string, LiveChannel>(
    symbols.flatMap((nativeSymbol) =>
      (["trades", "book", "candles"] as const).map((kind) => {
        const channel: LiveChannel = { kind, nativeSymbol, timeframe: "1m" };
        return [dialect.topicOf(channel), channel] as const;
      }),
    ),
  );

  it("is read to the last frame: as many of each kind as its text holds, nothing of ours unreadable", () => {
    const frames = framesOf("BINANCE.ws.1.0.gz");
    const messages = decodeAll(frames, dialect, (topic) => channels.get(topic));
    const count = (kind: LiveMessage["kind"]): number =>
      messages.filter(({ message }) => message.kind === kind).length;
    expect(count("book")).toBe(occurrences(frames, '"e":"depthUpdate"'));
    expect(count("candle")).toBe(occurrences(frames, '"e":"kline"'));
    expect(count("trades")).toBe(occurrences(frames, '"e":"aggTrade"'));
    expect(count("book")).toBeGreaterThan(100);
    // The best bids and asks are streams that we do not subscribe to.
    expect(count("malformed")).toBe(occurrences(frames, "@bookTicker"));
  });

  it("chains every book from its page without a break, the corner case included", () => {
    const messages = decodeAll(framesOf("BINANCE.ws.1.0.gz"), dialect, (topic) => channels.get(topic));
    const updates = updatesOf(messages);
    const pages = linesOf("BINANCE.http.0.0.gz").flatMap((line) => {
      const match = /symbol=(\w+)&limit=\d+ -> (\d+\.\d+): (.*)$/.exec(line);
      if (!match) return [];
      const json = JSON.parse(match[3] ?? "") as {
        lastUpdateId: number;
        bids: [string, string][];
        asks: [string, string][];
      };
      const page: BookPage = {
        sequence: json.lastUpdateId,
        timeMs: undefined,
        bids: json.bids,
        asks: json.asks,
        request: "",
      };
      return [{ symbol: match[1] ?? "", atMs: Number(match[2]) * 1_000, page }];
    });
    expect(pages.map(({ symbol }) => symbol).sort()).toEqual([...symbols].sort());
    let endsExactlyAtPage = 0;
    for (const { symbol, page, atMs } of pages) {
      const own = updates.get(`${symbol.toLowerCase()}@depth@100ms`) ?? [];
      const { batch, isValid, pagesAsked } = replay(SPOT_BOOK_RULES, own, [{ atMs, page }]);
      const after = own.filter(({ update }) => update.lastId > page.sequence);
      endsExactlyAtPage += own.filter(({ update }) => update.lastId === page.sequence).length;
      if (after.length === 0) continue;
      expect({ symbol, isValid, pagesAsked, breaks: batch?.tally.sequenceBreaks }).toEqual({
        symbol,
        isValid: true,
        pagesAsked: 1,
        breaks: 0,
      });
      expect(batch?.deltas).toHaveLength(after.length);
      expect(
        naiveTop(
          page,
          after.map(({ update }) => update),
          20,
        ),
      ).toEqual(topOf(SPOT_BOOK_RULES, own, { atMs, page }, 20));
    }
    expect(endsExactlyAtPage).toBeGreaterThan(0);
  });

  it("goes on by aggregate id from trade to trade", () => {
    const messages = decodeAll(framesOf("BINANCE.ws.1.0.gz"), dialect, (topic) => channels.get(topic));
    for (const candidates of tradesOf(messages).values()) {
      const tracker = new TradeTracker({
        marketId: 1,
        numbering: "record",
        position: undefined,
        heldMax: 1_000,
      });
      tracker.add(candidates, { receivedMs: 0, exchangeNowMs: Date.UTC(2021, 9, 12, 1) });
      const batch = tracker.finish();
      expect(batch?.trades).toHaveLength(candidates.length);
      expect(batch?.runs).toHaveLength(1);
      expect([batch?.missing, batch?.rejected]).toEqual([[], []]);
    }
  });
});

describe.skipIf(!hasRecordings)("a recorded connection of OKX (needs ../shared/data)", () => {
  const instruments = ["BTC-USDT", "UNI-USD-SWAP", "BTC-USD-220527"];
  const channels = new Map<string, LiveChannel>(
    instruments.flatMap((nativeSymbol) => [
      [`trades:${nativeSymbol}`, { kind: "trades", nativeSymbol } as const] as const,
      [`books:${nativeSymbol}`, { kind: "book", nativeSymbol } as const] as const,
    ]),
  );
  /** In 2022 books had no sequence numbers: they are given here, so that what is checked is the checksum. */
  const numbered = (frames: readonly Line[]): Line[] => {
    let seqId = 0;
    return frames.map(({ atMs, text }) => {
      if (!text.includes('"channel":"books"') || !text.includes('"action"')) return { atMs, text };
      const json = JSON.parse(text) as { arg: { instId: string }; data: Record<string, unknown>[] };
      const previous = lastSeq.get(json.arg.instId) ?? -1;
      const data = json.data.map((row) => ({ ...row, prevSeqId: previous, seqId: ++seqId }));
      lastSeq.set(json.arg.instId, seqId);
      return { atMs, text: JSON.stringify({ ...json, data }) };
    });
  };
  const lastSeq = new Map<string, number>();

  it("is read to the last frame, and every checksum verifies", () => {
    const raw = framesOf("OKX.ws.1.0.gz");
    lastSeq.clear();
    const messages = decodeAll(numbered(raw), OKX_DIALECT, (topic) => channels.get(topic));
    const books = updatesOf(messages);
    const count = [...books.values()].reduce((sum, list) => sum + list.length, 0);
    expect(count).toBe(occurrences(raw, '"checksum":'));
    expect(count).toBeGreaterThan(200);
    for (const [topic, updates] of books) {
      const { batch, isValid, resubscriptions } = replay(OKX_BOOK_RULES, updates);
      expect({ topic, isValid, resubscriptions, failures: batch?.tally.checksumFailures }).toEqual({
        topic,
        isValid: true,
        resubscriptions: 0,
        failures: 0,
      });
      expect(updates.every(({ update }) => update.checksum !== undefined)).toBe(true);
      expect(batch?.deltas).toHaveLength(updates.length);
    }
    const trades = messages.filter(({ message }) => message.kind === "trades");
    expect(trades.length).toBe(
      raw.filter(({ text }) => text.includes('"channel":"trades"') && text.includes('"data"')).length,
    );
    const unread = messages.filter(({ message }) => message.kind === "malformed");
    expect(unread.length).toBe(
      raw.filter(({ text }) => text.includes('"channel":"tickers"') && text.includes('"data"')).length,
    );
  });

  it("notices one wrong quantity among the best levels", () => {
    lastSeq.clear();
    const messages = decodeAll(numbered(framesOf("OKX.ws.1.0.gz")), OKX_DIALECT, (topic) =>
      channels.get(topic),
    );
    const updates = updatesOf(messages).get("books:BTC-USDT") ?? [];
    const [first, ...rest] = updates;
    if (!first) throw new Error("no book");
    const bids = first.update.bids.map((level, i) =>
      i === 3 ? ([level[0], `${level[1]}1`] as const) : level,
    );
    const { resubscriptions } = replay(OKX_BOOK_RULES, [
      { ...first, update: { ...first.update, bids } },
      ...rest,
    ]);
    expect(resubscriptions).toBe(1);
  });

  it("goes on by trade id within each instrument", () => {
    lastSeq.clear();
    const messages = decodeAll(framesOf("OKX.ws.1.0.gz"), OKX_DIALECT, (topic) => channels.get(topic));
    for (const candidates of tradesOf(messages).values()) {
      const tracker = new TradeTracker({
        marketId: 1,
        numbering: "fill",
        position: undefined,
        heldMax: 1_000,
      });
      tracker.add(candidates, { receivedMs: 0, exchangeNowMs: Date.UTC(2022, 4, 13, 17) });
      const batch = tracker.finish();
      expect([batch?.missing, batch?.rejected, batch?.runs.length]).toEqual([[], [], 1]);
      expect(batch?.trades).toHaveLength(candidates.length);
    }
  });
});

/** The best levels after a page and the changes behind it, from a Map and a sort. */
function naiveTop(page: BookPage, updates: readonly BookUpdate[], levels: number): string[][] {
  const sides = { bids: new Map(page.bids), asks: new Map(page.asks) };
  for (const update of updates)
    for (const side of ["bids", "asks"] as const)
      for (const [price, qty] of update[side]) {
        if (Number(qty) === 0) sides[side].delete(price);
        else sides[side].set(price, qty);
      }
  const best = (side: Map<string, string>, sign: number): string[] =>
    [...side.entries()]
      .sort(([a], [b]) => sign * (Number(a) - Number(b)))
      .slice(0, levels)
      .map(([price, qty]) => `${price} ${qty}`);
  return [best(sides.bids, -1), best(sides.asks, 1)];
}

function topOf(
  rules: BookRules,
  updates: readonly { atMs: number; update: BookUpdate }[],
  { atMs, page }: { atMs: number; page: BookPage },
  levels: number,
): string[][] {
  const keeper = new BookKeeper({
    marketId: 1,
    rules,
    contractSize: undefined,
    levels,
    snapshotEveryMs: 1_000,
    keepsDeltas: false,
    requestPage: () => undefined,
    resubscribe: () => undefined,
  });
  let isPageGiven = false;
  for (const each of updates) {
    if (!isPageGiven && each.atMs > atMs) {
      keeper.onPage(page);
      isPageGiven = true;
    }
    keeper.onUpdate(each.update, arrivalAt(each.atMs));
  }
  const top = keeper.top(levels);
  return [top?.bids, top?.asks].map((side) => (side ?? []).map(([price, qty]) => `${price} ${qty}`));
}
