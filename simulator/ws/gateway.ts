// Takes upgrades to WebSocket, refuses those that a venue would, and keeps its connections going: one timer wakes them
// all every few real milliseconds, and each sends what is due by the exchange's clock.
import type { IncomingMessage } from "node:http";
import { clearInterval, setInterval } from "node:timers";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { FaultInjector } from "../fault-injector.js";
import type { RequestCounters } from "../request-counters.js";
import type { VenueName } from "../venue-name.js";
import { Connection } from "./connection.js";
import { MessageLimiter } from "./message-limiter.js";
import type { Session } from "./session.js";
import { StreamFaults } from "./stream-faults.js";

/** A venue's streams, as far as the gateway needs to know them. */
export interface StreamVenue {
  readonly name: VenueName;
  /** New connections of an address. */
  readonly attempts: { readonly max: number; readonly windowMs: number };
  readonly lifetimeMs: number;
  /** True when messages are deflated for clients that offer it. */
  readonly isCompressed: boolean;
  /** The venue's clock, its skew included. */
  readonly nowMs: () => number;
  /** The path under which requests are counted; undefined for one that is not the venue's. */
  pathOf(url: URL): string | undefined;
  openSession(url: URL, connection: Connection): Session;
}

/** An open connection, for tests and for those who wonder what a collector subscribed to. */
export interface OpenStreams {
  readonly exchange: VenueName;
  readonly path: string;
  readonly streams: readonly string[];
}

const PUMP_MS = 5;
/** No request of a client is larger; OKX allows 64 KiB of arguments. */
const MESSAGE_BYTES_MAX = 2 ** 17;
const SOCKETS = { noServer: true, autoPong: false, maxPayload: MESSAGE_BYTES_MAX };

interface Open {
  readonly connection: Connection;
  readonly venue: StreamVenue;
  readonly path: string;
}

export class StreamGateway {
  readonly #venues: readonly StreamVenue[];
  readonly #injector: FaultInjector;
  readonly #counters: RequestCounters;
  readonly #plain = new WebSocketServer({ ...SOCKETS, perMessageDeflate: false });
  readonly #compressed = new WebSocketServer({ ...SOCKETS, perMessageDeflate: true });
  readonly #open = new Set<Open>();
  readonly #attempts = new Map<string, MessageLimiter>();
  readonly #timer = setInterval(() => this.#pump(), PUMP_MS).unref();
  #connections = 0;

  constructor(options: {
    venues: readonly StreamVenue[];
    injector: FaultInjector;
    counters: RequestCounters;
  }) {
    this.#venues = options.venues;
    this.#injector = options.injector;
    this.#counters = options.counters;
  }

  open(): readonly OpenStreams[] {
    return [...this.#open].map(({ connection, venue, path }) => ({
      exchange: venue.name,
      path,
      streams: [...connection.subscriptions.keys()],
    }));
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // A client that goes away meanwhile is nobody's trouble.
    socket.on("error", () => socket.destroy());
    const target = request.url ?? "/";
    const url = URL.canParse(target, "http://simulator") ? new URL(target, "http://simulator") : undefined;
    if (url === undefined) return refuse(socket, 400);
    const venue = this.#venues.find((each) => each.pathOf(url) !== undefined);
    const path = venue?.pathOf(url);
    if (venue === undefined || path === undefined) return refuse(socket, 404);
    const nowMs = venue.nowMs();
    const number = ++this.#connections;
    const faults = new StreamFaults(this.#injector, venue.name);
    const refusal = faults.strikeConnection("ws_refuse", { key: String(number), nowMs });
    const isFree = this.#limiter(venue, request).admit(nowMs);
    const status = refusal?.status ?? (isFree ? 101 : 429);
    this.#counters.add(path, status);
    if (status !== 101) return refuse(socket, status);
    const sockets = venue.isCompressed ? this.#compressed : this.#plain;
    sockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      const end = faults.strikeConnection("ws_end", { key: String(number), nowMs });
      const connection = new Connection({
        socket: webSocket,
        number,
        faults,
        nowMs: venue.nowMs,
        lifetimeMs: end === undefined ? venue.lifetimeMs : end.after_s * 1_000,
        openSession: (opened) => venue.openSession(url, opened),
      });
      const open = { connection, venue, path };
      this.#open.add(open);
      webSocket.on("close", () => this.#open.delete(open));
    });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { connection } of this.#open) connection.terminate();
    this.#plain.close();
    this.#compressed.close();
  }

  #pump(): void {
    for (const { connection } of this.#open) connection.pump();
  }

  #limiter({ name, attempts }: StreamVenue, request: IncomingMessage): MessageLimiter {
    const key = `${name} ${request.socket.remoteAddress ?? "unknown"}`;
    const limiter = this.#attempts.get(key) ?? new MessageLimiter(attempts);
    this.#attempts.set(key, limiter);
    return limiter;
  }
}

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

function refuse(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
