// Texts for messages and logs, without the passwords in their URLs.

/** What is shown instead of a secret. */
export const MASK = "***";

/** `scheme://user:password@` in a text. Greedy up to the last `@`: an unescaped password may hold anything. */
const URL_PASSWORD = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/[^:/@]*):[^]*@/gi;
const URL_PARAMETER = /([?&;](?:password|sslpassword|secret)=)[^&#]*/gi;

/** What exchanges and bots are signed in with. Their values hold no blanks or quotes, so the words after a URL are kept. */
const URL_KEY =
  /([?&;](?:[a-z]+[_-])?(?:signature|sign|passphrase|token|api[_-]?key|listen_?key|access_?key)=)[^&#\s"']*/gi;
/** Who knows the path of a bot or an incoming webhook can post there. */
const SECRET_PATH = /(\/\/api\.telegram\.org\/bot|\/\/hooks\.slack\.com\/)[^\s"'?#]*/gi;

/** As above, within one word: of a log's line the rest has to stay. */
const WORD_PASSWORD = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/[^:/@\s"]*):[^/\s"]*@/gi;

const WORD_PARAMETER = /([?&;](?:password|sslpassword|secret)=)[^&#\s"]*/gi;

/** The text without the passwords of the URLs in it. */
export function maskText(text: string): string {
  return maskLine(text.replace(URL_PASSWORD, `$1:${MASK}@`).replace(URL_PARAMETER, `$1${MASK}`));
}

/** As {@link maskText}, for longer texts in which a URL is one word: a line of a log. */
export function maskLine(text: string): string {
  return text
    .replace(WORD_PASSWORD, `$1:${MASK}@`)
    .replace(WORD_PARAMETER, `$1${MASK}`)
    .replace(URL_KEY, `$1${MASK}`)
    .replace(SECRET_PATH, `$1${MASK}`);
}
