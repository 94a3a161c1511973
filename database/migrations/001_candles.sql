-- Markets, candles, and the ledger that says for every minute whether it is stored, void, or missing.

CREATE TABLE exchanges (
  id   integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE
);

CREATE TABLE markets (
  id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  exchange_id   integer NOT NULL REFERENCES exchanges (id),
  symbol        text NOT NULL,
  native_symbol text NOT NULL,
  base_asset    text NOT NULL,
  quote_asset   text NOT NULL,
  market_type   text NOT NULL CHECK (market_type IN ('spot', 'swap')),
  is_active     boolean NOT NULL DEFAULT true,
  is_simulated  boolean NOT NULL DEFAULT false,
  UNIQUE (exchange_id, symbol)
);

-- Columns of 8 bytes first, then 4, then 2, then texts and numerics: no padding between them.
-- No foreign key to markets: its trigger would cost more per row than the COPY itself; the writer only knows market ids
-- that it read from there.
CREATE TABLE ohlcv (
  open_time    timestamptz NOT NULL,
  trade_count  bigint,
  market_id    integer NOT NULL,
  revision     integer NOT NULL DEFAULT 0,
  flags        smallint NOT NULL DEFAULT 0,
  timeframe    text NOT NULL,
  source       text NOT NULL,
  open         numeric NOT NULL,
  high         numeric NOT NULL,
  low          numeric NOT NULL,
  close        numeric NOT NULL,
  volume       numeric NOT NULL,
  quote_volume numeric,
  PRIMARY KEY (market_id, timeframe, open_time)
);
COMMENT ON TABLE ohlcv IS 'Closed candles only. open_time is the inclusive start, UTC.';
COMMENT ON COLUMN ohlcv.source IS 'Where the candle came from: rest (the exchange) or import (a file).';
COMMENT ON COLUMN ohlcv.revision IS 'How often the source has changed this candle since it was first stored; earlier values are in candle_revisions.';

-- What a candle said before it was changed.
CREATE TABLE candle_revisions (
  open_time    timestamptz NOT NULL,
  revised_at   timestamptz NOT NULL DEFAULT now(),
  trade_count  bigint,
  market_id    integer NOT NULL,
  revision     integer NOT NULL,
  timeframe    text NOT NULL,
  source       text NOT NULL,
  open         numeric NOT NULL,
  high         numeric NOT NULL,
  low          numeric NOT NULL,
  close        numeric NOT NULL,
  volume       numeric NOT NULL,
  quote_volume numeric,
  PRIMARY KEY (market_id, timeframe, open_time, revision)
);

-- What should be held. A gap is whatever lies in `expected` and not in `coverage`.
CREATE TABLE series (
  collected_to timestamptz,
  market_id    integer NOT NULL REFERENCES markets (id),
  data_type    text NOT NULL CHECK (data_type IN ('ohlcv', 'trades', 'orderbook')),
  timeframe    text NOT NULL DEFAULT '',
  expected     tstzmultirange NOT NULL DEFAULT '{}',
  PRIMARY KEY (market_id, data_type, timeframe)
);
COMMENT ON TABLE series IS 'The time each series is expected to hold; its row is also the lock under which its coverage changes.';
COMMENT ON COLUMN series.collected_to IS 'Up to where a running collector has followed it; null for what was only imported or backfilled.';

-- What is proven. Ranges of one series never overlap.
CREATE TABLE coverage (
  start_time timestamptz NOT NULL,
  end_time   timestamptz NOT NULL CHECK (end_time > start_time),
  proven_at  timestamptz NOT NULL DEFAULT now(),
  records    bigint NOT NULL,
  first_id   bigint,
  last_id    bigint,
  market_id  integer NOT NULL,
  data_type  text NOT NULL,
  timeframe  text NOT NULL DEFAULT '',
  evidence   text NOT NULL CHECK (evidence IN ('rest_page', 'ws_sequence', 'archive_checksum', 'import', 'exchange_void')),
  proof      jsonb,
  PRIMARY KEY (market_id, data_type, timeframe, start_time),
  FOREIGN KEY (market_id, data_type, timeframe) REFERENCES series (market_id, data_type, timeframe)
);
COMMENT ON COLUMN coverage.proof IS 'For a void: what the exchange was asked, twice, and when.';

-- Every gap that was found: why, how often it was asked for, and what became of it.
CREATE TABLE gap_log (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  start_time       timestamptz NOT NULL,
  end_time         timestamptz NOT NULL CHECK (end_time > start_time),
  found_at         timestamptz NOT NULL,
  last_asked_at    timestamptz,
  next_ask_at      timestamptz,
  closed_at        timestamptz,
  repaired_records bigint NOT NULL DEFAULT 0,
  void_records     bigint NOT NULL DEFAULT 0,
  market_id        integer NOT NULL,
  asked            integer NOT NULL DEFAULT 0,
  data_type        text NOT NULL,
  timeframe        text NOT NULL DEFAULT '',
  reason           text NOT NULL CHECK (reason IN ('absent', 'rejected', 'fetch_failed', 'not_collected')),
  detail           text NOT NULL DEFAULT '',
  FOREIGN KEY (market_id, data_type, timeframe) REFERENCES series (market_id, data_type, timeframe)
);
CREATE INDEX gap_log_open ON gap_log (market_id, data_type, timeframe, start_time) WHERE closed_at IS NULL;
COMMENT ON TABLE gap_log IS 'History of gaps. Which gaps there are now follows from series and coverage alone.';

-- Records the gate refused, with what was received. The same record refused again only raises its count.
CREATE TABLE quarantine (
  id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first_seen_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at  timestamptz NOT NULL DEFAULT now(),
  open_time     timestamptz,
  market_id     integer NOT NULL REFERENCES markets (id),
  occurrences   integer NOT NULL DEFAULT 1,
  data_type     text NOT NULL,
  timeframe     text NOT NULL DEFAULT '',
  rule          text NOT NULL,
  detail        text NOT NULL,
  source        text NOT NULL,
  raw           text NOT NULL,
  raw_digest    text NOT NULL GENERATED ALWAYS AS (md5(raw)) STORED,
  UNIQUE (market_id, data_type, timeframe, rule, raw_digest)
);

-- Hosts that have banned this address, and until when: a restart must not ask them again.
CREATE TABLE exchange_bans (
  host        text PRIMARY KEY,
  until       timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT now(),
  reason      text NOT NULL
);
