// OKX's names of timeframes. From six hours on they open by Hong Kong's clock, eight hours ahead, unless they say utc.
import type { Timeframe } from "../../src/core/timeframe.js";
import { parameterError } from "./okx-error.js";

export interface OkxBar {
  readonly timeframe: Timeframe;
  /** How far the clock by which it opens is ahead of UTC. */
  readonly aheadMs: number;
}

const HONG_KONG_MS = 8 * 3_600_000;

const BARS: ReadonlyMap<string, OkxBar> = new Map([
  ...(["1m", "3m", "5m", "15m", "30m"] as const).map((name): [string, OkxBar] => [
    name,
    { timeframe: name, aheadMs: 0 },
  ]),
  ...(["1h", "2h", "4h"] as const).map((timeframe): [string, OkxBar] => [
    timeframe.toUpperCase(),
    { timeframe, aheadMs: 0 },
  ]),
  ...(["6h", "12h", "1d", "1w"] as const).flatMap((timeframe): [string, OkxBar][] => [
    [timeframe.toUpperCase(), { timeframe, aheadMs: HONG_KONG_MS }],
    [`${timeframe.toUpperCase()}utc`, { timeframe, aheadMs: 0 }],
  ]),
]);

/** The bar of that name, case-sensitive; seconds, months and several days are not simulated. */
export function parseBar(name: string): OkxBar {
  const bar = BARS.get(name);
  if (bar === undefined) throw parameterError("bar");
  return bar;
}

/** For what only wants to know about when a request is. */
export function findBar(name: string): OkxBar | undefined {
  return BARS.get(name);
}
