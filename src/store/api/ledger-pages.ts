// What the API tells of the ledger: gaps and voids, the division of a series' time, and what an answer's range is worth.
import type { Pool } from "pg";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import type { Timeframe } from "../../core/timeframe.js";

export const LEDGER_DATA_TYPES = ["ohlcv", "trades", "orderbook"] as const;
export type LedgerDataType = (typeof LEDGER_DATA_TYPES)[number];

export interface LedgerFilter {
  readonly marketIds: readonly number[] | undefined;
  readonly dataType: LedgerDataType | undefined;
  readonly timeframe: Timeframe | undefined;
  readonly range: TimeRange | undefined;
}

/** The row a page ended with. */
export type LedgerPosition = readonly [
  marketId: number,
  dataType: LedgerDataType,
  timeframe: string,
  startMs: number,
];

export interface AbsenceRow {
  readonly kind: "gap" | "void";
  readonly market_id: number;
  readonly market: string;
  readonly data_type: LedgerDataType;
  /** Empty for trades and books. */
  readonly timeframe: Timeframe | "";
  readonly start_ms: number;
  readonly end_ms: number;
  readonly reason: string | null;
  readonly detail: string | null;
  readonly found_ms: number | null;
  readonly asked: number;
  readonly next_ask_ms: number | null;
  readonly proven_ms: number | null;
  readonly first_id: number | null;
  readonly last_id: number | null;
  readonly task_id: number | null;
  readonly task_status: "pending" | "running" | "completed" | "failed" | null;
}

export interface CoverageRow {
  readonly market_id: number;
  readonly market: string;
  readonly data_type: LedgerDataType;
  readonly timeframe: Timeframe | "";
  readonly start_ms: number;
  readonly end_ms: number;
  readonly state: "covered" | "void" | "gap" | "repairing";
  readonly evidence: string | null;
  readonly proven_ms: number | null;
  readonly first_id: number | null;
  readonly last_id: number | null;
}

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;

/** $1 markets, $2 data type, $3 timeframe, $4 and $5 the range; each may be null. */
const CHOSEN = `
  chosen AS (
    SELECT s.market_id, s.data_type, s.timeframe, e.name || ':' || m.symbol AS market,
           s.expected * tstzmultirange(tstzrange($4::timestamptz, $5::timestamptz)) AS wanted
    FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id
    WHERE ($1::int[] IS NULL OR s.market_id = ANY($1)) AND ($2::text IS NULL OR s.data_type = $2)
      AND ($3::text IS NULL OR s.timeframe = $3)
  ), holes AS (
    SELECT c.market_id, c.data_type, c.timeframe, c.market, lower(hole) AS start_time, upper(hole) AS end_time
    FROM chosen c LEFT JOIN LATERAL (
      SELECT range_agg(tstzrange(v.start_time, v.end_time)) AS ranges FROM coverage v
      WHERE v.market_id = c.market_id AND v.data_type = c.data_type AND v.timeframe = c.timeframe
        AND v.start_time < coalesce($5, 'infinity') AND v.end_time > coalesce($4, '-infinity')
    ) proven ON true
    CROSS JOIN LATERAL unnest(c.wanted - coalesce(proven.ranges, '{}')) AS hole
  ), proven AS (
    SELECT c.market_id, c.data_type, c.timeframe, c.market, greatest(v.start_time, $4) AS start_time, least(v.end_time, $5) AS end_time,
           v.evidence, v.proven_at, v.first_id, v.last_id
    FROM chosen c JOIN coverage v ON v.market_id = c.market_id AND v.data_type = c.data_type AND v.timeframe = c.timeframe
      AND v.start_time < coalesce($5, 'infinity') AND v.end_time > coalesce($4, '-infinity')
    WHERE c.wanted && tstzrange(v.start_time, v.end_time)
  )`;

/** $6 to $9 the position, null at the beginning; $10 the number of rows. */
const PAGED = `
  WHERE $6::int IS NULL OR (r.market_id, r.data_type, r.timeframe, r.start_time) > ($6::int, $7::text, $8::text, $9::timestamptz)
  ORDER BY r.market_id, r.data_type, r.timeframe, r.start_time LIMIT $10`;

/** The newest task that overlaps a hole. */
const TASK = (statuses: string): string => `
  LEFT JOIN LATERAL (
    SELECT t.id, t.status FROM backfill_tasks t
    WHERE t.market_id = r.market_id AND t.data_type = r.data_type AND t.timeframe = r.timeframe AND t.status IN (${statuses})
      AND t.start_time < r.end_time AND t.end_time > r.start_time
    ORDER BY t.id DESC LIMIT 1
  ) task ON true`;

