// Whole exchanges in this process: the REST and WebSocket protocols of Binance spot, its USDⓈ-M futures and OKX on one loopback port,
// seeded markets behind each, a plan of faults before them, and the ground truth beside them.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../src/core/clock.js";
import { htmlAnswer, jsonAnswer, sendAnswer } from "./answer.js";
import { BinanceDialect } from "./binance/dialect.js";
import { binanceStreams } from "./binance/stream-venue.js";
import { DEFAULT_LISTED_MS, defaultMarkets } from "./default-markets.js";
import type { Dialect } from "./dialect.js";
import { FaultInjector, type FaultStrikes } from "./fault-injector.js";
import {
  parseFaultPlan,
  type FaultPlan,
  type FaultPlanInput,
  type SimulatedFaultKind,
} from "./fault-plan.js";
import { groundTruth, type GroundTruth } from "./ground-truth.js";
import { checkMarketSpec, type MarketSpec } from "./market-spec.js";
import { OkxDialect } from "./okx/dialect.js";
import { DEFAULT_OKX, type OkxOptions } from "./okx/endpoint.js";
import { okxStreams } from "./okx/stream-venue.js";
import { RequestCounters } from "./request-counters.js";
import { answerSim } from "./sim-endpoints.js";
import { SimulatedMarket } from "./simulated-market.js";
import type { SimulatedVenue } from "./simulated-venue.js";
import { VENUE_NAMES, type VenueName } from "./venue-name.js";
import { VenueServer } from "./venue-server.js";
import { StreamGateway, type OpenStreams, type StreamVenue } from "./ws/gateway.js";
import { DEFAULT_LIMITS, FUTURES_WEIGHT_PER_MINUTE, type WeightLimits } from "./weight-limiter.js";

export interface SimulatedExchangeOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** The same seed and fault plan give the same market, to the last trade. */
  readonly seed: number;
  /** The exchange's present; trades after it have not happened yet. */
  readonly clock: Clock;
  /** What goes wrong; nothing when absent. */
  readonly faults?: FaultPlanInput;
  /** Which venues are served; all of them by default. */
  readonly exchanges?: readonly VenueName[];
  /** Of Binance spot. Default: the list of {@link defaultMarkets}. */
  readonly markets?: readonly MarketSpec[];
  /** Of any venue, likewise. */
  readonly venueMarkets?: Partial<Readonly<Record<VenueName, readonly MarketSpec[]>>>;
  /** Since when the default markets trade, on a full minute; default 2020-01-01. */
  readonly listedMs?: number;
  /** Request weights of Binance spot and of its futures; default as theirs. */
  readonly limits?: Partial<WeightLimits>;
  /** What differs between OKX's own documents. */
  readonly okx?: Partial<OkxOptions>;
}

export interface SimulatedExchange {
  /** `http://127.0.0.1:41234`; streams are on the same port, as `ws://127.0.0.1:41234`. */
  readonly url: string;
  readonly seed: number;
  readonly exchanges: readonly VenueName[];
  /** Those of Binance spot; of the first venue served when it is not among them. */
  readonly symbols: readonly string[];
  readonly truth: GroundTruth;
  /** @throws RangeError when the venue is not served */
  venue(name: VenueName): SimulatedVenue;
  readonly requests: RequestCounters;
  /** Every open WebSocket connection with what it subscribed to. */
  streams(): readonly OpenStreams[];
  readonly faults: {
    /** Every planned fault with its strikes so far. */
    strikes(): readonly FaultStrikes[];
    /** Strikes of all planned faults of one kind. */
    struck(kind: SimulatedFaultKind): number;
  };
  /** Ends every connection, also those that hang. */
  close(): Promise<void>;
}

/** An idle connection is kept this long; longer than clients keep theirs, so that the client is the one who closes. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Starts the simulated venues.
 * @throws FaultPlanError for a bad plan, RangeError for a bad market, and the system's error when the port is taken
 */
