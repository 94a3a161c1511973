// OKX v5 as the server sees it: the envelope, limits per endpoint, codes with HTTP 200, and which page is another one's.
import { timeframeMs } from "../../src/core/timeframe.js";
import { htmlAnswer, jsonAnswer, wrongBody, type Answer } from "../answer.js";
import type { Call, Counted, Dialect } from "../dialect.js";
import type { AnswerFault, AskedFor } from "../fault-conditions.js";
import type { FaultInjector } from "../fault-injector.js";
import type { PageLie } from "../fault-plan.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { findBar } from "./bars.js";
import type { OkxOptions } from "./endpoint.js";
import { OKX_ENDPOINTS } from "./endpoints.js";
import { OkxError } from "./okx-error.js";
import { Parameters } from "./parameters.js";
import { instrumentType } from "./public-data.js";
import { RequestLimiter } from "./request-limiter.js";

const WINDOW_MS = 2_000;
const DAY_MS = 86_400_000;
const BROKEN_BODY = '{"code":"0","msg":"","data":[["1704067200000","42000.1","4200';
/** Every so manieth refusal comes with HTTP 200 instead of 429. */
const REFUSED_WITH_200 = 3;

/** What OKX says along with codes that `code_200` may name. */
const MESSAGES: Readonly<Record<string, string>> = {
  "50001": "Service temporarily unavailable. Try again later.",
  "50004": "API endpoint request timeout.",
  "50011": "Too Many Requests",
  "50013": "Systems are busy. Please try again later.",
  "50026": "System error. Try again later.",
  "51001": "Instrument ID, Instrument ID code, or Spread ID doesn't exist.",
};

export interface OkxDialectOptions {
  readonly markets: readonly SimulatedMarket[];
  readonly faults: FaultInjector;
  readonly options: OkxOptions;
}

export class OkxDialect implements Dialect {
  readonly name = "okx";
  readonly #options: OkxDialectOptions;
  readonly #limiter = new RequestLimiter();
  readonly #bannedUntilMs = new Map<string, number>();
  #refusals = 0;

  constructor(options: OkxDialectOptions) {
    this.#options = options;
  }

  isOwnPath(path: string): boolean {
    return path.startsWith("/api/v5/");
  }

  hasEndpoint(path: string): boolean {
    return OKX_ENDPOINTS.has(path);
  }

  askedFor(url: URL, nowMs: number): AskedFor {
    const query = url.searchParams;
    const instId = query.get("instId");
    const market = this.#options.markets.find((each) => each.nativeSymbol === instId);
    const isByTime = !url.pathname.endsWith("trades") || query.get("type") === "2";
    const bound = (name: string): number | undefined =>
      isByTime && query.has(name) ? Number(query.get(name)) : undefined;
    const bar = findBar(query.get("bar") ?? "1m");
    const pageMs = (bar ? timeframeMs(bar.timeframe) : 0) * Number(query.get("limit") ?? 100);
    const after = bound("after");
    const before = bound("before");
    const toMs = after === undefined ? nowMs : after - 1;
    return {
      exchange: this.name,
      endpoint: url.pathname,
      isPage: OKX_ENDPOINTS.get(url.pathname)?.isPage ?? false,
      symbols: market?.names ?? (instId === null ? [] : [instId]),
      fromMs: before !== undefined ? before + 1 : after !== undefined ? toMs - pageMs : nowMs,
      toMs,
    };
  }

  count({ url, ip, nowMs }: Call): Counted {
    const endpoint = OKX_ENDPOINTS.get(url.pathname);
    if (nowMs < (this.#bannedUntilMs.get(ip) ?? 0)) return { headers: {}, refusal: tooMany(429) };
    if (endpoint === undefined || !this.#options.options.isLimited)
      return { headers: {}, refusal: undefined };
    const { requests, windowMs = WINDOW_MS, countedBy } = endpoint;
    const apart = countedBy === undefined ? "" : (url.searchParams.get(countedBy) ?? "");
    const isFree = this.#limiter.isFree(`${ip} ${endpoint.path} ${apart}`, { requests, windowMs }, nowMs);
    if (isFree) return { headers: {}, refusal: undefined };
    this.#refusals++;
    return { headers: {}, refusal: tooMany(this.#refusals % REFUSED_WITH_200 === 0 ? 200 : 429) };
  }

  /** OKX bans nobody; until the time, everything is asked too often. */
  ban(ip: string, untilMs: number): void {
    this.#bannedUntilMs.set(ip, untilMs);
  }

  faultAnswer(fault: AnswerFault, asked: AskedFor): Answer | undefined {
    switch (fault.kind) {
      case "http_429":
        return tooMany(429);
      case "http_451":
        return envelope(
          { code: "50121", message: "You can't access our services through the IP address." },
          451,
        );
      case "http_5xx":
        if (fault.status === 500) return envelope(coded("50026"), 500);
        if (fault.status === 503) return envelope(coded("50001"), 503);
        return htmlAnswer(fault.status, `${fault.status} Simulated Server Error`);
      case "code_200":
        return envelope(coded(fault.code), 200);
      case "wrong_json":
        return wrongBody(fault.body, { path: asked.endpoint, broken: BROKEN_BODY });
      case "http_418":
      case "slow":
      case "hang":
      case "disconnect":
      case "truncated":
      case "lying_page":
        return undefined;
    }
  }

  ask({ url, nowMs }: Call): unknown {
    const endpoint = OKX_ENDPOINTS.get(url.pathname);
    if (endpoint === undefined) throw new Error(`assertion: ${url.pathname} was to be checked before`);
    return endpoint.answer(new Parameters(url.searchParams), { ...this.#options, nowMs });
  }

  write(payload: unknown): Answer {
    return jsonAnswer({ code: "0", msg: "", data: payload });
  }

  refuse(error: unknown): Answer | undefined {
    return error instanceof OkxError ? envelope(error, error.status) : undefined;
  }

  askedInstead(how: PageLie, { url, nowMs }: Call): URL {
    const instead = new URL(url);
    const query = instead.searchParams;
    const market = this.#options.markets.find((each) => each.nativeSymbol === query.get("instId"));
    if (market === undefined) return instead;
    if (how === "other_symbol") {
      const alike = this.#options.markets.filter(
        (each) => each.isTradingAt(nowMs) && instrumentType(each) === instrumentType(market),
      );
      const other = alike[(alike.indexOf(market) + 1) % alike.length];
      if (other) query.set("instId", other.nativeSymbol);
    }
    if (how === "same_page") {
      const bar = findBar(query.get("bar") ?? "1m");
      query.delete("before");
      query.delete("after");
      if (url.pathname.endsWith("history-candles") && bar) {
        const pageMs = timeframeMs(bar.timeframe) * Number(query.get("limit") ?? 100);
        query.set("after", String(market.spec.listedMs + pageMs));
      } else if (url.pathname.endsWith("history-trades")) {
        query.set("type", "2");
        query.set("after", String(Math.floor(nowMs / DAY_MS) * DAY_MS - DAY_MS));
      }
    }
    return instead;
  }
}

function coded(code: string): { code: string; message: string } {
  return { code, message: MESSAGES[code] ?? "Simulated error." };
}

function tooMany(status: 200 | 429): Answer {
  return envelope(coded("50011"), status);
}

function envelope({ code, message }: { code: string; message: string }, status: number): Answer {
  return jsonAnswer({ code, msg: message, data: [] }, status);
}
