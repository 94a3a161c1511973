// From OKX's refusals to faults. In: an answer whose status is not 2xx, or one whose body holds a code other than "0",
// which most refusals are. Out: a TickwellError. The only place that reads OKX's status and error codes.
import { TickwellError, type Fault } from "../../core/fault.js";
import type { HttpResponse } from "../../core/net/http-client.js";
import { readRetryAfter } from "../../core/net/retry-after.js";
import { formatTime } from "../../core/time.js";
import { quotable } from "../refusal-text.js";

export interface RefusedRequest {
  readonly host: string;
  readonly endpoint: string;
  /** What was asked about; undefined where the endpoint is not about one market. */
  readonly nativeSymbol?: string | undefined;
  /** Our clock when the answer arrived. */
  readonly receivedMs: number;
}

type CodeClass =
  | "exchange"
  | "timeout"
  | "maintenance"
  | "rate_limit"
  | "geo_blocked"
  | "auth"
  | "bad_request"
  | "bad_symbol";

/** Codes that a public request can meet. @see https://www.okx.com/docs-v5/en/#error-code-rest-api */
const CLASS_BY_CODE: Readonly<Record<string, CodeClass>> = {
  "1": "exchange", // all operations failed, without saying why
  "50000": "bad_request", // empty body
  "50001": "maintenance", // the engine is being upgraded
  "50002": "bad_request",
  "50004": "timeout", // the endpoint's own; it may have worked
  "50005": "maintenance", // the endpoint is out of use
  "50006": "bad_request",
  "50011": "rate_limit", // with status 429 and with 200
  "50013": "exchange", // systems are busy: status 429, and not our pace
  "50014": "bad_request",
  "50015": "bad_request",
  "50016": "bad_request",
  "50024": "bad_request",
  "50025": "bad_request",
  "50026": "exchange", // system error
  "50030": "auth",
  "50033": "bad_symbol", // trading is blocked
  "50035": "auth",
  "50039": "bad_request", // before together with paging by time
  "50040": "rate_limit",
  "50046": "maintenance",
  "50047": "bad_symbol", // delivered or settled
  "50051": "geo_blocked",
  "50052": "geo_blocked",
  "50059": "geo_blocked",
  "50061": "rate_limit",
  "50062": "maintenance",
  "50076": "bad_request",
  "50077": "bad_request",
  "50115": "bad_request", // not this method
  "50119": "auth",
  "50120": "auth",
  "50121": "geo_blocked", // not from this address
  "51000": "bad_request",
  "51001": "bad_symbol", // does not exist
  "51002": "bad_symbol",
  "51014": "bad_symbol",
  "51015": "bad_symbol",
  "51027": "bad_symbol", // expired
  "51028": "maintenance", // being delivered
  "51029": "maintenance", // being settled
  "51030": "maintenance", // funding is being settled
  // Of the WebSocket.
  "60011": "auth", // a channel that needs a login
  "60012": "bad_request",
  "60013": "bad_request",
  "60014": "rate_limit", // too many messages
  "60017": "bad_request",
  "60018": "bad_symbol", // no such channel or instrument here
  "60019": "bad_request",
  "63999": "exchange",
  "64000": "bad_request",
  "64001": "bad_request", // the channel has moved to the other path
  "64002": "bad_request",
  "64003": "auth", // the fee tier is too low
  "64007": "exchange",
};

/** 50100 to 50114 are about keys, signatures and their time. */
const AUTH_CODE = /^501(0\d|1[0-4])$/;

/** Limits are counted in windows of two seconds. */
const PAUSE_MS_MIN = 2_000;
const PAUSE_MS_MAX = 3_600_000;
/** How long the firewall before OKX is taken to turn an address away, when it does not say so. */
const BAN_MS_MIN = 2 * 60_000;
/** How long OKX's own backend is taken to have waited before it says 50004; it does not tell. */
const BACKEND_TIMEOUT_MS = 10_000;

/** The error of an answer whose status is not 2xx. */
export function refusalError(response: HttpResponse, request: RefusedRequest): TickwellError {
  const { status } = response;
  const { receivedMs } = request;
  const json = parse(response.text);
  const { code, text } = readBody(json) ?? { code: undefined, text: quotable(response.text) };
  const retryAfterMs = readRetryAfter(response.header("retry-after"), { receivedMs, maxMs: PAUSE_MS_MAX });
  const pauseMs = Math.max(retryAfterMs ?? 0, PAUSE_MS_MIN);
  const known = code === undefined ? undefined : faultOfKnownCode(code, pauseMs);
  const fault = known ?? faultOfStatus(status, { code, text, pauseMs, receivedMs });
  return describe(fault, { found: `HTTP ${status}`, code, text }, request);
}

