// Posts alerts to a Slack incoming webhook.
import type { HttpClient } from "../../core/net/http-client.js";
import { messageText, type Notifier } from "./alert-message.js";
import { postJson, requireUrl } from "./post-json.js";

const TIMEOUT_MS = 10_000;

/**
 * @param options.url secret: whoever knows it can post there
 * @see https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 */
export function slackNotifier(options: {
  readonly url: string;
  readonly http: HttpClient;
  readonly timeoutMs?: number;
}): Notifier {
  const { url, http, timeoutMs = TIMEOUT_MS } = options;
  requireUrl("the Slack webhook", url);
  return {
    name: "slack",
    notify: (message, signal) => {
      // Slack reads these three as markup: an endpoint's answer must not become a link or a mention of everyone.
      const text = messageText(message)
        .replaceAll("&", "&amp;")
        .replaceAll("<", "&lt;")
        .replaceAll(">", "&gt;");
      return postJson(http, { name: "slack", url, timeoutMs }, { body: { text }, signal });
    },
  };
}
