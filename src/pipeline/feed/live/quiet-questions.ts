// A stream is silent: is the market quiet, or the stream dead? A cheap question to REST tells.
import { timeframeMs } from "../../../core/timeframe.js";
import { floorToTimeframe } from "../../../core/timeframe.js";
import type { Exchange } from "../../../exchanges/exchange.js";
import type { LiveChannel } from "../../../exchanges/live.js";
import type { ExchangeClock } from "../exchange-clock.js";
import type { MarketStreams } from "./market-streams.js";

export type QuietAnswer = "quiet" | "missed" | "unknown";

/** A venue closes a candle within so long of its end. */
const CLOSE_LATE_MS = 5_000;
/** Levels that are compared where sequences say nothing. */
const COMPARED_LEVELS = 5;

export class QuietQuestions {
  readonly #exchange: Exchange;
  readonly #exchangeClock: ExchangeClock;

  constructor({ exchange, exchangeClock }: { exchange: Exchange; exchangeClock: ExchangeClock }) {
    this.#exchange = exchange;
    this.#exchangeClock = exchangeClock;
  }

  /** @throws what the exchange throws; the caller takes that for `unknown` */
  ask(
    streams: MarketStreams,
    channel: LiveChannel,
    lastMessageMs: number,
    signal: AbortSignal,
  ): Promise<QuietAnswer> {
    switch (channel.kind) {
      case "trades":
        return this.#askTrades(streams, lastMessageMs, signal);
      case "book":
        return this.#askBook(streams, signal);
      case "candles":
        return this.#askCandles(streams, channel, lastMessageMs, signal);
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
  async #askBook(streams: MarketStreams, signal: AbortSignal): Promise<QuietAnswer> {
    const before = streams.book?.top(COMPARED_LEVELS);
    // Without a book nothing can be said; it asks for a page by itself.
    if (before === undefined) return "unknown";
    const { nativeSymbol } = streams.market;
    const page = await this.#exchange.live.fetchBook({ nativeSymbol, levels: COMPARED_LEVELS }, signal);
    const after = streams.book?.top(COMPARED_LEVELS);
    if (after === undefined || after.sequence !== before.sequence || page.sequence <= after.sequence)
      return "quiet";
    const isSame =
      isSameSide(after.bids, page.bids.slice(0, COMPARED_LEVELS)) &&
      isSameSide(after.asks, page.asks.slice(0, COMPARED_LEVELS));
    return isSame ? "quiet" : "missed";
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

function isSameSide(
  ours: readonly (readonly [string, string])[],
  theirs: readonly (readonly [string, string])[],
): boolean {
  return (
    ours.length === theirs.length &&
    ours.every(([price, qty], i) => theirs[i]?.[0] === price && theirs[i]?.[1] === qty)
  );
}
