// One WebSocket connection to a simulated venue, from the upgrade to the end. Its protocol (session) answers requests
// and keeps the venue's rules of life; its feeds say what is due; both speak through it, and the fault plan meddles here.
//
// Frames leave in the order of time, when the pump finds them due. A client that does not read is waited for, then
// dropped, as exchanges do.
import type { RawData, WebSocket } from "ws";
import { FeedQueue, type Subscription } from "./feed-queue.js";
import type { Session } from "./session.js";
import { spoilMessage } from "./spoil-message.js";
import type { StreamFaults } from "./stream-faults.js";

export interface ConnectionOptions {
  readonly socket: WebSocket;
  /** Counts the connections of a venue; tells this one from the others. */
  readonly number: number;
  readonly faults: StreamFaults;
  /** The venue's clock, its skew included. */
  readonly nowMs: () => number;
  readonly lifetimeMs: number;
  readonly openSession: (connection: Connection) => Session;
}

/** Beyond so many bytes that the client has not read, nothing more is sent to it. */
const UNREAD_BYTES_MAX = 4 * 2 ** 20;
/** So long a client may leave them unread. */
const UNREAD_MS = 60_000;
const SLOW_READER_CODE = 1_008;

export class Connection {
  readonly number: number;
  readonly faults: StreamFaults;
  readonly nowMs: () => number;
  readonly openedMs: number;
  readonly #socket: WebSocket;
  readonly #session: Session;
  readonly #queue = new FeedQueue();
  readonly #subscriptions = new Map<string, Subscription>();
  /** Messages that a fault holds back until the next one of their stream is sent. */
  readonly #held = new Map<string, string>();
  #endsMs: number;
  #isHalfOpen = false;
  #unreadSinceMs: number | undefined;
  #sentMs: number;

  constructor(options: ConnectionOptions) {
    const { socket, nowMs, lifetimeMs } = options;
    this.number = options.number;
    this.faults = options.faults;
    this.nowMs = nowMs;
    this.#socket = socket;
    this.openedMs = nowMs();
    this.#endsMs = this.openedMs + lifetimeMs;
    this.#sentMs = this.openedMs;
    this.#session = options.openSession(this);
    socket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    socket.on("ping", (data: Buffer) => {
      if (this.#isHalfOpen) return;
      this.#session.onControl("ping", data);
      socket.pong(data);
    });
    socket.on("pong", (data: Buffer) => {
      if (!this.#isHalfOpen) this.#session.onControl("pong", data);
    });
    // A broken frame of the client ends the connection; there is nobody to tell.
    socket.on("error", () => socket.terminate());
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  /** When anything was sent last, by the exchange's clock. */
  get sentMs(): number {
    return this.#sentMs;
  }

  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#subscriptions;
  }

  /** Adds a stream; one that is there already stays as it is. */
  subscribe(subscription: Subscription): void {
    if (this.#subscriptions.has(subscription.name)) return;
    this.#subscriptions.set(subscription.name, subscription);
    this.#queue.add(subscription);
  }

  unsubscribe(name: string): void {
    if (this.#subscriptions.delete(name)) this.#queue.remove(name);
  }

  /** Sends everything that is due. */
  pump(): void {
    if (!this.isOpen || this.#isHalfOpen) return;
    const nowMs = this.nowMs();
    if (nowMs >= this.#endsMs) return this.close(this.#session.endCode, this.#session.endReason);
    this.#session.tick(nowMs);
    while (this.#queue.dueMs <= nowMs && this.isOpen && !this.#isHalfOpen) {
      if (!this.#isRead(nowMs)) return;
      const eventMs = this.#queue.dueMs;
      const said = this.#queue.next();
      said?.payloads.forEach((payload, i) => this.#push(said.subscription, payload, { eventMs, i }));
    }
  }

  /** Sends a text of the protocol itself. */
  send(text: string): void {
    if (!this.isOpen || this.#isHalfOpen) return;
    this.#sentMs = this.nowMs();
    this.#socket.send(text);
  }

  ping(data: string): void {
    if (this.isOpen && !this.#isHalfOpen) this.#socket.ping(data);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    // The farewell would wait behind what nobody reads.
    if (this.#socket.bufferedAmount > UNREAD_BYTES_MAX) this.terminate();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean): void {
    if (this.#isHalfOpen || !this.isOpen) return;
    // Node's sockets hand over one Buffer, unless told otherwise.
    const text = (data as Buffer).toString("utf8");
    this.#session.onMessage(isBinary ? "" : text);
  }

  /** False while the client has too much to read; drops it after a while. */
  #isRead(nowMs: number): boolean {
    if (this.#socket.bufferedAmount <= UNREAD_BYTES_MAX) {
      this.#unreadSinceMs = undefined;
      return true;
    }
    this.#unreadSinceMs ??= nowMs;
    if (nowMs - this.#unreadSinceMs >= UNREAD_MS) {
      this.close(SLOW_READER_CODE, "Client is too slow to read.");
    }
    return false;
  }

  #push(subscription: Subscription, payload: string, { eventMs, i }: { eventMs: number; i: number }): void {
    const text = this.#session.wrap(subscription.name, payload);
    if (!this.faults.any) return this.send(text);
    const { topic, name } = subscription;
    const asked = { key: `${eventMs} ${i}`, nowMs: eventMs };
    if (!this.isOpen || this.#isHalfOpen) return;
    if (this.faults.strike("ws_half_open", topic, asked)) {
      this.#isHalfOpen = true;
      return;
    }
    const disconnect = this.faults.strike("ws_disconnect", topic, asked);
    if (disconnect) {
      if (disconnect.code === undefined) this.terminate();
      else this.close(disconnect.code, "simulated");
      return;
    }
    const notice = this.faults.strike("ws_shutdown_notice", topic, asked);
    if (notice) {
      this.send(this.#session.shutdownNotice(eventMs));
      this.#endsMs = Math.min(this.#endsMs, eventMs + notice.after_s * 1_000);
    }
    if (this.faults.strike("ws_drop", topic, asked)) return;
    const corrupt = this.faults.strike("ws_corrupt", topic, asked);
    if (corrupt) {
      const { frame, isInstead } = spoilMessage(text, corrupt, topic.market);
      this.#socket.send(frame, { binary: typeof frame !== "string" });
      if (isInstead) return;
    }
    const held = this.#held.get(name);
    if (held === undefined && this.faults.strike("ws_reorder", topic, asked)) {
      this.#held.set(name, text);
      return;
    }
    this.send(text);
    if (this.faults.strike("ws_duplicate", topic, asked)) this.send(text);
    if (held !== undefined) {
      this.#held.delete(name);
      this.send(held);
    }
  }
}
