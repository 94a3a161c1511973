// Compares stored rows with candles that are known to be right, field by field as PostgreSQL writes them.
import type { TimeRange } from "../../src/core/range.js";
import { formatTime } from "../../src/core/time.js";
import type { Timeframe } from "../../src/core/timeframe.js";
import type { Candle } from "../../src/core/model/candle.js";
import type { RunSql } from "./partition.js";

/** What a stored candle says, as one text. */
const ROW =
  "concat_ws(' ', open, high, low, close, volume, coalesce(quote_volume::text, '-'), coalesce(trade_count::text, '-'))";

function textOf(candle: Omit<Candle, "openTimeMs">): string {
  const { open, high, low, close, volume, quoteVolume, tradeCount } = candle;
  return [open, high, low, close, volume, quoteVolume ?? "-", tradeCount ?? "-"].join(" ");
}

/** At most so many are told; a broken run has thousands. */
const DIFFERENCES_MAX = 10;

/**
 * Rows of one series against the truth, each once.
 * @returns one line a difference: a candle that differs, is missing, or should not be there; empty when all is right
 */
export async function differencesFromTruth(
  sql: RunSql,
  wanted: {
    /** Default `binance`. */
    readonly exchange?: string;
    readonly symbol: string;
    readonly timeframe: Timeframe;
    readonly range: TimeRange;
    readonly truth: readonly Omit<Candle, "kind">[];
  },
): Promise<string[]> {
  const { exchange = "binance", symbol, timeframe, range, truth } = wanted;
  const rows = await sql<{ ms: string; text: string }>(
    `SELECT (extract(epoch FROM open_time) * 1000)::bigint::text AS ms, ${ROW} AS text
     FROM ohlcv JOIN markets m ON m.id = market_id JOIN exchanges e ON e.id = m.exchange_id
     WHERE m.symbol = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4 AND e.name = $5 ORDER BY open_time`,
    [symbol, timeframe, formatTime(range.startMs), formatTime(range.endMs), exchange],
  );
  const right = new Map(truth.map((candle) => [candle.openTimeMs, textOf({ kind: "candle", ...candle })]));
  const differences: string[] = [];
  for (const { ms, text } of rows) {
    const openTimeMs = Number(ms);
    const expected = right.get(openTimeMs);
    right.delete(openTimeMs);
    if (expected !== text)
      differences.push(`${formatTime(openTimeMs)}: stored ${text}, right ${expected ?? "none, or once"}`);
  }
  for (const openTimeMs of right.keys()) differences.push(`${formatTime(openTimeMs)}: not stored`);
  return differences.slice(0, DIFFERENCES_MAX);
}
