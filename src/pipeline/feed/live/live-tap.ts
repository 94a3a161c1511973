// Where others look on at what streams bring: a dashboard, an API. It runs on the way of every message, so whoever listens
// takes note and returns; nothing here waits, and nothing may throw.
import type { Trade } from "../../../core/model/trade.js";
import type { StoredMarket } from "../../../store/store.js";
import type { ConnectionState } from "./live-connections.js";
import type { MarketStreams } from "./market-streams.js";

/** A feed at work. */
export interface FollowedFeed {
  readonly exchange: string;
  connections(): readonly ConnectionState[];
  markets(): readonly MarketStreams[];
}

export interface LiveTap {
  /** Its markets are known and its connections are about to be opened. */
  began(feed: FollowedFeed): void;
  ended(feed: FollowedFeed): void;
  /** A trade that passed the gate and is on its way to the store; each id once, ascending but for those that came late. */
  trade(market: StoredMarket, trade: Trade): void;
}
