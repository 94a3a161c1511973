// HTTP GET and POST over pooled keep-alive connections. In: a URL and limits. Out: status, headers and text, or a
// TickwellError that names the host and what happened; an answer of any status is an answer, and judged by the caller.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from "undici";
import { describeError, TickwellError } from "../fault.js";
import { isLoopback } from "./loopback.js";
import { onAbort, untilAborted } from "./abort.js";

/** An answer whose body has arrived in full. */
export interface HttpResponse {
  readonly status: number;
  /** A header by its lower-case name; several of one name are joined by a comma. */
  header(name: string): string | undefined;
  readonly text: string;
}

/** An answer whose body is no text. */
export interface HttpBytesResponse extends Omit<HttpResponse, "text"> {
  readonly bytes: Buffer;
}

export interface HttpGetOptions {
  /** For the whole exchange: connecting, headers and body. Real time, not the run's clock: a socket knows no other. */
  readonly timeoutMs: number;
  /** Rejects with its reason. */
  readonly signal: AbortSignal;
  /** Sent along beside the usual ones. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Most bytes a body may have, before and after decompression. */
  readonly bodyBytesMax?: number;
}

export interface HttpPostOptions extends HttpGetOptions {
  readonly body: string;
  /** `application/json` */
  readonly contentType: string;
}

export interface HttpClientOptions {
  /** Most connections to one host; further requests wait inside their timeout. */
  readonly connectionsMax?: number;
}

/** Binance's exchangeInfo, the largest answer known, has some 10 MB. */
const BODY_BYTES_MAX = 32 * 1024 ** 2;
/** A request that hangs holds a connection: those of a few markets must leave enough for all others. */
const CONNECTIONS_MAX = 64;
const KEEP_ALIVE_MS = 10_000;
/** Bytes of a header block; Node's own default. */
const HEADER_BYTES_MAX = 16_384;

const unzip = promisify(gunzip);

/** Codes of failed lookups and sockets in words; the rest is reported by its own message. */
const CAUSES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "refused the connection",
  ECONNRESET: "reset the connection",
  EPIPE: "closed the connection",
  ENOTFOUND: "has no address (DNS)",
  EAI_AGAIN: "could not be looked up (DNS does not answer)",
  EHOSTUNREACH: "cannot be reached",
  ENETUNREACH: "cannot be reached: no network",
  ETIMEDOUT: "did not accept a connection in time",
  UND_ERR_CONNECT_TIMEOUT: "did not accept a connection in time",
  UND_ERR_SOCKET: "closed the connection before its answer was complete",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "sent more or less than it announced",
};

interface Question {
  readonly url: string;
  /** JSON unless it says otherwise. */
  readonly accept?: string;
  /** Sent by POST; without it the question is a GET. */
  readonly content?: { readonly body: string; readonly contentType: string };
}

/** Thrown into an exchange to end it; never leaves this module. */
const TIMED_OUT = Symbol("timed out");

export class HttpClient {
  readonly #direct: Dispatcher;
  readonly #proxied: Dispatcher;

