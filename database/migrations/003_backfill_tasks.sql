-- Backfill tasks: ranges that are missing, to be fetched by whichever worker claims them.

-- A task is pending, running, completed or failed. While it runs it belongs to the worker that holds its claim token, and
-- only as long as the lease lasts: a running task whose lease is over may be claimed again, with a new token.
CREATE TABLE backfill_tasks (
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  start_time       timestamptz NOT NULL,
  end_time         timestamptz NOT NULL CHECK (end_time > start_time),
  next_attempt_at  timestamptz,
  started_at       timestamptz,
  completed_at     timestamptz,
  lease_until      timestamptz,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  expected_records bigint NOT NULL,
  actual_records   bigint NOT NULL DEFAULT 0,
  claim_token      uuid,
  market_id        integer NOT NULL REFERENCES markets (id),
  priority         integer NOT NULL DEFAULT 0,
  retry_count      integer NOT NULL DEFAULT 0,
  max_retries      integer NOT NULL DEFAULT 5 CHECK (max_retries >= 0),
  data_type        text NOT NULL DEFAULT 'ohlcv' CHECK (data_type IN ('ohlcv', 'trades', 'orderbook')),
  timeframe        text NOT NULL DEFAULT '',
  status           text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'completed', 'failed')),
  worker           text,
  error_message    text,
  CONSTRAINT backfill_tasks_claimed CHECK (
    (status = 'running') = (claim_token IS NOT NULL) AND (status = 'running') = (lease_until IS NOT NULL)
  )
);
-- In the order in which tasks are claimed.
CREATE INDEX backfill_tasks_open ON backfill_tasks (priority DESC, end_time DESC, id) WHERE status IN ('pending', 'running');
-- What a series has in the queue, for the planner.
CREATE INDEX backfill_tasks_series ON backfill_tasks (market_id, data_type, timeframe, start_time) WHERE status IN ('pending', 'running', 'failed');
-- For lists and the cleanup.
CREATE INDEX backfill_tasks_status ON backfill_tasks (status, updated_at);
COMMENT ON TABLE backfill_tasks IS 'Missing ranges to be fetched. Higher priority first, then the most recent.';
COMMENT ON COLUMN backfill_tasks.next_attempt_at IS 'Not to be claimed before; null: at once.';
COMMENT ON COLUMN backfill_tasks.retry_count IS 'Attempts that brought the task no end. Waiting for the confirmation of an absence is not counted.';
COMMENT ON COLUMN backfill_tasks.actual_records IS 'Candles of the range that are stored, by coverage, when the last attempt ended.';
COMMENT ON COLUMN backfill_tasks.claim_token IS 'Whoever changes a running task must know it.';

-- The length of a timeframe.
CREATE FUNCTION timeframe_length(timeframe text) RETURNS interval
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE right(timeframe, 1)
    WHEN 'm' THEN interval '1 minute' WHEN 'h' THEN interval '1 hour' WHEN 'd' THEN interval '24 hours' WHEN 'w' THEN interval '168 hours'
  END * left(timeframe, -1)::integer
$$;

