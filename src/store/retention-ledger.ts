// What dropping rows for their age needs, whatever they are: the events that keep them, and the ledger's words of what is gone.
import type { ClientBase } from "pg";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { Database } from "./database.js";
import type { TaskQueue } from "./task-queue.js";

type Client = Pick<ClientBase, "query">;

export interface CriticalEvent extends TimeRange {
  /** Undefined for all markets. */
  readonly marketId: number | undefined;
}

export interface RetentionHands {
  readonly database: Database;
  readonly tasks: TaskQueue;
  /** Our tables that are hypertables. */
  readonly hypertables: readonly string[];
  readonly hasAggregates: boolean;
  /** Brings the continuous aggregates up to date. */
  readonly refresh: () => Promise<unknown>;
  readonly signal: AbortSignal;
}

/** Nobody enters an event while rows are dropped. */
export async function lockEvents(client: Client): Promise<CriticalEvent[]> {
  await client.query("LOCK TABLE critical_events IN SHARE MODE");
  const { rows } = await client.query<{ market_id: number | null; start_time: number; end_time: number }>(
    "SELECT market_id, start_time, end_time FROM critical_events",
  );
  return rows.map((row) => ({
    marketId: row.market_id ?? undefined,
    startMs: row.start_time,
    endMs: row.end_time,
  }));
}

/** A dropped range is no longer expected, fetched or missing, and is entered in the log. Coverage is cut by the caller. */
export async function takeOutOfLedger(
  client: Client,
  key: { readonly marketId: number; readonly dataType: string; readonly timeframe: string },
  dropped: TimeRange & { rows: number; nowMs: number },
): Promise<void> {
  const range = [
    key.marketId,
    key.timeframe,
    formatTime(dropped.startMs),
    formatTime(dropped.endMs),
    key.dataType,
  ];
  await client.query(
    `UPDATE series SET expected = expected - tstzmultirange(tstzrange($3, $4))
     WHERE market_id = $1 AND data_type = $5 AND timeframe = $2`,
    range,
  );
  // Nor is it to be fetched any more.
  await client.query(
    `DELETE FROM backfill_tasks WHERE market_id = $1 AND data_type = $5 AND timeframe = $2
       AND start_time >= $3 AND end_time <= $4 AND status = 'pending'`,
    range,
  );
  // An open gap that is no longer expected is closed; one that reaches beyond stays open where it does.
  await client.query(
    `WITH cut AS (
       UPDATE gap_log SET closed_at = $6, start_time = greatest(start_time, $3), end_time = least(end_time, $4)
       FROM (SELECT id AS old_id, start_time AS old_start, end_time AS old_end FROM gap_log) old
       WHERE id = old_id AND market_id = $1 AND data_type = $5 AND timeframe = $2 AND closed_at IS NULL
         AND start_time < $4 AND end_time > $3
       RETURNING gap_log.*, old_start, old_end
     )
     INSERT INTO gap_log (start_time, end_time, found_at, last_asked_at, next_ask_at, market_id, asked, data_type, timeframe, reason, detail)
     SELECT lower(part), upper(part), found_at, last_asked_at, next_ask_at, market_id, asked, data_type, timeframe, reason, detail
     FROM cut, unnest(tstzmultirange(tstzrange(old_start, old_end)) - tstzmultirange(tstzrange($3, $4))) AS part`,
    [...range, formatTime(dropped.nowMs)],
  );
  await client.query(
    `INSERT INTO retention_log (market_id, timeframe, start_time, end_time, data_type, rows, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [...range, dropped.rows, formatTime(dropped.nowMs)],
  );
}
