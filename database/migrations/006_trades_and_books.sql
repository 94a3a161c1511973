-- Trades, order books, and what happened on the streams they came from.

-- A venue's own time to the microsecond where it tells it. `fills` is how many fills the record stands for: aggregates of one
-- taker order are one record. Columns of 8 bytes first; no foreign key, as for candles.
CREATE TABLE trades (
  ts        timestamptz NOT NULL,
  trade_id  bigint NOT NULL,
  market_id integer NOT NULL,
  fills     integer NOT NULL DEFAULT 1,
  side      text NOT NULL CHECK (side IN ('buy', 'sell')),
  price     numeric NOT NULL,
  quantity  numeric NOT NULL,
  PRIMARY KEY (market_id, ts, trade_id)
);
COMMENT ON TABLE trades IS 'Trades, quantities in base units. trade_id is the venue''s and grows with time within a market.';
COMMENT ON COLUMN trades.side IS 'The taker''s side.';

-- Levels as arrays of {price, quantity}, best first: bids[1][1] is the best bid. Exact, a third of the size of JSON, and
-- readable by SQL, pandas and DuckDB alike.
CREATE TABLE orderbook_snapshots (
  ts        timestamptz NOT NULL,
  sequence  bigint NOT NULL,
  market_id integer NOT NULL,
  is_valid  boolean NOT NULL DEFAULT true,
  bids      numeric[] NOT NULL,
  asks      numeric[] NOT NULL,
  PRIMARY KEY (market_id, ts)
);
COMMENT ON TABLE orderbook_snapshots IS 'The best levels of a book at one sequence of its venue, quantities in base units.';
COMMENT ON COLUMN orderbook_snapshots.is_valid IS 'The book was synchronised and continuous; one that was in doubt is not stored at all.';

CREATE TABLE orderbook_deltas (
  ts          timestamptz NOT NULL,
  first_id    bigint NOT NULL,
  last_id     bigint NOT NULL,
  received_at timestamptz NOT NULL,
  market_id   integer NOT NULL,
  is_snapshot boolean NOT NULL,
  bids        numeric[] NOT NULL,
  asks        numeric[] NOT NULL,
  PRIMARY KEY (market_id, ts, last_id)
);
COMMENT ON TABLE orderbook_deltas IS 'Every change of a book, where the configuration keeps them. Quantity 0 removes a level.';

-- What the streams of a market were like, minute by minute of our clock: the quality of live data is measured by these.
CREATE TABLE live_minutes (
  minute            timestamptz NOT NULL,
  received          bigint NOT NULL DEFAULT 0,
  stored            bigint NOT NULL DEFAULT 0,
  duplicates        bigint NOT NULL DEFAULT 0,
  out_of_order      bigint NOT NULL DEFAULT 0,
  missing_ids       bigint NOT NULL DEFAULT 0,
  sequence_breaks   bigint NOT NULL DEFAULT 0,
  checksum_failures bigint NOT NULL DEFAULT 0,
  resyncs           bigint NOT NULL DEFAULT 0,
  built_differences bigint NOT NULL DEFAULT 0,
  malformed         bigint NOT NULL DEFAULT 0,
  shed              bigint NOT NULL DEFAULT 0,
  market_id         integer NOT NULL,
  data_type         text NOT NULL CHECK (data_type IN ('trades', 'orderbook')),
  lag_counts        bigint[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (market_id, data_type, minute)
);
COMMENT ON COLUMN live_minutes.lag_counts IS
  'Records by the time from the exchange''s clock to the store: up to 1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 10000, 30000, 60000, 300000 ms, and beyond.';

-- Adds two arrays of counts, element by element; the shorter one counts as 0 where it ends.
CREATE FUNCTION add_counts(a bigint[], b bigint[]) RETURNS bigint[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(coalesce(x, 0) + coalesce(y, 0) ORDER BY i), '{}')
  FROM ROWS FROM (unnest(a), unnest(b)) WITH ORDINALITY AS u (x, y, i)
$$;

ALTER TABLE gap_log DROP CONSTRAINT gap_log_reason_check;
ALTER TABLE gap_log ADD CONSTRAINT gap_log_reason_check CHECK (reason IN (
  'absent', 'rejected', 'fetch_failed', 'not_collected',
  'disconnected', 'sequence_break', 'checksum', 'crossed', 'stale', 'malformed', 'mismatch', 'shallow', 'shed'
));
COMMENT ON COLUMN ohlcv.source IS 'Where the candle came from: rest or ws (the exchange), or import (a file).';

ALTER TABLE data_quality_summary ADD COLUMN metrics jsonb;
COMMENT ON COLUMN data_quality_summary.metrics IS
  'Of trades and order books: what the streams were like, and the lag from the exchange''s clock to the store. NULL for candles.';
