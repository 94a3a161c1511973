// What the API tells of quality checks, backfill tasks and failed requests, page by page, the newest first.
import type { Pool } from "pg";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import type { Timeframe } from "../../core/timeframe.js";
import { timeOfMicroseconds } from "../microseconds.js";
import type { LedgerDataType } from "./ledger-pages.js";

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;
const US = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;

/** The row a page ended with: its time in epoch microseconds, and its id. */
export type RecordPosition = readonly [us: number, id: number];

export interface Finding {
  readonly code: string;
  readonly count: number;
  readonly message: string;
}

export interface QualityRow {
  readonly id: number;
  readonly check_us: number;
  readonly market_id: number;
  readonly market: string;
  readonly data_type: LedgerDataType;
  readonly timeframe: Timeframe | "";
  readonly check_ms: number;
  readonly start_ms: number;
  readonly end_ms: number;
  readonly total_records: number;
  readonly expected_records: number;
  readonly missing_count: number;
  readonly duplicate_count: number;
  readonly out_of_order_count: number;
  readonly price_jump_count: number;
  readonly volume_spike_count: number;
  readonly quality_score: number | null;
  readonly verified_percent: number | null;
  readonly is_valid: boolean;
  readonly validation_errors: readonly Finding[];
  readonly validation_warnings: readonly Finding[];
  readonly deductions: readonly {
    readonly metric: string;
    readonly count: number;
    readonly points: number;
    readonly more: number;
    readonly evidence: readonly Record<string, unknown>[];
  }[];
  readonly metrics: Record<string, unknown> | null;
}

export interface QualityFilter {
  readonly marketId: number | undefined;
  readonly dataType: LedgerDataType | undefined;
  readonly timeframe: Timeframe | undefined;
}

const QUALITY_COLUMNS = `d.id, ${US("d.check_time")} AS check_us, d.market_id, e.name || ':' || m.symbol AS market, d.data_type, d.timeframe, ${MS("d.check_time")} AS check_ms,
  ${MS("d.time_range_start")} AS start_ms, ${MS("d.time_range_end")} AS end_ms, d.total_records, d.expected_records, d.missing_count,
  d.duplicate_count, d.out_of_order_count, d.price_jump_count, d.volume_spike_count, d.quality_score, d.verified_percent, d.is_valid,
  d.validation_errors, d.validation_warnings, d.deductions, d.metrics`;

/** The latest check of each series, by market, data type and timeframe. */
export async function readLatestChecks(
  pool: Pool,
  filter: QualityFilter,
  { offset, limit }: { offset: number; limit: number },
): Promise<QualityRow[]> {
  const { rows } = await pool.query<QualityRow>(
    `SELECT ${QUALITY_COLUMNS}
     FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id
     CROSS JOIN LATERAL (
       SELECT * FROM data_quality_summary d
       WHERE d.market_id = s.market_id AND d.data_type = s.data_type AND d.timeframe = s.timeframe
       ORDER BY d.check_time DESC, d.id DESC LIMIT 1
     ) d
     WHERE ($1::int IS NULL OR s.market_id = $1) AND ($2::text IS NULL OR s.data_type = $2) AND ($3::text IS NULL OR s.timeframe = $3)
     ORDER BY market, d.data_type, d.timeframe OFFSET $4 LIMIT $5`,
    [filter.marketId ?? null, filter.dataType ?? null, filter.timeframe ?? null, offset, limit],
  );
  return rows;
}

/** All checks of a range of check times, the newest first. */
export async function readChecks(
  pool: Pool,
  filter: QualityFilter & { readonly range: TimeRange },
  { after, limit }: { after: RecordPosition | undefined; limit: number },
): Promise<QualityRow[]> {
  const { rows } = await pool.query<QualityRow>(
    `SELECT ${QUALITY_COLUMNS}
     FROM data_quality_summary d JOIN markets m ON m.id = d.market_id JOIN exchanges e ON e.id = m.exchange_id
     WHERE ($1::int IS NULL OR d.market_id = $1) AND ($2::text IS NULL OR d.data_type = $2) AND ($3::text IS NULL OR d.timeframe = $3)
       AND d.check_time >= $4 AND d.check_time < $5
       AND ($6::timestamptz IS NULL OR (d.check_time, d.id) < ($6::timestamptz, $7::bigint))
     ORDER BY d.check_time DESC, d.id DESC LIMIT $8`,
    [
      filter.marketId ?? null,
      filter.dataType ?? null,
      filter.timeframe ?? null,
      formatTime(filter.range.startMs),
      formatTime(filter.range.endMs),
      after ? timeOfMicroseconds(after[0]) : null,
      after?.[1] ?? null,
      limit,
    ],
  );
  return rows;
}

