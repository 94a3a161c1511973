import { describe, expect, it } from "vitest";
import type { TradeCandidate } from "../../../../../src/core/model/trade.js";
import type { BookBatch, TradeBatch } from "../../../../../src/core/model/record-batch.js";
import { SPOT_BOOK_RULES } from "../../../../../src/exchanges/binance/book-rules.js";
import { OKX_BOOK_RULES } from "../../../../../src/exchanges/okx/book-rules.js";
import { MarketStreams } from "../../../../../src/pipeline/feed/live/market-streams.js";
import { DEFAULT_VALIDATION } from "../../../../../src/pipeline/gate/validation.js";
import { BTC_USDT } from "../../../../support/candles.js";
import { tradeCandidate } from "../../../../support/trades.js";

const T0 = Date.UTC(2024, 0, 10);

const tradeAt = (id: number, ms: number): TradeCandidate => tradeCandidate(id, T0 + ms);

/** One market with trades and candles. */
function follow() {
  const streams = new MarketStreams({
    market: { ...BTC_USDT, id: 1, exchange: "binance", isSimulated: true },
    rules: SPOT_BOOK_RULES,
    numbering: "record",
    trades: { position: undefined },
    book: undefined,
    candles: [{ timeframe: "1m", before: [] }],
    validation: DEFAULT_VALIDATION,
    pages: { request: () => undefined },
    resubscribe: () => undefined,
    exchangeNowMs: () => T0,
    nowMs: () => T0,
  });
  const channel = (kind: string) => {
    const found = streams.channels.find((each) => each.kind === kind);
    if (!found) throw new Error(`no channel of ${kind}`);
    return found;
  };
  const arrivalAt = (ms: number) => ({ connectionId: 1, receivedMs: T0 + ms, exchangeNowMs: T0 + ms });
  return {
    trade: (id: number, ms: number, receivedMs = ms) =>
      streams.onMessage(
        channel("trades"),
        { kind: "trades", topic: "t", candidates: [tradeAt(id, ms)] },
        arrivalAt(receivedMs),
      ),
    /** A closed candle of so many trades of one unit at 100. */
    candle: (ms: number, volume: string, receivedMs: number) =>
      streams.onMessage(
        channel("candles"),
        {
          kind: "candle",
          topic: "c",
          isClosed: true,
          candidate: {
            openTimeMs: T0 + ms,
            open: "100",
            high: "100",
            low: "100",
            close: "100",
            volume,
            quoteVolume: "200",
            tradeCount: 2,
            isClosed: true,
            raw: ms,
          },
        },
        arrivalAt(receivedMs),
      ),
    take: (ms: number) => streams.take(T0 + ms),
  };
}

const tradesOf = (batches: readonly { kind: string }[]): TradeBatch | undefined =>
  batches.find((each): each is TradeBatch => each.kind === "trades");

describe("trades beside candles that are compared with them", () => {
  it("are handed on when they come after their hole was given up", () => {
    const market = follow();
    market.trade(100, 0);
    market.trade(102, 10);
    market.take(2_000);
    market.trade(101, 5, 2_100);
    expect(tradesOf(market.take(2_250))?.trades.map(({ id }) => id)).toEqual([101]);
  });

  it("are handed on when their count begins anew, and the next whole candle is compared again", () => {
    const market = follow();
    market.trade(1_000, 0);
    market.take(250);
    for (const id of [1, 2, 3]) market.trade(id, 120_000 + id);
    market.take(120_500);
    market.trade(4, 180_000);
    market.trade(5, 240_000);
    market.candle(180_000, "2", 240_100);
    market.take(240_250);
    // Its one trade is of one unit; what was found goes with the next batch.
    expect(tradesOf(market.take(240_500))?.tally).toMatchObject({ builtDifferences: 1 });
  });
});

/** One market with a book whose stream begins with a snapshot. */
function followBook() {
  const resubscribed: string[] = [];
  const streams = new MarketStreams({
    market: { ...BTC_USDT, id: 1, exchange: "okx", isSimulated: true },
    rules: OKX_BOOK_RULES,
    numbering: undefined,
    trades: undefined,
    book: { levels: 1, snapshotEveryMs: 1_000, keepsDeltas: false, followedToMs: undefined },
    candles: [],
    validation: DEFAULT_VALIDATION,
    pages: { request: () => undefined },
    resubscribe: ({ nativeSymbol }) => resubscribed.push(nativeSymbol),
    exchangeNowMs: () => T0,
    nowMs: () => T0,
  });
  const [channel] = streams.channels;
  if (!channel) throw new Error("no channel");
  /** A snapshot where it has no predecessor. */
  const update = (connectionId: number, lastId: number, previousId?: number): void => {
    const timeMs = T0 + lastId;
    streams.onMessage(
      channel,
      {
        kind: "book",
        topic: "b",
        update: {
          nativeSymbol: channel.nativeSymbol,
          isSnapshot: previousId === undefined,
          firstId: lastId,
          lastId,
          previousId: previousId ?? -1,
          timeMs,
          checksum: undefined,
          bids: [["100", "1"]],
          asks: [["101", "1"]],
        },
      },
      { connectionId, receivedMs: timeMs, exchangeNowMs: timeMs },
    );
  };
  return { streams, update, resubscribed };
}

describe("a book whose connection has ended", () => {
  it("is given up and asked for anew, and the time without it is on record", () => {
    const { streams, update, resubscribed } = followBook();
    update(1, 10);
    update(1, 20, 10);
    streams.onConnectionEnded(1);
    expect(streams.book?.isValid).toBe(false);
    expect(resubscribed).toEqual(["BTCUSDT"]);
    update(2, 500);
    const [batch] = streams.take(T0 + 600) as BookBatch[];
    expect(batch?.outages).toEqual([
      {
        startMs: T0 + 20,
        endMs: T0 + 500,
        reason: "disconnected",
        detail: "the connection that its snapshot came on has ended",
      },
    ]);
  });

  it("goes on when another connection has sent a snapshot meanwhile", () => {
    const { streams, update, resubscribed } = followBook();
    update(1, 10);
    update(2, 12);
    streams.onConnectionEnded(1);
    update(2, 20, 12);
    expect(streams.book?.top(1)?.sequence).toBe(20);
    expect(resubscribed).toEqual([]);
  });
});
