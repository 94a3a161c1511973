// One client of the stream: what it wants, and what it has lost. What waits for it is bounded by bytes: a client that reads
// too slowly loses messages, is told how many of what once it reads again, and is let go when it never does.
import type { WebSocket } from "ws";
import type { Clock } from "../core/clock.js";
import { formatTime } from "../core/time.js";
import type { StreamChannel, StreamMessage } from "./contract.js";

export interface StreamClientOptions {
  readonly socket: WebSocket;
  readonly clock: Clock;
  /** Bytes waiting to be sent; beyond it messages are dropped. */
  readonly bytesMax: number;
}

interface Loss {
  messages: number;
  readonly markets: Set<string>;
  readonly fromMs: number;
  toMs: number;
}

/** Named in one word about what was lost; of more of them the number tells. */
const LOST_MARKETS_MAX = 100;
/** A client that has taken nothing for so long has gone, whatever its socket says. */
const STUCK_AFTER_MS = 60_000;

export class StreamClient {
  readonly socket: WebSocket;
  /** Markets by id, or "all", by channel. */
  readonly #wanted = new Map<StreamChannel, Set<number> | "all">();
  readonly #clock: Clock;
  readonly #bytesMax: number;
  readonly #lost = new Map<StreamChannel, Loss>();
  #fullSinceMs: number | undefined;
  /** Set when a ping is answered; a client that answers none has gone. */
  isAlive = true;

  constructor({ socket, clock, bytesMax }: StreamClientOptions) {
    this.socket = socket;
    this.#clock = clock;
    this.#bytesMax = bytesMax;
  }

  subscribe(channel: StreamChannel, markets: readonly number[] | "all"): void {
    const wanted = this.#wanted.get(channel);
    if (markets === "all") this.#wanted.set(channel, "all");
    else if (wanted === undefined) this.#wanted.set(channel, new Set(markets));
    else if (wanted !== "all") for (const id of markets) wanted.add(id);
  }

  unsubscribe(channel: StreamChannel, markets: readonly number[] | "all"): void {
    const wanted = this.#wanted.get(channel);
    if (markets === "all" || wanted === undefined) this.#wanted.delete(channel);
    else if (wanted !== "all") {
      for (const id of markets) wanted.delete(id);
      if (wanted.size === 0) this.#wanted.delete(channel);
    }
  }

  /** The markets wanted of a channel; undefined when it is not subscribed. */
  wanted(channel: StreamChannel): ReadonlySet<number> | "all" | undefined {
    return this.#wanted.get(channel);
  }

  wants(channel: StreamChannel, marketId: number): boolean {
    const wanted = this.#wanted.get(channel);
    return wanted === "all" || (wanted?.has(marketId) ?? false);
  }

  /**
   * Sends a message of a channel, or counts it as lost.
   * @param text the message, made once for all who get it
   * @param messages how many it stands for, were it lost
   * @returns how many were lost
   */
  offer(
    channel: StreamChannel,
    text: string,
    { markets, messages = 1 }: { markets: readonly string[]; messages?: number },
  ): number {
    if (this.socket.readyState !== this.socket.OPEN) return 0;
    if (this.#isFull()) {
      this.#lose(channel, markets, messages);
      return messages;
    }
    this.#tellLost();
    this.#send(text);
    return 0;
  }

  /** Says that messages never got as far as here. */
  lose(channel: StreamChannel, markets: readonly string[], messages: number): void {
    this.#lose(channel, markets, messages);
  }

  /** Answers to what the client itself has asked: few, for questions are limited. */
  answer(message: StreamMessage): void {
    if (this.socket.readyState === this.socket.OPEN && !this.#isFull()) this.#send(JSON.stringify(message));
  }

  /** Now and then: tells of losses as soon as there is room. @returns false when the client has taken nothing for too long */
  check(): boolean {
    if (!this.#isFull()) this.#tellLost();
    return this.#fullSinceMs === undefined || this.#clock.nowMs() - this.#fullSinceMs < STUCK_AFTER_MS;
  }

  #isFull(): boolean {
    if (this.socket.bufferedAmount <= this.#bytesMax) {
      this.#fullSinceMs = undefined;
      return false;
    }
    this.#fullSinceMs ??= this.#clock.nowMs();
    return true;
  }

  #lose(channel: StreamChannel, markets: readonly string[], messages: number): void {
    const nowMs = this.#clock.nowMs();
    let loss = this.#lost.get(channel);
    if (loss === undefined) {
      loss = { messages: 0, markets: new Set(), fromMs: nowMs, toMs: nowMs };
      this.#lost.set(channel, loss);
    }
    loss.messages += messages;
    loss.toMs = nowMs;
    for (const market of markets) if (loss.markets.size < LOST_MARKETS_MAX) loss.markets.add(market);
  }

  #tellLost(): void {
    if (this.#lost.size === 0) return;
    for (const [channel, loss] of this.#lost) {
      const message: StreamMessage = {
        type: "lost",
        channel,
        messages: loss.messages,
        markets: [...loss.markets],
        from: formatTime(loss.fromMs),
        to: formatTime(loss.toMs),
      };
      this.#send(JSON.stringify(message));
    }
    this.#lost.clear();
  }

  #send(text: string): void {
    // An error shows as the socket's own event.
    this.socket.send(text, () => undefined);
  }
}
