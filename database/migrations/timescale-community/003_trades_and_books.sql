-- By column after three days, when repairs are over: a tenth of the size.
ALTER TABLE trades SET (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'market_id', timescaledb.orderby = 'ts, trade_id'
);
CALL add_columnstore_policy('trades', after => INTERVAL '3 days', if_not_exists => true);
ALTER TABLE orderbook_snapshots SET (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'market_id', timescaledb.orderby = 'ts'
);
CALL add_columnstore_policy('orderbook_snapshots', after => INTERVAL '3 days', if_not_exists => true);
ALTER TABLE orderbook_deltas SET (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'market_id', timescaledb.orderby = 'ts, last_id'
);
CALL add_columnstore_policy('orderbook_deltas', after => INTERVAL '1 day', if_not_exists => true);
