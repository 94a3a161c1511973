// The header by which a server says when to come again.

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