  constructor({ connectionsMax = CONNECTIONS_MAX }: HttpClientOptions = {}) {
    const pool = {
      connections: connectionsMax,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      // The timeout of a request covers all of it; undici's own would only add a second set of messages.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#direct = new Agent(pool);
    // HTTPS_PROXY, HTTP_PROXY and NO_PROXY, as curl reads them.
    this.#proxied = new EnvHttpProxyAgent(pool);
  }

  /**
   * Fetches `url`; redirects are not followed.
   * @throws TickwellError `network` | `timeout` | `malformed_payload` (body too large, broken compression);
   *   the signal's reason when it is aborted
   */
  get(url: string, options: HttpGetOptions): Promise<HttpResponse> {
    return this.#ask({ url }, options);
  }

  /** Fetches what is no text, such as an archive; otherwise as {@link HttpClient.get}. */
  getBytes(url: string, options: HttpGetOptions): Promise<HttpBytesResponse> {
    return this.#ask({ url, accept: "*/*" }, options);
  }

  /** Sends `body` by POST; otherwise as {@link HttpClient.get}. A failure does not say whether the body has arrived. */
  post(url: string, { body, contentType, ...options }: HttpPostOptions): Promise<HttpResponse> {
    return this.#ask({ url, content: { body, contentType } }, options);
  }

  /** Ends all connections; exchanges under way fail. */
  async close(): Promise<void> {
    await Promise.all([this.#direct.destroy(), this.#proxied.destroy()]);
  }

  async #ask(question: Question, options: HttpGetOptions): Promise<HttpResponse & HttpBytesResponse> {
    const { timeoutMs, signal, bodyBytesMax = BODY_BYTES_MAX } = options;
    signal.throwIfAborted();
    const { host } = new URL(question.url);
    const end = new AbortController();
    const stopListening = onAbort(signal, (reason) => end.abort(reason));
    const timer = setTimeout(() => end.abort(TIMED_OUT), timeoutMs);
    try {
      // undici heeds the signal of a request only once it has a connection for it, which may take long or never happen.
      return await untilAborted(
        this.#exchange(question, { signal: end.signal, bodyBytesMax, headers: options.headers }),
        end.signal,
      );
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (end.signal.aborted) throw timeoutError(host, timeoutMs);
      throw error instanceof TickwellError ? error : networkError(host, error);
    } finally {
      clearTimeout(timer);
      stopListening();
    }
  }

  async #exchange(
    { url, content, accept = "application/json" }: Question,
    {
      signal,
      bodyBytesMax,
      headers: further,
    }: {
      signal: AbortSignal;
      bodyBytesMax: number;
      headers: Readonly<Record<string, string>> | undefined;
    },
  ): Promise<HttpResponse & HttpBytesResponse> {
    const { host, hostname } = new URL(url);
    const { statusCode, headers, body } = await request(url, {
      // A proxy cannot reach this machine's loopback, whether or not NO_PROXY says so.
      dispatcher: isLoopback(hostname) ? this.#direct : this.#proxied,
      signal,
      ...(content ? { method: "POST", body: content.body } : {}),
      headers: {
        accept,
        "accept-encoding": "gzip",
        // What a cache holds is no answer of the exchange: two of them would be one.
        "cache-control": "no-cache",
        ...(content ? { "content-type": content.contentType } : {}),
        ...further,
      },
    });
    const bytes = await readBody(body, { host, bodyBytesMax });
    const isZipped = String(headers["content-encoding"]).toLowerCase() === "gzip";
    const unpacked = isZipped ? await unzipBody(bytes, { host, bodyBytesMax }) : bytes;
    return {
      status: statusCode,
      header(name) {
        const value = headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      bytes: unpacked,
      get text() {
        return unpacked.toString("utf8");
      },
    };
  }
}

interface BodyContext {
  readonly host: string;
  readonly bodyBytesMax: number;
}

async function readBody(body: AsyncIterable<unknown>, context: BodyContext): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop by a throw destroys the stream, and its connection with it.
  for await (const chunk of body) {
    bytes += (chunk as Buffer).length;
    if (bytes > context.bodyBytesMax) throw tooLargeError(context);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks, bytes);
}

async function unzipBody(bytes: Buffer, context: BodyContext): Promise<Buffer> {
  try {
    return await unzip(bytes, { maxOutputLength: context.bodyBytesMax });
  } catch (error) {
    if (codeOf(error) === "ERR_BUFFER_TOO_LARGE") throw tooLargeError(context);
    throw new TickwellError(
      { kind: "malformed_payload", path: "$", sample: "" },
      `${context.host}: the body is announced as gzip and is not: ${describeError(error)}`,
      { cause: error },
    );
  }
}

function tooLargeError({ host, bodyBytesMax }: BodyContext): TickwellError {
  return new TickwellError(
    { kind: "malformed_payload", path: "$", sample: "" },
    `${host}: the body exceeds ${bodyBytesMax} bytes; no answer of an exchange is that large`,
  );
}

function timeoutError(host: string, timeoutMs: number): TickwellError {
  return new TickwellError(
    { kind: "timeout", timeoutMs },
    `${host}: no complete answer within ${timeoutMs} ms; if that happens often, raise request.timeout`,
  );
}

function networkError(host: string, error: unknown): TickwellError {
  const cause = firstCause(error);
  const what = CAUSES[codeOf(cause) ?? ""] ?? `failed: ${describeError(cause).trim()}`;
  return new TickwellError({ kind: "network" }, `${host} ${what}`, { cause });
}

/** Where a name has several addresses, all of them failed; the first says as much as the rest. */
function firstCause(error: unknown): unknown {
  return error instanceof AggregateError ? (error.errors[0] ?? error) : error;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
