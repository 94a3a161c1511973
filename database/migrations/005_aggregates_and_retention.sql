-- Longer candles over the minutes, what is kept for ever, and what was dropped.

-- Views on plain PostgreSQL. Where TimescaleDB offers continuous aggregates, they stand in their place under the same
-- names, with the same columns and the same rows. Days and buckets are UTC. quote_volume and trade_count are NULL where
-- one of the minutes does not tell them: a sum over some of them would look like the whole. A bucket holds the minutes
-- that are stored; `minutes` says how many.
CREATE VIEW ohlcv_5m AS
  SELECT market_id, date_bin(INTERVAL '5 minutes', open_time, TIMESTAMPTZ '2000-01-03 00:00:00Z') AS open_time,
         (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
         (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2;
CREATE VIEW ohlcv_15m AS
  SELECT market_id, date_bin(INTERVAL '15 minutes', open_time, TIMESTAMPTZ '2000-01-03 00:00:00Z') AS open_time,
         (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
         (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2;
CREATE VIEW ohlcv_1h AS
  SELECT market_id, date_bin(INTERVAL '1 hour', open_time, TIMESTAMPTZ '2000-01-03 00:00:00Z') AS open_time,
         (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
         (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2;
CREATE VIEW ohlcv_4h AS
  SELECT market_id, date_bin(INTERVAL '4 hours', open_time, TIMESTAMPTZ '2000-01-03 00:00:00Z') AS open_time,
         (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
         (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2;
CREATE VIEW ohlcv_1d AS
  SELECT market_id, date_bin(INTERVAL '1 day', open_time, TIMESTAMPTZ '2000-01-03 00:00:00Z') AS open_time,
         (array_agg(open ORDER BY open_time))[1] AS open, max(high) AS high, min(low) AS low,
         (array_agg(close ORDER BY open_time DESC))[1] AS close, sum(volume) AS volume,
         CASE WHEN count(quote_volume) = count(*) THEN sum(quote_volume) END AS quote_volume,
         CASE WHEN count(trade_count) = count(*) THEN sum(trade_count)::bigint END AS trade_count, count(*) AS minutes
  FROM ohlcv WHERE timeframe = '1m' GROUP BY 1, 2;

-- What continuous aggregates need to be told; both stay empty without them, for views are never stale.
CREATE TABLE stale_aggregates (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  start_time timestamptz NOT NULL,
  end_time   timestamptz NOT NULL CHECK (end_time > start_time)
);
COMMENT ON TABLE stale_aggregates IS 'Changed minutes that the continuous aggregates do not show yet.';
CREATE TABLE aggregate_progress (refreshed_to timestamptz NOT NULL);
COMMENT ON TABLE aggregate_progress IS
  'One row where there are continuous aggregates: up to where the program itself has seen to it that every bucket is stored.';

-- Called by every commit for the minutes it wrote.
CREATE FUNCTION note_changed_minutes(from_time timestamptz, to_time timestamptz) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stale_aggregates (start_time, end_time)
  SELECT from_time, least(to_time, now() - INTERVAL '1 day')
  WHERE from_time < now() - INTERVAL '1 day' AND EXISTS (SELECT FROM aggregate_progress)
$$;

CREATE TABLE critical_events (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  start_time timestamptz NOT NULL,
  end_time   timestamptz NOT NULL CHECK (end_time > start_time),
  market_id  integer REFERENCES markets (id),
  name       text NOT NULL,
  note       text NOT NULL DEFAULT '',
  UNIQUE NULLS NOT DISTINCT (market_id, start_time, end_time)
);
COMMENT ON TABLE critical_events IS
  'Times whose candles are kept whatever storage.retention.candles says, in whole UTC days. market_id NULL stands for all markets. Enter one with INSERT INTO critical_events (market_id, start_time, end_time, name) VALUES (NULL, ''2024-08-05Z'', ''2024-08-06Z'', ''yen unwind''); it counts from the next time old candles are dropped.';

-- What retention took away. These ranges have left series.expected and coverage in the same transaction: they are
-- neither stored nor missing.
CREATE TABLE retention_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  start_time timestamptz NOT NULL,
  end_time   timestamptz NOT NULL CHECK (end_time > start_time),
  at         timestamptz NOT NULL,
  rows       bigint NOT NULL,
  market_id  integer NOT NULL REFERENCES markets (id),
  timeframe  text NOT NULL
);
CREATE INDEX retention_log_series ON retention_log (market_id, timeframe, start_time);
COMMENT ON TABLE retention_log IS
  'Candles that were dropped for their age. Do not refresh a continuous aggregate by hand over these ranges: it would lose its rows there.';
