// The HTTP server: routes of the contract, the stream, TradingView's datafeed, probes, metrics, the dashboard's files. It
// lives beside the collectors and must never be felt by them: connections, clients, requests and what each of them holds
// are bounded; what goes beyond is refused and mentioned once.
import websocket from "@fastify/websocket";
import helmet from "@fastify/helmet";
import rateLimit from "@fastify/rate-limit";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { AddressInfo, Socket } from "node:net";
import type { Clock } from "../core/clock.js";
import { systemClock } from "../core/clock.js";
import { describeError, TickwellError } from "../core/fault.js";
import { WARN, type Log } from "../core/log.js";
import { isLoopback } from "../core/net/loopback.js";
import { RepeatLimiter } from "../core/repeat-limiter.js";
import { LiveHub } from "../pipeline/live-hub.js";
import type { Store } from "../store/store.js";
import { Access } from "./access.js";
import {
  API_PREFIX,
  ROUTES,
  STREAM_PATH,
  STREAM_PROTOCOL,
  type RouteContract,
  type RouteName,
} from "./contract.js";
import { NO_DASHBOARD, readDashboardFiles, type DashboardFiles } from "./dashboard-files.js";
import { LivePush } from "./live-push.js";
import { MarketBoard } from "./market-board.js";
import { MarketDirectory } from "./market-directory.js";
import type { MetricsSource } from "./metrics-source.js";
import { openApiDocument } from "./openapi.js";
import { ApiProblem, PROBLEM_TYPE, problemOf, problemOfIssues } from "./problem.js";
import { idleProcess, type ProcessView } from "./process-view.js";
import type { Call, Route, RouteParts } from "./routes/call.js";
import { coverage, gaps } from "./routes/ledger.js";
import { exchanges, markets } from "./routes/markets.js";
import { quality, qualityDaily, qualityReport } from "./routes/quality.js";
import { book, candles, trades } from "./routes/rows.js";
import { errors, errorSummary, retryTask, status, tasks } from "./routes/work.js";
import { send } from "./send.js";
import { StatusBoard } from "./status-board.js";
import { addUdfRoutes } from "./udf.js";

export interface ApiOptions {
  readonly store: Store;
  /** Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** 0 takes any free one, which is the default. */
  readonly port?: number | undefined;
  /** Compulsory beyond loopback. */
  readonly token?: string | undefined;
  /** Of those who may retry tasks; nobody may without it. */
  readonly writeToken?: string | undefined;
  readonly version: string;
  readonly log: Log;
  /** By which the data are new or old; the machine's by default. */
  readonly clock?: Clock;
  /** What streams bring; without it only the store is read. */
  readonly hub?: LiveHub;
  readonly process?: ProcessView;
  readonly metrics?: MetricsSource | undefined;
  /** A folder with `index.html`. */
  readonly dashboardFolder?: string | undefined;
  readonly isEmbedded?: boolean;
  readonly limits?: Partial<ApiLimits>;
}

/** What the server takes on at most. */
export interface ApiLimits {
  /** TCP connections, those of the stream included. */
  readonly connectionsMax: number;
  /** Clients of the stream. */
  readonly streamClientsMax: number;
  /** Bytes waiting for one client of the stream; beyond it messages are dropped. */
  readonly clientBytesMax: number;
  /** Of one address, beyond loopback. */
  readonly requestsPerMinute: number;
  /** A connection on which nothing moves is closed after this, ms. */
  readonly idleMs: number;
}

export const API_LIMITS: ApiLimits = {
  connectionsMax: 2_500,
  streamClientsMax: 2_000,
  clientBytesMax: 1_000_000,
  requestsPerMinute: 1_200,
  idleMs: 60_000,
};

