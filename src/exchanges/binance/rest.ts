// Binance's REST endpoints, one request at a time. In: a path, its weight and parameters. Out: what the caller reads
// from the JSON, or a TickwellError; every failed attempt is reported on the way.
import type { Clock } from "../../core/clock.js";
import { classifyError, describeError, TickwellError } from "../../core/fault.js";
import { untilAborted } from "../../core/net/abort.js";
import type { BanMemory } from "../../core/net/ban-memory.js";
import { HttpClient, type HttpResponse } from "../../core/net/http-client.js";
import { WeightLimiter, type ServerTimeSample } from "../../core/net/weight-limiter.js";
import { retryWithBackoff } from "../../core/retry.js";
import { formatTime } from "../../core/time.js";
import type { ExchangeOptions } from "../exchange.js";
import { malformed } from "./decode.js";
import { refusalError } from "./errors.js";

/** A question to Binance, and how its answer is read. */
export interface RestRequest<T> {
  readonly endpoint: string;
  readonly weight: number;
  readonly params: Readonly<Record<string, string>>;
  /** Throws `malformed_payload` for an answer that is none; the request is then repeated. */
  readonly read: (json: unknown) => T;
}

/** The market-data mirror: no key, no accounts, and not bound to a place as api.binance.com is. */
const REST_URL = "https://data-api.binance.vision";
/** Weight a minute per IP as published since 2023; exchangeInfo tells the current one. */
const WEIGHT_LIMIT = 6_000;
const SAMPLE_CHARS_MAX = 200;

/**
 * The way of a request:
 * 1. known ban: throw, nothing leaves;
 * 2. wait for the weight limiter, and look for a ban again;
 * 3. ask; take the used weight and the server's clock from the answer's headers;
 * 4. refused: classify, pause the limiter (429, 403) or keep the ban (418);
 * 5. answered: parse and read;
 * 6. failed in passing: report, wait, go to 1; a ban is never waited for here, since the caller has other things to do.
 */
export class BinanceRest {
  readonly restUrl: string;
  readonly #host: string;
  readonly #options: ExchangeOptions;
  readonly #http = new HttpClient();
  readonly #limiter: WeightLimiter;
  readonly #bans: HostBan;

  constructor(options: ExchangeOptions) {
    this.restUrl = (options.restUrl ?? REST_URL).replace(/\/+$/, "");
    this.#host = hostOf(this.restUrl);
    this.#options = options;
    this.#limiter = new WeightLimiter({
      clock: options.clock,
      limit: WEIGHT_LIMIT,
      share: options.rateLimitShare,
    });
    this.#bans = new HostBan(this.#host, options);
  }

  /** Takes the weight limit the exchange publishes. */
  setWeightLimit(limit: number): void {
    this.#limiter.setLimit(limit);
  }

  /**
   * Asks, and asks again where that can help.
   * @throws TickwellError when the last attempt failed or the host has banned us; the signal's reason
   */
  async get<T>(request: RestRequest<T>, signal: AbortSignal): Promise<T> {
    const { clock, random, retry } = this.#options;
    let attempt = 1;
    let hasLeft = false;
    const once = async (number: number): Promise<T> => {
      attempt = number;
      hasLeft = false;
      await this.#bans.check(signal);
      await this.#limiter.acquire(request.weight, signal);
      this.#bans.checkKnown();
      hasLeft = true;
      return this.#ask(request, signal);
    };
    try {
      return await retryWithBackoff(once, {
        ...retry,
        clock,
        random,
        signal,
        isFinal: (fault) => fault.kind === "ip_ban",
        onRetry: ({ error, delayMs }) => {
          if (hasLeft) this.#report(request, { error, attempt, willRetryInMs: delayMs });
        },
      });
    } catch (error) {
      // An abort is no failure, and a request that was never sent is none of the exchange's.
      if (hasLeft && !signal.aborted) this.#report(request, { error, attempt, willRetryInMs: undefined });
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #ask<T>(request: RestRequest<T>, signal: AbortSignal): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const sentMs = clock.nowMs();
    const response = await this.#exchange(request, { timeoutMs, signal });
    const receivedMs = clock.nowMs();
    this.#observe(response, { sentMs, receivedMs });
    if (response.status < 200 || response.status > 299) {
      const error = refusalError(response, {
        host: this.#host,
        endpoint: request.endpoint,
        nativeSymbol: request.params.symbol,
        receivedMs,
      });
      await this.#heed(error, receivedMs);
      throw error;
    }
    return readAnswer(request, response.text);
  }

  async #exchange<T>(
    request: RestRequest<T>,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<HttpResponse> {
    try {
      return await this.#http.get(this.restUrl + pathOf(request), options);
    } catch (error) {
      if (!(error instanceof TickwellError)) throw error;
      throw new TickwellError(error.fault, `${subjectOf(request)}: ${error.message}`, { cause: error.cause });
    }
  }

  #observe(response: HttpResponse, times: { sentMs: number; receivedMs: number }): void {
    const used = Number(response.header("x-mbx-used-weight-1m"));
    if (!Number.isFinite(used)) return;
    const serverMs = Date.parse(response.header("date") ?? "");
    const sample: ServerTimeSample | undefined = Number.isNaN(serverMs)
      ? undefined
      : { serverMs, resolutionMs: 1_000, ...times };
    this.#limiter.observe(used, sample);
  }

  /** What a refusal means for the requests after it. */
  async #heed({ fault, message }: TickwellError, receivedMs: number): Promise<void> {
    if (fault.kind === "ip_ban") await this.#bans.keep({ untilMs: fault.untilMs, reason: message });
    if (fault.kind !== "rate_limit") return;
    if (fault.retryAfterMs === undefined) this.#limiter.pauseUntilNextWindow();
    else this.#limiter.pauseUntil(receivedMs + fault.retryAfterMs);
  }

  #report<T>(
    request: RestRequest<T>,
    failed: { error: unknown; attempt: number; willRetryInMs: number | undefined },
  ): void {
    const { error, attempt, willRetryInMs } = failed;
    this.#options.onFailure?.({
      exchange: "binance",
      endpoint: request.endpoint,
      params: request.params,
      nativeSymbol: request.params.symbol,
      fault: classifyError(error),
      message: describeError(error),
      atMs: this.#options.clock.nowMs(),
      attempt,
      willRetryInMs,
    });
  }
}

