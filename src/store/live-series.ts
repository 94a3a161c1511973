// The series of trades and order books in the ledger: their locks, what is expected of them, and the gaps on record. They
// have no timeframe, and what they should hold grows with what is committed: a time between two sessions, or a batch that
// was lost on the way, is a gap without anybody saying so.
import type { PoolClient } from "pg";
import type { Rejection } from "../core/model/candle-batch.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { storableText } from "./storable-text.js";

export type LiveDataType = "trades" | "orderbook";

type Client = Pick<PoolClient, "query">;

/** What a commit says of one series. */
export interface LiveSpeech {
  readonly marketId: number;
  /** The hull of everything its batches speak about; undefined when they only hold counts. */
  readonly hull: TimeRange | undefined;
}

/** A gap as the log keeps it. */
export interface LiveGap extends TimeRange {
  readonly marketId: number;
  readonly reason: string;
  readonly detail: string;
  /** Undefined where asking is of no use. */
  readonly nextAskMs: number | undefined;
  readonly foundMs: number;
}

const DETAIL_CHARS_MAX = 2_000;
const RAW_CHARS_MAX = 16_384;

/** A detail as it is stored: it may quote what an exchange has sent. */
export function storedDetail(detail: string): string {
  return storableText(detail.slice(0, DETAIL_CHARS_MAX));
}

/** Makes the series' rows and takes their locks, in order. */
export async function lockLiveSeries(
  client: Client,
  dataType: LiveDataType,
  marketIds: readonly number[],
): Promise<void> {
  await client.query(
    `INSERT INTO series (market_id, data_type) SELECT id, $1 FROM unnest($2::int[]) AS m (id) ORDER BY id
     ON CONFLICT DO NOTHING`,
    [dataType, marketIds],
  );
  await client.query(
    `SELECT 1 FROM series WHERE data_type = $1 AND timeframe = '' AND market_id = ANY ($2) ORDER BY market_id FOR UPDATE`,
    [dataType, marketIds],
  );
}

/**
 * What a series should hold grows to the end of what was said, from where it had been followed, or from the first word. What
 * lies wholly before that (a repair, a backfill) is expected in itself.
 */
export async function growExpectation(
  client: Client,
  dataType: LiveDataType,
  speeches: readonly LiveSpeech[],
): Promise<void> {
  const spoken = speeches.flatMap(({ marketId, hull }) =>
    hull && hull.startMs < hull.endMs ? [{ marketId, ...hull }] : [],
  );
  if (spoken.length === 0) return;
  await client.query(
    `UPDATE series s SET
       expected = s.expected + tstzmultirange(tstzrange(
         CASE WHEN s.collected_to < h.end_time THEN least(h.start_time, s.collected_to) ELSE h.start_time END, h.end_time)),
       collected_to = greatest(s.collected_to, h.end_time)
     FROM unnest($2::int[], $3::timestamptz[], $4::timestamptz[]) AS h (market_id, start_time, end_time)
     WHERE s.market_id = h.market_id AND s.data_type = $1 AND s.timeframe = ''
       AND NOT (s.expected @> tstzrange(h.start_time, h.end_time) AND s.collected_to >= h.end_time)`,
    [
      dataType,
      spoken.map(({ marketId }) => marketId),
      spoken.map(({ startMs }) => formatTime(startMs)),
      spoken.map(({ endMs }) => formatTime(endMs)),
    ],
  );
}

