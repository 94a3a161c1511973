import { describe, expect, it } from "vitest";
import type { TradeCandidate } from "../../../../../src/core/model/trade.js";
import type { TradeBatch } from "../../../../../src/core/model/record-batch.js";
import { SPOT_BOOK_RULES } from "../../../../../src/exchanges/binance/book-rules.js";
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
