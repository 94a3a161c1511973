// How each market stands now, in a handful of statements for all of them: prices, holes, scores, lag, tasks, the last
// event. Costs by gap and market, never by row.
import type { Pool } from "pg";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import type { Timeframe } from "../../core/timeframe.js";
import type { LedgerDataType } from "./ledger-pages.js";

/** One series, its expected time and what is not stored of it. */
export interface SeriesHoles {
  readonly marketId: number;
  readonly dataType: LedgerDataType;
  readonly timeframe: Timeframe | undefined;
  readonly expected: readonly TimeRange[];
  /** Of an order book only those that overlap the window asked for: they stay for ever. */
  readonly gaps: readonly TimeRange[];
  /** Only those that overlap the window asked for. */
  readonly voids: readonly TimeRange[];
}

export interface SeriesPrice {
  readonly lastMs: number;
  readonly last: string;
  /** The close of a day before; undefined where there is none within another day. */
  readonly dayBefore: string | undefined;
}

export interface MarketScore {
  /** The lowest of the market's series at their latest checks. */
  readonly score: number | undefined;
  readonly verifiedPercent: number | undefined;
  readonly isValid: boolean;
}

export interface MarketTasks {
  readonly open: number;
  readonly failed: number;
  /** What pending and running ones hold of candles, by timeframe. */
  readonly ranges: readonly (TimeRange & { readonly timeframe: string })[];
}

export interface GapEvent {
  readonly atMs: number;
  readonly dataType: LedgerDataType;
  readonly timeframe: Timeframe | undefined;
  readonly startMs: number;
  readonly endMs: number;
  readonly reason: string;
  readonly detail: string;
  readonly isClosed: boolean;
  readonly repairedRecords: number;
  readonly voidRecords: number;
}

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;
/** The newest entries of the gap log among which a market's last event is looked for. */
const EVENTS_LOOKED_AT = 20_000;

/** Of every series, or of these markets'; voids, and times without a book, within `window`. */
export async function readHoles(
  pool: Pool,
  marketIds: readonly number[] | undefined,
  window: TimeRange,
): Promise<SeriesHoles[]> {
  const starts = (ranges: string): string =>
    `(SELECT coalesce(array_agg(${MS("lower(r)")} ORDER BY r), '{}') FROM unnest(${ranges}) r)`;
  const ends = (ranges: string): string =>
    `(SELECT coalesce(array_agg(${MS("upper(r)")} ORDER BY r), '{}') FROM unnest(${ranges}) r)`;
  const { rows } = await pool.query<{
    market_id: number;
    data_type: LedgerDataType;
    timeframe: string;
    expected_starts: number[];
    expected_ends: number[];
    gap_starts: number[];
    gap_ends: number[];
    void_starts: number[];
    void_ends: number[];
  }>(
    `SELECT s.market_id, s.data_type, s.timeframe,
            ${starts("s.expected")} AS expected_starts, ${ends("s.expected")} AS expected_ends,
            ${starts("p.gaps")} AS gap_starts, ${ends("p.gaps")} AS gap_ends,
            ${starts("p.voids")} AS void_starts, ${ends("p.voids")} AS void_ends
     FROM series s
     CROSS JOIN LATERAL (
       SELECT CASE WHEN s.data_type = 'orderbook' THEN s.expected * tstzmultirange(tstzrange($2, $3)) ELSE s.expected END
                - coalesce(range_agg(tstzrange(v.start_time, v.end_time)), '{}') AS gaps,
              coalesce(range_agg(tstzrange(v.start_time, v.end_time)) FILTER (
                WHERE v.evidence = 'exchange_void' AND v.start_time < $3 AND v.end_time > $2), '{}') AS voids
       FROM coverage v WHERE v.market_id = s.market_id AND v.data_type = s.data_type AND v.timeframe = s.timeframe
     ) p
     WHERE $1::int[] IS NULL OR s.market_id = ANY($1)`,
    [marketIds ?? null, formatTime(window.startMs), formatTime(window.endMs)],
  );
  return rows.map((row) => ({
    marketId: row.market_id,
    dataType: row.data_type,
    timeframe: timeframeOrNone(row.timeframe),
    expected: pairs(row.expected_starts, row.expected_ends),
    gaps: pairs(row.gap_starts, row.gap_ends),
    voids: pairs(row.void_starts, row.void_ends),
  }));
}

/** The last closes of series, and those of a day before. By market id. */
export async function readLastCloses(
  pool: Pool,
  series: readonly { readonly marketId: number; readonly timeframe: Timeframe }[],
): Promise<Map<number, SeriesPrice>> {
  const { rows } = await pool.query<{
    market_id: number;
    last_ms: number;
    close: string;
    day_before: string | null;
  }>(
    `SELECT s.market_id, ${MS("last.open_time + timeframe_length(s.timeframe)")} AS last_ms, last.close, before.close AS day_before
     FROM unnest($1::int[], $2::text[]) AS s (market_id, timeframe)
     CROSS JOIN LATERAL (
       SELECT o.open_time, o.close FROM ohlcv o WHERE o.market_id = s.market_id AND o.timeframe = s.timeframe
       ORDER BY o.open_time DESC LIMIT 1
     ) last
     LEFT JOIN LATERAL (
       SELECT o.close FROM ohlcv o WHERE o.market_id = s.market_id AND o.timeframe = s.timeframe
         AND o.open_time <= last.open_time - interval '24 hours' AND o.open_time > last.open_time - interval '48 hours'
       ORDER BY o.open_time DESC LIMIT 1
     ) before ON true`,
    [series.map(({ marketId }) => marketId), series.map(({ timeframe }) => timeframe)],
  );
  return new Map(
    rows.map((row) => [
      row.market_id,
      { lastMs: row.last_ms, last: row.close, dayBefore: row.day_before ?? undefined },
    ]),
  );
}

