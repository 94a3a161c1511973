// OKX's names of timeframes, the same by REST and in its streams.
import assert from "node:assert/strict";
import { TIMEFRAMES, type Timeframe } from "../../core/timeframe.js";

/** OKX's names; days and weeks of the plain names begin at midnight in Hong Kong. There is no 8h. */
const BARS = {
  "1m": "1m",
  "3m": "3m",
  "5m": "5m",
  "15m": "15m",
  "30m": "30m",
  "1h": "1H",
  "2h": "2H",
  "4h": "4H",
  "6h": "6Hutc",
  "12h": "12Hutc",
  "1d": "1Dutc",
  "1w": "1Wutc",
} as const satisfies Partial<Record<Timeframe, string>>;

export const OKX_TIMEFRAMES = TIMEFRAMES.filter((timeframe) => timeframe in BARS);

/** OKX's name of a timeframe it has. */
export function barOf(timeframe: Timeframe): string {
  const bar: string | undefined = (BARS as Partial<Record<Timeframe, string>>)[timeframe];
  assert(bar !== undefined, `okx has no candles of ${timeframe}`);
  return bar;
}
