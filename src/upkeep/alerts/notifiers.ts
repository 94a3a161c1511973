// The notifiers a configuration asks for; the log is always one of them.
import type { Log } from "../../core/log.js";
import type { HttpClient } from "../../core/net/http-client.js";
import type { Notifier } from "./alert-message.js";
import { logNotifier } from "./log-notifier.js";
import { slackNotifier } from "./slack-notifier.js";
import { telegramNotifier } from "./telegram-notifier.js";
import { webhookNotifier } from "./webhook-notifier.js";

/** Where alerts go besides the log; undefined: not there. */
export interface AlertReceivers {
  readonly webhookUrl: string | undefined;
  readonly slackWebhookUrl: string | undefined;
  readonly telegram: { readonly botToken: string; readonly chatId: string } | undefined;
}

/** @throws TickwellError `config` for a URL that is none */
export function createNotifiers(
  { webhookUrl, slackWebhookUrl, telegram }: AlertReceivers,
  { http, log }: { readonly http: HttpClient; readonly log: Log },
): Notifier[] {
  return [
    logNotifier(log),
    ...(webhookUrl === undefined ? [] : [webhookNotifier({ url: webhookUrl, http })]),
    ...(slackWebhookUrl === undefined ? [] : [slackNotifier({ url: slackWebhookUrl, http })]),
    ...(telegram === undefined ? [] : [telegramNotifier({ ...telegram, http })]),
  ];
}
