// The history of gaps: found, asked for, closed. Which gaps there are now is not kept here but follows from the series'
// expectation and its coverage; this says why they are there and when to ask again.
import type { ClientBase } from "pg";
import type { GapReason, MissingRange } from "../core/model/candle-batch.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { timeframeMs, type Timeframe } from "../core/timeframe.js";
import { planGapLog } from "./gap-log-plan.js";
import { storableText } from "./storable-text.js";
import type { OpenGap } from "./store.js";

/** An exchange's error text may be a whole page of HTML. */
const DETAIL_CHARS_MAX = 2_000;

interface SeriesKey {
  readonly marketId: number;
  readonly timeframe: Timeframe;
}

/** The open entries of a series, by start; only those that overlap or touch `around`, if that is given. */
export async function loadOpenGaps(
  client: Pick<ClientBase, "query">,
  key: SeriesKey,
  around?: TimeRange,
): Promise<OpenGap[]> {
  const { rows } = await client.query<{
    id: number;
    start_time: number;
    end_time: number;
    reason: GapReason;
    detail: string;
    found_at: number;
    last_asked_at: number | null;
    next_ask_at: number | null;
    asked: number;
  }>(
    `SELECT id, start_time, end_time, reason, detail, found_at, last_asked_at, next_ask_at, asked FROM gap_log
     WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2 AND closed_at IS NULL
       AND start_time <= coalesce($4::timestamptz, 'infinity') AND end_time >= coalesce($3::timestamptz, '-infinity') ORDER BY start_time`,
    [
      key.marketId,
      key.timeframe,
      around ? formatTime(around.startMs) : null,
      around ? formatTime(around.endMs) : null,
    ],
  );
  return rows.map((row) => ({
    id: row.id,
    startMs: row.start_time,
    endMs: row.end_time,
    reason: row.reason,
    detail: row.detail,
    foundMs: row.found_at,
    lastAskedMs: row.last_asked_at ?? undefined,
    nextAskMs: row.next_ask_at ?? undefined,
    asked: row.asked,
  }));
}

/** Enters what an answer left missing; see gap-log-plan.ts for what becomes of the entries on record. */
export async function recordMissing(
  client: ClientBase,
  key: SeriesKey,
  answer: { missing: readonly MissingRange[]; proven: readonly TimeRange[]; atMs: number },
): Promise<void> {
  const around = {
    startMs: Math.min(...answer.missing.map((range) => range.startMs)),
    endMs: Math.max(...answer.missing.map((range) => range.endMs)),
  };
  const { removed, put } = planGapLog(await loadOpenGaps(client, key, around), answer);
  const replaced = [...removed, ...put.flatMap((entry) => entry.id ?? [])];
  if (replaced.length > 0)
    await client.query("DELETE FROM gap_log WHERE id = ANY ($1::bigint[])", [replaced]);
  if (put.length === 0) return;
  const time = (timeMs: number | undefined): string | null =>
    timeMs === undefined ? null : formatTime(timeMs);
  await client.query(
    `INSERT INTO gap_log (id, market_id, data_type, timeframe, start_time, end_time, reason, detail, found_at, asked, last_asked_at, next_ask_at)
     OVERRIDING SYSTEM VALUE
     SELECT coalesce(id, nextval(pg_get_serial_sequence('gap_log', 'id'))), $1, 'ohlcv', $2, start_time, end_time, reason, detail, found_at, asked, last_asked_at, next_ask_at
     FROM unnest($3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::timestamptz[], $9::int[], $10::timestamptz[], $11::timestamptz[])
       AS e (id, start_time, end_time, reason, detail, found_at, asked, last_asked_at, next_ask_at)`,
    [
      key.marketId,
      key.timeframe,
      put.map((entry) => entry.id ?? null),
      put.map((entry) => formatTime(entry.startMs)),
      put.map((entry) => formatTime(entry.endMs)),
      put.map((entry) => entry.reason),
      put.map((entry) => storableText(entry.detail.slice(0, DETAIL_CHARS_MAX))),
      put.map((entry) => formatTime(entry.foundMs)),
      put.map((entry) => entry.asked),
      put.map((entry) => time(entry.lastAskedMs)),
      put.map((entry) => time(entry.nextAskMs)),
    ],
  );
}

/** Closes every entry within `around` whose range is wholly stored or void by now, and says how much of it was which. */
export async function closeFilledGaps(
  client: ClientBase,
  key: SeriesKey,
  { around, atMs }: { around: TimeRange; atMs: number },
): Promise<void> {
  await client.query(
    `UPDATE gap_log g SET closed_at = $3, void_records = filled.void_ms / $4, repaired_records = filled.stored_ms / $4
     FROM (
       SELECT g.id, coalesce(sum(part.ms) FILTER (WHERE part.evidence = 'exchange_void'), 0)::bigint AS void_ms,
              coalesce(sum(part.ms) FILTER (WHERE part.evidence <> 'exchange_void'), 0)::bigint AS stored_ms,
              (extract(epoch FROM g.end_time - g.start_time) * 1000)::bigint AS wanted_ms
       FROM gap_log g CROSS JOIN LATERAL (
         SELECT c.evidence, extract(epoch FROM least(c.end_time, g.end_time) - greatest(c.start_time, g.start_time)) * 1000 AS ms
         FROM coverage c
         WHERE c.market_id = g.market_id AND c.data_type = g.data_type AND c.timeframe = g.timeframe
           AND c.start_time < g.end_time AND c.end_time > g.start_time
       ) part
       WHERE g.market_id = $1 AND g.data_type = 'ohlcv' AND g.timeframe = $2 AND g.closed_at IS NULL
         AND g.start_time < $6 AND g.end_time > $5
       GROUP BY g.id
     ) filled
     WHERE g.id = filled.id AND filled.void_ms + filled.stored_ms = filled.wanted_ms`,
    [
      key.marketId,
      key.timeframe,
      formatTime(atMs),
      timeframeMs(key.timeframe),
      formatTime(around.startMs),
      formatTime(around.endMs),
    ],
  );
}
