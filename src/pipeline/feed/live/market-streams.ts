// All live streams of one market: trades, candles and the book, which tell on each other.
import type { Decimal } from "../../../core/decimal.js";
import type { StoredMarket } from "../../../store/store.js";
import type { BookPage } from "../../../core/model/book.js";
import { formatMarketName } from "../../../core/model/market.js";
import type { RecordBatch } from "../../../core/model/record-batch.js";
import type { Trade, TradeNumbering } from "../../../core/model/trade.js";
import type { Timeframe } from "../../../core/timeframe.js";
import type { BookRules } from "../../../exchanges/book-rules.js";
import type { LiveChannel, LiveMessage } from "../../../exchanges/live.js";
import type { Neighbour } from "../../gate/candle-flags.js";
import type { Validation } from "../../gate/validation.js";
import { BookKeeper, type BookArrival } from "./book-keeper.js";
import type { BookPages, PageSeeker } from "./book-pages.js";
import { CandleTracker } from "./candle-tracker.js";
import { TradeTracker, type TradePosition } from "./trade-tracker.js";

/** How a book is kept. */
export interface BookSettings {
  readonly levels: number;
  readonly snapshotEveryMs: number;
  readonly keepsDeltas: boolean;
}

export interface MarketStreamsOptions {
  readonly market: StoredMarket;
  readonly rules: BookRules;
  readonly numbering: TradeNumbering | undefined;
  /** Undefined: trades are not followed. */
  readonly trades: { readonly position: TradePosition | undefined } | undefined;
  readonly book: (BookSettings & { readonly followedToMs: number | undefined }) | undefined;
  /** By timeframe: what the next candles are measured by. */
  readonly candles: readonly { readonly timeframe: Timeframe; readonly before: readonly Neighbour[] }[];
  readonly validation: Validation;
  readonly pages: Pick<BookPages, "request">;
  readonly resubscribe: (channel: LiveChannel) => void;
  /** Told before the book is, for captures; undefined when the page could not be had. */
  readonly onPage?:
    | ((channel: LiveChannel, page: BookPage | undefined, arrival: Omit<BookArrival, "connectionId">) => void)
    | undefined;
  readonly exchangeNowMs: () => number;
  readonly nowMs: () => number;
  /** Told of each trade as it is taken. Must not throw. */
  readonly onTrade?: ((market: StoredMarket, trade: Trade) => void) | undefined;
}

/** Trades of one market between two flushes: minutes of the busiest ones. Beyond it REST fetches them again. */
const TRADES_HELD_MAX = 50_000;

export class MarketStreams {
  readonly market: StoredMarket;
  readonly channels: readonly LiveChannel[];
  readonly trades: TradeTracker | undefined;
  readonly book: BookKeeper | undefined;
  readonly #options: MarketStreamsOptions;
  readonly #candles = new Map<Timeframe, CandleTracker>();
  readonly #bookChannel: LiveChannel | undefined;