function parameters(filter: LedgerFilter, after: LedgerPosition | undefined, limit: number): unknown[] {
  const { marketIds, dataType, timeframe, range } = filter;
  return [
    marketIds ?? null,
    dataType ?? null,
    timeframe ?? null,
    range ? formatTime(range.startMs) : null,
    range ? formatTime(range.endMs) : null,
    after?.[0] ?? null,
    after?.[1] ?? null,
    after?.[2] ?? null,
    after ? formatTime(after[3]) : null,
    limit,
  ];
}

/** Gaps and voids, by market, data type, timeframe and time. */
export async function readAbsences(
  pool: Pool,
  filter: LedgerFilter & { readonly kind: "gap" | "void" | "all" },
  { after, limit }: { after: LedgerPosition | undefined; limit: number },
): Promise<AbsenceRow[]> {
  const gaps = "SELECT 'gap' AS kind, h.*, NULL::timestamptz AS proven_at FROM holes h";
  const voids = `SELECT 'void' AS kind, p.market_id, p.data_type, p.timeframe, p.market, p.start_time, p.end_time, p.proven_at
    FROM proven p WHERE p.evidence = 'exchange_void'`;
  const rows = { gap: gaps, void: voids, all: `${gaps} UNION ALL ${voids}` }[filter.kind];
  const result = await pool.query<AbsenceRow>(
    `WITH ${CHOSEN}, page AS (SELECT * FROM (${rows}) r ${PAGED})
     SELECT r.kind, r.market_id, r.market, r.data_type, r.timeframe, ${MS("r.start_time")} AS start_ms, ${MS("r.end_time")} AS end_ms,
            l.reason, l.detail, ${MS("l.found_at")} AS found_ms, coalesce(l.asked, 0) AS asked, ${MS("l.next_ask_at")} AS next_ask_ms,
            ${MS("r.proven_at")} AS proven_ms, before.last_id + 1 AS first_id, behind.first_id - 1 AS last_id,
            task.id AS task_id, task.status AS task_status
     FROM page r
     LEFT JOIN LATERAL (
       SELECT * FROM gap_log g
       WHERE r.kind = 'gap' AND g.market_id = r.market_id AND g.data_type = r.data_type AND g.timeframe = r.timeframe
         AND g.closed_at IS NULL AND g.start_time < r.end_time AND g.end_time > r.start_time
       ORDER BY g.last_asked_at DESC NULLS LAST LIMIT 1
     ) l ON true
     LEFT JOIN LATERAL (
       SELECT c.last_id FROM coverage c WHERE r.kind = 'gap' AND r.data_type = 'trades' AND c.market_id = r.market_id
         AND c.data_type = 'trades' AND c.timeframe = '' AND c.end_time <= r.start_time AND c.last_id IS NOT NULL
       ORDER BY c.start_time DESC LIMIT 1
     ) before ON true
     LEFT JOIN LATERAL (
       SELECT c.first_id FROM coverage c WHERE r.kind = 'gap' AND r.data_type = 'trades' AND c.market_id = r.market_id
         AND c.data_type = 'trades' AND c.timeframe = '' AND c.start_time >= r.end_time AND c.first_id IS NOT NULL
       ORDER BY c.start_time LIMIT 1
     ) behind ON true
     ${TASK("'pending', 'running', 'failed'")}
     ORDER BY r.market_id, r.data_type, r.timeframe, r.start_time`,
    parameters(filter, after, limit),
  );
  return result.rows;
}

