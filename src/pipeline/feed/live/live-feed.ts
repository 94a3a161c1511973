// Follows markets live: connections on one side, the stage on the other, and between them one tracker for each stream that
// knows what is complete. Whatever is missed is known by its id or its time when the next record arrives.
//
//   connections ──message──> trade tracker, candle tracker, book keeper ──every 250 ms──> stage
//                                  │ a gap                    │ needs a page
//                                  └─> onGap (repair by REST)  └─> book pages (REST)
import type { Clock } from "../../../core/clock.js";
import { describeError, type TickwellError } from "../../../core/fault.js";
import type { Log } from "../../../core/log.js";
import { formatMarketName } from "../../../core/model/market.js";
import type { MissingTrades, RecordBatch } from "../../../core/model/record-batch.js";
import type { Random } from "../../../core/random.js";
import type { TimeRange } from "../../../core/range.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../../core/timeframe.js";
import type { Exchange } from "../../../exchanges/exchange.js";
import type { LiveChannel } from "../../../exchanges/live.js";
import type { Store, StoredMarket } from "../../../store/store.js";
import type { CaptureEvent, CapturedMarket } from "../../capture/capture-event.js";
import { openSession, type Session } from "../../capture/session.js";
import { CONTEXT_CANDLES } from "../../gate/candle-flags.js";
import type { Validation } from "../../gate/validation.js";
import { Shedding } from "../../stage/shedding.js";
import type { Stage } from "../../stage/stage.js";
import type { ExchangeClock } from "../exchange-clock.js";
import { BookPages } from "./book-pages.js";
import { LiveConnections, type ConnectionState } from "./live-connections.js";
import type { LiveSink } from "./live-sink.js";
import type { LiveTap } from "./live-tap.js";
import type { BookSettings, MarketStreams } from "./market-streams.js";
import { QuietQuestions } from "./quiet-questions.js";
import { noTraffic, type StreamTraffic } from "./stream-traffic.js";

/** A market to follow, and what of it. */
export interface LiveMarket {
  readonly market: StoredMarket;
  readonly trades: boolean;
  readonly book: BookSettings | undefined;
  /** Candles of these lengths; none when empty. */
  readonly timeframes: readonly Timeframe[];
  readonly validation: Validation;
}

export interface LiveFeedOptions {
  readonly exchange: Exchange;
  /** Another host or a simulator: `ws://127.0.0.1:7400`. The venue's own otherwise. */
  readonly wsUrl: string | undefined;
  readonly markets: readonly LiveMarket[];
  readonly store: Pick<Store, "live" | "recentCandles" | "expect">;
  readonly stage: Stage;
  readonly clock: Clock;
  readonly exchangeClock: ExchangeClock;
  readonly random: Random;
  readonly log: Log;
  /** Trades are missing: told once the gap has been handed to the stage. Must not throw. */
  readonly onGap?: (market: StoredMarket, gap: MissingTrades) => void;
  /** Told of each attempt to connect that failed, of each connection that broke, and of each that was opened. */
  readonly onFailure?: ((failure: { path: string; error: TickwellError }) => void) | undefined;
  readonly onConnected?: ((connection: { path: string }) => void) | undefined;
  /** Told of everything that enters, for captures. Must not throw. */
  readonly record?: ((event: CaptureEvent) => void) | undefined;
  /** For those who look on. */
  readonly tap?: LiveTap | undefined;
}

/** What was handed on since the beginning. */
export interface LiveFeedCounts {
  readonly trades: number;
  readonly candles: number;
  readonly books: number;
  /** Trades found missing. */
  readonly missingTrades: number;
  readonly duplicates: number;
  readonly resyncs: number;
}

/** How often what has come in is handed on: short beside a person's patience, long beside a commit. */
const FLUSH_EVERY_MS = 250;
/** One book after the other is compared with REST, each about this often. */
const COMPARE_EVERY_MS = 300_000;
/** Unreadable frames are mentioned this often, with their number. */
const UNREADABLE_EVERY_MS = 60_000;