  constructor(options: MarketStreamsOptions) {
    const { market, numbering, onTrade } = options;
    this.#options = options;
    this.market = market;
    const contractSize: Decimal | undefined = market.contractSize;
    const channel = (kind: LiveChannel["kind"], timeframe?: Timeframe): LiveChannel => ({
      kind,
      nativeSymbol: market.nativeSymbol,
      timeframe,
      contractSize,
    });
    const channels = options.candles.map(({ timeframe }) => channel("candles", timeframe));
    for (const { timeframe, before } of options.candles) {
      const { validation } = options;
      this.#candles.set(timeframe, new CandleTracker({ marketId: market.id, timeframe, validation, before }));
    }
    if (options.trades && numbering) {
      const { position } = options.trades;
      this.trades = new TradeTracker({
        marketId: market.id,
        numbering,
        position,
        heldMax: TRADES_HELD_MAX,
        onTrade: onTrade && ((trade) => onTrade(market, trade)),
      });
      channels.push(channel("trades"));
    }
    if (options.book) {
      this.#bookChannel = channel("book");
      channels.push(this.#bookChannel);
      this.book = this.#keepBook(options.book, contractSize);
    }
    this.channels = channels;
  }

  /** The open time of the last closed candle that came in; undefined when none has. */
  lastCandleMs(timeframe: Timeframe): number | undefined {
    return this.#candles.get(timeframe)?.lastOpenTimeMs;
  }

  /** The book's stream sends a snapshot by itself: silence from the start says that it is dead. */
  get bookStartsByItself(): boolean {
    return this.#options.rules.startsFrom === "stream";
  }

  onOpened(channel: LiveChannel, opening: BookArrival): void {
    if (channel.kind === "book") this.book?.onOpened(opening);
  }

  onLost(channel: LiveChannel, loss: { reason: "disconnected" | "stale" | "refused"; detail: string }): void {
    // Trades and candles need no word: the next id, the next open time tells.
    if (channel.kind !== "book") return;
    this.book?.onLost(loss.reason === "stale" ? "stale" : "disconnected", loss.detail);
  }

  /** Another connection may carry the channels on; what only this one could go on with is given up. */
  onConnectionEnded(connectionId: number): void {
    this.book?.connectionEnded(connectionId);
  }

  onMessage(channel: LiveChannel, message: LiveMessage, arrival: BookArrival): void {
    switch (message.kind) {
      case "trades":
        this.trades?.add(message.candidates, arrival);
        return;
      case "candle":
        if (message.isClosed && channel.timeframe !== undefined)
          this.#candles.get(channel.timeframe)?.add(message.candidate, arrival);
        return;
      case "book":
        this.book?.onUpdate(message.update, arrival);
        return;
      default:
        return;
    }
  }

  /** The page the book has asked for; undefined when it could not be had. */
  onPage(page: BookPage | undefined): void {
    const { nowMs, exchangeNowMs, onPage } = this.#options;
    // One time for both: a replay gives what was recorded, and has to come to the same rows.
    const arrival = { receivedMs: nowMs(), exchangeNowMs: exchangeNowMs() };
    if (this.#bookChannel) onPage?.(this.#bookChannel, page, arrival);
    if (page === undefined) this.book?.onPageFailed();
    else this.book?.onPage(page);
  }

  /** A frame of this market that could not be read is kept, and counted where it belongs. */
  onUnreadable(channel: LiveChannel, frame: { path: string; detail: string; sample: string }): void {
    const rejection = {
      rule: "live.unreadable",
      detail: `${frame.path}: ${frame.detail}`,
      openTimeMs: undefined,
      raw: frame.sample,
    };
    switch (channel.kind) {
      case "trades":
        this.trades?.reject(rejection);
        return;
      case "book":
        this.book?.reject(rejection);
        return;
      case "candles":
        if (channel.timeframe !== undefined) this.#candles.get(channel.timeframe)?.reject(rejection);
    }
  }

  tick(nowMs: number, exchangeNowMs: number): void {
    this.book?.tick(nowMs, exchangeNowMs);
  }

  /** What has come in since the last call. */
  take(nowMs: number): RecordBatch[] {
    return this.#collect(this.trades?.take(nowMs), this.book?.take());
  }

  /** As {@link take}, at the end. */
  finish(exchangeNowMs: number): RecordBatch[] {
    return this.#collect(this.trades?.finish(), this.book?.finish(exchangeNowMs));
  }

  #collect(trades: ReturnType<TradeTracker["take"]>, book: ReturnType<BookKeeper["take"]>): RecordBatch[] {
    const batches: RecordBatch[] = [];
    for (const candles of this.#candles.values()) {
      if (trades) {
        for (const { endMs } of trades.missing) candles.restartTrades(endMs);
        candles.addTrades(trades.trades);
      }
      const position = this.trades?.position;
      const differences = position ? candles.compare(position.endMs) : [];
      if (differences.length > 0) this.trades?.countDifferences(differences.length);
      const batch = candles.take();
      if (batch) batches.push(batch);
    }
    if (trades) batches.push(trades);
    if (book) batches.push(book);
    return batches;
  }

  #keepBook(
    settings: BookSettings & { followedToMs: number | undefined },
    contractSize: Decimal | undefined,
  ): BookKeeper {
    const { market, rules, pages, resubscribe } = this.#options;
    const seeker: PageSeeker = {
      name: formatMarketName(market),
      nativeSymbol: market.nativeSymbol,
      onPage: (page) => this.onPage(page),
      onPageFailed: () => this.onPage(undefined),
    };
    return new BookKeeper({
      marketId: market.id,
      rules,
      contractSize,
      ...settings,
      requestPage: () => pages.request(seeker),
      resubscribe: () => {
        if (this.#bookChannel) resubscribe(this.#bookChannel);
      },
    });
  }
}
