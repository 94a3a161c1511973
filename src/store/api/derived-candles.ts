// Longer candles made of stored minutes, for the API: of every minute of a bucket, or not at all. They are reckoned from
// the minutes themselves and not from the views ohlcv_5m to ohlcv_1d: those have buckets that are not whole, lag behind a
// repair where they are continuous aggregates, and where they are not, a page of them would read the whole market.
//
// 1. Coverage says where every minute is stored or proven void: its ranges, joined, hold the whole buckets.
// 2. A bucket in which all minutes are void has no candle, as a void minute has none.
// 3. The rows of one page of buckets are added up, along the primary key.
import type { Pool } from "pg";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import { ceilToTimeframe, timeframeMs, TIMEFRAMES, type Timeframe } from "../../core/timeframe.js";
import { CANDLE_LINES, US, type RowPage, type RowPageRequest } from "./row-pages.js";

/** What longer candles are made of. */
export const DERIVED_FROM = "1m" satisfies Timeframe;
/** Those that are made of it, shortest first. */
export const DERIVED_TIMEFRAMES: readonly Timeframe[] = TIMEFRAMES.filter(
  (timeframe) => timeframe !== DERIVED_FROM,
);

/** A Monday, on the grid of every timeframe. */
const ORIGIN = "TIMESTAMPTZ '2000-01-03 00:00:00Z'";
const floored = (length: string, time: string): string => `date_bin(${length}, ${time}, ${ORIGIN})`;
const ceiled = (length: string, time: string): string =>
  floored(length, `${time} + ${length} - INTERVAL '1 microsecond'`);

/** Of whole candles and whole buckets of a range, ms. */
export interface DerivedState {
  readonly coveredMs: number;
  readonly voidMs: number;
  readonly missingMs: number;
}

/** As {@link candlePage}, of a timeframe that is not stored. `source` is `derived`; `revision` and `flags` are of all its minutes. */
export async function derivedCandlePage(
  pool: Pool,
  timeframe: Timeframe,
  { marketId, range, order, lines, separator, rowsMax, after }: RowPageRequest,
): Promise<RowPage> {
  const lengthMs = timeframeMs(timeframe);
  const isAscending = order === "asc";
  const afterMs = after && Math.floor(after.us / 1_000);
  const startMs =
    isAscending && afterMs !== undefined ? afterMs + lengthMs : ceilToTimeframe(range.startMs, timeframe);
  const endMs = !isAscending && afterMs !== undefined ? afterMs : ceilToTimeframe(range.endMs, timeframe);
  if (startMs >= endMs) return { rows: 0, text: "", last: undefined };
  const [from, to, step] = isAscending
    ? ["first", "last", "$7::interval"]
    : ["last", "first", "-$7::interval"];
  const { rows } = await pool.query<{ rows: number; text: string | null; us: number | null }>({
    name: `api derived candles ${lines} ${order}`,
    text: `WITH proven AS (
             SELECT range_agg(tstzrange(start_time, end_time)) * tstzmultirange(tstzrange($2, $3)) AS ranges,
                    range_agg(tstzrange(start_time, end_time)) FILTER (WHERE evidence = 'exchange_void') AS voids
             FROM coverage WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = '${DERIVED_FROM}' AND start_time < $3 AND end_time > $2
           ), buckets AS (
             SELECT at FROM (
               SELECT generate_series(${from}, ${to}, ${step}) AS at
               FROM (
                 SELECT ${ceiled("$7::interval", "lower(r)")} AS first, ${floored("$7::interval", "upper(r)")} - $7::interval AS last
                 FROM proven, unnest(proven.ranges) r
               ) run WHERE first <= last ORDER BY first ${order}
             ) whole, proven
             WHERE proven.voids IS NULL OR NOT proven.voids @> tstzrange(at, at + $7::interval)
             LIMIT $4
           )
           SELECT count(*)::int AS rows, string_agg(line, $5 ORDER BY open_time ${order}) AS text,
                  ${US(`${isAscending ? "max" : "min"}(open_time)`)} AS us
           FROM (
             SELECT open_time, ${CANDLE_LINES[lines]} AS line
             FROM buckets CROSS JOIN LATERAL (
               SELECT buckets.at AS open_time, max(high) AS high, min(low) AS low, trim_scale(sum(volume)) AS volume,
                      -- Looked up along the key: to have the aggregate sort by time takes twice as long.
                      (SELECT o.open FROM ohlcv o WHERE o.market_id = $1 AND o.timeframe = $6 AND o.open_time >= buckets.at
                       ORDER BY o.open_time LIMIT 1) AS open,
                      (SELECT o.close FROM ohlcv o WHERE o.market_id = $1 AND o.timeframe = $6 AND o.open_time < buckets.at + $7::interval
                       ORDER BY o.open_time DESC LIMIT 1) AS close,
                      CASE WHEN count(quote_volume) = count(*) THEN trim_scale(sum(quote_volume)) END AS quote_volume,
                      CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count,
                      'derived' AS source, sum(revision) AS revision, bit_or(flags) AS flags
               FROM ohlcv
               WHERE market_id = $1 AND timeframe = $6 AND open_time >= buckets.at AND open_time < buckets.at + $7::interval
               HAVING count(*) > 0
             ) candle
           ) page`,
    values: [
      marketId,
      formatTime(startMs),
      formatTime(endMs),
      rowsMax,
      separator,
      DERIVED_FROM,
      `${lengthMs / 1_000} seconds`,
    ],
  });
  const [row] = rows;
  if (!row || row.us === null) return { rows: 0, text: "", last: undefined };
  return { rows: row.rows, text: row.text ?? "", last: { us: row.us, id: 0 } };
}

