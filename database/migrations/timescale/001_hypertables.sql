-- The tables that grow with time, cut into chunks. Rows that are there already are moved, so that a database that gets
-- TimescaleDB later is converted. The primary keys serve all reads by time: no further index.

-- A month of 1m candles of a market is 43,200 rows: a chunk of a hundred markets is 600 MB before compression.
SELECT create_hypertable('ohlcv', by_range('open_time', INTERVAL '30 days'),
  create_default_indexes => false, migrate_data => true, if_not_exists => true);
-- Kept for a year by default: a dozen chunks.
SELECT create_hypertable('data_quality_summary', by_range('check_time', INTERVAL '30 days'),
  create_default_indexes => false, migrate_data => true, if_not_exists => true);
-- Kept for 90 days by default: a dozen chunks.
SELECT create_hypertable('api_error_logs', by_range('timestamp', INTERVAL '7 days'),
  create_default_indexes => false, migrate_data => true, if_not_exists => true);
