// Texts for messages and logs, without the passwords in their URLs.

/** What is shown instead of a secret. */
export const MASK = "***";

/** `scheme://user:password@` in a text. Greedy up to the last `@`: an unescaped password may hold anything. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^:/@]*):[^]*@/gi;
const URL_PARAMETER = /([?&;](?:password|sslpassword|token|secret|api_?key)=)[^&#]*/gi;

/** The text without the passwords of the URLs in it. */
export function maskText(text: string): string {
  return text.replace(URL_PASSWORD, `$1:${MASK}@`).replace(URL_PARAMETER, `$1${MASK}`);
}
