// One HTTP request to the simulated Binance, from the socket to the answer:
//   1. ask the fault plan; a fault of the connection ends it here,
//   2. count the weight; a refused or banned address hears nothing else,
//   3. let a fault take the answer's place,
//   4. let the endpoint answer,
//   5. send the answer, whole or broken.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../src/core/clock.js";
import { isTimeframe, timeframeMs } from "../src/core/timeframe.js";
import {
  dropConnection,
  htmlAnswer,
  jsonAnswer,
  refusal,
  sendAnswer,
  sendTruncated,
  type Answer,
} from "./answer.js";
import { ApiError } from "./binance/api-error.js";
import type { Endpoint, Venue } from "./binance/endpoint.js";
import { BINANCE_ENDPOINTS } from "./binance/endpoints.js";
import { Parameters } from "./binance/parameters.js";
import type { AnswerFault, AskedFor, FaultInjector } from "./fault-injector.js";
import type { RequestCounters } from "./request-counters.js";
import type { SimulatedMarket } from "./simulated-market.js";
import type { WeightLimiter } from "./weight-limiter.js";

/** Counted together, so that the counters stay few whatever is asked for. */
const UNKNOWN_PATH = "unknown";

export interface BinanceServerOptions {
  readonly markets: readonly SimulatedMarket[];
  readonly faults: FaultInjector;
  readonly limiter: WeightLimiter;
  readonly weightPerMinute: number;
  readonly counters: RequestCounters;
  readonly clock: Clock;
  /** The exchange's clock, its skew included. */
  readonly nowMs: () => number;
  /** Aborted when the simulator closes: ends every wait. */
  readonly signal: AbortSignal;
}

export class BinanceServer {
  readonly #options: BinanceServerOptions;