-- The first open time on the timeframe's grid that is not before `at`; weeks start on Monday. Infinite times stay as they are.
CREATE FUNCTION timeframe_ceil(at timestamptz, timeframe text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(at)
    THEN date_bin(timeframe_length(timeframe), at + timeframe_length(timeframe) - interval '1 microsecond', timestamptz '1970-01-05 00:00:00Z')
    ELSE at
  END
$$;

-- Plans the gaps of many series in one statement. The steps, each of which sees what others have committed before it:
-- 1. lock the series against other planners until the transaction ends, always in the same order;
-- 2. gaps = expected − coverage (stored and void) − what pending, running and failed tasks hold, within the range;
-- 3. cut long ones, from their start, and put one row a piece.
-- A range that is only waiting to be asked again gets the time the gap log says. A time too far off was written by a wrong
-- clock and does not count; the pass over a series judges it by the same measure.
CREATE FUNCTION plan_backfill_tasks(
  market_ids integer[], timeframes text[], range_start timestamptz, range_end timestamptz,
  max_candles integer, task_priority integer, task_max_retries integer, at_time timestamptz,
  OUT tasks integer, OUT candles bigint
)
LANGUAGE plpgsql AS $$
DECLARE
  ask_ahead_max CONSTANT interval := '2 hours';
  series_lock bigint;
BEGIN
  IF max_candles < 1 THEN
    RAISE EXCEPTION 'max_candles: found %, expected at least 1', max_candles USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR series_lock IN
    SELECT DISTINCT hashtextextended(format('backfill_tasks:%s:%s', a.market_id, a.timeframe), 0)
    FROM unnest(market_ids, timeframes) AS a (market_id, timeframe) ORDER BY 1
  LOOP
    PERFORM pg_advisory_xact_lock(series_lock);
  END LOOP;
  WITH asked AS (
    SELECT DISTINCT a.market_id, a.timeframe, timeframe_length(a.timeframe) AS length,
           timeframe_ceil(coalesce(range_start, '-infinity'), a.timeframe) AS from_time,
           timeframe_ceil(coalesce(range_end, 'infinity'), a.timeframe) AS to_time
    FROM unnest(market_ids, timeframes) AS a (market_id, timeframe)
  ), holes AS (
    SELECT a.market_id, a.timeframe, a.length,
           timeframe_ceil(lower(hole), a.timeframe) AS from_time,
           timeframe_ceil(upper(hole) + interval '1 microsecond', a.timeframe) - a.length AS to_time
    FROM asked a
    JOIN series s ON s.market_id = a.market_id AND s.data_type = 'ohlcv' AND s.timeframe = a.timeframe
    CROSS JOIN LATERAL (
      SELECT coalesce(range_agg(tstzrange(c.start_time, c.end_time)), '{}') AS ranges FROM coverage c
      WHERE c.market_id = a.market_id AND c.data_type = 'ohlcv' AND c.timeframe = a.timeframe
        AND c.start_time < a.to_time AND c.end_time > a.from_time
    ) proven
    CROSS JOIN LATERAL (
      SELECT coalesce(range_agg(tstzrange(t.start_time, t.end_time)), '{}') AS ranges FROM backfill_tasks t
      WHERE t.market_id = a.market_id AND t.data_type = 'ohlcv' AND t.timeframe = a.timeframe
        AND t.status IN ('pending', 'running', 'failed') AND t.start_time < a.to_time AND t.end_time > a.from_time
    ) queued
    CROSS JOIN LATERAL unnest(s.expected * tstzmultirange(tstzrange(a.from_time, a.to_time)) - proven.ranges - queued.ranges) AS hole
    WHERE a.from_time < a.to_time
  ), pieces AS (
    SELECT h.market_id, h.timeframe, h.length, piece AS from_time, least(piece + max_candles * h.length, h.to_time) AS to_time
    FROM holes h CROSS JOIN LATERAL generate_series(h.from_time, h.to_time - h.length, max_candles * h.length) AS piece
    WHERE h.from_time < h.to_time
  ), put AS (
    INSERT INTO backfill_tasks (market_id, timeframe, start_time, end_time, next_attempt_at, expected_records, priority, max_retries, created_at, updated_at)
    SELECT p.market_id, p.timeframe, p.from_time, p.to_time, waiting.next_ask_at,
           extract(epoch FROM p.to_time - p.from_time) / extract(epoch FROM p.length), task_priority, task_max_retries, at_time, at_time
    FROM pieces p CROSS JOIN LATERAL (
      SELECT CASE
        WHEN range_agg(tstzrange(g.start_time, g.end_time)) @> tstzrange(p.from_time, p.to_time)
         AND bool_and(coalesce(g.next_ask_at > at_time AND g.next_ask_at <= at_time + ask_ahead_max, false))
        THEN min(g.next_ask_at)
      END AS next_ask_at
      FROM gap_log g
      WHERE g.market_id = p.market_id AND g.data_type = 'ohlcv' AND g.timeframe = p.timeframe AND g.closed_at IS NULL
        AND g.start_time < p.to_time AND g.end_time > p.from_time
    ) waiting
    ORDER BY p.to_time DESC
    RETURNING expected_records
  )
  SELECT count(*), coalesce(sum(expected_records), 0) INTO tasks, candles FROM put;
END
$$;
COMMENT ON FUNCTION plan_backfill_tasks IS 'auto_create_backfill_tasks for many series at once; a null bound is open.';

CREATE FUNCTION auto_create_backfill_tasks(
  market_id integer, timeframe text, start_time timestamptz, end_time timestamptz,
  max_candles integer DEFAULT 10000, priority integer DEFAULT 0, max_retries integer DEFAULT 5
) RETURNS integer
LANGUAGE sql AS $$
  SELECT tasks FROM plan_backfill_tasks(
    ARRAY[$1], ARRAY[$2], $3, $4, max_candles, priority, max_retries, now())
$$;
COMMENT ON FUNCTION auto_create_backfill_tasks IS
  'Queues the gaps of a series whose candles open in [start_time, end_time): one task a contiguous gap, those longer than max_candles in '
  'several. Returns the number of new tasks. What a pending or running task holds is not queued again; neither is what a failed one '
  'holds, as long as that task stands: retry it or clean it up. Safe to call at the same time from anywhere (read committed).';