export interface ApiServer {
  /** `http://127.0.0.1:7377` */
  readonly url: string;
  readonly port: number;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Headers, then a request line and its body, must arrive within this. */
const REQUEST_TIMEOUT_MS = 10_000;
const HEADER_BYTES_MAX = 16_384;
const BODY_BYTES_MAX = 16_384;
const FRAME_BYTES_MAX = 65_536;

const HANDLERS: { readonly [Name in RouteName]: Route<Name> } = {
  exchanges,
  markets,
  candles,
  trades,
  book,
  quality,
  qualityDaily,
  qualityReport,
  gaps,
  coverage,
  tasks,
  retryTask,
  errors,
  errorSummary,
  status,
};

/** Everything else says nothing of the data: probes and the dashboard's files. */
const PROTECTED_PREFIXES = ["/api/", "/udf/", "/metrics"];

/**
 * Starts the API. It reads; the one thing it can write is a retry, and only with a token of its own.
 * @throws TickwellError `config` when the address is taken or not ours, or when there is no token beyond loopback
 */
export async function startApi(options: ApiOptions): Promise<ApiServer> {
  const server = new Server(options);
  return server.listen();
}

class Server {
  readonly #options: ApiOptions;
  readonly #host: string;
  readonly #limits: ApiLimits;
  readonly #access: Access;
  readonly #repeats: RepeatLimiter;
  readonly #parts: RouteParts;
  readonly #push: LivePush;
  readonly #app: FastifyInstance;

