// What OKX calls its streams.
import assert from "node:assert/strict";
import { asObject, asText } from "../wire-fields.js";
import type { TradeGrain } from "../../core/model/trade.js";
import type { LiveChannel } from "../live.js";
import { barOf } from "./bars.js";

/** `books:BTC-USDT`; the channel's name holds no colon. */
export function topicOf(channel: LiveChannel, tradeGrain: TradeGrain): string {
  return `${channelNameOf(channel, tradeGrain)}:${channel.nativeSymbol}`;
}

/** The argument of a message as a topic; undefined for what is none. */
export function topicOfArg(value: unknown): string | undefined {
  const arg = asObject(value);
  const channel = asText(arg?.channel);
  const instId = asText(arg?.instId);
  return channel === undefined || instId === undefined ? undefined : `${channel}:${instId}`;
}

/** A topic as the argument of a subscription. */
export function argOf(topic: string): { channel: string; instId: string } {
  const colon = topic.indexOf(":");
  return { channel: topic.slice(0, colon), instId: topic.slice(colon + 1) };
}

function channelNameOf({ kind, timeframe }: LiveChannel, tradeGrain: TradeGrain): string {
  switch (kind) {
    case "trades":
      return tradeGrain === "raw" ? "trades-all" : "trades";
    case "book":
      return "books";
    case "candles":
      assert(timeframe !== undefined, "a channel of candles has a timeframe");
      return `candle${barOf(timeframe)}`;
  }
}
