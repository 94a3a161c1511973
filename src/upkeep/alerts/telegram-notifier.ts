// Sends alerts as a Telegram bot.
import { z } from "zod";
import type { HttpClient } from "../../core/net/http-client.js";
import { messageText, type Notifier } from "./alert-message.js";
import { postJson, requireUrl } from "./post-json.js";

const BASE_URL = "https://api.telegram.org";
const TIMEOUT_MS = 10_000;

/** `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 5","parameters":{"retry_after":5}}` */
const refusal = z.object({ parameters: z.object({ retry_after: z.number() }) });

/**
 * @param options.botToken secret: whoever knows it is the bot
 * @see https://core.telegram.org/bots/api#sendmessage
 */
export function telegramNotifier(options: {
  readonly botToken: string;
  readonly chatId: string;
  readonly http: HttpClient;
  readonly baseUrl?: string;
  readonly timeoutMs?: number;
}): Notifier {
  const { botToken, chatId, http, baseUrl = BASE_URL, timeoutMs = TIMEOUT_MS } = options;
  const url = `${baseUrl}/bot${botToken}/sendMessage`;
  requireUrl("Telegram", url);
  const receiver = { name: "telegram", url, secrets: [botToken], timeoutMs, readRetryAfterMs };
  return {
    name: "telegram",
    notify: (message, signal) =>
      postJson(http, receiver, { body: { chat_id: chatId, text: messageText(message) }, signal }),
  };
}

function readRetryAfterMs(body: string): number | undefined {
  try {
    const read = refusal.safeParse(JSON.parse(body));
    return read.success ? read.data.parameters.retry_after * 1_000 : undefined;
  } catch {
    // A gateway's page instead of Telegram's answer: the backoff alone has to do.
    return undefined;
  }
}
