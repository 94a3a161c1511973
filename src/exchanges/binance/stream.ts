// Binance's WebSocket protocol: where streams live, what they are called, how to ask for them.
import assert from "node:assert/strict";
import type { TradeGrain } from "../../core/model/trade.js";
import type { LiveChannel, LiveDialect, LiveLimits } from "../live.js";
import { decodeFrame } from "./decode-stream.js";

const DAY_MS = 86_400_000;

export interface BinanceStreams {
  readonly wsUrl: string;
  readonly limits: Pick<LiveLimits, "topicsPerConnection" | "messages">;
  /** Without a ping of the server for so long the connection is dead: three of its pings. */
  readonly deadAfterMs: number;
  readonly pathOf: (channel: LiveChannel) => string;
}

export const SPOT_STREAMS: BinanceStreams = {
  // Market data only, no key, and not bound to a place as stream.binance.com is.
  wsUrl: "wss://data-stream.binance.vision",
  limits: { topicsPerConnection: 1_024, messages: { count: 5, perMs: 1_000 } },
  deadAfterMs: 60_000,
  pathOf: () => "/stream?timeUnit=MICROSECOND",
};

export const USDM_STREAMS: BinanceStreams = {
  wsUrl: "wss://fstream.binance.com",
  // Unlike spot: the documents say 1,024, older ones 200, and who asks for fewer is never wrong.
  limits: { topicsPerConnection: 200, messages: { count: 10, perMs: 1_000 } },
  // Unlike spot: the server pings every three minutes only.
  deadAfterMs: 540_000,
  // Unlike spot: on the wrong path a subscription is acknowledged, and nothing ever comes.
  pathOf: ({ kind }) => (kind === "book" ? "/public/stream" : "/market/stream"),
};

export function createBinanceDialect(
  streams: BinanceStreams,
  tradeGrain: TradeGrain = "aggregated",
): LiveDialect {
  return {
    tradeGrain,
    wsUrl: streams.wsUrl,
    limits: {
      ...streams.limits,
      booksPerConnection: undefined,
      connects: { count: 300, perMs: 300_000 },
      subscriptionsPerHour: undefined,
      // A frame of 200 names stays well below what the server reads at once.
      topicsPerMessage: 200,
      lifetimeMs: DAY_MS,
    },
    heartbeat: { ping: undefined, idleMs: Infinity, deadAfterMs: streams.deadAfterMs },
    pathOf: streams.pathOf,
    topicOf: (channel) => topicOf(channel, tradeGrain),
    subscribe: (topics, id) => request("SUBSCRIBE", topics, id),
    unsubscribe: (topics, id) => request("UNSUBSCRIBE", topics, id),
    decode: decodeFrame,
  };
}

/** `btcusdt@aggTrade`; lower case in names, upper case in what comes back. */
function topicOf({ kind, nativeSymbol, timeframe }: LiveChannel, tradeGrain: TradeGrain): string {
  const symbol = nativeSymbol.toLowerCase();
  switch (kind) {
    case "trades":
      return tradeGrain === "raw" ? `${symbol}@trade` : `${symbol}@aggTrade`;
    case "book":
      return `${symbol}@depth@100ms`;
    case "candles":
      assert(timeframe !== undefined, "a channel of candles has a timeframe");
      return `${symbol}@kline_${timeframe}`;
  }
}

function request(method: "SUBSCRIBE" | "UNSUBSCRIBE", topics: readonly string[], id: string): string {
  return JSON.stringify({ method, params: topics, id: Number(id) });
}
