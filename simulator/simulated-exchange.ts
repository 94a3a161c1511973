// A whole exchange in this process: the REST protocol of Binance spot on a loopback port, a seeded market behind it, a
// plan of faults before it, and the ground truth beside it.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../src/core/clock.js";
import { htmlAnswer, jsonAnswer, sendAnswer } from "./answer.js";
import { BinanceServer } from "./binance-server.js";
import { FaultInjector, type FaultStrikes } from "./fault-injector.js";
import { parseFaultPlan, type FaultPlanInput, type SimulatedFaultKind } from "./fault-plan.js";
import { groundTruth, outageMinutes, type GroundTruth } from "./ground-truth.js";
import { checkMarketSpec, DEFAULT_LISTED_MS, defaultMarkets, type MarketSpec } from "./market-spec.js";
import { RequestCounters } from "./request-counters.js";
import { answerSim } from "./sim-endpoints.js";
import { SimulatedMarket } from "./simulated-market.js";
import { DEFAULT_LIMITS, WeightLimiter, type WeightLimits } from "./weight-limiter.js";

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
  /** Default: the list of {@link defaultMarkets}. */
  readonly markets?: readonly MarketSpec[];
  /** Since when the default markets trade, on a full minute; default 2020-01-01. */
  readonly listedMs?: number;
  /** Request weights; default as Binance's. */
  readonly limits?: Partial<WeightLimits>;
}

export interface SimulatedExchange {
  /** `http://127.0.0.1:41234` */
  readonly url: string;
  readonly seed: number;
  /** Unified symbols of all markets, also of those not listed yet. */
  readonly symbols: readonly string[];
  readonly truth: GroundTruth;
  readonly requests: RequestCounters;
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
 * Starts a simulated Binance.
 * @throws FaultPlanError for a bad plan, RangeError for a bad market, and the system's error when the port is taken
 */
export async function startSimulatedExchange(options: SimulatedExchangeOptions): Promise<SimulatedExchange> {
  const { seed, clock } = options;
  const plan = parseFaultPlan(options.faults ?? { faults: [] });
  const specs = options.markets ?? defaultMarkets(options.listedMs ?? DEFAULT_LISTED_MS);
  specs.forEach(checkMarketSpec);
  const markets = specs.map((spec) => new SimulatedMarket(seed, spec, outageMinutes(plan, spec)));
  const injector = new FaultInjector(plan, seed);
  const nowMs = (): number => clock.nowMs() + injector.skewMs(clock.nowMs());
  const find = (symbol: string): SimulatedMarket => {
    const found = markets.find((market) => market.spec.symbol === symbol || market.nativeSymbol === symbol);
    if (found) return found;
    const known = specs.map((spec) => spec.symbol).join(", ");
    throw new RangeError(`simulated exchange: found symbol ${symbol}, expected one of ${known}`);
  };

  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const requests = new RequestCounters();
  const closing = new AbortController();
  const binance = new BinanceServer({
    markets,
    faults: injector,
    limiter: new WeightLimiter(limits),
    weightPerMinute: limits.weightPerMinute,
    counters: requests,
    clock,
    nowMs,
    signal: closing.signal,
  });
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS });
  const exchange: Omit<SimulatedExchange, "url"> = {
    seed,
    symbols: specs.map((spec) => spec.symbol),
    truth: groundTruth(find, { nowMs, plan }),
    requests,
    faults: {
      strikes: () => injector.strikes(),
      struck: (kind) =>
        injector.strikes().reduce((sum, each) => sum + (each.kind === kind ? each.strikes : 0), 0),
    },
    close: () => close(server, closing),
  };
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    handle({ request, response, binance, exchange }).catch((error: unknown) => {
      if (closing.signal.aborted || response.destroyed) return;
      // A mistake of the simulator must not look like one of the exchange's own failures.
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
      if (response.headersSent) response.destroy();
      else sendAnswer(response, jsonAnswer({ error: `simulator: ${message}` }, 500));
    });
  });
  const url = await listen(server, { host: options.host ?? "127.0.0.1", port: options.port ?? 0 });
  return { url, ...exchange };
}

async function handle(call: {
  request: IncomingMessage;
  response: ServerResponse;
  binance: BinanceServer;
  exchange: Omit<SimulatedExchange, "url">;
}): Promise<void> {
  const { request, response, binance, exchange } = call;
  const target = request.url ?? "/";
  const url = URL.canParse(target, "http://simulator") ? new URL(target, "http://simulator") : undefined;
  if (url === undefined) return sendAnswer(response, htmlAnswer(400, "400 Bad Request"));
  if (url.pathname === "/sim" || url.pathname.startsWith("/sim/")) {
    return sendAnswer(response, answerSim(url, exchange) ?? htmlAnswer(404, "404 Not Found"));
  }
  await binance.handle(request, response, url);
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

function close(server: Server, closing: AbortController): Promise<void> {
  closing.abort();
  return new Promise((resolve) => {
    // A second close is none: the server tells so by an error that nobody needs.
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
