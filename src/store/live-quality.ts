// What a quality check finds of trades and order books: from the ledger and from the counts of each minute, so that it costs
// per gap and per minute, not per row. And the summaries, in the same table as those of candles.
import type { LiveTally } from "../core/model/live-tally.js";
import { LAG_BUCKETS_MS } from "../core/model/live-tally.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { Database } from "./database.js";
import type { LiveDataType } from "./live-series.js";
import { TALLY_COLUMNS } from "./live-tallies.js";
import type { QualityFinding } from "./quality-records.js";

/** One series over a window. */
export interface LiveMeasurement extends TimeRange {
  readonly marketId: number;
  readonly market: string;
  readonly isActive: boolean;
  readonly dataType: LiveDataType;
  /** Of the window: what should be held, what is proven to be, what is proven to be empty; ms. */
  readonly expectedMs: number;
  readonly coveredMs: number;
  readonly voidMs: number;
  /** Ids that are missing now; of a hole whose ids are not known, one. */
  readonly missingIds: number;
  readonly stored: number;
  readonly tally: LiveTally;
  /** Upper bounds of the lag of 50, 95 and 99 of a hundred records, ms; undefined without any, Infinity beyond all bounds. */
  readonly lagMs: { readonly p50: number; readonly p95: number; readonly p99: number } | undefined;
  /** Trades: of stored and missing ones. Books: of seconds with and without. Undefined where nothing was expected. */
  readonly score: number | undefined;
  /** The longest holes, the latest first. */
  readonly holes: readonly (TimeRange & { readonly reason: string; readonly detail: string })[];
}

/** A row of data_quality_summary. */
export interface LiveSummary extends LiveMeasurement {
  readonly checkMs: number;
  readonly isValid: boolean;
  readonly verifiedPercent: number | undefined;
  readonly errors: readonly QualityFinding[];
  readonly warnings: readonly QualityFinding[];
}

export interface LiveQualityRequest {
  readonly window: TimeRange;
  /** All when undefined. */
  readonly marketIds: readonly number[] | undefined;
}

const HOLES_LISTED = 20;
const KEYS = Object.keys(TALLY_COLUMNS) as readonly (keyof LiveTally)[];

type MeasuredRow = Record<keyof LiveTally, number> & {
  readonly market_id: number;
  readonly market: string;
  readonly is_active: boolean;
  readonly data_type: LiveDataType;
  readonly expected_ms: number;
  readonly covered_ms: number;
  readonly void_ms: number;
  readonly missing_ids: number;
  readonly stored: number;
  readonly lag_counts: readonly number[] | null;
  readonly score: number | null;
  readonly holes:
    readonly { start_ms: number; end_ms: number; reason: string | null; detail: string | null }[] | null;
};

export function measureLiveQuality(
  database: Database,
  { window, marketIds }: LiveQualityRequest,
): Promise<LiveMeasurement[]> {
  return database.attempt("measure the quality of live data", async (pool) => {
    const { rows } = await pool.query<MeasuredRow>(MEASURE, [
      formatTime(window.startMs),
      formatTime(window.endMs),
      marketIds ?? null,
    ]);
    return rows.map((row) => ({
      ...window,
      marketId: row.market_id,
      market: row.market,
      isActive: row.is_active,
      dataType: row.data_type,
      expectedMs: row.expected_ms,
      coveredMs: row.covered_ms,
      voidMs: row.void_ms,
      missingIds: row.missing_ids,
      stored: row.stored,
      tally: Object.fromEntries(KEYS.map((key) => [key, row[key]])) as unknown as LiveTally,
      lagMs: percentiles(row.lag_counts ?? []),
      score: row.score ?? undefined,
      holes: (row.holes ?? []).map((hole) => ({
        startMs: hole.start_ms,
        endMs: hole.end_ms,
        reason: hole.reason ?? "not_collected",
        detail: hole.detail ?? "nothing was collecting, or it was lost on the way",
      })),
    }));
  });
}

