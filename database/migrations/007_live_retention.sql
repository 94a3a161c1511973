-- Trades and order books can be dropped for their age as candles are.
ALTER TABLE retention_log ADD COLUMN data_type text NOT NULL DEFAULT 'ohlcv' CHECK (data_type IN ('ohlcv', 'trades', 'orderbook'));
COMMENT ON TABLE retention_log IS
  'Candles, trades and order books that were dropped for their age. Do not refresh a continuous aggregate by hand over these ranges: it would lose its rows there.';
COMMENT ON TABLE critical_events IS
  'Times whose candles, trades and order books are kept whatever storage.retention says, in whole UTC days. market_id NULL stands for all markets. Enter one with INSERT INTO critical_events (market_id, start_time, end_time, name) VALUES (NULL, ''2024-08-05Z'', ''2024-08-06Z'', ''yen unwind''); it counts from the next time old rows are dropped.';