/** The path and parameters of a request, without host: `/api/v3/klines?symbol=BTCUSDT&…`. */
export function pathOf(request: {
  readonly endpoint: string;
  readonly params: Readonly<Record<string, string>>;
}): string {
  // Symbols may hold letters of any script.
  const query = Object.entries(request.params).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return query.length === 0 ? request.endpoint : `${request.endpoint}?${query.join("&")}`;
}

function readAnswer<T>(request: RestRequest<T>, text: string): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const found = text === "" ? "the body is empty" : `the body of ${text.length} characters is not JSON`;
    throw withSubject(request, malformed("$", `${found}: ${describeError(error)}`), text);
  }
  try {
    return request.read(json);
  } catch (error) {
    throw error instanceof TickwellError ? withSubject(request, error, text) : error;
  }
}

function withSubject<T>(request: RestRequest<T>, error: TickwellError, text: string): TickwellError {
  if (error.fault.kind !== "malformed_payload") return error;
  const sample = error.fault.sample === "" ? text.slice(0, SAMPLE_CHARS_MAX) : error.fault.sample;
  return new TickwellError({ ...error.fault, sample }, `${subjectOf(request)}: ${error.message}`, {
    cause: error.cause,
  });
}

function subjectOf<T>({ endpoint, params }: RestRequest<T>): string {
  return params.symbol === undefined ? `binance ${endpoint}` : `binance ${endpoint} ${params.symbol}`;
}

function hostOf(restUrl: string): string {
  if (URL.canParse(restUrl)) {
    const { protocol, host } = new URL(restUrl);
    if (protocol === "https:" || protocol === "http:") return host;
  }
  throw new TickwellError(
    { kind: "config" },
    `exchange.rest_url "${restUrl}" is no http or https address; expected one such as ${REST_URL}`,
  );
}

/** What we know of a ban on one host: loaded at first use, so that a restart does not forget it. */
class HostBan {
  readonly #host: string;
  readonly #clock: Clock;
  readonly #memory: BanMemory;
  readonly #log: ExchangeOptions["log"];
  #untilMs = Number.NEGATIVE_INFINITY;
  #loading: Promise<void> | undefined;

  constructor(host: string, { clock, bans, log }: ExchangeOptions) {
    this.#host = host;
    this.#clock = clock;
    this.#memory = bans;
    this.#log = log;
  }

  /** @throws TickwellError `ip_ban`; what the memory threw: without it we do not know whether we may ask */
  async check(signal: AbortSignal): Promise<void> {
    this.#loading ??= this.#load();
    await untilAborted(this.#loading, signal);
    this.checkKnown();
  }

  checkKnown(): void {
    if (this.#clock.nowMs() >= this.#untilMs) return;
    throw new TickwellError(
      { kind: "ip_ban", untilMs: this.#untilMs },
      `binance: ${this.#host} has banned this IP until ${formatTime(this.#untilMs)}; nothing is asked before`,
    );
  }

  async keep(ban: { untilMs: number; reason: string }): Promise<void> {
    this.#untilMs = Math.max(this.#untilMs, ban.untilMs);
    try {
      await this.#memory.save(this.#host, { untilMs: this.#untilMs, reason: ban.reason });
    } catch (error) {
      // The ban holds for this process; only a restart would forget it.
      this.#log.error({ host: this.#host, error: describeError(error) }, "could not store an IP ban");
    }
  }

  async #load(): Promise<void> {
    try {
      const untilMs = await this.#memory.load(this.#host);
      this.#untilMs = Math.max(this.#untilMs, untilMs ?? Number.NEGATIVE_INFINITY);
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }
}
