// What enters the live feed of one exchange, in the order in which it entered: enough to run the same trackers over it again.
// Times are epoch ms: `atMs` by our clock, `exchangeMs` by our reckoning of the exchange's. Channels are named by their place in
// the session's list.
import type { BookPage } from "../../core/model/book.js";
import type { MarketInfo } from "../../core/model/market.js";
import type { TradeGrain } from "../../core/model/trade.js";
import type { Timeframe } from "../../core/timeframe.js";
import type { Neighbour } from "../gate/candle-flags.js";
import type { Validation } from "../gate/validation.js";
import type { FetchedWindow } from "../feed/trade-window.js";
import type { TradePosition } from "../feed/live/trade-tracker.js";
import type { BookSettings } from "../feed/live/market-streams.js";
import type { ChannelLoss, UnreadableFrame } from "../feed/live/live-sink.js";

/** A market as a session begins to follow it. */
export interface CapturedMarket {
  readonly market: MarketInfo & { readonly isSimulated: boolean };
  readonly trades: { readonly position: TradePosition | undefined } | undefined;
  readonly book: (BookSettings & { readonly followedToMs: number | undefined }) | undefined;
  readonly validation: Validation;
  /** By timeframe: what the first candles are measured by. */
  readonly candles: readonly { readonly timeframe: Timeframe; readonly before: readonly Neighbour[] }[];
}

interface At {
  readonly atMs: number;
  readonly exchangeMs: number;
}

export type CaptureEvent =
  /** The first event of a session: a feed has begun. */
  | ({
      readonly kind: "session";
      readonly exchange: string;
      /** What the streams told of trades; absent in captures from before it could be chosen. */
      readonly trades?: TradeGrain;
      readonly markets: readonly CapturedMarket[];
    } & At)
  /** A text frame as it came. */
  | ({
      readonly kind: "frame";
      readonly connection: number;
      readonly path: string;
      readonly text: string;
    } & At)
  /** Of the last frame, the message at this place among those decoded was data of a channel. */
  | ({
      readonly kind: "message";
      readonly channel: number;
      readonly index: number;
      readonly connection: number;
    } & At)
  /** A channel was acknowledged on a connection. */
  | ({ readonly kind: "opened"; readonly channel: number; readonly connection: number } & At)
  | ({ readonly kind: "lost"; readonly channel: number; readonly loss: ChannelLoss } & At)
  /** A connection has gone for good; absent in captures from before the trackers were told. */
  | ({ readonly kind: "disconnected"; readonly connection: number } & At)
  | ({
      readonly kind: "unreadable";
      readonly channel: number | undefined;
      readonly frame: UnreadableFrame;
    } & At)
  /** The page a book starts from; undefined when it could not be had. */
  | ({ readonly kind: "page"; readonly channel: number; readonly page: BookPage | undefined } & At)
  | ({ readonly kind: "comparing"; readonly channel: number } & At)
  | ({ readonly kind: "compared"; readonly channel: number; readonly page: BookPage } & At)
  /** Trades fetched by REST for a hole. */
  | ({
      readonly kind: "fetched";
      readonly market: number;
      readonly fetched: Omit<FetchedWindow, "marketId">;
    } & At)
  /** What had come in was handed on. */
  | ({ readonly kind: "flush" } & At)
  /** The feed has ended, and has handed on the rest. */
  | ({ readonly kind: "end" } & At);
