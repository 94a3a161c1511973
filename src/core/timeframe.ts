// Timeframes and their grids. A candle's open time lies on its timeframe's grid, which starts at the epoch; weeks start
// on Monday.

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Every timeframe by its ccxt name, with its length in milliseconds. */
const LENGTHS_MS = {
  "1m": MINUTE_MS,
  "3m": 3 * MINUTE_MS,
  "5m": 5 * MINUTE_MS,
  "15m": 15 * MINUTE_MS,
  "30m": 30 * MINUTE_MS,
  "1h": HOUR_MS,
  "2h": 2 * HOUR_MS,
  "4h": 4 * HOUR_MS,
  "6h": 6 * HOUR_MS,
  "8h": 8 * HOUR_MS,
  "12h": 12 * HOUR_MS,
  "1d": DAY_MS,
  "1w": 7 * DAY_MS,
} as const satisfies Record<string, number>;

export type Timeframe = keyof typeof LENGTHS_MS;

/** All timeframes, shortest first. */
export const TIMEFRAMES = Object.keys(LENGTHS_MS) as readonly Timeframe[];

/** The epoch was a Thursday; the first Monday after it is the origin of the weekly grid. */
const FIRST_MONDAY_MS = 4 * DAY_MS;

export function isTimeframe(text: string): text is Timeframe {
  return Object.hasOwn(LENGTHS_MS, text);
}

/** A timeframe's length in milliseconds. */
export function timeframeMs(timeframe: Timeframe): number {
  return LENGTHS_MS[timeframe];
}

/** The open time, in epoch milliseconds, of the candle that contains `timeMs`. */
export function floorToTimeframe(timeMs: number, timeframe: Timeframe): number {
  const length = LENGTHS_MS[timeframe];
  const origin = timeframe === "1w" ? FIRST_MONDAY_MS : 0;
  return Math.floor((timeMs - origin) / length) * length + origin;
}

/** The first open time, in epoch milliseconds, that is not before `timeMs`. */
export function ceilToTimeframe(timeMs: number, timeframe: Timeframe): number {
  const floor = floorToTimeframe(timeMs, timeframe);
  return floor === timeMs ? floor : floor + LENGTHS_MS[timeframe];
}

/** True when `timeMs` lies on the timeframe's grid. */
export function isOnGrid(timeMs: number, timeframe: Timeframe): boolean {
  return floorToTimeframe(timeMs, timeframe) === timeMs;
}
