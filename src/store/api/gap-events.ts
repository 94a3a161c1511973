// What has happened in the gap log since somebody looked: entries that are new, and what became of those that were open.
import type { Pool } from "pg";
import type { LedgerDataType } from "./ledger-pages.js";
import type { Timeframe } from "../../core/timeframe.js";

export interface GapLogRow {
  readonly id: number;
  readonly market_id: number;
  readonly market: string;
  readonly data_type: LedgerDataType;
  readonly timeframe: Timeframe | "";
  readonly start_ms: number;
  readonly end_ms: number;
  readonly reason: string;
  readonly detail: string;
  readonly found_ms: number;
  readonly asked: number;
  readonly next_ask_ms: number | null;
  readonly closed_ms: number | null;
  readonly repaired_records: number;
  readonly void_records: number;
}

const MS = (column: string): string => `(extract(epoch FROM ${column}) * 1000)::float8`;
const ROWS = `SELECT g.id, g.market_id, e.name || ':' || m.symbol AS market, g.data_type, g.timeframe, ${MS("g.start_time")} AS start_ms,
    ${MS("g.end_time")} AS end_ms, g.reason, g.detail, ${MS("g.found_at")} AS found_ms, g.asked, ${MS("g.next_ask_at")} AS next_ask_ms,
    ${MS("g.closed_at")} AS closed_ms, g.repaired_records, g.void_records
  FROM gap_log g JOIN markets m ON m.id = g.market_id JOIN exchanges e ON e.id = m.exchange_id`;

/** The newest id, and the ids of the newest open entries. */
export async function readGapLogEnd(
  pool: Pool,
  openMax: number,
): Promise<{ lastId: number; openIds: number[] }> {
  const { rows } = await pool.query<{ last_id: number; open_ids: number[] }>(
    `SELECT coalesce((SELECT max(id) FROM gap_log), 0)::float8 AS last_id,
            coalesce((SELECT array_agg(id::float8) FROM (SELECT id FROM gap_log WHERE closed_at IS NULL ORDER BY id DESC LIMIT $1) o), '{}') AS open_ids`,
    [openMax],
  );
  const [row] = rows;
  return { lastId: row?.last_id ?? 0, openIds: row?.open_ids ?? [] };
}

/** Entries after `lastId`, and those of `openIds` that are closed now; ascending. */
export async function readGapLogSince(
  pool: Pool,
  { lastId, openIds, limit }: { lastId: number; openIds: readonly number[]; limit: number },
): Promise<GapLogRow[]> {
  const { rows } = await pool.query<GapLogRow>(
    `SELECT * FROM (${ROWS} WHERE g.id > $1 ORDER BY g.id LIMIT $3) news
     UNION ALL
     SELECT * FROM (${ROWS} WHERE g.id = ANY($2::bigint[]) AND g.closed_at IS NOT NULL) closed ORDER BY id`,
    [lastId, openIds, limit],
  );
  return rows;
}
