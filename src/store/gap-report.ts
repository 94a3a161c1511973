// Reads gaps, voids and the state of series from the ledger. Costs by gap and range, never by row.
import type { Pool } from "pg";
import type { GapReason } from "../core/model/candle-batch.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { Gap, GapHistory, SeriesFilter, SeriesKey, SeriesState, Void } from "./store.js";

/** $1 market, $2 timeframe, $3 and $4 the range; each may be null. */
const CHOSEN = `
  chosen AS (
    SELECT s.market_id, s.timeframe, s.collected_to, e.name || ':' || m.symbol AS market,
           s.expected * tstzmultirange(tstzrange($3::timestamptz, $4::timestamptz)) AS wanted
    FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id
    WHERE s.data_type = 'ohlcv' AND ($1::int IS NULL OR s.market_id = $1) AND ($2::text IS NULL OR s.timeframe = $2)
  ), holes AS (
    SELECT c.market_id, c.timeframe, c.market, c.wanted - coalesce(proven.ranges, '{}') AS ranges
    FROM chosen c LEFT JOIN LATERAL (
      SELECT range_agg(tstzrange(v.start_time, v.end_time)) AS ranges FROM coverage v
      WHERE v.market_id = c.market_id AND v.data_type = 'ohlcv' AND v.timeframe = c.timeframe
        AND v.start_time < coalesce($4, 'infinity') AND v.end_time > coalesce($3, '-infinity')
    ) proven ON true
  )`;

function parameters({ marketId, timeframe, range }: SeriesFilter): unknown[] {
  return [
    marketId ?? null,
    timeframe ?? null,
    range ? formatTime(range.startMs) : null,
    range ? formatTime(range.endMs) : null,
  ];
}

function candlesIn(range: TimeRange, timeframe: Timeframe): number {
  return (range.endMs - range.startMs) / timeframeMs(timeframe);
}

/** What is expected in `range` and neither covered nor void. */
export async function readMissing(pool: Pool, key: SeriesKey, range: TimeRange): Promise<TimeRange[]> {
  const { rows } = await pool.query<{ start_time: number; end_time: number }>(
    `WITH ${CHOSEN} SELECT lower(hole) AS start_time, upper(hole) AS end_time FROM holes, unnest(ranges) AS hole ORDER BY 1`,
    parameters({ ...key, range }),
  );
  return rows.map((row) => ({ startMs: row.start_time, endMs: row.end_time }));
}

/** Gaps with what the log knows of them. */
export async function readGaps(pool: Pool, filter: SeriesFilter): Promise<Gap[]> {
  const { rows } = await pool.query<{
    market: string;
    timeframe: Timeframe;
    start_time: number;
    end_time: number;
    reason: GapReason | null;
    detail: string | null;
    found_at: number | null;
    asked: number | null;
    next_ask_at: number | null;
  }>(
    `WITH ${CHOSEN}
     SELECT h.market, h.timeframe, lower(hole) AS start_time, upper(hole) AS end_time, l.reason, l.detail, l.found_at, l.asked, l.next_ask_at
     FROM holes h CROSS JOIN unnest(h.ranges) AS hole
     LEFT JOIN LATERAL (
       SELECT * FROM gap_log g
       WHERE g.market_id = h.market_id AND g.data_type = 'ohlcv' AND g.timeframe = h.timeframe AND g.closed_at IS NULL
         AND g.start_time < upper(hole) AND g.end_time > lower(hole)
       ORDER BY g.last_asked_at DESC NULLS LAST LIMIT 1
     ) l ON true
     ORDER BY h.market, h.timeframe, start_time`,
    parameters(filter),
  );
  return rows.map((row) => {
    const range = { startMs: row.start_time, endMs: row.end_time };
    return {
      ...range,
      market: row.market,
      timeframe: row.timeframe,
      candles: candlesIn(range, row.timeframe),
      reason: row.reason ?? undefined,
      detail: row.detail ?? undefined,
      foundMs: row.found_at ?? undefined,
      asked: row.asked ?? 0,
      nextAskMs: row.next_ask_at ?? undefined,
    };
  });
}

export async function readVoids(pool: Pool, filter: SeriesFilter): Promise<Void[]> {
  const { rows } = await pool.query<{
    market: string;
    timeframe: Timeframe;
    start_time: number;
    end_time: number;
    proven_at: number;
    proof: unknown;
  }>(
    `WITH ${CHOSEN}
     SELECT c.market, c.timeframe, greatest(v.start_time, $3) AS start_time, least(v.end_time, $4) AS end_time, v.proven_at, v.proof
     FROM chosen c JOIN coverage v ON v.market_id = c.market_id AND v.data_type = 'ohlcv' AND v.timeframe = c.timeframe
     WHERE v.evidence = 'exchange_void' AND c.wanted && tstzrange(v.start_time, v.end_time)
     ORDER BY c.market, c.timeframe, start_time`,
    parameters(filter),
  );
  return rows.map((row) => {
    const range = { startMs: row.start_time, endMs: row.end_time };
    return {
      ...range,
      market: row.market,
      timeframe: row.timeframe,
      candles: candlesIn(range, row.timeframe),
      provenMs: row.proven_at,
      proof: row.proof,
    };
  });
}

