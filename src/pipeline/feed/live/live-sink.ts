// What live connections tell whoever listens.
import type { LiveChannel, LiveMessage } from "../../../exchanges/live.js";

/** Why a channel's messages can no longer be relied upon. */
export interface ChannelLoss {
  readonly reason: "disconnected" | "stale" | "refused";
  readonly detail: string;
}

/** A frame nobody could read, or one about something nobody subscribed to. */
export interface UnreadableFrame {
  readonly topic: string | undefined;
  readonly path: string;
  readonly detail: string;
  readonly sample: string;
  readonly receivedMs: number;
}

/** None of these may throw. */
export interface LiveSink {
  /**
   * `connectionId` tells two connections apart while they overlap. `receivedMs` is our clock's. `index` is the message's place among
   * those of its frame.
   */
  message(
    channel: LiveChannel,
    message: LiveMessage,
    arrival: { connectionId: number; receivedMs: number; index: number },
  ): void;
  /** Acknowledged on this connection: from now on its messages are expected. */
  opened(channel: LiveChannel, connectionId: number): void;
  /** No connection carries the channel any more, or nobody knows what it has left out. */
  lost(channel: LiveChannel, loss: ChannelLoss): void;
  /**
   * A connection has gone for good, also one whose channels another carries on. Told after what was lost with it; at the end of all
   * connections nothing is told.
   */
  connectionEnded(connectionId: number): void;
  unreadable(frame: UnreadableFrame): void;
}
