-- Quality: one row for each check of each series, and the score.

-- The score of a range, 0 to 100. NULL where nothing was expected, or where a count is not known.
-- What is missing, doubled or out of order counts in full, a suspicious row (a price jump, a volume spike) by half. It is the
-- only implementation; everything that needs a score calls it. It never rises when a count of defects rises: where more
-- missing records would thin out more duplicates than there are rows, the score is 0 before and after. Doubles hold these
-- counts and their sums exactly up to 2^53.
CREATE FUNCTION calculate_quality_score(
  total bigint, missing bigint, duplicate bigint, out_of_order bigint, price_jump bigint, volume_spike bigint
) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN total::float8 + missing::float8 > 0 THEN
    100 * least(1, greatest(0,
      1 - (missing::float8 + duplicate::float8 + out_of_order::float8) / greatest(total::float8 + missing::float8, 1)
        - (price_jump::float8 + volume_spike::float8) / 2 / greatest(total::float8, 1)))
  END
$$;

CREATE TABLE data_quality_summary (
  id                  bigint GENERATED ALWAYS AS IDENTITY,
  check_time          timestamptz NOT NULL,
  time_range_start    timestamptz NOT NULL,
  time_range_end      timestamptz NOT NULL,
  total_records       bigint NOT NULL,
  expected_records    bigint NOT NULL,
  missing_count       bigint NOT NULL,
  duplicate_count     bigint NOT NULL,
  out_of_order_count  bigint NOT NULL,
  price_jump_count    bigint NOT NULL,
  volume_spike_count  bigint NOT NULL,
  quality_score       double precision CHECK (quality_score BETWEEN 0 AND 100),
  verified_percent    double precision CHECK (verified_percent BETWEEN 0 AND 100),
  market_id           integer NOT NULL REFERENCES markets (id),
  is_valid            boolean NOT NULL,
  data_type           text NOT NULL CHECK (data_type IN ('ohlcv', 'trades', 'orderbook')),
  timeframe           text NOT NULL DEFAULT '',
  validation_errors   jsonb NOT NULL DEFAULT '[]',
  validation_warnings jsonb NOT NULL DEFAULT '[]',
  deductions          jsonb NOT NULL DEFAULT '[]',
  -- A table cut by time can only be unique by a key that holds the time.
  PRIMARY KEY (id, check_time)
);
CREATE INDEX data_quality_summary_series ON data_quality_summary (market_id, data_type, timeframe, check_time DESC);
CREATE INDEX data_quality_summary_time ON data_quality_summary (check_time DESC);
COMMENT ON TABLE data_quality_summary IS 'One row for each check of each series.';
COMMENT ON COLUMN data_quality_summary.total_records IS 'Rows counted in the table, not what the ledger says.';
COMMENT ON COLUMN data_quality_summary.expected_records IS 'Records the range should hold, without those the exchange itself does not have.';
COMMENT ON COLUMN data_quality_summary.quality_score IS 'See calculate_quality_score; NULL where nothing was expected.';
COMMENT ON COLUMN data_quality_summary.verified_percent IS 'Share of the expected time that is proven, stored or void; NULL where nothing was expected.';
COMMENT ON COLUMN data_quality_summary.deductions IS 'What cost how many points, with the gaps and records behind it.';

-- What a check looks for by time: few among many.
CREATE INDEX ohlcv_flagged ON ohlcv (market_id, timeframe, open_time) WHERE flags <> 0;
CREATE INDEX quarantine_open_time ON quarantine (market_id, data_type, timeframe, open_time);