export function storeLiveSummaries(database: Database, summaries: readonly LiveSummary[]): Promise<void> {
  return database.attempt("store quality summaries of live data", async (pool) => {
    await pool.query(
      `INSERT INTO data_quality_summary (check_time, time_range_start, time_range_end, market_id, data_type, total_records, expected_records,
         missing_count, duplicate_count, out_of_order_count, price_jump_count, volume_spike_count, quality_score, verified_percent, is_valid,
         validation_errors, validation_warnings, metrics)
       SELECT check_time, from_time, to_time, market_id, data_type, total, total + missing, missing, duplicates, out_of_order, 0, 0, score, verified, is_valid,
         errors, warnings, metrics
       FROM unnest($1::timestamptz[], $2::timestamptz[], $3::timestamptz[], $4::int[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
         $10::float8[], $11::float8[], $12::boolean[], $13::jsonb[], $14::jsonb[], $15::jsonb[])
         AS s (check_time, from_time, to_time, market_id, data_type, total, missing, duplicates, out_of_order, score, verified, is_valid, errors, warnings, metrics)`,
      [
        summaries.map(({ checkMs }) => formatTime(checkMs)),
        summaries.map(({ startMs }) => formatTime(startMs)),
        summaries.map(({ endMs }) => formatTime(endMs)),
        summaries.map(({ marketId }) => marketId),
        summaries.map(({ dataType }) => dataType),
        summaries.map((each) => liveTotal(each)),
        summaries.map((each) => liveMissing(each)),
        summaries.map(({ tally }) => tally.duplicates),
        summaries.map(({ tally }) => tally.outOfOrder),
        summaries.map(({ score }) => score ?? null),
        summaries.map(({ verifiedPercent }) => verifiedPercent ?? null),
        summaries.map(({ isValid }) => isValid),
        summaries.map(({ errors }) => JSON.stringify(errors)),
        summaries.map(({ warnings }) => JSON.stringify(warnings)),
        summaries.map((each) => JSON.stringify(metricsOf(each))),
      ],
    );
  });
}

/** Stored trades; or seconds with a book. */
export function liveTotal({ dataType, stored, coveredMs }: LiveMeasurement): number {
  return dataType === "trades" ? stored : Math.round(coveredMs / 1_000);
}

/** Missing trades; or seconds without a book. */
export function liveMissing(measured: LiveMeasurement): number {
  return measured.dataType === "trades" ? measured.missingIds : Math.ceil(gapMs(measured) / 1_000);
}

/** Expected, and neither held nor void. */
export function gapMs({ expectedMs, coveredMs, voidMs }: LiveMeasurement): number {
  return Math.max(0, expectedMs - coveredMs - voidMs);
}

/** As they stand in the column `metrics`. */
export function metricsOf(measured: LiveMeasurement): Readonly<Record<string, number | null>> {
  const { tally, lagMs, stored, dataType } = measured;
  const finite = (ms: number | undefined): number | null => (ms === undefined || ms === Infinity ? null : ms);
  return {
    received: tally.received,
    stored,
    duplicates: tally.duplicates,
    out_of_order: tally.outOfOrder,
    malformed: tally.malformed,
    shed: tally.shed,
    lag_ms_p50: finite(lagMs?.p50),
    lag_ms_p95: finite(lagMs?.p95),
    lag_ms_p99: finite(lagMs?.p99),
    ...(dataType === "trades"
      ? {
          id_gaps_found: tally.missingIds,
          ids_missing_now: measured.missingIds,
          built_candle_differences: tally.builtDifferences,
        }
      : {
          sequence_breaks: tally.sequenceBreaks,
          checksum_failures: tally.checksumFailures,
          resyncs: tally.resyncs,
          seconds_without_book: gapMs(measured) / 1_000,
        }),
  };
}

