// A stream is silent: is the market quiet, or the stream dead? A cheap question to REST tells.
import { classifyError } from "../../../core/fault.js";
import type { BookPage } from "../../../core/model/book.js";
import { isRetried } from "../../../core/retry.js";
import { timeframeMs } from "../../../core/timeframe.js";
import { floorToTimeframe } from "../../../core/timeframe.js";
import type { Exchange } from "../../../exchanges/exchange.js";
import type { LiveChannel } from "../../../exchanges/live.js";
import type { ExchangeClock } from "../exchange-clock.js";
import type { Silence } from "./channel-watch.js";
import type { MarketStreams } from "./market-streams.js";

export type QuietAnswer = "quiet" | "missed" | "unknown";

/** A venue closes a candle within so long of its end. */
const CLOSE_LATE_MS = 5_000;
/** Levels that are compared where sequences say nothing. */
const COMPARED_LEVELS = 5;

export class QuietQuestions {
  readonly #exchange: Exchange;
  readonly #exchangeClock: ExchangeClock;
  /** Of markets without a book: what the exchange had at the first question about this silence. */
  readonly #firstPages = new WeakMap<MarketStreams, { sinceMs: number; page: BookPage }>();

  constructor({ exchange, exchangeClock }: { exchange: Exchange; exchangeClock: ExchangeClock }) {
    this.#exchange = exchange;
    this.#exchangeClock = exchangeClock;
  }

  /** @throws what the exchange throws; the caller takes that for `unknown` */
  ask(
    streams: MarketStreams,
    channel: LiveChannel,
    silence: Silence,
    signal: AbortSignal,
  ): Promise<QuietAnswer> {
    switch (channel.kind) {
      case "trades":
        return this.#askTrades(streams, silence.sinceMs, signal);
      case "book":
        return this.#askBook(streams, silence, signal);
      case "candles":
        return this.#askCandles(streams, channel, silence.sinceMs, signal);
    }
  }

  /** Has anything been traded since the last trade we know? */
  async #askTrades(streams: MarketStreams, lastMessageMs: number, signal: AbortSignal): Promise<QuietAnswer> {
    const toMs = this.#exchangeClock.nowMs();
    const fromMs = Math.min(streams.trades?.position?.endMs ?? lastMessageMs, toMs - 1);
    const { nativeSymbol } = streams.market;
    const page = await this.#exchange.fetchTrades({ nativeSymbol, fromMs, toMs }, signal);
    // The stream may have caught up while we asked.
    const lastId = streams.trades?.position?.lastId ?? -1;
    const isMissed = page.candidates.some(({ id }) => id !== undefined && id > lastId);
    return isMissed ? "missed" : "quiet";
  }

  /** Does the book we hold still stand at the exchange? */
  async #askBook(streams: MarketStreams, silence: Silence, signal: AbortSignal): Promise<QuietAnswer> {
    const before = streams.book?.top(COMPARED_LEVELS);
    if (before === undefined) return this.#askWithoutBook(streams, silence, signal);
    const page = await this.#fetchTop(streams, signal);
    const after = streams.book?.top(COMPARED_LEVELS);
    if (after === undefined || after.sequence !== before.sequence || page.sequence <= after.sequence)
      return "quiet";
    return isSameTop(after, page) ? "quiet" : "missed";
  }

  /** Has the exchange a book that the stream should have begun with, or one that has changed since we asked first? */
  async #askWithoutBook(
    streams: MarketStreams,
    { sinceMs, isFromStart }: Silence,
    signal: AbortSignal,
  ): Promise<QuietAnswer> {
    const isOwed = isFromStart && streams.bookStartsByItself;
    let page: BookPage;
    try {
      page = await this.#fetchTop(streams, signal);
    } catch (error) {
      // Trouble of REST's own excuses no stream; a market that is not there does.
      if (isOwed && !signal.aborted && isRetried(classifyError(error))) return "missed";
      throw error;
    }
    // A market that is not traded yet has no book, and its stream nothing to say.
    if (isOwed) return page.bids.length + page.asks.length > 0 ? "missed" : "quiet";
    const first = this.#firstPages.get(streams);
    if (first?.sinceMs !== sinceMs) {
      this.#firstPages.set(streams, { sinceMs, page });
      return "unknown";
    }
    return page.sequence === first.page.sequence || isSameTop(first.page, page) ? "quiet" : "missed";
  }

  #fetchTop({ market: { nativeSymbol } }: MarketStreams, signal: AbortSignal): Promise<BookPage> {
    return this.#exchange.live.fetchBook({ nativeSymbol, levels: COMPARED_LEVELS }, signal);
  }

  /** Has a candle closed that we were not sent? */
  async #askCandles(
    streams: MarketStreams,
    { timeframe = "1m" }: LiveChannel,
    lastMessageMs: number,
    signal: AbortSignal,
  ): Promise<QuietAnswer> {
    const nowMs = this.#exchangeClock.nowMs() - CLOSE_LATE_MS;
    const toMs = floorToTimeframe(nowMs, timeframe);
    const fromMs = toMs - timeframeMs(timeframe);
    // It closed before we listened, or we have heard of what came after it.
    if (toMs <= lastMessageMs) return "quiet";
    if ((streams.lastCandleMs(timeframe) ?? -Infinity) >= fromMs) return "quiet";
    const { nativeSymbol } = streams.market;
    const request = { nativeSymbol, timeframe, fromMs, toMs, limit: 1 };
    const page = await this.#exchange.fetchCandles(request, signal);
    if (page.candidates.length === 0) return "quiet";
    return (streams.lastCandleMs(timeframe) ?? -Infinity) >= fromMs ? "quiet" : "missed";
  }
}

type Top = Pick<BookPage, "bids" | "asks">;

function isSameTop(ours: Top, theirs: Top): boolean {
  return isSameSide(ours.bids, theirs.bids) && isSameSide(ours.asks, theirs.asks);
}

function isSameSide(ours: Top["bids"], theirs: Top["bids"]): boolean {
  const [a, b] = [ours.slice(0, COMPARED_LEVELS), theirs.slice(0, COMPARED_LEVELS)];
  return a.length === b.length && a.every(([price, qty], i) => b[i]?.[0] === price && b[i]?.[1] === qty);
}