/** Checks with a greater id, ascending; without one, the newest. */
export async function readNewChecks(
  pool: Pool,
  { afterId, limit }: { afterId: number | undefined; limit: number },
): Promise<QualityRow[]> {
  const { rows } = await pool.query<QualityRow>(
    `SELECT ${QUALITY_COLUMNS}
     FROM data_quality_summary d JOIN markets m ON m.id = d.market_id JOIN exchanges e ON e.id = m.exchange_id
     WHERE $1::bigint IS NULL OR d.id > $1 ORDER BY d.id ${afterId === undefined ? "DESC" : ""} LIMIT $2`,
    [afterId ?? null, limit],
  );
  return rows;
}

export interface QualityDayRow {
  readonly market: string;
  readonly date: string;
  readonly score: number | null;
  readonly lowest_score: number | null;
  readonly checks: number;
  readonly expected_ms: number;
  readonly missing_ms: number;
  readonly missing_candles: number;
}

/** Each market and day of a range of whole days: the checks of that day, and what the ledger says of its candles. */
export async function readQualityDays(
  pool: Pool,
  { marketIds, range }: { marketIds: readonly number[]; range: TimeRange },
): Promise<QualityDayRow[]> {
  const { rows } = await pool.query<QualityDayRow>(
    `WITH days AS (
       SELECT day, tstzrange(day, day + interval '24 hours') AS span FROM generate_series($2::timestamptz, $3::timestamptz - interval '1 second', interval '24 hours') day
     ), held AS (
       SELECT s.market_id, s.timeframe, s.expected * tstzmultirange(tstzrange($2, $3)) AS wanted,
              s.expected * tstzmultirange(tstzrange($2, $3)) - coalesce((
                SELECT range_agg(tstzrange(v.start_time, v.end_time)) FROM coverage v
                WHERE v.market_id = s.market_id AND v.data_type = 'ohlcv' AND v.timeframe = s.timeframe
                  AND v.start_time < $3 AND v.end_time > $2), '{}') AS missing
       FROM series s WHERE s.market_id = ANY($1) AND s.data_type = 'ohlcv'
     ), ledger AS (
       SELECT h.market_id, d.day, sum(w.ms)::float8 AS expected_ms, sum(g.ms)::float8 AS missing_ms,
              sum(g.ms / (extract(epoch FROM timeframe_length(h.timeframe)) * 1000))::float8 AS missing_candles
       FROM held h CROSS JOIN days d
       CROSS JOIN LATERAL (SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r)) * 1000), 0) AS ms FROM unnest(h.wanted * tstzmultirange(d.span)) r) w
       CROSS JOIN LATERAL (SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r)) * 1000), 0) AS ms FROM unnest(h.missing * tstzmultirange(d.span)) r) g
       GROUP BY 1, 2
     ), checks AS (
       SELECT market_id, date_trunc('day', check_time) AS day, count(*)::int AS checks, min(quality_score) AS lowest,
              (array_agg(quality_score ORDER BY check_time DESC, quality_score))[1] AS newest
       FROM data_quality_summary WHERE market_id = ANY($1) AND check_time >= $2 AND check_time < $3
       GROUP BY 1, date_trunc('day', check_time), data_type, timeframe
     ), scores AS (
       SELECT market_id, day, sum(checks)::int AS checks, min(lowest) AS lowest, min(newest) AS newest FROM checks GROUP BY 1, 2
     )
     SELECT e.name || ':' || m.symbol AS market, to_char(d.day, 'YYYY-MM-DD') AS date, s.newest AS score, s.lowest AS lowest_score,
            coalesce(s.checks, 0) AS checks, coalesce(l.expected_ms, 0) AS expected_ms, coalesce(l.missing_ms, 0) AS missing_ms,
            coalesce(l.missing_candles, 0) AS missing_candles
     FROM markets m JOIN exchanges e ON e.id = m.exchange_id CROSS JOIN days d
     LEFT JOIN ledger l ON l.market_id = m.id AND l.day = d.day
     LEFT JOIN scores s ON s.market_id = m.id AND s.day = d.day
     WHERE m.id = ANY($1) ORDER BY market, d.day`,
    [marketIds, formatTime(range.startMs), formatTime(range.endMs)],
  );
  return rows;
}

export interface TaskRow {
  readonly id: number;
  readonly market_id: number;
  readonly market: string;
  readonly data_type: LedgerDataType;
  readonly timeframe: Timeframe | "";
  readonly start_ms: number;
  readonly end_ms: number;
  readonly status: "pending" | "running" | "completed" | "failed";
  readonly priority: number;
  readonly retry_count: number;
  readonly max_retries: number;
  readonly next_attempt_ms: number | null;
  readonly started_ms: number | null;
  readonly completed_ms: number | null;
  readonly error_message: string | null;
  readonly expected_records: number;
  readonly actual_records: number;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly worker: string | null;
}