export async function readSeriesStates(pool: Pool, filter: SeriesFilter): Promise<SeriesState[]> {
  const { rows } = await pool.query<{
    market_id: number;
    market: string;
    timeframe: Timeframe;
    starts: number[];
    ends: number[];
    covered_ms: number;
    void_ms: number;
    gaps: number;
    covered_end: number | null;
    first_hole: number | null;
    collected_to: number | null;
  }>(
    `WITH ${CHOSEN}
     SELECT h.market_id, h.market, h.timeframe,
            (SELECT coalesce(array_agg((extract(epoch FROM lower(r)) * 1000)::float8 ORDER BY r), '{}') FROM unnest(c.wanted) r) AS starts,
            (SELECT coalesce(array_agg((extract(epoch FROM upper(r)) * 1000)::float8 ORDER BY r), '{}') FROM unnest(c.wanted) r) AS ends,
            coalesce(proven.covered_ms, 0)::bigint AS covered_ms, coalesce(proven.void_ms, 0)::bigint AS void_ms,
            (SELECT count(*) FROM unnest(h.ranges)) AS gaps, proven.covered_end, lower(h.ranges) AS first_hole, c.collected_to
     FROM holes h JOIN chosen c USING (market_id, timeframe)
     LEFT JOIN LATERAL (
       SELECT sum(part.ms) FILTER (WHERE v.evidence <> 'exchange_void') AS covered_ms,
              sum(part.ms) FILTER (WHERE v.evidence = 'exchange_void') AS void_ms,
              max(v.end_time) FILTER (WHERE v.evidence <> 'exchange_void') AS covered_end
       FROM coverage v CROSS JOIN LATERAL (
         SELECT extract(epoch FROM least(v.end_time, $4) - greatest(v.start_time, $3)) * 1000 AS ms
       ) part
       WHERE v.market_id = c.market_id AND v.data_type = 'ohlcv' AND v.timeframe = c.timeframe AND part.ms > 0
     ) proven ON true
     ORDER BY h.market, h.timeframe`,
    parameters(filter),
  );
  return rows.map((row) => {
    const lengthMs = timeframeMs(row.timeframe);
    const expected = row.starts.map((startMs, i) => ({ startMs, endMs: row.ends[i] ?? startMs }));
    return {
      marketId: row.market_id,
      market: row.market,
      timeframe: row.timeframe,
      expected,
      expectedCandles: expected.reduce((sum, range) => sum + candlesIn(range, row.timeframe), 0),
      coveredCandles: row.covered_ms / lengthMs,
      voidCandles: row.void_ms / lengthMs,
      gaps: row.gaps,
      completeToMs: row.first_hole ?? expected.at(-1)?.endMs,
      latestCoveredMs: row.covered_end === null ? undefined : row.covered_end - lengthMs,
      collectedToMs: row.collected_to ?? undefined,
    };
  });
}

export async function readGapHistory(pool: Pool): Promise<GapHistory[]> {
  const { rows } = await pool.query<{
    market_id: number;
    market: string;
    timeframe: Timeframe;
    found: number;
    repaired_gaps: number;
    repaired_candles: number;
    void_gaps: number;
    void_candles: number;
    revisions: number;
  }>(
    `SELECT s.market_id, e.name || ':' || m.symbol AS market, s.timeframe, count(g.id) AS found,
            count(g.id) FILTER (WHERE g.repaired_records > 0) AS repaired_gaps, coalesce(sum(g.repaired_records), 0)::bigint AS repaired_candles,
            count(g.id) FILTER (WHERE g.void_records > 0) AS void_gaps, coalesce(sum(g.void_records), 0)::bigint AS void_candles,
            (SELECT count(*) FROM candle_revisions r WHERE r.market_id = s.market_id AND r.timeframe = s.timeframe) AS revisions
     FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id
     LEFT JOIN gap_log g ON g.market_id = s.market_id AND g.data_type = s.data_type AND g.timeframe = s.timeframe
     WHERE s.data_type = 'ohlcv' GROUP BY 1, 2, 3 ORDER BY 2, 3`,
  );
  return rows.map((row) => ({
    marketId: row.market_id,
    market: row.market,
    timeframe: row.timeframe,
    found: row.found,
    repairedGaps: row.repaired_gaps,
    repairedCandles: row.repaired_candles,
    voidGaps: row.void_gaps,
    voidCandles: row.void_candles,
    revisions: row.revisions,
  }));
}