/** Enters gaps; one that is on record with the same bounds is not entered again. */
export async function recordLiveGaps(
  client: Client,
  dataType: LiveDataType,
  gaps: readonly LiveGap[],
): Promise<void> {
  if (gaps.length === 0) return;
  const time = (timeMs: number | undefined): string | null =>
    timeMs === undefined ? null : formatTime(timeMs);
  await client.query(
    `INSERT INTO gap_log (market_id, data_type, timeframe, start_time, end_time, reason, detail, found_at, next_ask_at, last_asked_at, asked)
     SELECT DISTINCT ON (g.market_id, g.start_time, g.end_time)
            g.market_id, $1, '', g.start_time, g.end_time, g.reason, g.detail, g.found_at, g.next_ask_at,
            CASE WHEN g.next_ask_at IS NOT NULL THEN g.found_at END, 0
     FROM unnest($2::int[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
       AS g (market_id, start_time, end_time, reason, detail, found_at, next_ask_at)
     WHERE NOT EXISTS (
       SELECT FROM gap_log l WHERE l.market_id = g.market_id AND l.data_type = $1 AND l.timeframe = ''
         AND l.start_time = g.start_time AND l.end_time = g.end_time)`,
    [
      dataType,
      gaps.map(({ marketId }) => marketId),
      gaps.map(({ startMs }) => formatTime(startMs)),
      gaps.map(({ endMs }) => formatTime(endMs)),
      gaps.map(({ reason }) => reason),
      gaps.map(({ detail }) => storedDetail(detail)),
      gaps.map(({ foundMs }) => formatTime(foundMs)),
      gaps.map(({ nextAskMs }) => time(nextAskMs)),
    ],
  );
}

/** Closes the gaps of these series that coverage holds by now. */
export async function closeLiveGaps(
  client: Client,
  dataType: LiveDataType,
  marketIds: readonly number[],
  atMs: number,
): Promise<void> {
  await client.query(
    `UPDATE gap_log g SET closed_at = $3
     WHERE g.data_type = $1 AND g.timeframe = '' AND g.market_id = ANY ($2) AND g.closed_at IS NULL
       AND tstzmultirange(tstzrange(g.start_time, g.end_time)) <@ (
         SELECT coalesce(range_agg(tstzrange(c.start_time, c.end_time)), '{}') FROM coverage c
         WHERE c.market_id = g.market_id AND c.data_type = $1 AND c.timeframe = '' AND c.start_time < g.end_time AND c.end_time > g.start_time)`,
    [dataType, marketIds, formatTime(atMs)],
  );
}

/** Keeps records that were refused, and frames nobody could read. */
export async function recordLiveRejections(
  client: Client,
  dataType: LiveDataType,
  rejections: readonly (Rejection & { readonly marketId: number; readonly source: string })[],
): Promise<void> {
  if (rejections.length === 0) return;
  await client.query(
    `INSERT INTO quarantine AS q (market_id, data_type, timeframe, source, open_time, rule, detail, raw, occurrences)
     SELECT market_id, $1, '', min(source), min(open_time), rule, min(detail), raw, count(*)
     FROM unnest($2::int[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
       AS r (market_id, source, open_time, rule, detail, raw)
     GROUP BY market_id, rule, raw
     ON CONFLICT (market_id, data_type, timeframe, rule, raw_digest)
     DO UPDATE SET occurrences = q.occurrences + EXCLUDED.occurrences, last_seen_at = now()`,
    [
      dataType,
      rejections.map(({ marketId }) => marketId),
      rejections.map(({ source }) => source),
      rejections.map(({ openTimeMs }) => (isStorable(openTimeMs) ? formatTime(openTimeMs) : null)),
      rejections.map(({ rule }) => rule),
      rejections.map(({ detail }) => storedDetail(detail)),
      rejections.map(({ raw }) => storableText(raw.slice(0, RAW_CHARS_MAX))),
    ],
  );
}

function isStorable(timeMs: number | undefined): timeMs is number {
  return timeMs !== undefined && Math.abs(timeMs) < 8.64e15 / 1_000;
}

/** The range from the first to the last of these; undefined without any. */
export function hullOfRanges(ranges: readonly TimeRange[]): TimeRange | undefined {
  if (ranges.length === 0) return undefined;
  return {
    startMs: Math.min(...ranges.map(({ startMs }) => startMs)),
    endMs: Math.max(...ranges.map(({ endMs }) => endMs)),
  };
}
