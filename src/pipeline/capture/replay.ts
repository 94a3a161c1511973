// Runs captured events through the trackers of a live feed again, and hands what comes of them to a stage: the same rows, claims
// and gaps as the live run's.
import type { Clock } from "../../core/clock.js";
import { TickwellError } from "../../core/fault.js";
import { floorToTimeframe, timeframeMs } from "../../core/timeframe.js";
import type { RecordBatch } from "../../core/model/record-batch.js";
import type { TradeGrain } from "../../core/model/trade.js";
import type { Exchange } from "../../exchanges/exchange.js";
import type { LiveChannel, LiveMessage } from "../../exchanges/live.js";
import type { Store, StoredMarket } from "../../store/store.js";
import { judgeWindow } from "../feed/trade-window.js";
import type { MarketStreams } from "../feed/live/market-streams.js";
import type { Stage } from "../stage/stage.js";
import type { CaptureEvent } from "./capture-event.js";
import { openSession, type Session } from "./session.js";

export interface ReplayOptions {
  readonly store: Pick<Store, "putMarkets" | "expect" | "live">;
  readonly stage: Stage;
  /** By ccxt's id, and what its streams told of trades. Only its codec and its rules are used; nothing is asked. */
  readonly exchangeOf: (id: string, trades: TradeGrain | undefined) => Pick<Exchange, "live" | "traits">;
  /** Times the speed of life; undefined: as fast as it can be stored. */
  readonly speed?: number | undefined;
  readonly clock: Clock;
}

export interface ReplayReport {
  readonly sessions: number;
  readonly frames: number;
  readonly trades: number;
  readonly candles: number;
  readonly books: number;
}

/**
 * Replays events until they end. A session that was cut off hands on what it had: what came after is a gap, as it would be after a
 * kill.
 * @throws TickwellError `bad_request` for events without their session; what the store or the stage throws; the signal's reason
 */
export async function replayCapture(
  events: AsyncIterable<CaptureEvent>,
  options: ReplayOptions,
  signal: AbortSignal,
  onEvent: (event: CaptureEvent, report: ReplayReport) => void = () => undefined,
): Promise<ReplayReport> {
  const replay = new Replay(options, signal);
  for await (const event of events) {
    signal.throwIfAborted();
    await replay.take(event);
    onEvent(event, replay.report);
  }
  await replay.finish();
  return replay.report;
}

class Replay {
  readonly report = { sessions: 0, frames: 0, trades: 0, candles: 0, books: 0 };
  readonly #options: ReplayOptions;
  readonly #signal: AbortSignal;
  #session: Session = { markets: [], channels: [], streamsOf: new Map() };
  #exchange: Pick<Exchange, "live" | "traits"> | undefined;
  #stored: readonly StoredMarket[] = [];
  #byTopic = new Map<string, LiveChannel>();
  /** What the last frame says, read when a message of it is wanted. */
  #messages: readonly LiveMessage[] | undefined;
  #text = "";
  #now = { atMs: 0, exchangeMs: 0 };
  #isOpen = false;
  #pace: { readonly atMs: number; readonly startedMs: number } | undefined;

