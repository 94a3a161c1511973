// What has come in on the streams of one venue: two numbers a kind, counted up with each message.
import type { LiveChannel } from "../../../exchanges/live.js";

export interface ChannelTraffic {
  messages: number;
  /** Characters of text frames, which are ASCII but for the names of a few markets. */
  bytes: number;
}

export type StreamTraffic = Readonly<Record<LiveChannel["kind"], ChannelTraffic>>;

export function noTraffic(): StreamTraffic {
  return {
    trades: { messages: 0, bytes: 0 },
    book: { messages: 0, bytes: 0 },
    candles: { messages: 0, bytes: 0 },
  };
}