const TASK_COLUMNS = `t.id, t.market_id, e.name || ':' || m.symbol AS market, t.data_type, t.timeframe, ${MS("t.start_time")} AS start_ms,
  ${MS("t.end_time")} AS end_ms, t.status, t.priority, t.retry_count, t.max_retries, ${MS("t.next_attempt_at")} AS next_attempt_ms,
  ${MS("t.started_at")} AS started_ms, ${MS("t.completed_at")} AS completed_ms, t.error_message, t.expected_records, t.actual_records,
  ${MS("t.created_at")} AS created_ms, ${MS("t.updated_at")} AS updated_ms, t.worker`;
const TASK_FROM =
  "FROM backfill_tasks t JOIN markets m ON m.id = t.market_id JOIN exchanges e ON e.id = m.exchange_id";

export async function readTasks(
  pool: Pool,
  filter: { readonly marketId: number | undefined; readonly statuses: readonly string[] | undefined },
  { beforeId, limit }: { beforeId: number | undefined; limit: number },
): Promise<TaskRow[]> {
  const { rows } = await pool.query<TaskRow>(
    `SELECT ${TASK_COLUMNS} ${TASK_FROM}
     WHERE ($1::int IS NULL OR t.market_id = $1) AND ($2::text[] IS NULL OR t.status = ANY($2)) AND ($3::bigint IS NULL OR t.id < $3)
     ORDER BY t.id DESC LIMIT $4`,
    [filter.marketId ?? null, filter.statuses ?? null, beforeId ?? null, limit],
  );
  return rows;
}

export async function readTask(pool: Pool, id: number): Promise<TaskRow | undefined> {
  const { rows } = await pool.query<TaskRow>(`SELECT ${TASK_COLUMNS} ${TASK_FROM} WHERE t.id = $1`, [id]);
  return rows[0];
}

/** When a task was changed last; 0 where there is none. */
export async function readLastTaskChange(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ last_ms: number | null }>(
    `SELECT ${MS("max(updated_at)")} AS last_ms FROM backfill_tasks`,
  );
  return rows[0]?.last_ms ?? 0;
}

/** Tasks changed at or after an instant, the earliest change first. */
export async function readChangedTasks(pool: Pool, sinceMs: number, limit: number): Promise<TaskRow[]> {
  const { rows } = await pool.query<TaskRow>(
    `SELECT ${TASK_COLUMNS} ${TASK_FROM}
     WHERE t.status IN ('pending', 'running', 'completed', 'failed') AND t.updated_at >= $1 ORDER BY t.updated_at, t.id LIMIT $2`,
    [formatTime(sinceMs), limit],
  );
  return rows;
}

export interface ErrorRow {
  readonly id: number;
  readonly time_us: number;
  readonly exchange: string;
  readonly endpoint: string;
  readonly symbol: string | null;
  readonly error_type: string;
  readonly error_code: string | null;
  readonly message: string;
  readonly attempt: number;
  readonly count: number;
}

export async function readErrors(
  pool: Pool,
  filter: {
    readonly exchange: string | undefined;
    readonly kind: string | undefined;
    readonly range: TimeRange;
  },
  { after, limit }: { after: RecordPosition | undefined; limit: number },
): Promise<ErrorRow[]> {
  const { rows } = await pool.query<ErrorRow>(
    `SELECT l.id, ${US('l."timestamp"')} AS time_us, l.exchange_name AS exchange, l.endpoint,
            coalesce(m.symbol, l.native_symbol) AS symbol, l.error_type, l.error_code, l.error_message AS message, l.attempt,
            greatest(l.suppressed, 1)::float8 AS count
     FROM api_error_logs l
     LEFT JOIN LATERAL (
       SELECT k.symbol FROM markets k JOIN exchanges e ON e.id = k.exchange_id
       WHERE e.name = l.exchange_name AND k.native_symbol = l.native_symbol ORDER BY k.id LIMIT 1
     ) m ON true
     WHERE ($1::text IS NULL OR l.exchange_name = $1) AND ($2::text IS NULL OR l.error_type = $2)
       AND l."timestamp" >= $3 AND l."timestamp" < $4
       AND ($5::timestamptz IS NULL OR (l."timestamp", l.id) < ($5::timestamptz, $6::bigint))
     ORDER BY l."timestamp" DESC, l.id DESC LIMIT $7`,
    [
      filter.exchange ?? null,
      filter.kind ?? null,
      formatTime(filter.range.startMs),
      formatTime(filter.range.endMs),
      after ? timeOfMicroseconds(after[0]) : null,
      after?.[1] ?? null,
      limit,
    ],
  );
  return rows;
}
