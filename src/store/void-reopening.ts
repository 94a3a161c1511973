// Takes back that the exchange has nothing in a range: its voids are cut out of coverage, and a gap stands there with the
// reason, so that backfill asks again. Runs inside a transaction of the caller.
import type { ClientBase } from "pg";
import type { VoidClaim } from "../core/model/candle-batch.js";
import { intersectRanges, subtractRanges, type TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { recordMissing } from "./gap-log.js";
import type { SeriesKey, VoidDoubt } from "./store.js";

/**
 * Reopens what of `range` is void; stored candles and gaps in it stay as they are. The parts of a void beside the range
 * keep its proof.
 * @returns what has been reopened, in order
 */
export async function reopenVoid(
  client: ClientBase,
  { marketId, timeframe }: SeriesKey,
  range: TimeRange,
  { detail, atMs }: VoidDoubt,
): Promise<TimeRange[]> {
  // The series' row is the lock under which its coverage changes.
  await client.query(
    "SELECT 1 FROM series WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2 FOR UPDATE",
    [marketId, timeframe],
  );
  const { rows } = await client.query<{
    start_time: number;
    end_time: number;
    proven_at: number;
    proof: VoidClaim["proof"];
  }>(
    `DELETE FROM coverage WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2 AND evidence = 'exchange_void'
       AND start_time < $4 AND end_time > $3 RETURNING start_time, end_time, proven_at, proof`,
    [marketId, timeframe, formatTime(range.startMs), formatTime(range.endMs)],
  );
  if (rows.length === 0) return [];
  const voids = rows.map((row) => ({ startMs: row.start_time, endMs: row.end_time, row }));
  const kept = voids.flatMap(({ row, ...whole }) =>
    subtractRanges([whole], [range]).map((part) => ({ ...part, row })),
  );
  await client.query(
    `INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records, proven_at, proof)
     SELECT $1, 'ohlcv', $2, start_time, end_time, 'exchange_void', 0, proven_at, proof
     FROM unnest($3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::jsonb[]) AS k (start_time, end_time, proven_at, proof)`,
    [
      marketId,
      timeframe,
      kept.map((part) => formatTime(part.startMs)),
      kept.map((part) => formatTime(part.endMs)),
      kept.map((part) => formatTime(part.row.proven_at)),
      kept.map((part) => JSON.stringify(part.row.proof)),
    ],
  );
  const reopened = intersectRanges(voids, [range]);
  // `rejected`, not `absent`: an absence counts as the first of the two answers that make a void, and it was no answer.
  const missing = reopened.map((part) => ({ ...part, reason: "rejected" as const, detail, nextAskMs: atMs }));
  await recordMissing(client, { marketId, timeframe }, { missing, proven: kept, atMs });
  return reopened;
}
