// One POST of JSON to a receiver of alerts. In: its name, its secret address, the body. Out: nothing, or a TickwellError
// whose text names the receiver by what is not secret.
import { TickwellError, type Fault } from "../../core/fault.js";
import { MASK } from "../../core/mask-text.js";
import type { HttpClient, HttpResponse } from "../../core/net/http-client.js";

export interface JsonReceiver {
  /** For messages: `slack`. */
  readonly name: string;
  readonly url: string;
  /** Texts that must not be shown, besides the URL. */
  readonly secrets?: readonly string[];
  readonly timeoutMs: number;
  /** Reads a wait out of the answer's body, for those who say it there. */
  readonly readRetryAfterMs?: (body: string) => number | undefined;
}

/** Nobody who means to be asked again says more. */
const RETRY_AFTER_MS_MAX = 3_600_000;
const ANSWER_CHARS_MAX = 200;
const ANSWER_BYTES_MAX = 64 * 1_024;

/**
 * Sends `body` and reads the answer.
 * @throws TickwellError `network` | `timeout` | `rate_limit` | `exchange` (the receiver's own trouble), which may pass;
 *   `auth` | `bad_request`, which will not; the signal's reason
 */
export async function postJson(
  http: HttpClient,
  receiver: JsonReceiver,
  { body, signal }: { readonly body: object; readonly signal: AbortSignal },
): Promise<void> {
  const response = await ask(http, receiver, { body, signal });
  const { status } = response;
  if (status >= 200 && status <= 299) return;
  const said = hideSecrets(response.text, receiver).replace(/\s+/g, " ").trim().slice(0, ANSWER_CHARS_MAX);
  throw new TickwellError(
    faultOf(response, receiver),
    `${receiver.name} (${new URL(receiver.url).host}) answered HTTP ${status}${said === "" ? "" : `, "${said}"`}`,
  );
}

/** @throws TickwellError `config` for what is no http or https URL, without showing it */
export function requireUrl(name: string, url: string): void {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return;
  throw new TickwellError(
    { kind: "config" },
    `alerts: the URL of ${name} is no http or https address (it is not shown, since it is a secret); check the configuration`,
  );
}

async function ask(
  http: HttpClient,
  receiver: JsonReceiver,
  { body, signal }: { readonly body: object; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  try {
    return await http.post(receiver.url, {
      body: JSON.stringify(body),
      contentType: "application/json",
      timeoutMs: receiver.timeoutMs,
      signal,
      bodyBytesMax: ANSWER_BYTES_MAX,
    });
  } catch (error) {
    if (!(error instanceof TickwellError)) throw error;
    // Not as the cause: what it holds is not ours to know, and causes are shown.
    throw new TickwellError(error.fault, `${receiver.name}: ${hideSecrets(error.message, receiver)}`);
  }
}

function faultOf(response: HttpResponse, receiver: JsonReceiver): Fault {
  const { status } = response;
  const code = `HTTP ${status}`;
  if (status === 429) return { kind: "rate_limit", retryAfterMs: retryAfterMs(response, receiver) };
  if (status >= 500 || status === 408) return { kind: "exchange", code };
  return { kind: status === 401 || status === 403 ? "auth" : "bad_request", code };
}

function retryAfterMs(response: HttpResponse, receiver: JsonReceiver): number | undefined {
  const header = response.header("retry-after");
  const seconds = header !== undefined && /^\d+(\.\d+)?$/.test(header) ? Number(header) : undefined;
  const waitMs = seconds === undefined ? receiver.readRetryAfterMs?.(response.text) : seconds * 1_000;
  return waitMs === undefined ? undefined : Math.min(Math.max(Math.ceil(waitMs), 0), RETRY_AFTER_MS_MAX);
}

function hideSecrets(text: string, { url, secrets = [] }: JsonReceiver): string {
  const { pathname, search } = new URL(url);
  const hidden = [url, pathname + search, pathname, ...secrets].filter((secret) => secret.length > 1);
  return hidden.reduce((shown, secret) => shown.replaceAll(secret, MASK), text);
}
