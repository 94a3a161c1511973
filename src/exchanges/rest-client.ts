// A venue's REST endpoints, one request at a time. In: a path, its parameters and what the venue alone knows. Out: what
// the caller reads from the JSON, or a TickwellError; every failed attempt and every success is reported on the way.
import { classifyError, describeError, TickwellError, type Fault } from "../core/fault.js";
import { HostCircuits } from "../core/net/host-circuits.js";
import { HttpClient, type HttpResponse } from "../core/net/http-client.js";
import { retryWithBackoff } from "../core/retry.js";
import type { ExchangeOptions } from "./exchange.js";
import { HostBan } from "./host-ban.js";
import { malformed } from "./malformed.js";

/** What is asked, without how the answer is read. */
export interface RestQuestion {
  /** The path, without host and parameters. */
  readonly endpoint: string;
  readonly params: Readonly<Record<string, string>>;
  /** Undefined where the endpoint is not about one market. */
  readonly nativeSymbol?: string | undefined;
  /** Sent along beside the usual ones. */
  readonly headers?: Readonly<Record<string, string>>;
  /** By the venue's own measure; 1 where it counts requests. */
  readonly weight: number;
}

export interface RestRequest<T> extends RestQuestion {
  /** Throws `malformed_payload` for an answer that is none; the request is then repeated. */
  readonly read: (json: unknown) => T;
}

/** Our clock when a request left and when its answer had arrived, epoch ms. */
export interface AnswerTimes {
  readonly sentMs: number;
  readonly receivedMs: number;
}

/** A question that was refused, and by whom. */
export interface RefusedQuestion extends RestQuestion {
  readonly host: string;
  /** Our clock when the answer arrived. */
  readonly receivedMs: number;
}

/** What a venue adds to the way of a request. */
export interface VenueRest {
  readonly id: string;
  /** Its public market-data host, for when the options name none. */
  readonly restUrl: string;
  /** Waits for the venue's rate limit. */
  acquire(question: RestQuestion, signal: AbortSignal): Promise<void>;
  /** The venue said we ask too much: nothing that shares this limit may leave for a while. */
  pause(question: RestQuestion, refusal: { retryAfterMs: number | undefined; receivedMs: number }): void;
  /** Looks at the headers of every answer. */
  observe?(response: HttpResponse, times: AnswerTimes): void;
  /** The error of an answer whose status is not 2xx. */
  refusal(response: HttpResponse, question: RefusedQuestion): TickwellError;
  /** The error in the body of an answer with status 200; undefined when there is none. */
  refusalInBody?(json: unknown, question: RefusedQuestion): TickwellError | undefined;
}

/** Failed attempts in a row after which a host, or a market of it, is left alone for a while. */
const FAILURES_MAX = 10;
const SAMPLE_CHARS_MAX = 200;

/**
 * The way of a request:
 * 1. known ban or open circuit: throw, nothing leaves;
 * 2. wait for the venue's rate limit, and look for both again;
 * 3. ask; the venue takes what the headers tell;
 * 4. refused, by status or in the body: classify, pause the limit or keep the ban;
 * 5. answered: parse and read;
 * 6. failed in passing: report, wait, go to 1; a ban or an open circuit is never waited for here, since the caller has
 *    other things to do.
 */
export class RestClient {
  readonly restUrl: string;
  readonly #host: string;
  readonly #venue: VenueRest;
  readonly #options: ExchangeOptions;
  readonly #http = new HttpClient();
  readonly #bans: HostBan;
  readonly #circuits: HostCircuits;

