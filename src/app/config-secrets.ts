// What must not be shown of a config: tokens, passwords, and URLs that are secrets as a whole.
import { MASK, maskText } from "../core/mask-text.js";
import type { InstanceConfig } from "./config-types.js";

/** Keys whose values are secret as a whole. A webhook's URL is: whoever knows it can post. */
const SECRET_KEY = /(^|_)(token|password|secret|api_key|webhook_url)$/i;

/** True when values of this key, such as `token` or `webhook_url`, must not be shown. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** Every secret of an instance as it would appear in a text. */
export function secretsOf({ api, alerts, storage, stage }: InstanceConfig): string[] {
  const secrets = [
    api.token,
    alerts.webhookUrl,
    alerts.slackWebhookUrl,
    alerts.telegram?.botToken,
    passwordOf(storage.url),
    passwordOf(stage.url),
  ];
  return secrets.flatMap((secret) => secret ?? []);
}

function passwordOf(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  try {
    return decodeURIComponent(new URL(url).password);
  } catch {
    // Its percent signs are no escapes.
    return new URL(url).password;
  }
}

/** A copy of a tree of plain values without its secrets. */
export function maskSecrets(value: unknown): unknown {
  if (typeof value === "string") return maskText(value);
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]: [string, unknown]) => [
      key,
      isSecretKey(key) && item !== undefined ? MASK : maskSecrets(item),
    ]),
  );
}
