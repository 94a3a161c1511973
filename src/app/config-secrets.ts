// What must not be shown: tokens, passwords, and URLs that are secrets as a whole.

/** What is shown instead of a secret. */
export const MASK = "***";

/** Keys whose values are secret as a whole. A webhook's URL is: whoever knows it can post. */
const SECRET_KEY = /(^|_)(token|password|secret|api_key|webhook_url)$/i;

/** `scheme://user:password@` in a text. Greedy up to the last `@`: an unescaped password may hold anything. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^:/@]*):[^]*@/gi;
const URL_PARAMETER = /([?&;](?:password|sslpassword|token|secret|api_?key)=)[^&#]*/gi;

/** True when values of this key, such as `token` or `webhook_url`, must not be shown. */
export function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key);
}

/** The text without the passwords of the URLs in it. */
export function maskText(text: string): string {
  return text.replace(URL_PASSWORD, `$1:${MASK}@`).replace(URL_PARAMETER, `$1${MASK}`);
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