  constructor(options: ApiOptions) {
    const { store, log, host = "127.0.0.1", token, writeToken, version } = options;
    if (!isLoopback(host) && token === undefined)
      throw new TickwellError(
        { kind: "config" },
        `api.host: ${host} is not loopback, so anyone could read: set api.token, or host: 127.0.0.1`,
      );
    this.#options = options;
    this.#host = host;
    this.#limits = { ...API_LIMITS, ...options.limits };
    this.#access = new Access({ host, token, writeToken });
    this.#repeats = new RepeatLimiter({
      nowMs: () => systemClock.nowMs(),
      tell: ({ text }) => log.warn(text),
      saidMax: 1,
    });
    const clock = options.clock ?? systemClock;
    const hub = options.hub ?? new LiveHub();
    const directory = new MarketDirectory({ store, clock: systemClock });
    const board = new MarketBoard({ store, hub, clock, wallClock: systemClock });
    const statusBoard = new StatusBoard({
      store,
      directory,
      board,
      process: options.process ?? idleProcess(systemClock.nowMs()),
      version,
      clock,
      wallClock: systemClock,
      stream: () => this.#push.state(),
      isEmbedded: options.isEmbedded ?? false,
    });
    this.#parts = { store, directory, board, status: statusBoard, hub, clock, log };
    this.#push = new LivePush({
      store,
      hub,
      directory,
      status: statusBoard,
      clock,
      version,
      mention: (kind, detail) => this.#mention(kind, detail),
      clientsMax: this.#limits.streamClientsMax,
      clientBytesMax: this.#limits.clientBytesMax,
    });
    this.#app = this.#makeApp();
  }

  async listen(): Promise<ApiServer> {
    const { port = 0, dashboardFolder } = this.#options;
    const files =
      dashboardFolder === undefined ? new Map<string, never>() : await readDashboardFiles(dashboardFolder);
    await this.#addEverything(files);
    try {
      await this.#app.listen({ host: this.#host, port });
    } catch (error) {
      await this.#app.close();
      throw listenError(error, this.#host, port);
    }
    const { server } = this.#app;
    server.maxConnections = this.#limits.connectionsMax;
    server.on("drop", () =>
      this.#mention("connections refused", `there are ${this.#limits.connectionsMax} already`),
    );
    const { port: bound } = server.address() as AddressInfo;
    this.#push.start();
    const host = this.#host.includes(":") ? `[${this.#host}]` : this.#host;
    return {
      url: `http://${host}:${bound}`,
      port: bound,
      close: async () => {
        this.#push.close();
        await this.#app.close();
        this.#repeats.sumUp({ isEnd: true });
      },
    };
  }

  #makeApp(): FastifyInstance {
    const app = fastify({
      logger: false,
      bodyLimit: BODY_BYTES_MAX,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionTimeout: this.#limits.idleMs,
      keepAliveTimeout: this.#limits.idleMs,
      forceCloseConnections: true,
      trustProxy: false,
      routerOptions: { maxParamLength: 100 },
      http: { maxHeaderSize: HEADER_BYTES_MAX, headersTimeout: REQUEST_TIMEOUT_MS },
      // A path that cannot be decoded.
      frameworkErrors: (error, request, reply) => {
        void this.#refuse(error, request, reply);
      },
      clientErrorHandler: (error, socket) => this.#refuseBytes(error, socket),
    });
    app.setErrorHandler((error, request, reply) => this.#refuse(error, request, reply));
    app.setNotFoundHandler((request, reply) =>
      this.#refuse(new ApiProblem(404, `there is nothing at ${pathOf(request)}`), request, reply),
    );
    return app;
  }

  async #addEverything(files: DashboardFiles): Promise<void> {
    const app = this.#app;
    await app.register(helmet, {
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'", "data:"],
          fontSrc: ["'self'"],
          connectSrc: ["'self'"],
          manifestSrc: ["'self'"],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          frameAncestors: ["'none'"],
        },
      },
      // Whoever puts TLS in front says so there; on loopback there is none.
      strictTransportSecurity: false,
      frameguard: { action: "deny" },
      referrerPolicy: { policy: "no-referrer" },
    });
    if (!isLoopback(this.#host))
      await app.register(rateLimit, {
        max: this.#limits.requestsPerMinute,
        timeWindow: 60_000,
        cache: 10_000,
        errorResponseBuilder: (_request, { max, after }) =>
          new ApiProblem(429, `more than ${max} requests a minute from this address; again in ${after}`),
      });
    app.addHook("onRequest", async (request) => this.#admit(request));
    // Node hands the socket of an upgrade out of its keeping: one that became no stream is closed by nobody else.
    app.addHook("onResponse", async ({ raw }) => {
      if (raw.headers.upgrade !== undefined) raw.socket.destroySoon();
    });
    await app.register(websocket, {
      options: {
        maxPayload: FRAME_BYTES_MAX,
        // Its memory and time a client are worth more than the bytes it saves.
        perMessageDeflate: false,
        handleProtocols: (protocols) => (protocols.has(STREAM_PROTOCOL) ? STREAM_PROTOCOL : false),
      },
      errorHandler: (error, socket) => {
        this.#mention("a stream client", describeError(error));
        socket.terminate();
      },
    });
    await app.register(async (scope) => {
      scope.get(
        STREAM_PATH,
        {
          websocket: true,
          preValidation: async () => {
            if (!this.#push.isFull) return;
            throw new ApiProblem(
              503,
              `there are ${this.#limits.streamClientsMax} clients of the stream already`,
            );
          },
        },
        (socket) => this.#push.add(socket),
      );
    });
    for (const name of Object.keys(ROUTES) as RouteName[]) this.#addRoute(name);
    this.#addDescription();
    this.#addProbes();
    addUdfRoutes(app, this.#parts);
    this.#addFiles(files);
  }

  #addRoute(name: RouteName): void {
    const route: RouteContract = ROUTES[name];
    // Parameters are checked by the very schema whose output is the handler's type.
    const handler = HANDLERS[name] as Route<RouteName>;
    this.#app.route({
      method: route.method,
      url: API_PREFIX + route.path.replace(/\{(\w+)\}/g, ":$1"),
      handler: async (request, reply) => {
        if (route.writes === true) this.#access.checkToken(request.raw, "write");
        const params = route.params?.safeParse(request.params);
        if (params && !params.success) throw problemOfIssues(params.error);
        const query = route.query.safeParse(request.query);
        if (!query.success) throw problemOfIssues(query.error);
        const call: Call<RouteName> = {
          ...this.#parts,
          query: query.data as Call<RouteName>["query"],
          params: (params?.data ?? {}) as Record<string, unknown>,
          mayWrite: this.#access.may(request.raw, "write"),
          signal: goneSignal(reply),
        };
        return send(request, reply, await handler(call), (error) => this.#noteBroken(error));
      },
    });
  }

  #addDescription(): void {
    const text = JSON.stringify(openApiDocument(this.#options.version));
    this.#app.get(`${API_PREFIX}/openapi.json`, async (_request, reply) =>
      reply.header("cache-control", "no-cache").type("application/json; charset=utf-8").send(text),
    );
    const { metrics } = this.#options;
    if (!metrics) return;
    this.#app.get("/metrics", async (_request, reply) => {
      const body = await metrics.text();
      return reply.header("cache-control", "no-store").type(metrics.contentType).send(body);
    });
  }

  #addProbes(): void {
    this.#app.get("/healthz", async (_request, reply) =>
      reply.header("cache-control", "no-store").send({ status: "alive" }),
    );
    this.#app.get("/readyz", async (_request, reply) => {
      reply.header("cache-control", "no-store");
      try {
        await this.#options.store.api.ping();
        return reply.send({ status: "ready" });
      } catch {
        return reply.code(503).send({ status: "the database does not answer" });
      }
    });
  }

  #addFiles(files: DashboardFiles): void {
    const index = files.get("/index.html");
    if (!index) {
      this.#app.get("/", async (_request, reply) =>
        reply.type("text/plain; charset=utf-8").send(NO_DASHBOARD),
      );
      return;
    }
    for (const [path, file] of [...files, ["/", index] as const])
      this.#app.get(path, async (request, reply) => {
        reply
          .header("etag", file.etag)
          .header("cache-control", file.isImmutable ? "public, max-age=31536000, immutable" : "no-cache");
        if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
        return reply.type(file.contentType).send(file.body);
      });
  }

  #admit(request: FastifyRequest): void {
    this.#access.checkOrigin(request.raw);
    const path = pathOf(request);
    // Else the WebSocket plugin would take it for a client of its own, whatever the path and the protocol.
    if (request.headers.upgrade !== undefined && path !== STREAM_PATH)
      throw new ApiProblem(400, `only ${STREAM_PATH} can be upgraded: leave out the Upgrade header`);
    const isProtected = PROTECTED_PREFIXES.some((prefix) => path.startsWith(prefix));
    if (isProtected) this.#access.checkToken(request.raw, "read");
  }

  async #refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const problem = problemOf(error);
    if (problem.status >= 500) {
      const what = `${request.method} ${pathOf(request)}: ${describeError(error)}`;
      if (problem.status === 500) this.#options.log.error(`http: ${what}`);
      else this.#mention(`status ${problem.status}`, what);
    } else if ([401, 403, 413, 429].includes(problem.status))
      this.#mention(
        `status ${problem.status}`,
        `${request.ip} ${request.method} ${pathOf(request)}: ${problem.message}`,
      );
    if (problem.status === 401) reply.header("www-authenticate", 'Bearer realm="tickwell"');
    if (problem.status === 503) reply.header("retry-after", "5");
    return reply
      .code(problem.status)
      .header("cache-control", "no-store")
      .type(PROBLEM_TYPE)
      .send(JSON.stringify(problem.toBody()));
  }

  /** What is not HTTP, or too much of it: headers beyond the bound, a request that never ends. */
  #refuseBytes(error: Error & { code?: string }, socket: Socket): void {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    this.#mention("malformed requests", `${socket.remoteAddress ?? "?"}: ${error.code ?? "unreadable"}`);
    const status =
      error.code === "HPE_HEADER_OVERFLOW"
        ? "431 Request Header Fields Too Large"
        : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
          ? "408 Request Timeout"
          : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }

  /**
   * A thousand refused clients are one line, not a thousand.
   * @param kind one of a handful, never made of what a caller sent
   */
  #mention(kind: string, detail: string): void {
    const text = `http: ${kind}: ${detail}`;
    if (this.#repeats.allows(WARN, text, kind)) this.#options.log.warn(text);
  }

  #noteBroken(error: unknown): void {
    // The client has gone: his own doing.
    if (error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE") return;
    this.#mention("answers broken off", describeError(error));
  }
}

/** Without its parameters, which may hold anything; never decoded. */
function pathOf(request: FastifyRequest): string {
  return (request.raw.url ?? "").split("?")[0]?.slice(0, 200) ?? "";
}

/** Aborted when the client has gone before the answer was finished. */
function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort(new Error("the client has gone"));
  });
  return gone.signal;
}

function listenError(error: unknown, host: string, port: number): TickwellError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const words: Record<string, string> = {
    EADDRINUSE: `port ${port} of ${host} is taken, perhaps by another tickwell; set api.port to another one, or to 0 for any that is free`,
    EACCES: `port ${port} needs rights this process does not have; set api.port to one above 1023`,
    EADDRNOTAVAIL: `${host} is no address of this machine; set api.host to 127.0.0.1, or 0.0.0.0 with a token`,
    ENOTFOUND: `${host} is not known as a host name; set api.host to an address`,
  };
  return new TickwellError({ kind: "config" }, `api: ${words[code] ?? describeError(error)}`, {
    cause: error,
  });
}
