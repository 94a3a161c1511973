-- Longer candles, kept as rows. The newest buckets are computed when asked for (materialized_only = false); a change
-- of older minutes shows only after a refresh.

-- Who refreshes what:
-- * The policies refresh the last 3 days (start_offset): live candles, repairs, revisions. They need not reach further, so
--   that they can never reach into time that retention has dropped, where a refresh would delete the aggregate's rows:
--   retention leaves the last 4 days alone.
-- * Whatever changes minutes older than 1 day is entered in stale_aggregates by the transaction of the change, and refreshed
--   by the program afterwards. A program killed in between has left the entry, and the next one finds it. The 2 days that
--   both see are how long the policies may stand still before a late change is missed.
-- * A bucket that no policy made a row while it was in reach would be hidden once a later one is: so the program also
--   refreshes all that lies between aggregate_progress and yesterday, which costs nothing where the policies did their work.
-- * end_offset: the bucket that is still growing is not made a row.
INSERT INTO aggregate_progress VALUES ('-infinity');

DROP VIEW ohlcv_5m;
CREATE MATERIALIZED VIEW ohlcv_5m WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
  SELECT market_id, time_bucket(INTERVAL '5 minutes', open_time) AS open_time,
         first(open, open_time) AS open, max(high) AS high, min(low) AS low, last(close, open_time) AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2 WITH NO DATA;
DROP VIEW ohlcv_15m;
CREATE MATERIALIZED VIEW ohlcv_15m WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
  SELECT market_id, time_bucket(INTERVAL '15 minutes', open_time) AS open_time,
         first(open, open_time) AS open, max(high) AS high, min(low) AS low, last(close, open_time) AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2 WITH NO DATA;
DROP VIEW ohlcv_1h;
CREATE MATERIALIZED VIEW ohlcv_1h WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
  SELECT market_id, time_bucket(INTERVAL '1 hour', open_time) AS open_time,
         first(open, open_time) AS open, max(high) AS high, min(low) AS low, last(close, open_time) AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2 WITH NO DATA;
DROP VIEW ohlcv_4h;
CREATE MATERIALIZED VIEW ohlcv_4h WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
  SELECT market_id, time_bucket(INTERVAL '4 hours', open_time) AS open_time,
         first(open, open_time) AS open, max(high) AS high, min(low) AS low, last(close, open_time) AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2 WITH NO DATA;
DROP VIEW ohlcv_1d;
CREATE MATERIALIZED VIEW ohlcv_1d WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
  SELECT market_id, time_bucket(INTERVAL '1 day', open_time) AS open_time,
         first(open, open_time) AS open, max(high) AS high, min(low) AS low, last(close, open_time) AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2 WITH NO DATA;

-- The first run waits until the program has refreshed what was here before.
SELECT add_continuous_aggregate_policy('ohlcv_5m', start_offset => INTERVAL '3 days', end_offset => INTERVAL '5 minutes',
  schedule_interval => INTERVAL '10 minutes', initial_start => now() + INTERVAL '10 minutes', if_not_exists => true);
SELECT add_continuous_aggregate_policy('ohlcv_15m', start_offset => INTERVAL '3 days', end_offset => INTERVAL '5 minutes',
  schedule_interval => INTERVAL '10 minutes', initial_start => now() + INTERVAL '10 minutes', if_not_exists => true);
SELECT add_continuous_aggregate_policy('ohlcv_1h', start_offset => INTERVAL '3 days', end_offset => INTERVAL '5 minutes',
  schedule_interval => INTERVAL '10 minutes', initial_start => now() + INTERVAL '10 minutes', if_not_exists => true);
SELECT add_continuous_aggregate_policy('ohlcv_4h', start_offset => INTERVAL '3 days', end_offset => INTERVAL '5 minutes',
  schedule_interval => INTERVAL '10 minutes', initial_start => now() + INTERVAL '10 minutes', if_not_exists => true);
SELECT add_continuous_aggregate_policy('ohlcv_1d', start_offset => INTERVAL '3 days', end_offset => INTERVAL '5 minutes',
  schedule_interval => INTERVAL '10 minutes', initial_start => now() + INTERVAL '10 minutes', if_not_exists => true);