  constructor(options: ReplayOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async take(event: CaptureEvent): Promise<void> {
    await this.#keepPace(event.atMs);
    this.#now = event;
    switch (event.kind) {
      case "session":
        return this.#begin(event);
      case "frame":
        this.report.frames++;
        this.#text = event.text;
        this.#messages = undefined;
        return;
      case "message": {
        const { channel, streams } = this.#at(event.channel);
        this.#messages ??=
          this.#exchange?.live.dialect.decode(this.#text, (topic) => this.#byTopic.get(topic)) ?? [];
        const message = this.#messages[event.index];
        const arrival = {
          connectionId: event.connection,
          receivedMs: event.atMs,
          exchangeNowMs: event.exchangeMs,
        };
        if (message) streams.onMessage(channel, message, arrival);
        return;
      }
      case "opened": {
        const { channel, streams } = this.#at(event.channel);
        streams.onOpened(channel, {
          connectionId: event.connection,
          receivedMs: event.atMs,
          exchangeNowMs: event.exchangeMs,
        });
        return;
      }
      case "lost": {
        const { channel, streams } = this.#at(event.channel);
        streams.onLost(channel, event.loss);
        return;
      }
      case "disconnected":
        for (const each of this.#session.markets) each.onConnectionEnded(event.connection);
        return;
      case "unreadable": {
        if (event.channel === undefined) return;
        const { channel, streams } = this.#at(event.channel);
        streams.onUnreadable(channel, event.frame);
        return;
      }
      case "page":
        this.#at(event.channel).streams.onPage(event.page);
        return;
      case "comparing":
        this.#at(event.channel).streams.book?.beginComparison();
        return;
      case "compared":
        this.#at(event.channel).streams.book?.compare(event.page);
        return;
      case "fetched": {
        const market = this.#stored[event.market];
        if (market === undefined) throw misplaced(`market ${event.market}`);
        return this.#handOn([judgeWindow({ ...event.fetched, marketId: market.id })]);
      }
      case "flush":
        for (const each of this.#session.markets) each.tick(event.atMs, event.exchangeMs);
        return this.#handOn(this.#session.markets.flatMap((each) => each.take(event.atMs)));
      case "end":
        return this.#end(event.exchangeMs);
    }
  }

  /** At the end of the events: a session without its end was cut off. */
  async finish(): Promise<void> {
    if (this.#isOpen) await this.#end(this.#now.exchangeMs);
  }

  async #begin(event: Extract<CaptureEvent, { kind: "session" }>): Promise<void> {
    await this.finish();
    const { store, exchangeOf } = this.#options;
    const exchange = (this.#exchange = exchangeOf(event.exchange, event.trades));
    const stored: StoredMarket[] = [];
    for (const { market } of event.markets) {
      const { isSimulated } = market;
      stored.push(...(await store.putMarkets(event.exchange, [market], { isSimulated })));
    }
    this.#stored = stored;
    const { tradeNumbering } = exchange.traits;
    const traded = stored.filter((_, i) => event.markets[i]?.trades !== undefined);
    if (tradeNumbering)
      await store.live.countTradesBy(
        traded.map(({ id }) => id),
        tradeNumbering,
      );
    for (const [i, { candles }] of event.markets.entries()) {
      for (const { timeframe } of candles) {
        const endMs = floorToTimeframe(event.exchangeMs, timeframe);
        const range = { startMs: endMs - timeframeMs(timeframe), endMs };
        await store.expect({ marketId: stored[i]?.id ?? 0, timeframe }, range);
      }
    }
    this.#session = openSession(exchange, event.markets, stored, {
      // Pages and new subscriptions are events of the capture.
      pages: { request: () => undefined },
      resubscribe: () => undefined,
      exchangeNowMs: () => this.#now.exchangeMs,
      nowMs: () => this.#now.atMs,
    });
    const { dialect } = exchange.live;
    this.#byTopic = new Map(this.#session.channels.map((channel) => [dialect.topicOf(channel), channel]));
    this.#isOpen = true;
    this.report.sessions++;
  }

  async #end(exchangeMs: number): Promise<void> {
    this.#isOpen = false;
    await this.#handOn(this.#session.markets.flatMap((each) => each.finish(exchangeMs)));
  }

  async #handOn(batches: readonly RecordBatch[]): Promise<void> {
    for (const batch of batches) {
      await this.#options.stage.append(batch, this.#signal);
      if (batch.kind === "candles") this.report.candles += batch.candles.length;
      else if (batch.kind === "trades") this.report.trades += batch.trades.length;
      else this.report.books += batch.snapshots.length;
    }
  }

  #at(index: number): { channel: LiveChannel; streams: MarketStreams } {
    const channel = this.#session.channels[index];
    const streams = channel && this.#session.streamsOf.get(channel);
    if (channel === undefined || streams === undefined) throw misplaced(`channel ${index}`);
    return { channel, streams };
  }

  async #keepPace(atMs: number): Promise<void> {
    const { speed, clock } = this.#options;
    if (speed === undefined) return;
    this.#pace ??= { atMs, startedMs: clock.nowMs() };
    const dueMs = this.#pace.startedMs + (atMs - this.#pace.atMs) / speed;
    if (dueMs > clock.nowMs()) await clock.sleep(dueMs - clock.nowMs(), this.#signal);
  }
}

function misplaced(what: string): TickwellError {
  return new TickwellError(
    { kind: "bad_request", code: undefined },
    `the capture speaks of ${what}, which its session does not have; expected a capture from its first part on`,
  );
}
