-- Trades that are counted in different ways cannot stand in one market: their ids say nothing of each other, and what is
-- missing could not be told. What was stored so far: Binance's aggregated trades, and OKX's fills.
ALTER TABLE series ADD COLUMN trade_numbering text CHECK (trade_numbering IN ('record', 'fill'));
COMMENT ON COLUMN series.trade_numbering IS
  'Of trades, what their ids count without holes: record (Binance''s aggregated trades) or fill (raw trades). Settled by whoever stores the first.';
UPDATE series s SET trade_numbering = CASE WHEN e.name = 'okx' THEN 'fill' ELSE 'record' END
FROM markets m JOIN exchanges e ON e.id = m.exchange_id WHERE m.id = s.market_id AND s.data_type = 'trades';
