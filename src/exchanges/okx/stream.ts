// OKX's WebSocket protocol: where streams live and how to ask for them.
import type { TradeGrain } from "../../core/model/trade.js";
import type { LiveDialect } from "../live.js";
import { decodeFrame } from "./decode-stream.js";
import { argOf, topicOf } from "./stream-names.js";

/** @param tradeGrain `raw`: one message a fill, as REST has them; `aggregated`: those of one taker order at one price together */
export function createOkxDialect(tradeGrain: TradeGrain): LiveDialect {
  return {
    tradeGrain,
    wsUrl: "wss://ws.okx.com:8443",
    limits: {
      // All arguments of a connection together may have 64 KB, some 60 bytes each.
      topicsPerConnection: 300,
      // OKX advises fewer than 30 books a connection.
      booksPerConnection: 25,
      messages: { count: 3, perMs: 1_000 },
      connects: { count: 3, perMs: 1_000 },
      subscriptionsPerHour: 480,
      topicsPerMessage: 50,
      lifetimeMs: undefined,
    },
    // OKX ends a connection that was silent for 30 s; only its own text counts, not WebSocket's ping.
    heartbeat: { ping: "ping", idleMs: 15_000, deadAfterMs: 30_000 },
    // Asked for in the wrong place a channel is refused (60018, 64001, 64002).
    pathOf: ({ kind }) =>
      kind === "book" || (kind === "trades" && tradeGrain === "aggregated")
        ? "/ws/v5/public"
        : "/ws/v5/business",
    topicOf: (channel) => topicOf(channel, tradeGrain),
    subscribe: (topics, id) => request("subscribe", topics, id),
    unsubscribe: (topics, id) => request("unsubscribe", topics, id),
    decode: decodeFrame,
  };
}

function request(op: "subscribe" | "unsubscribe", topics: readonly string[], id: string): string {
  return JSON.stringify({ id, op, args: topics.map(argOf) });
}
