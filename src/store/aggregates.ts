// Keeps the continuous aggregates right where their policies do not look: changes of old minutes, which every commit enters
// in `stale_aggregates`, and whatever the policies have left behind. Time that retention has dropped is never refreshed,
// for that would delete the aggregates' rows.
//
// 1. Read the entries, and what lies between `aggregate_progress` and yesterday.
// 2. For each view: widen these ranges to whole buckets, take away those that touch dropped time, refresh the rest.
// 3. Remove the entries read in 1. A program that dies before has refreshed in vain, and the next one does it again.
import type { ClientBase } from "pg";
import { mergeRanges, subtractRanges, type TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { ceilToTimeframe, floorToTimeframe, type Timeframe } from "../core/timeframe.js";
import { AGGREGATE_VIEWS } from "./aggregate-views.js";
import { errorCode } from "./database-error.js";

type Client = Pick<ClientBase, "query">;

/** Entries taken at once: one a commit, so this is a backfill of fifty million candles. */
const ENTRIES_MAX = 10_000;
/** A second apart: a refresh of years takes about so long. */
const ATTEMPTS_MAX = 60;
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Refreshes what is stale. Without continuous aggregates there is nothing to do.
 * @param client outside a transaction
 * @returns the ranges of minutes that were looked at, in order
 */
export async function refreshAggregates(client: Client, signal: AbortSignal): Promise<TimeRange[]> {
  if (!(await hasAggregates(client))) return [];
  const refreshed: TimeRange[] = [];
  const behind = await readProgress(client);
  const dropped = await readDropped(client);
  const options = await refreshOptions(client);
  for (;;) {
    signal.throwIfAborted();
    const entries = await readEntries(client);
    const wanted = mergeRanges([...entries.ranges, ...(refreshed.length === 0 ? behind.ranges : [])]);
    for (const { view, timeframe } of AGGREGATE_VIEWS) {
      for (const { startMs, endMs } of subtractRanges(
        toBuckets(wanted, timeframe),
        toBuckets(dropped, timeframe),
      )) {
        signal.throwIfAborted();
        await callRefresh(
          client,
          `CALL refresh_continuous_aggregate('${view}', '${formatTime(startMs)}', '${formatTime(endMs)}'${options})`,
        );
      }
    }
    await client.query("DELETE FROM stale_aggregates WHERE id = ANY ($1::bigint[])", [entries.ids]);
    refreshed.push(...wanted);
    if (entries.ids.length < ENTRIES_MAX) break;
  }
  if (behind.toMs !== undefined) {
    await client.query(
      "UPDATE aggregate_progress SET refreshed_to = greatest(refreshed_to, $1::timestamptz)",
      [formatTime(behind.toMs)],
    );
  }
  return mergeRanges(refreshed);
}

/** Waits while a policy, or another program, refreshes the same range. */
async function callRefresh(client: Client, statement: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query(statement);
      return;
    } catch (error) {
      if (errorCode(error) !== LOCK_NOT_AVAILABLE || attempt === ATTEMPTS_MAX) throw error;
      await client.query("SELECT pg_sleep(1)");
    }
  }
}

async function hasAggregates(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ has_aggregates: boolean }>(
    "SELECT EXISTS (SELECT FROM aggregate_progress) AS has_aggregates",
  );
  return rows[0]?.has_aggregates ?? false;
}

/** What lies between the last refresh and yesterday; nothing when that is less than a day. */
async function readProgress(client: Client): Promise<{ ranges: TimeRange[]; toMs: number | undefined }> {
  const { rows } = await client.query<{ from_time: number | null; to_time: number }>(
    `SELECT CASE WHEN first.expected IS NOT NULL THEN greatest(p.refreshed_to, first.expected) END AS from_time, now() - INTERVAL '1 day' AS to_time
     FROM aggregate_progress p
     CROSS JOIN (SELECT min(lower(expected)) AS expected FROM series WHERE data_type = 'ohlcv' AND timeframe = '1m') first
     WHERE p.refreshed_to < now() - INTERVAL '2 days'`,
  );
  const [row] = rows;
  if (!row) return { ranges: [], toMs: undefined };
  return {
    ranges: row.from_time === null ? [] : [{ startMs: row.from_time, endMs: row.to_time }],
    toMs: row.to_time,
  };
}

async function readDropped(client: Client): Promise<TimeRange[]> {
  const { rows } = await client.query<{ start_time: number; end_time: number }>(
    `SELECT lower(r) AS start_time, upper(r) AS end_time
     FROM unnest((SELECT range_agg(tstzrange(start_time, end_time)) FROM retention_log WHERE data_type = 'ohlcv' AND timeframe = '1m')) AS r`,
  );
  return rows.map((row) => ({ startMs: row.start_time, endMs: row.end_time }));
}

async function readEntries(client: Client): Promise<{ ids: number[]; ranges: TimeRange[] }> {
  const { rows } = await client.query<{ id: number; start_time: number; end_time: number }>(
    `SELECT id, start_time, end_time FROM stale_aggregates ORDER BY id LIMIT ${ENTRIES_MAX}`,
  );
  return {
    ids: rows.map((row) => row.id),
    ranges: rows.map((row) => ({ startMs: row.start_time, endMs: row.end_time })),
  };
}

function toBuckets(ranges: readonly TimeRange[], timeframe: Timeframe): TimeRange[] {
  return mergeRanges(
    ranges.map(({ startMs, endMs }) => ({
      startMs: floorToTimeframe(startMs, timeframe),
      endMs: ceilToTimeframe(endMs, timeframe),
    })),
  );
}

/** A refresh in one go takes a fortieth of the time of one in small batches; the option came with TimescaleDB 2.21. */
async function refreshOptions(client: Client): Promise<string> {
  const { rows } = await client.query<{ has_options: boolean }>(
    `SELECT 'options' = ANY (proargnames) AS has_options FROM pg_proc WHERE proname = 'refresh_continuous_aggregate'`,
  );
  return rows[0]?.has_options ? `, options => '{"buckets_per_batch": 0}'` : "";
}
