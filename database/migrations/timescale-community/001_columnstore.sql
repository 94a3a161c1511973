-- Old candles by column: a third of the size. Both settings are named, for the ones that are guessed can be far off.
-- Chunks turn when no candle in them is younger than 30 days: revisions and repairs are rare by then, and work all the same.
ALTER TABLE ohlcv SET (
  timescaledb.enable_columnstore, timescaledb.segmentby = 'market_id, timeframe', timescaledb.orderby = 'open_time'
);
CALL add_columnstore_policy('ohlcv', after => INTERVAL '30 days', if_not_exists => true);
