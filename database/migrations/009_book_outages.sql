-- Times without an order book stay open for ever, since nothing can repair them: what touches a new one, or what a claim reaches
-- into, is found by its end.
CREATE INDEX gap_log_open_end ON gap_log (market_id, data_type, end_time) WHERE closed_at IS NULL;
