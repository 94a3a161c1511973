// From a failed request to the record that is kept of it: secrets removed, texts bounded.
import type { Fault } from "../../core/fault.js";
import type { RequestFailure } from "../../exchanges/exchange.js";
import type { ErrorRecord } from "../../store/error-records.js";
import { maskMessage, maskParams } from "./secret-params.js";

/** A broken gateway answers with pages of HTML. */
const MESSAGE_CHARS_MAX = 2_000;
const PARAM_CHARS_MAX = 500;
const PARAMS_MAX = 50;

export function toErrorRecord(failure: RequestFailure): ErrorRecord {
  const params = Object.entries(maskParams(failure.params)).slice(0, PARAMS_MAX);
  const message = maskMessage(failure.message, failure.params);
  return {
    atMs: failure.atMs,
    exchange: failure.exchange,
    endpoint: failure.endpoint,
    nativeSymbol: failure.nativeSymbol,
    kind: failure.fault.kind,
    code: codeOf(failure.fault) ?? statusIn(message),
    message: cut(message, MESSAGE_CHARS_MAX),
    params: Object.fromEntries(params.map(([name, value]) => [name, cut(value, PARAM_CHARS_MAX)])),
    attempt: failure.attempt,
    suppressed: 0,
  };
}

function codeOf(fault: Fault): string | undefined {
  return "code" in fault ? fault.code : undefined;
}

/** For the reader of the log only: classes that tell all there is to know, such as `rate_limit`, carry no code. */
function statusIn(message: string): string | undefined {
  return /\bHTTP \d{3}\b/.exec(message)?.[0];
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}
