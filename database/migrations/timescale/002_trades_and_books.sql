-- Trades and books come by the thousand a second: days, not months. The primary keys serve all reads by time.
SELECT create_hypertable('trades', by_range('ts', INTERVAL '1 day'),
  create_default_indexes => false, migrate_data => true, if_not_exists => true);
SELECT create_hypertable('orderbook_snapshots', by_range('ts', INTERVAL '1 day'),
  create_default_indexes => false, migrate_data => true, if_not_exists => true);
SELECT create_hypertable('orderbook_deltas', by_range('ts', INTERVAL '6 hours'),
  create_default_indexes => false, migrate_data => true, if_not_exists => true);
