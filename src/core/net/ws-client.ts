// One WebSocket connection. In: an address and handlers. Out: text frames in their order, a way to send, and one end with its
// reason as a TickwellError. Nothing is repeated here: connecting again is the caller's decision.
import type { IncomingMessage } from "node:http";
import { WebSocket, type RawData } from "ws";
import { TickwellError, type Fault } from "../fault.js";
import { onAbort } from "./abort.js";
import { readRetryAfter } from "./retry-after.js";

export interface WsHandlers {
  /** A whole text frame. Must not throw. */
  onText(text: string): void;
  /** A binary frame, by its size and beginning. Must not throw. */
  onBinary(frame: { bytes: number; sample: string }): void;
  /** Anything came in: a frame, a ping or a pong. */
  onActivity(): void;
}

export interface WsOptions {
  /** For DNS, TCP, TLS and the upgrade together. Real time: a socket knows no other. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly handlers: WsHandlers;
  /** A larger message ends the connection with `malformed_payload`. */
  readonly messageBytesMax?: number;
  /** Now, epoch ms, for the end of a ban. */
  readonly nowMs: () => number;
}

/** A subscription to four hundred books answers with some 20 MB of snapshots in single frames of 100 kB. */
const MESSAGE_BYTES_MAX = 32 * 1024 ** 2;
const SAMPLE_CHARS = 200;
const CLOSE_NORMAL = 1000;
/** A peer that does not answer a close is cut off. */
const CLOSE_WAIT_MS = 1_000;

export class WsConnection {
  /** Resolves once, with why it ended; an end of our own is undefined. */
  readonly ended: Promise<TickwellError | undefined>;
  readonly #socket: WebSocket;
  readonly #host: string;
  #end: (error: TickwellError | undefined) => void = () => undefined;

  /**
   * Connects.
   * @throws TickwellError by what the server answered (429 `rate_limit`, 418 `ip_ban`, 451 `geo_blocked`, 503
   *   `maintenance`, …), `network`, `timeout`; the signal's reason
   */
  static open(url: string, options: WsOptions): Promise<WsConnection> {
    const { timeoutMs, signal, messageBytesMax = MESSAGE_BYTES_MAX } = options;
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, {
        // Inflating costs 120 µs a frame, twenty times what reading it does.
        perMessageDeflate: false,
        maxPayload: messageBytesMax,
        followRedirects: false,
        skipUTF8Validation: false,
      });
      const host = new URL(url).host;
      const connection = new WsConnection(socket, host, options);
      const fail = (error: unknown): void => {
        settle();
        socket.terminate();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason, as it is
        reject(error);
      };
      const timer = setTimeout(
        () =>
          fail(
            new TickwellError(
              { kind: "timeout", timeoutMs },
              `${host} did not accept a WebSocket in ${timeoutMs} ms`,
            ),
          ),
        timeoutMs,
      );
      const stopListening = onAbort(signal, fail);
      const settle = (): void => {
        clearTimeout(timer);
        stopListening();
      };
      socket.once("open", () => {
        settle();
        resolve(connection);
      });
      socket.once("unexpected-response", (_request, response) =>
        fail(refusalOf(host, response, options.nowMs())),
      );
      socket.on("error", (error) => fail(faultOf(host, error)));
    });
  }

  private constructor(socket: WebSocket, host: string, { handlers }: WsOptions) {
    this.#socket = socket;
    this.#host = host;
    this.ended = new Promise((resolve) => (this.#end = resolve));
    socket.on("message", (data: RawData, isBinary: boolean) => {
      handlers.onActivity();
      const bytes = toBuffer(data);
      if (isBinary)
        handlers.onBinary({ bytes: bytes.length, sample: bytes.toString("latin1", 0, SAMPLE_CHARS) });
      else handlers.onText(bytes.toString("utf8"));
    });
    socket.on("ping", () => handlers.onActivity());
    socket.on("pong", () => handlers.onActivity());
    socket.on("error", (error) => this.#end(faultOf(host, error)));
    socket.on("close", (code, reason) => {
      const words = reason.length > 0 ? ` ("${reason.toString("utf8").slice(0, SAMPLE_CHARS)}")` : "";
      this.#end(
        new TickwellError({ kind: "network" }, `${host} ended the connection with code ${code}${words}`),
      );
    });
  }

  /** Sends a text frame; on a connection that is ending it does nothing. */
  send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  /** Ends it from our side. */
  close(): void {
    this.#end(undefined);
    if (this.#socket.readyState !== WebSocket.OPEN) {
      this.#socket.terminate();
      return;
    }
    this.#socket.close(CLOSE_NORMAL);
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_WAIT_MS);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  /** Ends it at once, because it is dead or sends what it must not. */
  fail(reason: string): void {
    this.#end(new TickwellError({ kind: "network" }, `${this.#host}: ${reason}`));
    this.#socket.terminate();
  }
}

function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

function faultOf(host: string, error: Error): TickwellError {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const isTooLarge = code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH";
  const fault: Fault =
    isTooLarge || code.startsWith("WS_ERR_")
      ? { kind: "malformed_payload", path: "$", sample: code }
      : { kind: "network" };
  const words = isTooLarge ? "sent a message larger than is accepted" : error.message;
  return new TickwellError(fault, `${host}: ${words}`, { cause: error });
}

/** What an HTTP answer instead of the upgrade means. */
function refusalOf(host: string, response: IncomingMessage, nowMs: number): TickwellError {
  const status = response.statusCode ?? 0;
  const retryAfterMs = readRetryAfter(response.headers["retry-after"], {
    receivedMs: nowMs,
    maxMs: PAUSE_MOST_MS,
  });
  response.destroy();
  return new TickwellError(
    faultOfStatus(status, { retryAfterMs, nowMs }),
    `${host} answered the WebSocket request with HTTP ${status}`,
  );
}

/** No ban is shorter, whatever its answer says. */
const BAN_LEAST_MS = 120_000;
/** A nonsensical time must not keep a stream closed for years. */
const PAUSE_MOST_MS = 3 * 86_400_000;

function faultOfStatus(
  status: number,
  { retryAfterMs, nowMs }: { retryAfterMs: number | undefined; nowMs: number },
): Fault {
  switch (status) {
    case 429:
      return { kind: "rate_limit", retryAfterMs };
    case 403:
    case 418:
      return { kind: "ip_ban", untilMs: nowMs + Math.max(retryAfterMs ?? 0, BAN_LEAST_MS) };
    case 451:
      return { kind: "geo_blocked" };
    case 401:
      return { kind: "auth", code: String(status) };
    case 503:
      return { kind: "maintenance" };
    default:
      return status >= 500
        ? { kind: "exchange", code: String(status) }
        : { kind: "bad_request", code: String(status) };
  }
}
