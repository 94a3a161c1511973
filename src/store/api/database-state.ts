// How large the database is, and what it holds, in numbers.
import type { Pool } from "pg";
import { formatTime } from "../../core/time.js";

export interface DatabaseState {
  readonly bytes: number;
  readonly tables: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly rows: number | undefined;
  }[];
  readonly bans: readonly { readonly host: string; readonly untilMs: number; readonly reason: string }[];
  readonly tasks: { readonly pending: number; readonly running: number; readonly failed: number };
  readonly errors: readonly { readonly kind: string; readonly count: number; readonly lastMs: number }[];
}

const TABLES = [
  "ohlcv",
  "trades",
  "orderbook_snapshots",
  "orderbook_deltas",
  "coverage",
  "gap_log",
  "data_quality_summary",
  "backfill_tasks",
  "api_error_logs",
  "quarantine",
];

/** @param hasTimescale the tables may be hypertables, whose rows lie elsewhere */
export async function readDatabaseState(
  pool: Pool,
  { sinceMs, nowMs, hasTimescale }: { sinceMs: number; nowMs: number; hasTimescale: boolean },
): Promise<DatabaseState> {
  const bytes = hasTimescale
    ? `coalesce((SELECT hypertable_size(format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass)
        FROM timescaledb_information.hypertables h WHERE h.hypertable_name = t.name), pg_total_relation_size(t.name::regclass))`
    : "pg_total_relation_size(t.name::regclass)";
  // An estimate: a count of billions of rows would take minutes.
  const rows = hasTimescale
    ? "approximate_row_count(t.name::regclass)"
    : "(SELECT nullif(reltuples, -1) FROM pg_class WHERE oid = t.name::regclass)";
  const [size, tables, bans, tasks, errors] = await Promise.all([
    pool.query<{ bytes: number }>("SELECT pg_database_size(current_database())::float8 AS bytes"),
    pool.query<{ name: string; bytes: number; rows: number | null }>(
      `SELECT t.name, (${bytes})::float8 AS bytes, (${rows})::float8 AS rows FROM unnest($1::text[]) AS t (name) ORDER BY 2 DESC`,
      [TABLES],
    ),
    pool.query<{ host: string; until_ms: number; reason: string }>(
      "SELECT host, (extract(epoch FROM until) * 1000)::float8 AS until_ms, reason FROM exchange_bans WHERE until > $1 ORDER BY until DESC LIMIT 100",
      [formatTime(nowMs)],
    ),
    pool.query<{ status: "pending" | "running" | "failed"; count: number }>(
      "SELECT status, count(*)::float8 AS count FROM backfill_tasks WHERE status IN ('pending', 'running', 'failed') GROUP BY status",
    ),
    pool.query<{ kind: string; count: number; last_ms: number }>(
      `SELECT error_type AS kind, sum(greatest(suppressed, 1))::float8 AS count, (extract(epoch FROM max("timestamp")) * 1000)::float8 AS last_ms
       FROM api_error_logs WHERE "timestamp" >= $1 GROUP BY error_type ORDER BY count DESC`,
      [formatTime(sinceMs)],
    ),
  ]);
  const countOf = (status: string): number => tasks.rows.find((row) => row.status === status)?.count ?? 0;
  return {
    bytes: size.rows[0]?.bytes ?? 0,
    tables: tables.rows.map((row) => ({ name: row.name, bytes: row.bytes, rows: row.rows ?? undefined })),
    bans: bans.rows.map((row) => ({ host: row.host, untilMs: row.until_ms, reason: row.reason })),
    tasks: { pending: countOf("pending"), running: countOf("running"), failed: countOf("failed") },
    errors: errors.rows.map((row) => ({ kind: row.kind, count: row.count, lastMs: row.last_ms })),
  };
}
