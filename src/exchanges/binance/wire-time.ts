// Binance tells times in milliseconds, or in microseconds where it is asked to; which of the two shows in the size.

/** No time in milliseconds is as large before the year 5138, no time in microseconds as small after 1973. */
const MICROSECONDS_FROM = 1e14;

/** A time of either unit, taken apart; undefined for what is no time. */
export function readTime(value: unknown): { timeMs: number; microsecond: number } | undefined {
  if (!Number.isSafeInteger(value)) return undefined;
  const time = value as number;
  if (time < MICROSECONDS_FROM) return { timeMs: time, microsecond: 0 };
  return { timeMs: Math.floor(time / 1_000), microsecond: time % 1_000 };
}

/** As {@link readTime}, floored to milliseconds. */
export function readTimeMs(value: unknown): number | undefined {
  return readTime(value)?.timeMs;
}
