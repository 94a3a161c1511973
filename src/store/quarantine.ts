// Keeps refused records with what was received. The same record refused again raises its count instead of a new row.
import type { ClientBase } from "pg";
import type { CandleSource } from "../core/model/candle.js";
import type { Rejection } from "../core/model/candle-batch.js";
import { formatTime } from "../core/time.js";
import type { Timeframe } from "../core/timeframe.js";
import { storableText } from "./storable-text.js";

/** Raw text beyond this is cut: enough to see what was sent, not enough for a hostile server to fill a disk. */
const RAW_CHARS_MAX = 16_384;

export async function recordRejections(
  client: ClientBase,
  series: { marketId: number; timeframe: Timeframe; source: CandleSource },
  rejections: readonly Rejection[],
): Promise<void> {
  await client.query(
    `INSERT INTO quarantine AS q (market_id, data_type, timeframe, source, open_time, rule, detail, raw, occurrences)
     SELECT $1, 'ohlcv', $2, $3, min(open_time), rule, min(detail), raw, count(*)
     FROM unnest($4::timestamptz[], $5::text[], $6::text[], $7::text[]) AS r (open_time, rule, detail, raw)
     GROUP BY rule, raw
     ON CONFLICT (market_id, data_type, timeframe, rule, raw_digest)
     DO UPDATE SET occurrences = q.occurrences + EXCLUDED.occurrences, last_seen_at = now()`,
    [
      series.marketId,
      series.timeframe,
      series.source,
      rejections.map((rejection) => storableTime(rejection.openTimeMs)),
      rejections.map((rejection) => rejection.rule),
      rejections.map((rejection) => storableText(rejection.detail)),
      rejections.map((rejection) => storableText(rejection.raw.slice(0, RAW_CHARS_MAX))),
    ],
  );
}

function storableTime(timeMs: number | undefined): string | null {
  const isStorable = timeMs !== undefined && Math.abs(timeMs) < 8.64e15 / 1_000;
  return isStorable ? formatTime(Math.trunc(timeMs)) : null;
}
