// Compares the ledger of trades and books with their rows in full: covered, void and gap partition what is expected, every
// covered id is stored once, and ids follow each other. Where ids count fills, a row stands for as many ids.
import type { Pool } from "pg";

/** One way in which ledger and rows disagree. */
export interface LiveAuditFinding {
  readonly market: string;
  readonly dataType: "trades" | "orderbook";
  readonly finding:
    | "overlap"
    | "unexpected_coverage"
    | "ids_backwards"
    | "missing_rows"
    | "stray_rows"
    | "rows_in_void"
    | "rows_in_outage";
  readonly detail: string;
}

/** Reads every row: costs per row, unlike everything else that asks the ledger. */
export async function auditLiveSeries(pool: Pool): Promise<LiveAuditFinding[]> {
  const { rows } = await pool.query<{
    market: string;
    data_type: LiveAuditFinding["dataType"];
    finding: LiveAuditFinding["finding"];
    detail: string;
  }>(AUDIT);
  return rows.map(({ market, data_type, finding, detail }) => ({
    market,
    dataType: data_type,
    finding,
    detail,
  }));
}

// A trade at the very end of a range, in the millisecond it does not claim yet, is stored and not covered; so is one that
// came late into a hole. Both lie within or beside a gap, or behind all coverage.
const AUDIT = `
WITH chosen AS (
  SELECT s.*, e.name || ':' || m.symbol AS market
  FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id WHERE s.data_type <> 'ohlcv'
), ranges AS (
  SELECT c.*, s.market, s.expected, s.trade_numbering,
         lag(c.end_time) OVER w AS previous_end, lag(c.last_id) OVER w AS previous_id
  FROM coverage c JOIN chosen s USING (market_id, data_type, timeframe)
  WINDOW w AS (PARTITION BY c.market_id, c.data_type ORDER BY c.start_time)
)
SELECT market, data_type, 'overlap' AS finding, format('%s begins before %s ends', start_time, previous_end) AS detail
FROM ranges WHERE start_time < previous_end
UNION ALL
SELECT market, data_type, 'unexpected_coverage', format('[%s, %s) is covered but was never expected', start_time, end_time)
FROM ranges WHERE NOT expected @> tstzrange(start_time, end_time)
UNION ALL
SELECT market, data_type, 'ids_backwards', format('[%s, %s) begins with id %s after %s', start_time, end_time, first_id, previous_id)
FROM ranges WHERE first_id <= previous_id
UNION ALL
SELECT market, data_type, 'missing_rows', format('[%s, %s) claims ids %s to %s and %s are stored', start_time, end_time, first_id, last_id, stored)
FROM ranges r CROSS JOIN LATERAL (
  SELECT CASE WHEN r.trade_numbering = 'fill' THEN coalesce(sum(t.fills), 0) ELSE count(DISTINCT t.trade_id) END AS stored FROM trades t WHERE t.market_id = r.market_id AND t.trade_id BETWEEN r.first_id AND r.last_id
) counted
WHERE r.data_type = 'trades' AND r.first_id IS NOT NULL AND stored <> r.last_id - r.first_id + 1
UNION ALL
SELECT s.market, s.data_type, 'stray_rows', format('%s trades lie where nothing was expected', count(*))
FROM chosen s JOIN trades t USING (market_id)
WHERE s.data_type = 'trades' AND NOT s.expected @> t.ts AND t.ts >= lower(s.expected) AND t.ts < upper(s.expected)
GROUP BY 1, 2
UNION ALL
SELECT r.market, r.data_type, 'rows_in_void', format('[%s, %s) has %s trades', r.start_time, r.end_time, count(*))
FROM ranges r JOIN trades t ON t.market_id = r.market_id AND t.ts >= r.start_time AND t.ts < r.end_time
WHERE r.data_type = 'trades' AND r.evidence = 'exchange_void' GROUP BY r.market, r.data_type, r.start_time, r.end_time
UNION ALL
SELECT s.market, s.data_type, 'rows_in_outage', format('a book of %s is stored within [%s, %s), in which there was none', b.ts, g.start_time, g.end_time)
FROM chosen s JOIN gap_log g USING (market_id, data_type, timeframe) JOIN orderbook_snapshots b USING (market_id)
WHERE s.data_type = 'orderbook' AND g.closed_at IS NULL AND b.ts > g.start_time AND b.ts < g.end_time
`;
