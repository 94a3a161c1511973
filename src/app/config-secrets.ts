// What must not be shown of a config: tokens, passwords, and URLs that are secrets as a whole.
import { MASK, maskText } from "../core/mask-text.js";

/** Keys whose values are secret as a whole. A webhook's URL is: whoever knows it can post. */
const SECRET_KEY = /(^|_)(token|password|secret|api_key|webhook_url)$/i;

/** True when values of this key, such as `token` or `webhook_url`, must not be shown. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** The same in a resolved config: `botToken`, `webhookUrl`. */
const RESOLVED_SECRET_KEY = /(token|password|secret|apiKey|webhookUrl)$/i;

/** Every secret of a resolved config as it would appear in a text: secret values, and passwords of URLs. */
export function secretsOf(config: object): string[] {
  return Object.entries(config).flatMap(([key, value]: [string, unknown]) => {
    if (typeof value === "object" && value !== null) return secretsOf(value);
    if (typeof value !== "string") return [];
    return RESOLVED_SECRET_KEY.test(key) ? value : (passwordOf(value) ?? []);
  });
}

function passwordOf(url: string): string | undefined {
  const password = URL.canParse(url) ? new URL(url).password : "";
  if (password === "") return undefined;
  try {
    return decodeURIComponent(password);
  } catch {
    // Its percent signs are no escapes.
    return password;
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