/** By market id. */
export async function readScores(
  pool: Pool,
  marketIds: readonly number[] | undefined,
): Promise<Map<number, MarketScore>> {
  const { rows } = await pool.query<{
    market_id: number;
    score: number | null;
    verified: number | null;
    is_valid: boolean;
  }>(
    `SELECT s.market_id, min(d.quality_score) AS score, min(d.verified_percent) AS verified, bool_and(d.is_valid) AS is_valid
     FROM series s CROSS JOIN LATERAL (
       SELECT quality_score, verified_percent, is_valid FROM data_quality_summary d
       WHERE d.market_id = s.market_id AND d.data_type = s.data_type AND d.timeframe = s.timeframe
       ORDER BY d.check_time DESC, d.id DESC LIMIT 1
     ) d WHERE $1::int[] IS NULL OR s.market_id = ANY($1) GROUP BY s.market_id`,
    [marketIds ?? null],
  );
  return new Map(
    rows.map((row) => [
      row.market_id,
      { score: row.score ?? undefined, verifiedPercent: row.verified ?? undefined, isValid: row.is_valid },
    ]),
  );
}

/** Records by lag since `sinceMs`, in the order of LAG_BUCKETS_MS and one beyond. By market id. */
export async function readLags(
  pool: Pool,
  marketIds: readonly number[],
  sinceMs: number,
): Promise<Map<number, readonly number[]>> {
  const { rows } = await pool.query<{ market_id: number; counts: number[] }>(
    `SELECT market_id, array_agg(count ORDER BY i) AS counts FROM (
       SELECT l.market_id, u.i, sum(u.n)::float8 AS count
       FROM unnest($1::int[]) AS wanted (market_id) JOIN live_minutes l USING (market_id)
       CROSS JOIN LATERAL unnest(l.lag_counts) WITH ORDINALITY AS u (n, i)
       WHERE l.data_type IN ('trades', 'orderbook') AND l.minute >= $2 GROUP BY 1, 2
     ) sums GROUP BY market_id`,
    [marketIds, formatTime(sinceMs)],
  );
  return new Map(rows.map((row) => [row.market_id, row.counts]));
}

/** By market id. */
export async function readMarketTasks(
  pool: Pool,
  marketIds: readonly number[] | undefined,
): Promise<Map<number, MarketTasks>> {
  const { rows } = await pool.query<{
    market_id: number;
    open: number;
    failed: number;
    starts: number[] | null;
    ends: number[] | null;
    timeframes: string[] | null;
  }>(
    `SELECT market_id, (count(*) FILTER (WHERE status <> 'failed'))::int AS open, (count(*) FILTER (WHERE status = 'failed'))::int AS failed,
            array_agg(${MS("start_time")} ORDER BY id) FILTER (WHERE status <> 'failed') AS starts,
            array_agg(${MS("end_time")} ORDER BY id) FILTER (WHERE status <> 'failed') AS ends,
            array_agg(timeframe ORDER BY id) FILTER (WHERE status <> 'failed') AS timeframes
     FROM backfill_tasks WHERE status IN ('pending', 'running', 'failed') AND ($1::int[] IS NULL OR market_id = ANY($1))
     GROUP BY market_id`,
    [marketIds ?? null],
  );
  return new Map(
    rows.map((row) => [
      row.market_id,
      {
        open: row.open,
        failed: row.failed,
        ranges: (row.timeframes ?? []).map((timeframe, i) => ({
          timeframe,
          startMs: row.starts?.[i] ?? 0,
          endMs: row.ends?.[i] ?? 0,
        })),
      },
    ]),
  );
}

/** The newest entry or closing of the gap log of each market, among the newest entries of all. */
export async function readLastGapEvents(pool: Pool): Promise<Map<number, GapEvent>> {
  const { rows } = await pool.query<{
    market_id: number;
    at_ms: number;
    data_type: LedgerDataType;
    timeframe: string;
    start_ms: number;
    end_ms: number;
    reason: string;
    detail: string;
    is_closed: boolean;
    repaired_records: number;
    void_records: number;
  }>(
    `SELECT DISTINCT ON (market_id) market_id, ${MS("coalesce(closed_at, found_at)")} AS at_ms, data_type, timeframe,
            ${MS("start_time")} AS start_ms, ${MS("end_time")} AS end_ms, reason, detail, closed_at IS NOT NULL AS is_closed,
            repaired_records, void_records
     FROM gap_log WHERE id > (SELECT coalesce(max(id), 0) FROM gap_log) - ${EVENTS_LOOKED_AT}
     ORDER BY market_id, coalesce(closed_at, found_at) DESC, id DESC`,
  );
  return new Map(
    rows.map((row) => [
      row.market_id,
      {
        atMs: row.at_ms,
        dataType: row.data_type,
        timeframe: timeframeOrNone(row.timeframe),
        startMs: row.start_ms,
        endMs: row.end_ms,
        reason: row.reason,
        detail: row.detail,
        isClosed: row.is_closed,
        repairedRecords: row.repaired_records,
        voidRecords: row.void_records,
      },
    ]),
  );
}

function timeframeOrNone(text: string): Timeframe | undefined {
  return text === "" ? undefined : (text as Timeframe);
}

function pairs(starts: readonly number[], ends: readonly number[]): TimeRange[] {
  return starts.map((startMs, i) => ({ startMs, endMs: ends[i] ?? startMs }));
}