function percentiles(counts: readonly number[]): LiveMeasurement["lagMs"] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const at = (share: number): number => {
    let sum = 0;
    for (const [i, count] of counts.entries()) {
      sum += count;
      if (sum >= share * total) return LAG_BUCKETS_MS[i] ?? Infinity;
    }
    return Infinity;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

const sums = KEYS.map((key) => `coalesce(t."${key}", 0) AS "${key}"`).join(", ");
const summed = KEYS.map((key) => `sum(${TALLY_COLUMNS[key]})::float8 AS "${key}"`).join(", ");
const lengthMs = (ranges: string): string =>
  `(SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0)::float8 * 1000 FROM unnest(${ranges}) r)`;

const MEASURE = `
WITH win AS (SELECT tstzrange($1, $2) AS range), chosen AS (
  SELECT s.market_id, s.data_type, e.name || ':' || m.symbol AS market, m.is_active, s.expected * tstzmultirange(win.range) AS expected
  FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id, win
  WHERE s.data_type <> 'ohlcv' AND ($3::int[] IS NULL OR s.market_id = ANY ($3))
), ledger AS (
  SELECT c.*,
         coalesce((SELECT range_agg(tstzrange(v.start_time, v.end_time)) FROM coverage v WHERE v.market_id = c.market_id AND v.data_type = c.data_type
           AND v.timeframe = '' AND v.start_time < $2 AND v.end_time > $1 AND v.evidence <> 'exchange_void'), '{}') AS covered,
         coalesce((SELECT range_agg(tstzrange(v.start_time, v.end_time)) FROM coverage v WHERE v.market_id = c.market_id AND v.data_type = c.data_type
           AND v.timeframe = '' AND v.start_time < $2 AND v.end_time > $1 AND v.evidence = 'exchange_void'), '{}') AS void
  FROM chosen c
), tallies AS (
  SELECT l.market_id, l.data_type, sum(stored)::float8 AS stored, ${summed}
  FROM live_minutes l WHERE l.minute >= date_trunc('minute', $1::timestamptz) AND l.minute < $2 GROUP BY 1, 2
), measured AS (
  SELECT g.market_id, g.market, g.is_active, g.data_type,
         ${lengthMs("g.expected")} AS expected_ms, ${lengthMs("g.expected * g.covered")} AS covered_ms, ${lengthMs("g.expected * g.void")} AS void_ms,
         CASE WHEN g.data_type = 'trades' THEN coalesce((
           SELECT sum(greatest(1, coalesce(
             (SELECT c.first_id FROM coverage c WHERE c.market_id = g.market_id AND c.data_type = 'trades' AND c.timeframe = '' AND c.start_time >= upper(hole)
                AND c.first_id IS NOT NULL ORDER BY c.start_time LIMIT 1)
             - (SELECT c.last_id FROM coverage c WHERE c.market_id = g.market_id AND c.data_type = 'trades' AND c.timeframe = '' AND c.end_time <= lower(hole)
                AND c.last_id IS NOT NULL ORDER BY c.start_time DESC LIMIT 1) - 1, 1)))
           FROM unnest(g.expected - g.covered - g.void) AS hole), 0)::float8 ELSE 0 END AS missing_ids,
         coalesce(t.stored, 0) AS stored, ${sums},
         (SELECT array_agg(n ORDER BY i) FROM (
            SELECT i, sum(c)::float8 AS n FROM live_minutes l, unnest(l.lag_counts) WITH ORDINALITY AS u (c, i)
            WHERE l.market_id = g.market_id AND l.data_type = g.data_type AND l.minute >= date_trunc('minute', $1::timestamptz) AND l.minute < $2 GROUP BY i
          ) lags) AS lag_counts,
         (SELECT jsonb_agg(h) FROM (
            SELECT extract(epoch FROM lower(hole)) * 1000 AS start_ms, extract(epoch FROM upper(hole)) * 1000 AS end_ms, l.reason, l.detail
            FROM unnest(g.expected - g.covered - g.void) AS hole
            LEFT JOIN LATERAL (SELECT reason, detail FROM gap_log l WHERE l.market_id = g.market_id AND l.data_type = g.data_type AND l.timeframe = ''
              AND l.start_time < upper(hole) AND l.end_time > lower(hole) ORDER BY l.start_time LIMIT 1) l ON true
            ORDER BY lower(hole) DESC LIMIT ${HOLES_LISTED}
          ) h) AS holes
  FROM ledger g LEFT JOIN tallies t USING (market_id, data_type)
)
SELECT *, CASE WHEN expected_ms > 0 THEN CASE data_type
    WHEN 'trades' THEN calculate_quality_score(greatest(stored, 1)::bigint, missing_ids::bigint, 0, 0, 0, 0)
    ELSE calculate_quality_score((covered_ms)::bigint, greatest(0, expected_ms - covered_ms - void_ms)::bigint, 0, 0, 0, 0) END END AS score
FROM measured WHERE expected_ms > 0 ORDER BY market, data_type DESC`;
