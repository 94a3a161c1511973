// From Binance's refusals to faults. In: an answer whose status is not 2xx. Out: a TickwellError. The only place that
// reads Binance's status and error codes.
import { TickwellError, type Fault } from "../../core/fault.js";
import type { HttpResponse } from "../../core/net/http-client.js";
import { formatTime } from "../../core/time.js";
import { readRetryAfter } from "../../core/net/retry-after.js";
import { quotable } from "../refusal-text.js";
import { OPEN_REST_URL } from "./hosts.js";

export interface RefusedRequest {
  /** ccxt's id of the venue that refused. */
  readonly exchange: string;
  readonly host: string;
  readonly endpoint: string;
  /** What was asked about; undefined where the endpoint is not about one market. */
  readonly nativeSymbol?: string | undefined;
  /** Our clock when the answer arrived. */
  readonly receivedMs: number;
}

type CodeClass =
  "exchange" | "timeout" | "maintenance" | "rate_limit" | "auth" | "bad_request" | "bad_symbol";

/** @see https://developers.binance.com/docs/binance-spot-api-docs/errors */
const CLASS_BY_CODE: Readonly<Record<string, CodeClass>> = {
  "-1000": "exchange", // unknown error while processing
  "-1001": "exchange", // internal error
  "-1002": "auth",
  "-1003": "rate_limit",
  "-1006": "exchange", // unexpected reply of the backend
  "-1007": "timeout", // the backend's own
  "-1008": "exchange", // overloaded
  "-1016": "maintenance", // shutting down
  "-1021": "bad_request", // timestamp outside the window: signed requests only
  "-1022": "auth",
  "-1023": "bad_request", // USDⓈ-M: start after end
  "-1034": "rate_limit", // too many connections
  "-1100": "bad_request", // illegal characters: also a symbol in a form Binance does not know
  "-1101": "bad_request",
  "-1102": "bad_request",
  "-1103": "bad_request",
  "-1104": "bad_request",
  "-1105": "bad_request",
  "-1106": "bad_request",
  "-1108": "bad_request",
  "-1112": "bad_symbol", // no orders for it
  "-1120": "bad_request", // bad interval
  "-1121": "bad_symbol",
  "-1122": "bad_symbol", // bad symbol status
  "-1127": "bad_request",
  "-1128": "bad_request",
  "-1130": "bad_request",
  "-1220": "bad_symbol", // not in the status asked for
  "-2014": "auth",
  "-2015": "auth",
  "-4166": "bad_request", // USDⓈ-M: trades older than it keeps; the archive has them
};

/** The shortest ban Binance gives, for one that does not say when it ends. */
const BAN_MS_MIN = 2 * 60_000;
/** An end as near as this is none: Retry-After tells whole seconds, and asking too early prolongs a ban. */
const BAN_END_NEAR_MS = 1_000;
/** The longest ban Binance gives: a nonsensical end must not stop a collector for years. */
const BAN_MS_MAX = 3 * 86_400_000;
/** How long Binance's own backend waits before it says −1007. */
const BACKEND_TIMEOUT_MS = 10_000;

/** The error of an answer that refuses a request. */
export function refusalError(response: HttpResponse, request: RefusedRequest): TickwellError {
  const { code, text } = readBody(response.text);
  const fault = faultOf(response, { code, text, receivedMs: request.receivedMs });
  const subject = [request.exchange, request.endpoint, request.nativeSymbol].filter(Boolean).join(" ");
  const found = `HTTP ${response.status}${code === undefined ? "" : `, code ${code}`}${text ? `, "${text}"` : ""}`;
  const remedy = remedyOf(fault, request);
  return new TickwellError(fault, `${subject}: ${found}${remedy ? `; ${remedy}` : ""}`);
}

function faultOf(
  response: HttpResponse,
  { code, text, receivedMs }: { code: string | undefined; text: string; receivedMs: number },
): Fault {
  const { status } = response;
  const retryAfterMs = readRetryAfter(response.header("retry-after"), { receivedMs, maxMs: BAN_MS_MAX });
  const bannedUntilMs = readBanEnd(text);
  // The text of a ban outranks the status: it is the one thing that must not be overlooked.
  if (status === 418 || bannedUntilMs !== undefined) {
    return { kind: "ip_ban", untilMs: banEnd({ bannedUntilMs, retryAfterMs, receivedMs }) };
  }
  if (status === 429) return { kind: "rate_limit", retryAfterMs };
  // Its code is 0, which elsewhere means success.
  if (status === 451) return { kind: "geo_blocked" };

  switch (code === undefined ? undefined : CLASS_BY_CODE[code]) {
    case "timeout":
      return { kind: "timeout", timeoutMs: BACKEND_TIMEOUT_MS };
    case "rate_limit":
      return { kind: "rate_limit", retryAfterMs };
    case "maintenance":
      return { kind: "maintenance" };
    case "exchange":
      return { kind: "exchange", code };
    case "auth":
      return { kind: "auth", code };
    case "bad_request":
      return { kind: "bad_request", code };
    case "bad_symbol":
      return { kind: "bad_symbol", code };
    case undefined:
      return faultOfStatus(status, { code, text, retryAfterMs, receivedMs });
  }
}

