// Parameters and messages of a request as they may be kept: without keys, signatures and passwords.
import { MASK, maskText } from "../../core/mask-text.js";

/** In whatever spelling: `apiKey`, `X-API-KEY`, `access_token`, `OK-ACCESS-PASSPHRASE`. */
const SECRET_NAME = /sign|api.?key|listen.?key|private.?key|token|secret|pass|auth|credential/i;
/** What is shorter may stand in a message by chance. */
const SECRET_CHARS_MIN = 4;

/** True when values of this parameter must not be kept. */
export function isSecretParam(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A copy whose secret values are masked. */
export function maskParams(params: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, isSecretParam(name) ? MASK : maskText(value)]),
  );
}

/** The message without secrets in URLs, and without the values of the request's own secret parameters. */
export function maskMessage(message: string, params: Readonly<Record<string, string>>): string {
  let masked = message;
  for (const [name, value] of Object.entries(params)) {
    if (!isSecretParam(name) || value.length < SECRET_CHARS_MIN) continue;
    masked = masked.replaceAll(value, MASK).replaceAll(encodeURIComponent(value.toWellFormed()), MASK);
  }
  return maskText(masked);
}
