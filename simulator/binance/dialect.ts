// Binance spot and its USDⓈ-M futures as the server sees them: weights, bans, refusals, and which page is another one's.
import { isTimeframe, timeframeMs } from "../../src/core/timeframe.js";
import { htmlAnswer, jsonAnswer, refusal, wrongBody, type Answer } from "../answer.js";
import type { Call, Counted, Dialect } from "../dialect.js";
import type { AnswerFault, AskedFor } from "../fault-conditions.js";
import type { FaultInjector } from "../fault-injector.js";
import type { PageLie } from "../fault-plan.js";
import { fixedText, gridText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { WeightLimiter, type WeightLimits } from "../weight-limiter.js";
import { ApiError } from "./api-error.js";
import type { Venue } from "./endpoint.js";
import { FUTURES_ENDPOINTS, SPOT_ENDPOINTS, type EndpointMap } from "./endpoints.js";
import { Parameters } from "./parameters.js";

const DAY_MS = 86_400_000;
const BROKEN_BODY = '[[1704067200000,"42000.01000000","4200';

export interface BinanceDialectOptions {
  readonly name: "binance" | "binanceusdm";
  readonly markets: readonly SimulatedMarket[];
  readonly faults: FaultInjector;
  readonly limits: WeightLimits;
}

export class BinanceDialect implements Dialect {
  readonly name: "binance" | "binanceusdm";
  readonly #markets: readonly SimulatedMarket[];
  readonly #faults: FaultInjector;
  readonly #weightPerMinute: number;
  readonly #limiter: WeightLimiter;
  readonly #root: string;
  readonly #endpoints: EndpointMap;
  readonly #text: Venue["text"];

  constructor({ name, markets, faults, limits }: BinanceDialectOptions) {
    this.name = name;
    this.#markets = markets;
    this.#faults = faults;
    this.#weightPerMinute = limits.weightPerMinute;
    this.#limiter = new WeightLimiter(limits);
    this.#root = name === "binance" ? "/api/v3/" : "/fapi/";
    this.#endpoints = name === "binance" ? SPOT_ENDPOINTS : FUTURES_ENDPOINTS;
    this.#text = name === "binance" ? fixedText : gridText;
  }

  isOwnPath(path: string): boolean {
    return path.startsWith(this.#root);
  }

  hasEndpoint(path: string): boolean {
    return this.#endpoints.has(path);
  }

  askedFor(url: URL, nowMs: number): AskedFor {
    const query = url.searchParams;
    const symbol = query.get("symbol");
    const market = this.#markets.find((each) => each.nativeSymbol === symbol);
    const interval = query.get("interval") ?? "1m";
    const pageMs = (isTimeframe(interval) ? timeframeMs(interval) : 0) * Number(query.get("limit") ?? 500);
    const start = query.get("startTime");
    const end = query.get("endTime");
    const toMs =
      end !== null ? Number(end) : start !== null ? Math.min(Number(start) + pageMs, nowMs) : nowMs;
    const fromMs = start !== null ? Number(start) : end !== null ? toMs - pageMs : nowMs;
    return {
      exchange: this.name,
      endpoint: url.pathname,
      isPage: this.#endpoints.get(url.pathname)?.isPage ?? false,
      symbols: market?.names ?? (symbol === null ? [] : [symbol]),
      fromMs,
      toMs,
    };
  }

  count({ url, ip, nowMs }: Call): Counted {
    const weight = this.#endpoints.get(url.pathname)?.weight(url.searchParams) ?? 1;
    const admission = this.#limiter.admit(ip, weight, nowMs);
    const used = String(admission.usedWeight);
    const headers = { "X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used };
    switch (admission.kind) {
      case "free":
        return { headers, refusal: undefined };
      case "refused":
        return { headers, refusal: this.#tooMany(admission.retryAfterS) };
      case "banned":
        return { headers, refusal: banned(admission.untilMs, admission.retryAfterS) };
    }
  }

  ban(ip: string, untilMs: number, nowMs: number): void {
    this.#limiter.ban(ip, untilMs, nowMs);
  }

  faultAnswer(fault: AnswerFault, asked: AskedFor): Answer | undefined {
    switch (fault.kind) {
      case "http_429":
        return this.#tooMany(fault.retry_after);
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
        return wrongBody(fault.body, { path: asked.endpoint, broken: BROKEN_BODY });
      case "http_418":
      case "slow":
      case "hang":
      case "disconnect":
      case "truncated":
      case "lying_page":
      case "code_200":
        return undefined;
    }
  }

  ask({ url, nowMs, inMicroseconds = false }: Call): unknown {
    const endpoint = this.#endpoints.get(url.pathname);
    if (endpoint === undefined) throw new Error(`assertion: ${url.pathname} was to be checked before`);
    const venue: Venue = {
      markets: this.#markets,
      faults: this.#faults,
      weightPerMinute: this.#weightPerMinute,
      text: this.#text,
      nowMs,
      inMicroseconds: inMicroseconds && this.name === "binance",
    };
    return endpoint.answer(new Parameters(url.searchParams, endpoint.parameters), venue);
  }

  write(payload: unknown): Answer {
    return jsonAnswer(payload);
  }

  refuse(error: unknown): Answer | undefined {
    if (!(error instanceof ApiError)) return undefined;
    return refusal({ status: error.status, code: error.code, message: error.message });
  }

  askedInstead(how: PageLie, { url, nowMs }: Call): URL {
    const instead = new URL(url);
    const query = instead.searchParams;
    if (how === "other_symbol") {
      const listed = this.#markets.filter((market) => market.isTradingAt(nowMs));
      const at = listed.findIndex((market) => market.nativeSymbol === query.get("symbol"));
      const other = listed[(at + 1) % listed.length];
      if (other) query.set("symbol", other.nativeSymbol);
    }
    if (how === "same_page" && query.has("symbol")) {
      const isTrades = url.pathname.endsWith("Trades");
      for (const name of ["startTime", "endTime", "fromId"]) query.delete(name);
      // Futures tell no trades older than two days: there it is the page that began with the day before.
      if (this.name === "binanceusdm" && isTrades) {
        query.set("startTime", String(Math.floor(nowMs / DAY_MS) * DAY_MS - DAY_MS));
      } else if (isTrades) query.set("fromId", "0");
      else if (query.has("interval")) query.set("startTime", "0");
    }
    return instead;
  }

  #tooMany(retryAfterS: number): Answer {
    return refusal(
      {
        status: 429,
        code: -1003,
        message: `Too much request weight used; current limit is ${this.#weightPerMinute} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`,
      },
      { "Retry-After": String(retryAfterS) },
    );
  }
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
