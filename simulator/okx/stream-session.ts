// OKX's side of a WebSocket connection: subscriptions with an acknowledgement each, errors with codes, the text ping,
// and the end of connections that are silent.
import type { FaultInjector } from "../fault-injector.js";
import { hash2 } from "../hash.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { Connection } from "../ws/connection.js";
import { SILENT_FEED } from "../ws/feed.js";
import { MessageLimiter } from "../ws/message-limiter.js";
import type { Session } from "../ws/session.js";
import { openChannel, type OkxPath } from "./stream-channels.js";

export interface OkxSessionOptions {
  readonly connection: Connection;
  readonly path: OkxPath;
  readonly markets: readonly SimulatedMarket[];
  readonly injector: FaultInjector;
  readonly checksums: boolean;
}

type Arg = Readonly<Record<string, unknown>>;

interface OkxRequest {
  readonly op: "subscribe" | "unsubscribe";
  readonly args: readonly Arg[];
  readonly id: string | undefined;
}

const IDLE_MS = 30_000;
const IDLE_CODE = 4_004;
const OPERATIONS_PER_HOUR = 480;
const HOUR_MS = 3_600_000;
const ID_TEXT = /^[A-Za-z0-9]{1,32}$/;

export class OkxSession implements Session {
  readonly endCode = 4_001;
  readonly endReason = "Service upgrade";
  readonly #options: OkxSessionOptions;
  readonly #operations = new MessageLimiter({ max: OPERATIONS_PER_HOUR, windowMs: HOUR_MS });
  readonly #connId: string;
  #receivedMs: number;

  constructor(options: OkxSessionOptions) {
    const { connection } = options;
    this.#options = options;
    this.#connId = (hash2(connection.number, 0x7feb352d) >>> 0).toString(16).padStart(8, "0");
    this.#receivedMs = connection.openedMs;
  }

  onMessage(text: string): void {
    const { connection } = this.#options;
    this.#receivedMs = connection.nowMs();
    if (text === "ping") return connection.send("pong");
    const request = parseRequest(text);
    if (request === undefined) return this.#error({ code: "60012", msg: `Invalid request: ${text}` });
    const { op, args, id } = request;
    for (const arg of args) {
      if (!this.#operations.admit(connection.nowMs())) {
        this.#error({ code: "60014", msg: "Requests too frequent", id });
      } else if (op === "subscribe") this.#subscribe(arg, id);
      else {
        connection.unsubscribe(nameOf(arg));
        this.#acknowledge(op, arg, id);
      }
    }
  }

  /** OKX's rule is the text ping; frames of the protocol do not keep a connection alive. */
  onControl(): void {
    // Nothing to do: the answer is the connection's.
  }

  tick(nowMs: number): void {
    const { connection } = this.#options;
    if (nowMs - Math.max(connection.sentMs, this.#receivedMs) < IDLE_MS) return;
    connection.close(IDLE_CODE, "No data received in 30s.");
  }

  wrap(name: string, payload: string): string {
    return `{"arg":${name},${payload}}`;
  }

  shutdownNotice(): string {
    const msg = "The connection will soon be closed for a service upgrade. Please reconnect.";
    return JSON.stringify({ event: "notice", code: "64008", msg, connId: this.#connId });
  }

  #subscribe(arg: Arg, id: string | undefined): void {
    const { connection, path, markets, injector, checksums } = this.#options;
    const { faults } = connection;
    const nowMs = connection.nowMs();
    const opened = openChannel(arg, path, { markets, injector, faults, checksums, fromMs: nowMs });
    if (opened === undefined) {
      const parts = Object.entries(arg).map(([key, value]) => `${key}:${String(value)}`);
      const msg = `Wrong URL or ${parts.join(",")} doesn't exist. Please use the correct URL, channel and parameters referring to API document.`;
      return this.#error({ code: "60018", msg, id });
    }
    this.#acknowledge("subscribe", arg, id);
    const { topic, feed } = opened;
    const key = `${connection.number} ${nowMs}`;
    const isSilent = faults.strike("ws_silent", topic, { key, nowMs }) !== undefined;
    connection.subscribe({ name: nameOf(arg), topic, feed: isSilent ? SILENT_FEED : feed });
  }

  #acknowledge(event: OkxRequest["op"], arg: Arg, id: string | undefined): void {
    const named = id === undefined ? {} : { id };
    this.#options.connection.send(JSON.stringify({ ...named, event, arg, connId: this.#connId }));
  }

  #error({ code, msg, id }: { code: string; msg: string; id?: string | undefined }): void {
    const named = id === undefined ? {} : { id };
    const text = JSON.stringify({ ...named, event: "error", code, msg, connId: this.#connId });
    this.#options.connection.send(text);
  }
}

/** A stream's name is its argument, which every push repeats. */
function nameOf(arg: Arg): string {
  return JSON.stringify(arg);
}

function parseRequest(text: string): OkxRequest | undefined {
  const document = parseJson(text);
  if (typeof document !== "object" || document === null) return undefined;
  const { op, args, id } = document as Record<string, unknown>;
  if ((op !== "subscribe" && op !== "unsubscribe") || !Array.isArray(args) || args.length === 0) {
    return undefined;
  }
  if (id !== undefined && (typeof id !== "string" || !ID_TEXT.test(id))) return undefined;
  const isArg = (arg: unknown): arg is Arg => typeof arg === "object" && arg !== null && "channel" in arg;
  return args.every(isArg) ? { op, args, id } : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
