// What venues' refusals have in common: words to quote, and how long to wait.

const TEXT_CHARS_MAX = 200;

/** Words of a refusal, on one line and cut: a firewall's page is long. */
export function quotable(text: string): string {
  const line = text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > TEXT_CHARS_MAX ? `${line.slice(0, TEXT_CHARS_MAX)}…` : line;
}

/**
 * A Retry-After in milliseconds, at most `maxMs`: seconds, or the date a gateway may send; undefined where there is none
 * or it is neither.
 */
export function readRetryAfter(
  header: string | undefined,
  { receivedMs, maxMs }: { receivedMs: number; maxMs: number },
): number | undefined {
  if (header === undefined) return undefined;
  const isSeconds = /^\d+(\.\d+)?$/.test(header);
  const afterMs = isSeconds ? Math.ceil(Number(header) * 1_000) : Date.parse(header) - receivedMs;
  return Number.isNaN(afterMs) ? undefined : Math.min(Math.max(afterMs, 0), maxMs);
}