  constructor(options: BinanceServerOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { faults, counters, clock, signal } = this.#options;
    const endpoint = BINANCE_ENDPOINTS.get(url.pathname);
    const name = endpoint?.path ?? UNKNOWN_PATH;
    const asked = this.#askedFor(url);
    const fault = faults.strikeAnswer(asked, this.#options.nowMs());
    switch (fault?.kind) {
      case "disconnect":
        counters.add(name, "disconnect");
        return dropConnection(response);
      case "hang":
        // Never answered; the socket goes when the client or the simulator closes it.
        counters.add(name, "hang");
        return;
      case "slow":
        await clock.sleep(fault.delay_ms, signal);
        break;
      default:
    }

    const answer = this.#answer({ request, url, endpoint, asked, fault });
    if (response.destroyed) return;
    if (fault?.kind === "truncated") {
      counters.add(name, "truncated");
      return sendTruncated(response, answer);
    }
    counters.add(name, answer.status);
    sendAnswer(response, answer);
  }

  #answer(context: {
    request: IncomingMessage;
    url: URL;
    endpoint: Endpoint | undefined;
    asked: AskedFor;
    fault: AnswerFault | undefined;
  }): Answer {
    const { request, url, endpoint, asked, fault } = context;
    const nowMs = this.#options.nowMs();
    const ip = request.socket.remoteAddress ?? "unknown";
    if (fault?.kind === "http_418") {
      this.#options.limiter.ban(ip, fault.until ?? nowMs + fault.ban_s * 1_000, nowMs);
    }
    const admission = this.#options.limiter.admit(ip, endpoint?.weight(url.searchParams) ?? 1, nowMs);
    const used = String(admission.usedWeight);
    const answer = ((): Answer => {
      switch (admission.kind) {
        case "banned":
          return banned(admission.untilMs, admission.retryAfterS);
        case "refused":
          return tooMany(admission.retryAfterS, this.#options.weightPerMinute);
        case "free":
          return (
            (fault && this.#answerOf(fault, asked)) ?? this.#ask(endpoint, { url, request, asked, nowMs })
          );
      }
    })();
    return {
      ...answer,
      headers: { ...answer.headers, "X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used },
    };
  }

  /** The answer that a fault puts in place of the endpoint's; undefined when it leaves it alone. */
  #answerOf(fault: AnswerFault, asked: AskedFor): Answer | undefined {
    switch (fault.kind) {
      case "http_429":
        return tooMany(fault.retry_after, this.#options.weightPerMinute);
      case "http_451":
        return refusal({
          status: 451,
          code: 0,
          message:
            "Service unavailable from a restricted location according to 'b. Eligibility' in https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in error.",
        });
      case "http_5xx":
        return fault.status === 500
          ? refusal({
              status: 500,
              code: -1000,
              message: "An unknown error occurred while processing the request.",
            })
          : htmlAnswer(fault.status, `${fault.status} Simulated Server Error`);
      case "wrong_json":
        return wrongBody(fault.body, asked);
      case "http_418":
      case "slow":
      case "hang":
      case "disconnect":
      case "truncated":
        return undefined;
    }
  }

  #ask(
    endpoint: Endpoint | undefined,
    { url, request, asked, nowMs }: { url: URL; request: IncomingMessage; asked: AskedFor; nowMs: number },
  ): Answer {
    if (endpoint === undefined) return htmlAnswer(404, "404 Not Found");
    if (request.method !== "GET") return htmlAnswer(405, "405 Method Not Allowed");
    const { markets, faults, weightPerMinute, clock } = this.#options;
    const venue: Venue = { markets, faults, weightPerMinute, nowMs };
    try {
      const answer = jsonAnswer(
        endpoint.answer(new Parameters(url.searchParams, endpoint.parameters), venue),
      );
      if (endpoint.path.endsWith("/time")) faults.countSkewedAnswer(clock.nowMs());
      faults.countOutageAnswer(asked);
      return answer;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return refusal({ status: error.status, code: error.code, message: error.message });
    }
  }

  /** What the request is about, before it is checked: faults strike bad requests too. */
  #askedFor(url: URL): AskedFor {
    const query = url.searchParams;
    const nowMs = this.#options.nowMs();
    const symbol = query.get("symbol");
    const market = this.#options.markets.find((each) => each.nativeSymbol === symbol);
    const interval = query.get("interval") ?? "1m";
    const pageMs = (isTimeframe(interval) ? timeframeMs(interval) : 0) * Number(query.get("limit") ?? 500);
    const start = query.get("startTime");
    const end = query.get("endTime");
    const toMs =
      end !== null ? Number(end) : start !== null ? Math.min(Number(start) + pageMs, nowMs) : nowMs;
    const fromMs = start !== null ? Number(start) : end !== null ? toMs - pageMs : nowMs;
    return {
      endpoint: url.pathname,
      symbols: market ? [market.spec.symbol, market.nativeSymbol] : symbol === null ? [] : [symbol],
      fromMs,
      toMs,
    };
  }
}

function tooMany(retryAfterS: number, weightPerMinute: number): Answer {
  return refusal(
    {
      status: 429,
      code: -1003,
      message: `Too much request weight used; current limit is ${weightPerMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`,
    },
    { "Retry-After": String(retryAfterS) },
  );
}

function banned(untilMs: number, retryAfterS: number): Answer {
  return refusal(
    {
      status: 418,
      code: -1003,
      message: `Way too much request weight used; IP banned until ${untilMs}. Please use WebSocket Streams for live updates to avoid bans.`,
    },
    { "Retry-After": String(retryAfterS) },
  );
}

function wrongBody(body: "html" | "other_shape" | "empty" | "broken", asked: AskedFor): Answer {
  switch (body) {
    case "html":
      return htmlAnswer(200, "Just a moment...");
    case "other_shape":
      return jsonAnswer({ success: true, data: { path: asked.endpoint, rows: null } });
    case "empty":
      return { ...jsonAnswer(null), body: "" };
    case "broken":
      return { ...jsonAnswer(null), body: '[[1704067200000,"42000.01000000","4200' };
  }
}