export class LiveFeed {
  /** What has come in since the beginning. */
  readonly traffic: StreamTraffic = noTraffic();
  readonly #options: LiveFeedOptions;
  readonly #byTopic = new Map<string, LiveChannel>();
  readonly #indices = new Map<LiveChannel, number>();
  readonly #shedding = new Shedding();
  #session: Session = { markets: [], channels: [], streamsOf: new Map() };
  readonly #pages: BookPages;
  readonly #questions: QuietQuestions;
  #connections: LiveConnections | undefined;
  /** Taken from the markets, and not in the stage yet. */
  readonly #toHandOn: RecordBatch[] = [];
  readonly #counts = { trades: 0, candles: 0, books: 0, missingTrades: 0, duplicates: 0, resyncs: 0 };
  #unreadableSeen = 0;
  #unreadable = { count: 0, sinceMs: -Infinity, last: "" };

  constructor(options: LiveFeedOptions) {
    this.#options = options;
    const { exchange, clock, random, log, exchangeClock } = options;
    this.#pages = new BookPages({ venue: exchange.live, clock, random, log });
    this.#questions = new QuietQuestions({ exchange, exchangeClock });
  }

  /** The connections as they are now, for `status`. */
  connections(): readonly ConnectionState[] {
    return this.#connections?.state() ?? [];
  }

  get exchange(): string {
    return this.#options.exchange.id;
  }

  get counts(): LiveFeedCounts {
    return this.#counts;
  }

  /** Frames nobody could read, since the beginning. */
  get unreadable(): number {
    return this.#unreadableSeen;
  }

  /** What is known of each market now. */
  markets(): readonly MarketStreams[] {
    return this.#session.markets;
  }

