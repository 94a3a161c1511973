// The header by which a server says when to come again.

/** Whole seconds are told: none is less than one, and never means at once. */
const LEAST_MS = 1_000;
const SECONDS = /^\+?\d+(\.\d+)?$/;
/** Every form of a date names hours and minutes; without them JavaScript takes "-5" for one, too. */
const TIME_OF_DAY = /\d:\d\d/;

/**
 * A Retry-After in milliseconds, between a second and `maxMs`: seconds, or the date a gateway may send; undefined where
 * there is none or it is neither. Where it comes twice, from a gateway and from the exchange, the longer one holds.
 */
export function readRetryAfter(
  header: string | undefined,
  { receivedMs, maxMs }: { receivedMs: number; maxMs: number },
): number | undefined {
  if (header === undefined) return undefined;
  const told = header.split(",").map((each) => each.trim());
  const afterMs = told.every((each) => SECONDS.test(each))
    ? Math.ceil(Math.max(...told.map(Number)) * 1_000)
    : msUntil(header, receivedMs);
  return afterMs === undefined ? undefined : Math.min(Math.max(afterMs, LEAST_MS), maxMs);
}

function msUntil(date: string, receivedMs: number): number | undefined {
  const afterMs = TIME_OF_DAY.test(date) ? Date.parse(date) - receivedMs : Number.NaN;
  return Number.isNaN(afterMs) ? undefined : afterMs;
}