/** Of the buckets that begin in a range and are expected in whole: how many can be made, are void, lack a minute. */
export async function readDerivedState(
  pool: Pool,
  { marketId, timeframe }: { readonly marketId: number; readonly timeframe: Timeframe },
  range: TimeRange,
): Promise<DerivedState> {
  const lengthMs = timeframeMs(timeframe);
  const bucketsMs = (ranges: string): string => `(
    SELECT coalesce(sum(greatest(0, extract(epoch FROM ${floored("$4::interval", "upper(r)")} - ${ceiled("$4::interval", "lower(r)")}))), 0) * 1000
    FROM unnest(${ranges}) r)::float8`;
  const { rows } = await pool.query<{ whole_ms: number; void_ms: number; lacking_ms: number }>({
    name: "api derived state",
    text: `WITH proven AS (
             SELECT coalesce(range_agg(tstzrange(start_time, end_time)), '{}') * tstzmultirange(tstzrange($2, $3)) AS ranges,
                    coalesce(range_agg(tstzrange(start_time, end_time)) FILTER (WHERE evidence = 'exchange_void'), '{}')
                      * tstzmultirange(tstzrange($2, $3)) AS voids
             FROM coverage WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = '${DERIVED_FROM}' AND start_time < $3 AND end_time > $2
           ), wanted AS (
             SELECT coalesce(range_agg(s.expected), '{}') * tstzmultirange(tstzrange($2, $3)) AS ranges
             FROM series s WHERE s.market_id = $1 AND s.data_type = 'ohlcv' AND s.timeframe = '${DERIVED_FROM}'
           )
           SELECT ${bucketsMs("proven.ranges")} AS whole_ms, ${bucketsMs("proven.voids")} AS void_ms,
                  ${bucketsMs("wanted.ranges")} - ${bucketsMs("wanted.ranges * proven.ranges")} AS lacking_ms
           FROM proven, wanted`,
    values: [
      marketId,
      formatTime(ceilToTimeframe(range.startMs, timeframe)),
      formatTime(ceilToTimeframe(range.endMs, timeframe)),
      `${lengthMs / 1_000} seconds`,
    ],
  });
  const [row] = rows;
  if (!row) throw new Error("aggregates without GROUP BY have one row");
  return { coveredMs: row.whole_ms - row.void_ms, voidMs: row.void_ms, missingMs: row.lacking_ms };
}