  /** @throws TickwellError `config` for a `restUrl` that is no address */
  constructor(venue: VenueRest, options: ExchangeOptions) {
    this.restUrl = (options.restUrl ?? venue.restUrl).replace(/\/+$/, "");
    this.#host = hostOf(this.restUrl, venue.restUrl);
    this.#venue = venue;
    this.#options = options;
    this.#bans = new HostBan({ exchange: venue.id, host: this.#host }, options);
    this.#circuits = new HostCircuits({
      subject: `${venue.id}: ${this.#host}`,
      clock: options.clock,
      // The attempts at one bad page must not stop all the others.
      failuresMax: Math.max(FAILURES_MAX, options.retry.attempts + 1),
    });
  }

  /**
   * Asks, and asks again where that can help.
   * @throws TickwellError when the last attempt failed, the host has banned us or its circuit is open; the signal's reason
   */
  async get<T>(request: RestRequest<T>, signal: AbortSignal): Promise<T> {
    const { clock, random, retry, onSuccess } = this.#options;
    let attempt = 1;
    let hasLeft = false;
    let isHeldBack = false;
    let sentMs = 0;
    const checkCircuit = (): void => {
      isHeldBack = true;
      this.#circuits.check(request.nativeSymbol);
      isHeldBack = false;
    };
    const once = async (number: number): Promise<T> => {
      attempt = number;
      hasLeft = false;
      await this.#bans.check(signal);
      checkCircuit();
      await this.#venue.acquire(request, signal);
      this.#bans.checkKnown();
      checkCircuit();
      return this.#circuits.run(request.nativeSymbol, () => {
        hasLeft = true;
        sentMs = clock.nowMs();
        return this.#ask(request, signal);
      });
    };
    let result: T;
    try {
      result = await retryWithBackoff(once, {
        ...retry,
        clock,
        random,
        signal,
        isFinal: (fault) => fault.kind === "ip_ban" || isHeldBack,
        onRetry: ({ error, delayMs }) => {
          if (hasLeft) this.#report(request, { error, attempt, willRetryInMs: delayMs });
        },
      });
    } catch (error) {
      // An abort is no failure, and a request that was never sent is none of the exchange's.
      if (hasLeft && !signal.aborted) this.#report(request, { error, attempt, willRetryInMs: undefined });
      throw error;
    }
    const { endpoint, nativeSymbol } = request;
    const atMs = clock.nowMs();
    onSuccess?.({ exchange: this.#venue.id, endpoint, nativeSymbol, atMs, tookMs: atMs - sentMs });
    return result;
  }

  /** Our clock, epoch ms; undefined when the host has not banned us, as far as we know. */
  get bannedUntilMs(): number | undefined {
    return this.#bans.untilMs;
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #ask<T>(request: RestRequest<T>, signal: AbortSignal): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    const sentMs = clock.nowMs();
    const response = await this.#exchange(request, { timeoutMs, signal });
    const receivedMs = clock.nowMs();
    this.#venue.observe?.(response, { sentMs, receivedMs });
    const refused: RefusedQuestion = {
      endpoint: request.endpoint,
      params: request.params,
      nativeSymbol: request.nativeSymbol,
      weight: request.weight,
      host: this.#host,
      receivedMs,
    };
    if (response.status < 200 || response.status > 299) {
      throw await this.#heeded(this.#venue.refusal(response, refused), refused);
    }
    try {
      const json = parseJson(response.text);
      const refusal = this.#venue.refusalInBody?.(json, refused);
      if (refusal) throw await this.#heeded(refusal, refused);
      return request.read(json);
    } catch (error) {
      throw error instanceof TickwellError ? this.#withSubject(request, error, response.text) : error;
    }
  }

  async #exchange(
    question: RestQuestion,
    options: { timeoutMs: number; signal: AbortSignal },
  ): Promise<HttpResponse> {
    try {
      return await this.#http.get(this.restUrl + pathOf(question), { ...options, headers: question.headers });
    } catch (error) {
      if (!(error instanceof TickwellError)) throw error;
      const message = `${this.#subjectOf(question)}: ${error.message}`;
      throw new TickwellError(error.fault, message, { cause: error.cause });
    }
  }

  /** Draws what a refusal means for the requests after it. */
  async #heeded(error: TickwellError, question: RefusedQuestion): Promise<TickwellError> {
    const fault: Fault = error.fault;
    const { receivedMs } = question;
    if (fault.kind === "ip_ban") await this.#bans.keep({ untilMs: fault.untilMs, reason: error.message });
    if (fault.kind === "rate_limit")
      this.#venue.pause(question, { retryAfterMs: fault.retryAfterMs, receivedMs });
    return error;
  }

  #report(
    question: RestQuestion,
    failed: { error: unknown; attempt: number; willRetryInMs: number | undefined },
  ): void {
    const { error, attempt, willRetryInMs } = failed;
    this.#options.onFailure?.({
      exchange: this.#venue.id,
      endpoint: question.endpoint,
      params: question.params,
      nativeSymbol: question.nativeSymbol,
      fault: classifyError(error),
      message: describeError(error),
      atMs: this.#options.clock.nowMs(),
      attempt,
      willRetryInMs,
    });
  }

  #withSubject(question: RestQuestion, error: TickwellError, text: string): TickwellError {
    if (error.fault.kind !== "malformed_payload") return error;
    const sample = error.fault.sample === "" ? text.slice(0, SAMPLE_CHARS_MAX) : error.fault.sample;
    const message = `${this.#subjectOf(question)}: ${error.message}`;
    return new TickwellError({ ...error.fault, sample }, message, { cause: error.cause });
  }

  #subjectOf({ endpoint, nativeSymbol }: RestQuestion): string {
    return [this.#venue.id, endpoint, nativeSymbol].filter(Boolean).join(" ");
  }
}

/** The path and parameters of a question, without host: `/api/v3/klines?symbol=BTCUSDT&…`. */
export function pathOf({ endpoint, params }: Pick<RestQuestion, "endpoint" | "params">): string {
  // Symbols may hold letters of any script.
  const query = Object.entries(params).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return query.length === 0 ? endpoint : `${endpoint}?${query.join("&")}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const found = text === "" ? "the body is empty" : `the body of ${text.length} characters is not JSON`;
    throw malformed("$", `${found}: ${describeError(error)}`);
  }
}

function hostOf(restUrl: string, example: string): string {
  if (URL.canParse(restUrl)) {
    const { protocol, host } = new URL(restUrl);
    if (protocol === "https:" || protocol === "http:") return host;
  }
  throw new TickwellError(
    { kind: "config" },
    `exchange.rest_url "${restUrl}" is no http or https address; expected one such as ${example}`,
  );
}
