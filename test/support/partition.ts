// The promise, checked from the tables themselves and by other arithmetic than the store's: covered, void and gap
// partition what is expected, and covered is what has rows.
import { expect } from "vitest";
import { TIMEFRAMES, timeframeMs } from "../../src/core/timeframe.js";

/** Runs SQL and gives the rows. */
export type RunSql = <T extends object = Record<string, unknown>>(
  text: string,
  values?: unknown[],
) => Promise<T[]>;

const seconds = (multirange: string): string =>
  `(SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0)::float8 FROM unnest(${multirange}) AS r)`;

const PARTITION = `
  WITH parts AS (
    SELECT s.market_id, s.timeframe, s.expected, l.seconds AS length,
      (SELECT coalesce(range_agg(tstzrange(start_time, end_time)), '{}') FROM coverage c
        WHERE (c.market_id, c.data_type, c.timeframe) = (s.market_id, s.data_type, s.timeframe) AND evidence <> 'exchange_void') AS covered,
      (SELECT coalesce(range_agg(tstzrange(start_time, end_time)), '{}') FROM coverage c
        WHERE (c.market_id, c.data_type, c.timeframe) = (s.market_id, s.data_type, s.timeframe) AND evidence = 'exchange_void') AS void
    FROM series s JOIN unnest($1::text[], $2::float8[]) AS l (timeframe, seconds) USING (timeframe)
    WHERE s.data_type = 'ohlcv'
  )
  SELECT market_id, timeframe,
    ${seconds("expected")} AS expected,
    ${seconds("covered")} + ${seconds("void")} + ${seconds("expected - covered - void")} AS parts,
    covered && void AS overlaps, covered + void <@ expected AS is_inside,
    ${seconds("covered")} / length AS covered_candles,
    (SELECT count(*)::int FROM ohlcv o WHERE o.market_id = p.market_id AND o.timeframe = p.timeframe AND covered @> open_time) AS covered_rows,
    (SELECT count(*)::int FROM ohlcv o WHERE o.market_id = p.market_id AND o.timeframe = p.timeframe) AS rows
  FROM parts p`;

/** Fails unless every series of the database is partitioned and its coverage is made of rows. */
export async function expectPartition(sql: RunSql): Promise<void> {
  const found = await sql<{ expected: number; covered_candles: number }>(PARTITION, [
    TIMEFRAMES,
    TIMEFRAMES.map((timeframe) => timeframeMs(timeframe) / 1_000),
  ]);
  const right = found.map((series) => ({
    ...series,
    parts: series.expected,
    overlaps: false,
    is_inside: true,
    covered_rows: series.covered_candles,
    rows: series.covered_candles,
  }));
  expect(found).toEqual(right);
}
