// Voids on record: which of them the exchange should be asked about once more, and that it has said the same again.
import type { Pool } from "pg";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { Timeframe } from "../core/timeframe.js";
import type { SeriesKey } from "./series-key.js";

/** A void whose time to be asked about again has come. */
export interface DueVoid extends SeriesKey, TimeRange {}

export interface DueVoidsRequest {
  readonly series: readonly SeriesKey[];
  /** By the exchange's clock, epoch ms. */
  readonly nowMs: number;
  /** How long after its last answer a void is due: the first after the two answers that made it, and so on; ms. */
  readonly afterMs: readonly number[];
  readonly limit: number;
}

/** One answer of the exchange, as a void's proof keeps it. */
export interface VoidAnswer {
  /** By the exchange's clock, epoch ms. */
  readonly atMs: number;
  readonly request: string;
}

/** The answers that make a void. */
const ANSWERS_AT_FIRST = 2;

/** Those due longest come first; voids of one series in order of time. */
export async function readDueVoids(pool: Pool, request: DueVoidsRequest): Promise<DueVoid[]> {
  const { series, nowMs, afterMs, limit } = request;
  const { rows } = await pool.query<{
    market_id: number;
    timeframe: Timeframe;
    start_time: number;
    end_time: number;
  }>(
    `WITH due AS (
       SELECT v.market_id, v.timeframe, v.start_time, v.end_time,
              (v.proof #>> '{asked,-1,atMs}')::float8 + ($4::float8[])[jsonb_array_length(v.proof -> 'asked') - $5 + 1] AS due_ms
       FROM coverage v JOIN unnest($1::int[], $2::text[]) AS s (market_id, timeframe) USING (market_id, timeframe)
       WHERE v.data_type = 'ohlcv' AND v.evidence = 'exchange_void'
     ), first AS (
       SELECT * FROM due WHERE due_ms <= $3 ORDER BY due_ms LIMIT $6
     ) SELECT market_id, timeframe, start_time, end_time FROM first
     ORDER BY min(due_ms) OVER (PARTITION BY market_id, timeframe), market_id, timeframe, start_time`,
    [
      series.map((key) => key.marketId),
      series.map((key) => key.timeframe),
      nowMs,
      afterMs,
      ANSWERS_AT_FIRST,
      limit,
    ],
  );
  return rows.map((row) => ({
    marketId: row.market_id,
    timeframe: row.timeframe,
    startMs: row.start_time,
    endMs: row.end_time,
  }));
}

/** Adds an answer to the proofs of these voids, as far as they still stand as they were. */
export async function confirmVoids(
  pool: Pool,
  { marketId, timeframe }: SeriesKey,
  voids: readonly TimeRange[],
  answer: VoidAnswer,
): Promise<void> {
  await pool.query(
    `UPDATE coverage c SET proof = jsonb_set(c.proof, '{asked}', c.proof -> 'asked' || $5::jsonb)
     FROM unnest($3::timestamptz[], $4::timestamptz[]) AS v (start_time, end_time)
     WHERE c.market_id = $1 AND c.data_type = 'ohlcv' AND c.timeframe = $2 AND c.evidence = 'exchange_void'
       AND c.start_time = v.start_time AND c.end_time = v.end_time`,
    [
      marketId,
      timeframe,
      voids.map(({ startMs }) => formatTime(startMs)),
      voids.map(({ endMs }) => formatTime(endMs)),
      JSON.stringify(answer),
    ],
  );
}