export async function startSimulatedExchange(options: SimulatedExchangeOptions): Promise<SimulatedExchange> {
  const { seed, clock } = options;
  const plan = parseFaultPlan(options.faults ?? { faults: [] });
  const faults = new FaultInjector(plan, seed);
  const requests = new RequestCounters();
  const closing = new AbortController();
  const names = VENUE_NAMES.filter((name) => options.exchanges?.includes(name) ?? true);
  const venues = names.map((name) => {
    const nowMs = (): number => clock.nowMs() + faults.skewMs(name, clock.nowMs());
    const markets = openMarkets(name, options, plan);
    const dialect = openDialect(name, { markets, faults, options });
    const server = new VenueServer({
      dialect,
      faults,
      counters: requests,
      clock,
      nowMs,
      signal: closing.signal,
    });
    const truth = groundTruth((symbol) => findMarket(markets, symbol), { nowMs, plan });
    const streams = openStreams(name, { markets, faults, options, nowMs });
    return { name, symbols: markets.map(({ spec }) => spec.symbol), truth, dialect, server, streams };
  });
  const [first] = venues;
  if (first === undefined) {
    throw new RangeError(`simulated exchange: found no exchange, expected some of ${VENUE_NAMES.join(", ")}`);
  }

  const gateway = new StreamGateway({
    venues: inPathOrder(venues.map(({ streams }) => streams)),
    injector: faults,
    counters: requests,
  });
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  const exchange: Omit<SimulatedExchange, "url"> = {
    seed,
    exchanges: names,
    symbols: first.symbols,
    truth: first.truth,
    venue(name) {
      const found = venues.find((each) => each.name === name);
      if (found) return { name, symbols: found.symbols, truth: found.truth };
      throw new RangeError(`simulated exchange: found ${name}, expected one of ${names.join(", ")}`);
    },
    requests,
    faults: {
      strikes: () => faults.strikes(),
      struck: (kind) =>
        faults.strikes().reduce((sum, each) => sum + (each.kind === kind ? each.strikes : 0), 0),
    },
    streams: () => gateway.open(),
    close: () => close({ server, closing, gateway }),
  };
  const serverOf = (path: string): VenueServer =>
    (venues.find(({ dialect }) => dialect.isOwnPath(path)) ?? first).server;
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    handle({ request, response, serverOf, exchange }).catch((error: unknown) => {
      if (closing.signal.aborted || response.destroyed) return;
      // A mistake of the simulator must not look like one of the exchange's own failures.
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      if (response.headersSent) response.destroy();
      else sendAnswer(response, jsonAnswer({ error: `simulator: ${message}` }, 500));
    });
  });
  server.on("upgrade", (request, socket, head) => gateway.upgrade(request, socket, head));
  const url = await listen(server, { host: options.host ?? "127.0.0.1", port: options.port ?? 0 });
  return { url, ...exchange };
}

function openMarkets(
  venue: VenueName,
  { seed, markets, venueMarkets, listedMs }: SimulatedExchangeOptions,
  plan: FaultPlan,
): readonly SimulatedMarket[] {
  const given = venueMarkets?.[venue] ?? (venue === "binance" ? markets : undefined);
  const specs = given ?? defaultMarkets(listedMs ?? DEFAULT_LISTED_MS, venue);
  specs.forEach(checkMarketSpec);
  return specs.map((spec, slot) => new SimulatedMarket(seed, spec, { venue, plan, slot }));
}

function openDialect(
  name: VenueName,
  context: {
    markets: readonly SimulatedMarket[];
    faults: FaultInjector;
    options: SimulatedExchangeOptions;
  },
): Dialect {
  const { markets, faults, options } = context;
  switch (name) {
    case "binance":
      return new BinanceDialect({ name, markets, faults, limits: { ...DEFAULT_LIMITS, ...options.limits } });
    case "binanceusdm": {
      const limits = { ...DEFAULT_LIMITS, weightPerMinute: FUTURES_WEIGHT_PER_MINUTE, ...options.limits };
      return new BinanceDialect({ name, markets, faults, limits });
    }
    case "okx":
      return new OkxDialect({ markets, faults, options: { ...DEFAULT_OKX, ...options.okx } });
  }
}

function openStreams(
  name: VenueName,
  context: {
    markets: readonly SimulatedMarket[];
    faults: FaultInjector;
    options: SimulatedExchangeOptions;
    nowMs: () => number;
  },
): StreamVenue {
  const { markets, faults: injector, options, nowMs } = context;
  if (name !== "okx") return binanceStreams({ name, markets, injector, nowMs });
  return okxStreams({ markets, injector, nowMs, ...DEFAULT_OKX, ...options.okx });
}

/** OKX's first: Binance would take what follows its /ws for names of streams. Then spot, whose /ws its futures left. */
function inPathOrder(venues: readonly StreamVenue[]): readonly StreamVenue[] {
  return [...venues.filter(({ name }) => name === "okx"), ...venues.filter(({ name }) => name !== "okx")];
}

function findMarket(markets: readonly SimulatedMarket[], symbol: string): SimulatedMarket {
  const found = markets.find((market) => market.names.includes(symbol));
  if (found) return found;
  const known = markets.map(({ spec }) => spec.symbol).join(", ");
  throw new RangeError(`simulated exchange: found symbol ${symbol}, expected one of ${known}`);
}

async function handle(call: {
  request: IncomingMessage;
  response: ServerResponse;
  serverOf: (path: string) => VenueServer;
  exchange: Omit<SimulatedExchange, "url">;
}): Promise<void> {
  const { request, response, serverOf, exchange } = call;
  const target = request.url ?? "/";
  const url = URL.canParse(target, "http://simulator") ? new URL(target, "http://simulator") : undefined;
  if (url === undefined) return sendAnswer(response, htmlAnswer(400, "400 Bad Request"));
  if (url.pathname === "/sim" || url.pathname.startsWith("/sim/")) {
    return sendAnswer(response, answerSim(url, exchange) ?? htmlAnswer(404, "404 Not Found"));
  }
  await serverOf(url.pathname).handle(request, response, url);
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      const { port: boundPort } = server.address() as AddressInfo;
      resolve(`http://${host.includes(":") ? `[${host}]` : host}:${boundPort}`);
    });
  });
}

function close({
  server,
  closing,
  gateway,
}: {
  server: Server;
  closing: AbortController;
  gateway: StreamGateway;
}): Promise<void> {
  closing.abort();
  gateway.close();
  return new Promise((resolve) => {
    // A second close is none: the server tells so by an error that nobody needs.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