/** The expected time of series, divided without a rest. */
export async function readCoverage(
  pool: Pool,
  filter: LedgerFilter,
  { after, limit }: { after: LedgerPosition | undefined; limit: number },
): Promise<CoverageRow[]> {
  const { rows } = await pool.query<CoverageRow>(
    `WITH ${CHOSEN}, parts AS (
       SELECT p.market_id, p.data_type, p.timeframe, p.market, p.start_time, p.end_time, p.evidence, p.proven_at, p.first_id, p.last_id FROM proven p
       UNION ALL
       SELECT h.market_id, h.data_type, h.timeframe, h.market, h.start_time, h.end_time, NULL, NULL, NULL, NULL FROM holes h
     ), page AS (SELECT * FROM parts r ${PAGED})
     SELECT r.market_id, r.market, r.data_type, r.timeframe, ${MS("r.start_time")} AS start_ms, ${MS("r.end_time")} AS end_ms,
            CASE WHEN r.evidence = 'exchange_void' THEN 'void' WHEN r.evidence IS NOT NULL THEN 'covered'
                 WHEN task.id IS NOT NULL THEN 'repairing' ELSE 'gap' END AS state,
            r.evidence, ${MS("r.proven_at")} AS proven_ms, r.first_id, r.last_id
     FROM page r ${TASK("'pending', 'running'")}
     ORDER BY r.market_id, r.data_type, r.timeframe, r.start_time`,
    parameters(filter, after, limit),
  );
  return rows;
}

/** How much of a range is proven, and what would change if any of it did. */
export interface RangeState {
  /** The first and last instants expected of the whole series; undefined for a series that nobody has asked for. */
  readonly series: TimeRange | undefined;
  /** Of the range, what is expected and stored, void, neither; ms. */
  readonly coveredMs: number;
  readonly voidMs: number;
  readonly missingMs: number;
  /** Of the series' latest check, 0 to 100. */
  readonly score: number | undefined;
  /** Another one when a row of the range may have changed. */
  readonly version: string;
}

/** A series by its market, data type and timeframe, which is empty for trades and books. */
export interface LedgerKey {
  readonly marketId: number;
  readonly dataType: LedgerDataType;
  readonly timeframe: Timeframe | "";
}

export async function readRangeState(
  pool: Pool,
  { marketId, dataType, timeframe }: LedgerKey,
  range: TimeRange,
): Promise<RangeState> {
  const { rows } = await pool.query<{
    first_ms: number | null;
    last_ms: number | null;
    expected_ms: number;
    covered_ms: number;
    void_ms: number;
    proof: string;
    revised: string;
    score: number | null;
  }>({
    name: "api range state",
    text: `WITH chosen AS (
       SELECT s.expected, s.expected * tstzmultirange(tstzrange($4, $5)) AS wanted FROM series s
       WHERE s.market_id = $1 AND s.data_type = $2 AND s.timeframe = $3
     ), parts AS (
       SELECT v.evidence, v.proven_at, v.records, extract(epoch FROM least(v.end_time, $5) - greatest(v.start_time, $4)) * 1000 AS ms
       FROM coverage v WHERE v.market_id = $1 AND v.data_type = $2 AND v.timeframe = $3 AND v.start_time < $5 AND v.end_time > $4
     )
     SELECT ${MS("lower(c.expected)")} AS first_ms, ${MS("upper(c.expected)")} AS last_ms,
            coalesce((SELECT sum(extract(epoch FROM upper(r) - lower(r)) * 1000) FROM unnest(c.wanted) r), 0)::float8 AS expected_ms,
            coalesce((SELECT sum(ms) FROM parts WHERE evidence <> 'exchange_void'), 0)::float8 AS covered_ms,
            coalesce((SELECT sum(ms) FROM parts WHERE evidence = 'exchange_void'), 0)::float8 AS void_ms,
            coalesce((SELECT count(*) || ' ' || sum(records) || ' ' || max(proven_at) FROM parts), '') AS proof,
            coalesce((SELECT count(*) || ' ' || max(revised_at) FROM candle_revisions v
                      WHERE $2 = 'ohlcv' AND v.market_id = $1 AND v.timeframe = $3 AND v.open_time >= $4 AND v.open_time < $5), '') AS revised,
            (SELECT d.quality_score FROM data_quality_summary d WHERE d.market_id = $1 AND d.data_type = $2 AND d.timeframe = $3
             ORDER BY d.check_time DESC LIMIT 1) AS score
     FROM (SELECT 1) one LEFT JOIN chosen c ON true`,
    values: [marketId, dataType, timeframe, formatTime(range.startMs), formatTime(range.endMs)],
  });
  const [row] = rows;
  if (!row) throw new Error("a query without FROM has no row");
  return {
    series:
      row.first_ms === null || row.last_ms === null
        ? undefined
        : { startMs: row.first_ms, endMs: row.last_ms },
    coveredMs: row.covered_ms,
    voidMs: row.void_ms,
    missingMs: Math.max(0, row.expected_ms - row.covered_ms - row.void_ms),
    score: row.score ?? undefined,
    version: `${row.proof} ${row.revised}`,
  };
}
