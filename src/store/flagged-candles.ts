// Which candles of a range bear a flag of the gate.
import type { Pool } from "pg";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { SeriesKey } from "./store.js";

/** Open times in epoch ms, latest first, at most `limit`. */
export async function readFlaggedOpenTimes(
  pool: Pool,
  { marketId, timeframe }: SeriesKey,
  { startMs, endMs }: TimeRange,
  limit: number,
): Promise<number[]> {
  const { rows } = await pool.query<{ open_time: number }>(
    `SELECT open_time FROM ohlcv WHERE market_id = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4 AND flags <> 0
     ORDER BY open_time DESC LIMIT $5`,
    [marketId, timeframe, formatTime(startMs), formatTime(endMs), limit],
  );
  return rows.map((row) => row.open_time);
}