/** For answers without a code we know: most come from what stands before the exchange. */
function faultOfStatus(
  status: number,
  refusal: {
    code: string | undefined;
    text: string;
    retryAfterMs: number | undefined;
    receivedMs: number;
  },
): Fault {
  const { code, text, retryAfterMs = 0, receivedMs } = refusal;
  const codeOrStatus = code ?? `HTTP ${status}`;
  if (status >= 500) return { kind: "exchange", code: codeOrStatus };
  if (status === 403) {
    // binance.us lets CloudFront turn away other countries.
    if (/block access from your country/i.test(text)) return { kind: "geo_blocked" };
    // Everywhere else it is the firewall, which speaks for the address: whatever is asked on prolongs it.
    if (code === undefined)
      return { kind: "ip_ban", untilMs: receivedMs + Math.max(retryAfterMs, BAN_MS_MIN) };
  }
  // A redirect, or a login page's: nothing of Binance's answers so.
  if (status < 400) return { kind: "network" };
  if (status === 401) return { kind: "auth", code: codeOrStatus };
  if (status === 408) return { kind: "exchange", code: codeOrStatus };
  return { kind: "bad_request", code: codeOrStatus };
}

function remedyOf(fault: Fault, { exchange, host, nativeSymbol }: RefusedRequest): string | undefined {
  switch (fault.kind) {
    case "geo_blocked":
      // Spot has a mirror that is open to all; the futures have none.
      return exchange === "binance" && host !== new URL(OPEN_REST_URL).host
        ? `${host} does not serve this place; ${OPEN_REST_URL} does: leave out exchange.rest_url, exchange.ws_url and exchange.trades, and it is asked`
        : `${host} does not serve this place; exchange.rest_url and exchange.ws_url together name other hosts`;
    case "ip_ban":
      return `this IP is banned until ${formatTime(fault.untilMs)}, nothing is asked before; lower rate_limit`;
    case "rate_limit": {
      const afterMs = fault.retryAfterMs;
      return `requests pause${afterMs === undefined ? "" : ` for ${afterMs} ms`}; if that happens often, lower rate_limit`;
    }
    case "bad_symbol":
      return `check the symbol ${nativeSymbol ?? ""} against the exchange's list of markets`;
    case "bad_request":
      return `check exchange.rest_url (${host})`;
    case "auth":
      return `public market data needs no key; check exchange.rest_url (${host})`;
    case "network":
      return `something on the way to ${host} answered in its place`;
    case "exchange":
    case "maintenance":
    case "timeout":
      return undefined;
    default:
      return undefined;
  }
}

/** Binance's `{"code":-1121,"msg":"Invalid symbol."}`, or the start of whatever else there is. */
function readBody(body: string): { code: string | undefined; text: string } {
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json === "object" && json !== null && "code" in json) {
      const { code } = json;
      const message = "msg" in json && typeof json.msg === "string" ? json.msg : "";
      if (typeof code === "number" || typeof code === "string")
        return { code: String(code), text: quotable(message) };
    }
  } catch {
    // HTML of a firewall or a gateway: its words are all there is.
  }
  return { code: undefined, text: quotable(body) };
}

/** "Way too much request weight used; IP banned until 1732300000000." */
function readBanEnd(text: string): number | undefined {
  const match = /banned until (\d{13})\b/i.exec(text);
  return match ? Number(match[1]) : undefined;
}

/** The text's end is of Binance's clock, Retry-After counts on ours: the later one is the safe one. */
function banEnd(ban: {
  bannedUntilMs: number | undefined;
  retryAfterMs: number | undefined;
  receivedMs: number;
}): number {
  const { bannedUntilMs, retryAfterMs, receivedMs } = ban;
  const ends = [bannedUntilMs, retryAfterMs === undefined ? undefined : receivedMs + retryAfterMs];
  const latestMs = Math.max(...ends.filter((end) => end !== undefined));
  if (!(latestMs > receivedMs + BAN_END_NEAR_MS)) return receivedMs + BAN_MS_MIN;
  return Math.min(latestMs, receivedMs + BAN_MS_MAX);
}
