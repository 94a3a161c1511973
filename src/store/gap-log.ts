// The history of gaps: found, asked for, closed. Which gaps there are now is not kept here but follows from the series'
// expectation and its coverage; this says why they are there and when to ask again.
import type { ClientBase } from "pg";
import type { GapReason, MissingRange } from "../core/model/candle-batch.js";
import { subtractRanges } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { OpenGap } from "./store.js";

interface SeriesKey {
  readonly marketId: number;
  readonly timeframe: Timeframe;
}

/** The open entries of a series, by start. */
export async function loadOpenGaps(client: Pick<ClientBase, "query">, key: SeriesKey): Promise<OpenGap[]> {
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
     WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2 AND closed_at IS NULL ORDER BY start_time`,
    [key.marketId, key.timeframe],
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

/** Enters ranges that are missing; a range already on record counts as asked for once more. */
export async function recordMissing(
  client: ClientBase,
  key: SeriesKey,
  missing: readonly MissingRange[],
  atMs: number,
): Promise<void> {
  const open = await loadOpenGaps(client, key);
  for (const range of missing) {
    const again = open.filter((gap) => gap.startMs < range.endMs && gap.endMs > range.startMs);
    if (again.length > 0) {
      await client.query(
        `UPDATE gap_log SET asked = asked + 1, last_asked_at = $2, next_ask_at = $3, reason = $4, detail = $5 WHERE id = ANY ($1::bigint[])`,
        [
          again.map((gap) => gap.id),
          formatTime(atMs),
          formatTime(range.nextAskMs),
          range.reason,
          range.detail,
        ],
      );
    }
    for (const part of subtractRanges([range], open)) {
      // An outage that lasts is one gap that grows, not one for every cycle.
      const growing = open.find((gap) => gap.reason === range.reason && gap.endMs === part.startMs);
      if (growing && range.reason === "fetch_failed") {
        await client.query(
          "UPDATE gap_log SET end_time = $2, last_asked_at = $3, next_ask_at = $4 WHERE id = $1",
          [growing.id, formatTime(part.endMs), formatTime(atMs), formatTime(range.nextAskMs)],
        );
        continue;
      }
      const wasAsked = range.reason !== "not_collected";
      await client.query(
        `INSERT INTO gap_log (market_id, data_type, timeframe, start_time, end_time, reason, detail, found_at, asked, last_asked_at, next_ask_at)
         VALUES ($1, 'ohlcv', $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        [
          key.marketId,
          key.timeframe,
          formatTime(part.startMs),
          formatTime(part.endMs),
          range.reason,
          range.detail,
          formatTime(atMs),
          wasAsked ? 1 : 0,
          wasAsked ? formatTime(atMs) : null,
          formatTime(range.nextAskMs),
        ],
      );
    }
  }
}

/** Closes every entry whose range is wholly stored or void by now, and says how much of it was which. */
export async function closeFilledGaps(client: ClientBase, key: SeriesKey, atMs: number): Promise<void> {
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
       GROUP BY g.id
     ) filled
     WHERE g.id = filled.id AND filled.void_ms + filled.stored_ms = filled.wanted_ms`,
    [key.marketId, key.timeframe, formatTime(atMs), timeframeMs(key.timeframe)],
  );
}
