// What a subscription says, and when: every stream of every venue is a feed, asked in the order of time.
import type { SimulatedMarket } from "../simulated-market.js";

/** What a stream is about, as fault plans ask. */
export interface Topic {
  /** Undefined for streams about no market or many. */
  readonly market: SimulatedMarket | undefined;
  /** What the venue calls the channel: `depth@100ms`, `kline_1m`, `books`, `candle1m`. */
  readonly channel: string;
  readonly kind: "trades" | "candles" | "orderbook" | "other";
}

export interface Feed {
  /** When it says the next thing, by the exchange's clock; Infinity when it never will. */
  readonly dueMs: number;
  /** The payloads due at `dueMs`, as JSON texts; moves `dueMs` on. Mostly one, and often none. */
  next(): readonly string[];
}

/** A stream that exists for the one who asks, and never says anything. */
export const SILENT_FEED: Feed = { dueMs: Infinity, next: () => [] };
