// Posts alerts as JSON to any address. The body's shape is stable: fields may be added, none is renamed or removed.
import type { HttpClient } from "../../core/net/http-client.js";
import { formatTime } from "../../core/time.js";
import type { Notifier } from "./alert-message.js";
import { postJson, requireUrl } from "./post-json.js";

const TIMEOUT_MS = 10_000;

/**
 * POST `{ status: "trouble" | "recovered", key, keys, severity: "warning" | "critical", title, text, exchange, at }`.
 * `exchange` is null where the alert is not about one; `at` is ISO-8601; `keys` holds every alert told by the message.
 * Any 2xx is an acknowledgement.
 * @param options.url secret: whoever knows it can post there
 */
export function webhookNotifier(options: {
  readonly url: string;
  readonly http: HttpClient;
  readonly timeoutMs?: number;
}): Notifier {
  const { url, http, timeoutMs = TIMEOUT_MS } = options;
  requireUrl("the webhook", url);
  return {
    name: "webhook",
    notify: (message, signal) => {
      const { status, key, keys, severity, title, text, exchange, atMs } = message;
      const at = formatTime(atMs);
      const body = { status, key, keys, severity, title, text, exchange: exchange ?? null, at };
      return postJson(http, { name: "webhook", url, timeoutMs }, { body, signal });
    },
  };
}
