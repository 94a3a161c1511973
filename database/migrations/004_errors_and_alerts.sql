-- What exchanges answered instead of data, and what the user has been told about it.

CREATE TABLE api_error_logs (
  id             bigint GENERATED ALWAYS AS IDENTITY,
  timestamp      timestamptz NOT NULL,
  suppressed     bigint NOT NULL DEFAULT 0 CHECK (suppressed >= 0),
  attempt        integer NOT NULL DEFAULT 1,
  exchange_name  text NOT NULL,
  endpoint       text NOT NULL,
  native_symbol  text,
  error_type     text NOT NULL,
  error_code     text,
  error_message  text NOT NULL,
  request_params jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (id, timestamp)
);
CREATE INDEX api_error_logs_time ON api_error_logs (timestamp);
CREATE INDEX api_error_logs_class ON api_error_logs (exchange_name, error_type, timestamp);
COMMENT ON TABLE api_error_logs IS 'Every failed request to an exchange, those that were repeated included.';
COMMENT ON COLUMN api_error_logs.suppressed IS 'Above 0: this row stands for so many failures that came faster than they could be written one by one.';
COMMENT ON COLUMN api_error_logs.attempt IS 'Which try of the request failed, counted from 1.';
COMMENT ON COLUMN api_error_logs.request_params IS 'What was asked, secrets removed.';

CREATE TABLE alerts (
  id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  raised_at             timestamptz NOT NULL,
  last_seen_at          timestamptz NOT NULL,
  resolved_at           timestamptz,
  trouble_notified_at   timestamptz,
  recovery_notified_at  timestamptz,
  occurrences           bigint NOT NULL DEFAULT 1 CHECK (occurrences >= 1),
  key                   text NOT NULL,
  severity              text NOT NULL CHECK (severity IN ('warning', 'critical')),
  exchange              text,
  title                 text NOT NULL,
  text                  text NOT NULL,
  resolution            text
);
-- One trouble is told once, also by a process that starts again while it lasts.
CREATE UNIQUE INDEX alerts_open ON alerts (key) WHERE resolved_at IS NULL;
CREATE INDEX alerts_raised ON alerts (raised_at);
COMMENT ON TABLE alerts IS 'Troubles, from when they were noticed until they were over. resolved_at is null while one lasts.';
COMMENT ON COLUMN alerts.trouble_notified_at IS 'When a notifier had taken the message; null while a maintenance window holds it back.';
