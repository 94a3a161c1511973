// Compares the ledger with the rows in full: the proof that coverage, voids and gaps partition what is expected and that
// every covered candle is stored, each once, and nothing else is.
import type { Pool } from "pg";
import { TIMEFRAMES, timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { AuditFinding, SeriesFilter } from "./store.js";

/** Reads every row of the chosen series: costs per row, unlike everything else that asks the ledger. */
export async function auditCoverage(pool: Pool, filter: SeriesFilter): Promise<AuditFinding[]> {
  const { rows } = await pool.query<{
    market: string;
    timeframe: Timeframe;
    finding: AuditFinding["finding"];
    detail: string;
  }>(AUDIT, [
    filter.marketId ?? null,
    filter.timeframe ?? null,
    TIMEFRAMES,
    TIMEFRAMES.map((timeframe) => timeframeMs(timeframe) / 1_000),
  ]);
  return rows;
}

const AUDIT = `
WITH lengths AS (
  SELECT timeframe, seconds, make_interval(secs => seconds) AS length FROM unnest($3::text[], $4::float8[]) AS l (timeframe, seconds)
), chosen AS (
  SELECT s.*, e.name || ':' || m.symbol AS market, l.length, l.seconds
  FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id JOIN lengths l USING (timeframe)
  WHERE s.data_type = 'ohlcv' AND s.market_id = coalesce($1, s.market_id) AND s.timeframe = coalesce($2, s.timeframe)
), ranges AS (
  SELECT c.*, s.market, s.length, s.seconds, s.expected,
         lag(c.end_time) OVER (PARTITION BY c.market_id, c.timeframe ORDER BY c.start_time) AS previous_end
  FROM coverage c JOIN chosen s USING (market_id, data_type, timeframe)
), counted AS (
  SELECT r.*, (SELECT count(*) FROM ohlcv o WHERE o.market_id = r.market_id AND o.timeframe = r.timeframe
               AND o.open_time >= r.start_time AND o.open_time < r.end_time) AS stored
  FROM ranges r
)
SELECT market, timeframe, 'overlap' AS finding, format('%s begins before %s ends', start_time, previous_end) AS detail
FROM ranges WHERE start_time < previous_end
UNION ALL
SELECT market, timeframe, 'unexpected_coverage', format('[%s, %s) is covered but was never expected', start_time, end_time)
FROM ranges WHERE NOT expected @> tstzrange(start_time, end_time)
UNION ALL
SELECT market, timeframe, 'missing_rows', format('[%s, %s) has %s rows', start_time, end_time, stored)
FROM counted WHERE evidence <> 'exchange_void' AND stored * seconds < extract(epoch FROM end_time - start_time)
UNION ALL
SELECT market, timeframe, 'rows_in_void', format('[%s, %s) has %s rows', start_time, end_time, stored)
FROM counted WHERE evidence = 'exchange_void' AND stored > 0
UNION ALL
SELECT market, timeframe, 'wrong_count', format('[%s, %s) claims %s records and has %s', start_time, end_time, records, stored)
FROM counted WHERE records <> stored
UNION ALL
SELECT s.market, s.timeframe, 'uncovered_rows', format('%s candles lie outside all coverage', stored.total - covered.total)
FROM chosen s
CROSS JOIN LATERAL (SELECT count(*) AS total FROM ohlcv o WHERE o.market_id = s.market_id AND o.timeframe = s.timeframe) stored
CROSS JOIN LATERAL (SELECT coalesce(sum(c.stored), 0) AS total FROM counted c WHERE c.market_id = s.market_id AND c.timeframe = s.timeframe) covered
WHERE stored.total <> covered.total
UNION ALL
SELECT s.market, s.timeframe, 'off_grid', format('%s opens off the grid', o.open_time)
FROM chosen s JOIN ohlcv o USING (market_id, timeframe)
WHERE date_bin(s.length, o.open_time, TIMESTAMPTZ '1970-01-05 00:00:00Z') <> o.open_time
`;
