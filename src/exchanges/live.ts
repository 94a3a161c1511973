// The live half of the venue contract: where to connect, what to send, what came in. A dialect is a codec and holds no
// state; connections, liveness, continuity and books are the pipeline's.
import type { Decimal } from "../core/decimal.js";
import type { Fault } from "../core/fault.js";
import type { BookPage, BookUpdate } from "../core/model/book.js";
import type { CandleCandidate } from "../core/model/candle.js";
import type { TradeCandidate, TradeGrain } from "../core/model/trade.js";
import type { Timeframe } from "../core/timeframe.js";
import type { BookRules } from "./book-rules.js";

/** One market's stream of one kind. */
export interface LiveChannel {
  readonly kind: "trades" | "book" | "candles";
  readonly nativeSymbol: string;
  /** Of candles. */
  readonly timeframe?: Timeframe | undefined;
  /** Base units of one contract, where the venue counts contracts: needed to read quantities. */
  readonly contractSize?: Decimal | undefined;
}

/** What a venue allows; each venue's `stream.ts` says why it is so. */
export interface LiveLimits {
  /** Topics on one connection at most. */
  readonly topicsPerConnection: number;
  /** Books on one connection at most; undefined where books count as any topic. */
  readonly booksPerConnection: number | undefined;
  /** Messages to the server: so many in so long, pings and pongs included. */
  readonly messages: { readonly count: number; readonly perMs: number };
  /** Attempts to connect from this address: so many in so long. */
  readonly connects: { readonly count: number; readonly perMs: number };
  /** Subscriptions and unsubscriptions in an hour and connection; undefined where only messages count. */
  readonly subscriptionsPerHour: number | undefined;
  /** Topics in one subscribe message at most. */
  readonly topicsPerMessage: number;
  /** The server ends a connection at this age; undefined where none is known. */
  readonly lifetimeMs: number | undefined;
}

/** How a connection shows that it lives when nothing else comes in. */
export interface Heartbeat {
  /** The text frame to send after `idleMs` without a frame; undefined where the server pings and `ws` answers by itself. */
  readonly ping: string | undefined;
  readonly idleMs: number;
  /** Without any frame, ping or pong for so long the connection is dead. */
  readonly deadAfterMs: number;
}

/** What one frame says. */
export type LiveMessage =
  | { readonly kind: "trades"; readonly topic: string; readonly candidates: readonly TradeCandidate[] }
  | {
      readonly kind: "candle";
      readonly topic: string;
      readonly candidate: CandleCandidate;
      readonly isClosed: boolean;
    }
  | { readonly kind: "book"; readonly topic: string; readonly update: BookUpdate }
  /** The topics a subscribe or unsubscribe message was accepted for; undefined when the ack names the message's id only. */
  | {
      readonly kind: "ack";
      readonly id: string | undefined;
      readonly topics: readonly string[] | undefined;
      readonly isSubscribed: boolean;
    }
  | {
      readonly kind: "refused";
      readonly id: string | undefined;
      readonly topic: string | undefined;
      readonly fault: Fault;
      readonly detail: string;
    }
  | { readonly kind: "pong" }
  /** The server announces its end: connect anew now. */
  | { readonly kind: "closing"; readonly detail: string }
  /** Known and of no use here. */
  | { readonly kind: "ignored" }
  /** Not readable, or about something nobody subscribed to: counted and kept, never believed. */
  | {
      readonly kind: "malformed";
      readonly topic: string | undefined;
      readonly path: string;
      readonly detail: string;
    };

/** One venue's live protocol. */
export interface LiveDialect {
  /** What its streams tell of trades. Where that is `aggregated`, REST may tell every fill by itself all the same (OKX). */
  readonly tradeGrain: TradeGrain;
  readonly limits: LiveLimits;
  readonly heartbeat: Heartbeat;
  /** Where the venue's streams live unless the configuration says otherwise: `wss://stream.binance.com:9443`. */
  readonly wsUrl: string;
  /**
   * The path (and query) a channel must be asked for on: `/stream`, `/ws/v5/business`. Channels of one path may share a
   * connection.
   */
  pathOf(channel: LiveChannel): string;
  /** The venue's name of the stream, unique within a path: what acks and messages are told apart by. */
  topicOf(channel: LiveChannel): string;
  /** The text frames that subscribe to these topics, at most {@link LiveLimits.topicsPerMessage} each. */
  subscribe(topics: readonly string[], id: string): string;
  unsubscribe(topics: readonly string[], id: string): string;
  /**
   * Reads one text frame. Never throws: what cannot be read is `malformed`.
   * @param channelOf the channel of a topic that was subscribed to on this connection; undefined for others
   */
  decode(text: string, channelOf: (topic: string) => LiveChannel | undefined): readonly LiveMessage[];
}

export interface BookRequest {
  readonly nativeSymbol: string;
  /** Levels a side wanted; the venue's own maximum is the upper bound. */
  readonly levels: number;
}

/** What a venue offers beside candles and trades by REST. */
export interface LiveVenue {
  readonly dialect: LiveDialect;
  readonly bookRules: BookRules;
  /**
   * The book's best levels by REST, quantities as the venue counts them.
   * @throws TickwellError as the other fetches of a venue do
   */
  fetchBook(request: BookRequest, signal: AbortSignal): Promise<BookPage>;
}