  /**
   * Follows the markets until the signal is aborted; then hands on everything that was received.
   * @param deadline gives up handing on; what was not handed on is a gap that the next run repairs
   * @throws TickwellError `config` where the stored trades of a market are counted in another way; what the stage or the store throws
   */
  async run(signal: AbortSignal, deadline: AbortSignal): Promise<void> {
    const { exchangeClock, log, record } = this.#options;
    await exchangeClock.keepMeasured(signal);
    await this.#open(signal);
    const ending = new AbortController();
    const either = AbortSignal.any([signal, ending.signal]);
    const guard = async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (error) {
        if (either.aborted) return;
        ending.abort(error);
        throw error;
      }
    };
    const connections = this.#connect();
    this.#connections = connections;
    this.#options.tap?.began(this);
    const results = await Promise.allSettled([
      guard(connections.run(either)),
      guard(this.#pages.run(either)),
      guard(this.#flushing(either, deadline)),
      guard(this.#comparing(either)),
      guard(this.#measuring(either)),
    ]);
    this.#options.tap?.ended(this);
    const end = this.#at();
    record?.({ kind: "end", ...end });
    try {
      await this.#handOn(
        this.#session.markets.flatMap((each) => each.finish(end.exchangeMs)),
        deadline,
      );
    } catch (error) {
      log.warn(
        `not everything that was received could be handed on: ${describeError(error)}; the next run fetches it`,
      );
    }
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async #open(signal: AbortSignal): Promise<void> {
    const { exchange, store, markets, exchangeClock, clock, record, tap } = this.#options;
    const { dialect } = exchange.live;
    const { tradeNumbering } = exchange.traits;
    const traded = markets.filter(({ trades }) => trades).map(({ market }) => market.id);
    if (tradeNumbering) await store.live.countTradesBy(traded, tradeNumbering);
    const nowMs = exchangeClock.nowMs();
    const captured: CapturedMarket[] = [];
    for (const { market, trades, book, timeframes, validation } of markets) {
      signal.throwIfAborted();
      const candles = [];
      for (const timeframe of timeframes) {
        const key = { marketId: market.id, timeframe };
        candles.push({ timeframe, before: await store.recentCandles(key, nowMs, CONTEXT_CANDLES) });
        // A candle may close before the first cycle has said that the series is collected.
        await store.expect(key, closedBefore(nowMs, timeframe));
      }
      captured.push({
        market,
        trades: trades ? { position: await store.live.lastTrade(market.id) } : undefined,
        book: book && { ...book, followedToMs: await store.live.bookFollowedTo(market.id) },
        validation,
        candles,
      });
    }
    this.#session = openSession(
      exchange,
      captured,
      markets.map(({ market }) => market),
      {
        pages: this.#pages,
        resubscribe: (channel) => this.#connections?.resubscribe(channel),
        onPage: (channel, page, { receivedMs, exchangeNowMs }) =>
          record?.({
            kind: "page",
            channel: this.#indexOf(channel),
            page,
            atMs: receivedMs,
            exchangeMs: exchangeNowMs,
          }),
        exchangeNowMs: () => exchangeClock.nowMs(),
        nowMs: () => clock.nowMs(),
        onTrade: tap && ((market, trade) => tap.trade(market, trade)),
      },
    );
    this.#session.channels.forEach((channel, index) => {
      this.#indices.set(channel, index);
      this.#byTopic.set(dialect.topicOf(channel), channel);
    });
    record?.({
      kind: "session",
      exchange: exchange.id,
      trades: dialect.tradeGrain,
      markets: captured,
      ...this.#at(),
    });
  }

  #indexOf(channel: LiveChannel): number {
    return this.#indices.get(channel) ?? -1;
  }

  #at(): { atMs: number; exchangeMs: number } {
    return { atMs: this.#options.clock.nowMs(), exchangeMs: this.#options.exchangeClock.nowMs() };
  }

  #connect(): LiveConnections {
    const { exchange, wsUrl, clock, random, log, record, onFailure, onConnected, exchangeClock } =
      this.#options;
    return new LiveConnections({
      dialect: exchange.live.dialect,
      wsUrl: wsUrl ?? exchange.live.dialect.wsUrl,
      channels: this.#session.channels,
      sink: this.#sink(),
      askQuiet: (channel, silence, signal) => {
        const streams = this.#session.streamsOf.get(channel);
        return streams
          ? this.#questions.ask(streams, channel, silence, signal)
          : Promise.resolve("unknown" as const);
      },
      clock,
      random,
      log,
      onFrame:
        record &&
        (({ text, receivedMs, connectionId, path }) =>
          record({
            kind: "frame",
            connection: connectionId,
            path,
            text,
            atMs: receivedMs,
            exchangeMs: exchangeClock.nowMs(),
          })),
      onFailure,
      onConnected,
      traffic: this.traffic,
    });
  }

  #sink(): LiveSink {
    const { exchangeClock, log, record } = this.#options;
    return {
      message: (channel, message, { connectionId, receivedMs, index }) => {
        const exchangeNowMs = exchangeClock.nowMs();
        record?.({
          kind: "message",
          channel: this.#indexOf(channel),
          index,
          connection: connectionId,
          atMs: receivedMs,
          exchangeMs: exchangeNowMs,
        });
        this.#session.streamsOf
          .get(channel)
          ?.onMessage(channel, message, { connectionId, receivedMs, exchangeNowMs });
      },
      opened: (channel, connectionId) => {
        const at = this.#at();
        record?.({ kind: "opened", channel: this.#indexOf(channel), connection: connectionId, ...at });
        this.#session.streamsOf
          .get(channel)
          ?.onOpened(channel, { connectionId, receivedMs: at.atMs, exchangeNowMs: at.exchangeMs });
      },
      lost: (channel, loss) => {
        record?.({ kind: "lost", channel: this.#indexOf(channel), loss, ...this.#at() });
        const streams = this.#session.streamsOf.get(channel);
        streams?.onLost(channel, loss);
        if (streams && loss.reason === "refused")
          log.warn(
            `${formatMarketName(streams.market)}: the exchange refuses its ${channel.kind} stream: ${loss.detail}`,
          );
      },
      connectionEnded: (connectionId) => {
        record?.({ kind: "disconnected", connection: connectionId, ...this.#at() });
        for (const each of this.#session.markets) each.onConnectionEnded(connectionId);
      },
      unreadable: (frame) => {
        const { topic, path, detail, sample, receivedMs } = frame;
        const channel = topic === undefined ? undefined : this.#byTopic.get(topic);
        record?.({
          kind: "unreadable",
          channel: channel && this.#indexOf(channel),
          frame,
          ...this.#at(),
        });
        this.#noteUnreadable(`${topic ?? "unknown stream"} at ${path}: ${detail}: ${sample}`, receivedMs);
        if (channel) this.#session.streamsOf.get(channel)?.onUnreadable(channel, { path, detail, sample });
      },
    };
  }

  /**
   * Hands on what has come in, again and again; the stage's back-pressure is felt here and nowhere else.
   * @param deadline a round that has begun when the signal is aborted is brought to its end
   */
  async #flushing(signal: AbortSignal, deadline: AbortSignal): Promise<void> {
    const { clock, exchangeClock, record } = this.#options;
    while (true) {
      await clock.sleep(FLUSH_EVERY_MS, signal);
      const nowMs = clock.nowMs();
      const exchangeMs = exchangeClock.nowMs();
      record?.({ kind: "flush", atMs: nowMs, exchangeMs });
      for (const each of this.#session.markets) each.tick(nowMs, exchangeMs);
      await this.#handOn(
        this.#session.markets.flatMap((each) => each.take(nowMs)),
        deadline,
      );
    }
  }

  /** In order, and what could not be handed on comes first the next time: a book's later word would hide that one is lacking. */
  async #handOn(batches: readonly RecordBatch[], signal: AbortSignal): Promise<void> {
    const { stage, onGap } = this.#options;
    const marketOf = new Map(this.#session.markets.map(({ market }) => [market.id, market]));
    this.#toHandOn.push(...batches);
    for (let batch; (batch = this.#toHandOn[0]); this.#toHandOn.shift()) {
      const kept = this.#shedding.apply(batch, stage.load);
      await stage.append(kept, signal);
      this.#count(kept);
      if (batch.kind !== "trades") continue;
      const market = marketOf.get(batch.marketId);
      if (market) for (const gap of batch.missing) onGap?.(market, gap);
    }
  }

  #count(batch: RecordBatch): void {
    const counts = this.#counts;
    if (batch.kind === "candles") {
      counts.candles += batch.candles.length;
      return;
    }
    counts.duplicates += batch.tally.duplicates;
    counts.resyncs += batch.tally.resyncs;
    counts.missingTrades += batch.tally.missingIds;
    if (batch.kind === "trades") counts.trades += batch.trades.length;
    else counts.books += batch.snapshots.length;
  }

  /** One book after the other, so that the whole list takes {@link COMPARE_EVERY_MS}. */
  async #comparing(signal: AbortSignal): Promise<void> {
    const { clock, exchange, log, record } = this.#options;
    const withBook = this.#session.markets.filter(({ book }) => book !== undefined);
    if (withBook.length === 0) return;
    while (true) {
      for (const streams of withBook) {
        await clock.sleep(COMPARE_EVERY_MS / withBook.length, signal);
        if (!streams.book?.isValid) continue;
        const [channel] = streams.channels.filter(({ kind }) => kind === "book");
        const index = channel ? this.#indexOf(channel) : -1;
        record?.({ kind: "comparing", channel: index, ...this.#at() });
        streams.book.beginComparison();
        try {
          const { nativeSymbol } = streams.market;
          const page = await exchange.live.fetchBook({ nativeSymbol, levels: 20 }, signal);
          // What the page holds may still be under way to us.
          await clock.sleep(500, signal);
          record?.({ kind: "compared", channel: index, page, ...this.#at() });
          if (streams.book.compare(page) === "different")
            log.warn(
              `${formatMarketName(streams.market)}: its order book differs from the exchange's; it is fetched anew`,
            );
        } catch (error) {
          if (signal.aborted) throw error;
          log.debug(
            `${formatMarketName(streams.market)}: its book was not compared: ${describeError(error)}`,
          );
        }
      }
    }
  }

  async #measuring(signal: AbortSignal): Promise<void> {
    const { clock, exchangeClock, log } = this.#options;
    while (true) {
      await clock.sleep(30_000, signal);
      try {
        await exchangeClock.keepMeasured(signal);
      } catch (error) {
        if (signal.aborted) throw error;
        log.debug(`the exchange's clock was not measured: ${describeError(error)}`);
      }
    }
  }

  #noteUnreadable(what: string, nowMs: number): void {
    const seen = this.#unreadable;
    seen.count++;
    this.#unreadableSeen++;
    seen.last = what;
    if (nowMs - seen.sinceMs < UNREADABLE_EVERY_MS) return;
    this.#options.log.warn(
      `${this.#options.exchange.id}: ${seen.count} message${seen.count === 1 ? "" : "s"} could not be read; the last: ${what.slice(0, 300)}`,
    );
    this.#unreadable = { count: 0, sinceMs: nowMs, last: "" };
  }
}

/** The last candle that has closed. */
function closedBefore(nowMs: number, timeframe: Timeframe): TimeRange {
  const endMs = floorToTimeframe(nowMs, timeframe);
  return { startMs: endMs - timeframeMs(timeframe), endMs };
}
