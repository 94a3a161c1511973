// Drops what is older than the user keeps. Candles that are dropped leave `series.expected` and `coverage` in the same
// transaction and are entered in `retention_log`: they are neither stored nor missing.
//
// 1. Bring the continuous aggregates up to date: they keep what is dropped here.
// 2. Under TimescaleDB drop whole chunks, each in a transaction of its own under the locks of all series.
// 3. Delete the rest, series by series, some candles at a time, each time under the series' lock.
// 4. Do so with trades and order books (live-retention.ts).
// 5. Delete old rows of the logs.
// Critical events are kept in whole UTC days, and the cut itself lies at a UTC midnight, so that no longer candle loses
// some of its minutes.
import type { ClientBase, PoolClient } from "pg";
import { intersectRanges, subtractRanges, totalMs, type TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { ceilToTimeframe, floorToTimeframe, timeframeMs, type Timeframe } from "../core/timeframe.js";
import { dropLive } from "./live-retention.js";
import { lockEvents, takeOutOfLedger, type CriticalEvent, type RetentionHands } from "./retention-ledger.js";
import type { RetentionOutcome, RetentionPeriods } from "./store.js";

type Client = Pick<ClientBase, "query">;

const DAY_MS = 86_400_000;
/** Younger candles stay whatever is asked: the aggregates' policies refresh them (3 days, see the migration), and repairs are still under way. */
const CANDLES_MIN_MS = 4 * DAY_MS;
/** Candles deleted in one transaction: a month of minutes, a second or two. */
const SLICE_CANDLES_MAX = 50_000;
/** The first time a Date can hold. */
const BEGINNING_MS = -8.64e15;

interface Series {
  readonly marketId: number;
  readonly timeframe: Timeframe;
  readonly expected: readonly TimeRange[];
}

interface Cut {
  readonly cutoffMs: number;
  readonly nowMs: number;
  /** Whether aggregates must have seen minutes before they go. */
  readonly hasAggregates: boolean;
}

/** Runs the numbered steps above; what is done stays done when it is interrupted. */
export async function applyRetention(
  hands: RetentionHands,
  periods: RetentionPeriods,
  nowMs: number,
): Promise<RetentionOutcome> {
  const candles = periods.candlesMs === undefined ? 0 : await dropCandles(hands, periods.candlesMs, nowMs);
  const before = (ageMs: number): string => formatTime(nowMs - ageMs);
  return {
    candles,
    ...(await dropLive(hands, periods, nowMs)),
    qualitySummaries: await dropLog(hands, "data_quality_summary", "check_time", before(periods.qualityMs)),
    errors: await dropLog(hands, "api_error_logs", "timestamp", before(periods.errorsMs)),
    tasks: await hands.tasks.cleanup({ olderThanMs: periods.tasksMs, nowMs }),
  };
}

async function dropCandles(hands: RetentionHands, candlesMs: number, nowMs: number): Promise<number> {
  const { database, signal, hasAggregates } = hands;
  const cutoffMs = floorToTimeframe(nowMs - Math.max(candlesMs, CANDLES_MIN_MS), "1d");
  const cut: Cut = { cutoffMs, nowMs, hasAggregates };
  const doing = "drop old candles";
  await hands.refresh();
  let rows = 0;
  if (hands.hypertables.includes("ohlcv")) {
    for (const chunk of await database.attempt(doing, (pool) => loadChunks(pool, cutoffMs))) {
      signal.throwIfAborted();
      rows += await database.transactionAnew(doing, (client) => dropChunk(client, chunk, cut));
    }
  }
  for (const series of await database.attempt(doing, (pool) => loadSeries(pool))) {
    for (;;) {
      signal.throwIfAborted();
      const dropped = await database.transaction(doing, (client) => dropSlice(client, series, cut));
      if (dropped === undefined) break;
      rows += dropped;
    }
  }
  return rows;
}

/** Drops a chunk that no series needs any longer. */
async function dropChunk(client: PoolClient, chunk: TimeRange, cut: Cut): Promise<number> {
  const events = await lockEvents(client);
  const allSeries = await loadSeries(client, { isLocking: true });
  const parts = allSeries.map((series) => {
    const { timeframe } = series;
    const range = {
      startMs: ceilToTimeframe(chunk.startMs, timeframe),
      endMs: ceilToTimeframe(chunk.endMs, timeframe),
    };
    return { series, range, stays: subtractRanges([range], droppable(series, events, cut)) };
  });
  if (parts.some(({ stays }) => stays.length > 0)) return 0;
  if (await isStale(client, chunk, cut)) return 0;
  let rows = 0;
  for (const { series, range } of parts) {
    for (const dropped of intersectRanges(series.expected, [range])) {
      const count = await countCandles(client, series, dropped);
      await forget(client, series, { ...dropped, rows: count, nowMs: cut.nowMs });
      rows += count;
    }
  }
  await client.query(
    "SELECT drop_chunks('ohlcv', older_than => $1::timestamptz, newer_than => $2::timestamptz)",
    [formatTime(chunk.endMs), formatTime(chunk.startMs)],
  );
  return rows;
}

/** Deletes the oldest candles of a series that may go; undefined when there are none. */
async function dropSlice(client: PoolClient, key: Series, cut: Cut): Promise<number | undefined> {
  const events = await lockEvents(client);
  const [series] = await loadSeries(client, { isLocking: true, key });
  if (!series) return undefined;
  const [oldest] = intersectRanges(series.expected, droppable(series, events, cut));
  if (!oldest) return undefined;
  const sliceMs = SLICE_CANDLES_MAX * timeframeMs(series.timeframe);
  const range = { startMs: oldest.startMs, endMs: Math.min(oldest.endMs, oldest.startMs + sliceMs) };
  if (series.timeframe === "1m" && (await isStale(client, range, cut))) return undefined;
  const { rowCount } = await client.query(
    "DELETE FROM ohlcv WHERE market_id = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4",
    [series.marketId, series.timeframe, formatTime(range.startMs), formatTime(range.endMs)],
  );
  await forget(client, series, { ...range, rows: rowCount ?? 0, nowMs: cut.nowMs });
  return rowCount ?? 0;
}

/** What of a series is old enough and in no critical event: whole candles. */
function droppable(
  { marketId, timeframe }: Series,
  events: readonly CriticalEvent[],
  { cutoffMs }: Cut,
): TimeRange[] {
  const kept = events
    .filter((event) => event.marketId === undefined || event.marketId === marketId)
    .map(({ startMs, endMs }) => ({
      startMs: floorToTimeframe(floorToTimeframe(startMs, "1d"), timeframe),
      endMs: ceilToTimeframe(ceilToTimeframe(endMs, "1d"), timeframe),
    }));
  return subtractRanges([{ startMs: BEGINNING_MS, endMs: floorToTimeframe(cutoffMs, timeframe) }], kept);
}

/** Takes a dropped range of one series out of everything that speaks of it. */
async function forget(
  client: Client,
  { marketId, timeframe }: Series,
  dropped: TimeRange & { rows: number; nowMs: number },
): Promise<void> {
  const range = [marketId, timeframe, formatTime(dropped.startMs), formatTime(dropped.endMs)];
  await client.query(
    "DELETE FROM candle_revisions WHERE market_id = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4",
    range,
  );
  await client.query(
    `WITH cut AS (
       DELETE FROM coverage WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2 AND start_time < $4 AND end_time > $3
       RETURNING *
     )
     INSERT INTO coverage (start_time, end_time, proven_at, records, market_id, data_type, timeframe, evidence, proof)
     SELECT lower(part), upper(part), proven_at,
            CASE evidence WHEN 'exchange_void' THEN 0 ELSE extract(epoch FROM upper(part) - lower(part)) * 1000 / $5 END,
            market_id, data_type, timeframe, evidence, proof
     FROM cut, unnest(tstzmultirange(tstzrange(start_time, end_time)) - tstzmultirange(tstzrange($3, $4))) AS part`,
    [...range, timeframeMs(timeframe)],
  );
  await takeOutOfLedger(client, { marketId, dataType: "ohlcv", timeframe }, dropped);
}

/** The series of candles, in the order in which commits lock them. */
async function loadSeries(
  client: Client,
  { isLocking = false, key }: { isLocking?: boolean; key?: Series } = {},
): Promise<Series[]> {
  const { rows } = await client.query<{
    market_id: number;
    timeframe: Timeframe;
    starts: number[];
    ends: number[];
  }>(
    `SELECT market_id, timeframe,
            array(SELECT (extract(epoch FROM lower(r)) * 1000)::float8 FROM unnest(expected) r ORDER BY r) AS starts,
            array(SELECT (extract(epoch FROM upper(r)) * 1000)::float8 FROM unnest(expected) r ORDER BY r) AS ends
     FROM series WHERE data_type = 'ohlcv' AND market_id = coalesce($1, market_id) AND timeframe = coalesce($2, timeframe)
     ORDER BY market_id, timeframe ${isLocking ? "FOR UPDATE" : ""}`,
    [key?.marketId ?? null, key?.timeframe ?? null],
  );
  return rows.map((row) => ({
    marketId: row.market_id,
    timeframe: row.timeframe,
    expected: row.starts.map((startMs, i) => ({ startMs, endMs: row.ends[i] ?? startMs })),
  }));
}

async function loadChunks(client: Client, cutoffMs: number): Promise<TimeRange[]> {
  const { rows } = await client.query<{ range_start: number; range_end: number }>(
    `SELECT range_start, range_end FROM timescaledb_information.chunks
     WHERE hypertable_schema = current_schema() AND hypertable_name = 'ohlcv' AND range_end <= $1 ORDER BY range_start`,
    [formatTime(cutoffMs)],
  );
  return rows.map((row) => ({ startMs: row.range_start, endMs: row.range_end }));
}

/** Whether the aggregates do not show all of a range yet; then it stays until the next time. */
async function isStale(client: Client, range: TimeRange, { hasAggregates }: Cut): Promise<boolean> {
  if (!hasAggregates) return false;
  const { rows } = await client.query<{ is_stale: boolean }>(
    `SELECT EXISTS (SELECT FROM stale_aggregates WHERE start_time < $2 AND end_time > $1)
         OR NOT EXISTS (SELECT FROM aggregate_progress WHERE refreshed_to >= $2) AS is_stale`,
    [formatTime(range.startMs), formatTime(range.endMs)],
  );
  return rows[0]?.is_stale ?? true;
}

async function countCandles(client: Client, series: Series, range: TimeRange): Promise<number> {
  if (totalMs([range]) === 0) return 0;
  const { rows } = await client.query<{ count: number }>(
    "SELECT count(*) FROM ohlcv WHERE market_id = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4",
    [series.marketId, series.timeframe, formatTime(range.startMs), formatTime(range.endMs)],
  );
  return rows[0]?.count ?? 0;
}

async function dropLog(
  { database, hypertables }: RetentionHands,
  table: "data_quality_summary" | "api_error_logs",
  column: "check_time" | "timestamp",
  before: string,
): Promise<number> {
  return database.transaction(`drop old rows of ${table}`, async (client) => {
    if (!hypertables.includes(table))
      return (await client.query(`DELETE FROM ${table} WHERE ${column} < $1`, [before])).rowCount ?? 0;
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*) FROM ${table} WHERE ${column} < $1`,
      [before],
    );
    await client.query("SELECT drop_chunks($1::regclass, older_than => $2::timestamptz)", [table, before]);
    await client.query(`DELETE FROM ${table} WHERE ${column} < $1`, [before]);
    return rows[0]?.count ?? 0;
  });
}