/** The error in the body of an answer with status 2xx; undefined when its code is "0", or it has none. */
export function bodyRefusal(json: unknown, request: RefusedRequest): TickwellError | undefined {
  const body = readBody(json);
  if (body === undefined || body.code === "0") return undefined;
  return describe(faultOfCode(body.code), { found: "refused", ...body }, request);
}

/** The fault of a code that comes alone, as on the WebSocket. */
export function faultOfCode(code: string): Fault {
  // One that nobody has told us of: repeating may help, and is limited.
  return faultOfKnownCode(code, PAUSE_MS_MIN) ?? { kind: "exchange", code };
}

function faultOfKnownCode(code: string, pauseMs: number): Fault | undefined {
  const known = classOf(code);
  switch (known) {
    case "timeout":
      return { kind: "timeout", timeoutMs: BACKEND_TIMEOUT_MS };
    case "rate_limit":
      return { kind: "rate_limit", retryAfterMs: pauseMs };
    case "maintenance":
    case "geo_blocked":
      return { kind: known };
    case "exchange":
    case "auth":
    case "bad_request":
    case "bad_symbol":
      return { kind: known, code };
    case undefined:
      return undefined;
  }
}

/** For answers without a code we know: most come from what stands before the exchange. */
function faultOfStatus(
  status: number,
  refusal: { code: string | undefined; text: string; pauseMs: number; receivedMs: number },
): Fault {
  const { code, text, pauseMs, receivedMs } = refusal;
  const codeOrStatus = code ?? `HTTP ${status}`;
  if (status === 451 || (status === 403 && /your country|your region|restricted location/i.test(text)))
    return { kind: "geo_blocked" };
  // The firewall, which speaks for the address and for every endpoint: whatever is asked on prolongs it.
  if (status === 403 && code === undefined)
    return { kind: "ip_ban", untilMs: receivedMs + Math.max(pauseMs, BAN_MS_MIN) };
  if (status === 429) return { kind: "rate_limit", retryAfterMs: pauseMs };
  if (status >= 500 || status === 408) return { kind: "exchange", code: codeOrStatus };
  // A redirect, or a login page's: nothing of OKX's answers so.
  if (status < 400) return { kind: "network" };
  if (status === 401) return { kind: "auth", code: codeOrStatus };
  return { kind: "bad_request", code: codeOrStatus };
}

function classOf(code: string): CodeClass | undefined {
  // Some carry a code of their own behind the known one: 51004_1101.
  const [main = code] = code.split("_");
  return CLASS_BY_CODE[main] ?? (AUTH_CODE.test(main) ? "auth" : undefined);
}

function describe(
  fault: Fault,
  { found, code, text }: { found: string; code: string | undefined; text: string },
  { host, endpoint, nativeSymbol }: RefusedRequest,
): TickwellError {
  const subject = ["okx", endpoint, nativeSymbol].filter(Boolean).join(" ");
  const words = `${found}${code === undefined ? "" : `, code ${code}`}${text ? `, "${text}"` : ""}`;
  const remedy = remedyOf(fault, { host, nativeSymbol });
  return new TickwellError(fault, `${subject}: ${words}${remedy ? `; ${remedy}` : ""}`);
}

function remedyOf(
  fault: Fault,
  { host, nativeSymbol }: { host: string; nativeSymbol: string | undefined },
): string | undefined {
  switch (fault.kind) {
    case "geo_blocked":
      return `${host} does not serve this place; set exchange.rest_url and exchange.ws_url to the hosts of your region (https://us.okx.com and wss://wsus.okx.com:8443, https://eea.okx.com and wss://wseea.okx.com:8443)`;
    case "ip_ban":
      return `${host} turns this address away, nothing is asked until ${formatTime(fault.untilMs)}; if that happens often, lower rate_limit`;
    case "rate_limit":
      return `requests pause for ${fault.retryAfterMs} ms; if that happens often, lower rate_limit`;
    case "bad_symbol":
      return `check the symbol ${nativeSymbol ?? ""} against the exchange's list of markets`;
    case "bad_request":
      return `check exchange.rest_url (${host})`;
    case "auth":
      return `public market data needs no key; check exchange.rest_url (${host})`;
    case "network":
      return `something on the way to ${host} answered in its place`;
    default:
      return undefined;
  }
}

/** OKX's `{"code":"51001","msg":"Instrument ID does not exist","data":[]}`; undefined when it is nothing of the kind. */
function readBody(json: unknown): { code: string; text: string } | undefined {
  if (typeof json !== "object" || json === null || !("code" in json)) return undefined;
  const { code } = json;
  if (typeof code !== "string" && typeof code !== "number") return undefined;
  const message = "msg" in json && typeof json.msg === "string" ? json.msg : "";
  return { code: String(code), text: quotable(message) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // HTML of a firewall or a gateway: its words are all there is.
    return undefined;
  }
}
