// Drops trades and order books that are older than the user keeps, day by day, each day in a transaction under the lock of its
// series: they leave what is expected and covered, and are entered in the log. Critical events are kept in whole UTC days.
//
// Coverage of trades carries ids. What is left of a range behind a dropped time begins with the id after the highest that was
// dropped, and what is left before it ends before the lowest: ids and times differ in order by the trades of some
// milliseconds, and no id is claimed whose trade is gone.
import type { PoolClient } from "pg";
import { mergeRanges, subtractRanges, type TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { ceilToTimeframe, floorToTimeframe } from "../core/timeframe.js";
import { lockEvents, takeOutOfLedger, type CriticalEvent, type RetentionHands } from "./retention-ledger.js";
import type { RetentionOutcome, RetentionPeriods } from "./store.js";

const DAY_MS = 86_400_000;

interface LiveKind {
  readonly dataType: "trades" | "orderbook";
  readonly table: "trades" | "orderbook_snapshots";
  /** Makes the pieces of coverage that are left: of `cut` what lies outside of [$2, $3). */
  readonly pieces: string;
}

const TRADES: LiveKind = {
  dataType: "trades",
  table: "trades",
  pieces: `
    SELECT start_time, end_time, proven_at, proof,
           CASE WHEN first_id <= last_id THEN evidence ELSE 'exchange_void' END AS evidence,
           CASE WHEN first_id <= last_id THEN first_id END AS first_id, CASE WHEN first_id <= last_id THEN last_id END AS last_id,
           CASE WHEN first_id <= last_id THEN last_id - first_id + 1 ELSE 0 END AS records
    FROM (
      SELECT lower(part) AS start_time, upper(part) AS end_time, proven_at, proof, evidence,
             CASE WHEN lower(part) > c.start_time THEN coalesce((SELECT max(trade_id) + 1 FROM trades t
               WHERE t.market_id = c.market_id AND t.ts >= c.start_time AND t.ts < lower(part) AND t.trade_id BETWEEN c.first_id AND c.last_id), c.first_id)
               ELSE c.first_id END AS first_id,
             CASE WHEN upper(part) < c.end_time THEN least(
               (SELECT min(trade_id) - 1 FROM trades t
                WHERE t.market_id = c.market_id AND t.ts >= upper(part) AND t.ts < $3 AND t.trade_id BETWEEN c.first_id AND c.last_id),
               (SELECT coalesce(max(trade_id), c.first_id - 1) FROM trades t
                WHERE t.market_id = c.market_id AND t.ts >= c.start_time AND t.ts < upper(part) AND t.trade_id BETWEEN c.first_id AND c.last_id))
               ELSE c.last_id END AS last_id
      FROM cut c, unnest(tstzmultirange(tstzrange(c.start_time, c.end_time)) - tstzmultirange(tstzrange($2, $3))) AS part
    ) left_over`,
};

const BOOKS: LiveKind = {
  dataType: "orderbook",
  table: "orderbook_snapshots",
  pieces: `
    SELECT lower(part) AS start_time, upper(part) AS end_time, proven_at, proof, evidence, NULL::bigint AS first_id, NULL::bigint AS last_id,
           (SELECT count(*) FROM orderbook_snapshots b WHERE b.market_id = c.market_id AND b.ts >= lower(part) AND b.ts < upper(part)) AS records
    FROM cut c, unnest(tstzmultirange(tstzrange(c.start_time, c.end_time)) - tstzmultirange(tstzrange($2, $3))) AS part`,
};

/** @returns how many rows were dropped; what is done stays done when it is interrupted */
export async function dropLive(
  hands: RetentionHands,
  { tradesMs, booksMs, bookDeltasMs }: RetentionPeriods,
  nowMs: number,
): Promise<Pick<RetentionOutcome, "trades" | "books" | "bookDeltas">> {
  return {
    trades: await dropKind(hands, TRADES, tradesMs, nowMs),
    books: await dropKind(hands, BOOKS, booksMs, nowMs),
    bookDeltas: await dropDeltas(hands, bookDeltasMs, nowMs),
  };
}

async function dropKind(
  { database, signal }: RetentionHands,
  kind: LiveKind,
  ageMs: number | undefined,
  nowMs: number,
): Promise<number> {
  if (ageMs === undefined) return 0;
  const cutoffMs = floorToTimeframe(nowMs - ageMs, "1d");
  const doing = `drop old rows of ${kind.table}`;
  const marketIds = await database.attempt(doing, async (pool) => {
    const { rows } = await pool.query<{ market_id: number }>(
      "SELECT market_id FROM series WHERE data_type = $1 AND timeframe = '' ORDER BY market_id",
      [kind.dataType],
    );
    return rows.map((row) => row.market_id);
  });
  let dropped = 0;
  for (const marketId of marketIds) {
    for (;;) {
      signal.throwIfAborted();
      const rows = await database.transactionAnew(doing, (client) =>
        dropDay(client, { kind, marketId, cutoffMs, nowMs }),
      );
      if (rows === undefined) break;
      dropped += rows;
    }
  }
  return dropped;
}

interface DayJob {
  readonly kind: LiveKind;
  readonly marketId: number;
  readonly cutoffMs: number;
  readonly nowMs: number;
}

/** Drops the oldest day of a series that may go; undefined when there is none. */
async function dropDay(client: PoolClient, job: DayJob): Promise<number | undefined> {
  const { kind, marketId, cutoffMs, nowMs } = job;
  const events = await lockEvents(client);
  const day = oldestDay(await lockExpected(client, kind, marketId), keptDays(events, marketId), cutoffMs);
  if (day === undefined) return undefined;
  const range = [marketId, formatTime(day.startMs), formatTime(day.endMs)];
  // No market has this id: nothing is deleted, but the chunks of the day are locked for deleting before they are read. TimescaleDB's
  // jobs rewrite a chunk under a lock that lets readers in and writers wait: who reads first and deletes then deadlocks with them.
  await client.query(
    `DELETE FROM ${kind.table} WHERE market_id = -1 AND ts >= $1 AND ts < $2`,
    range.slice(1),
  );
  await client.query(
    `WITH cut AS MATERIALIZED (
       SELECT * FROM coverage WHERE market_id = $1 AND data_type = '${kind.dataType}' AND timeframe = '' AND start_time < $3 AND end_time > $2
     ), pieces AS MATERIALIZED (${kind.pieces}
     ), gone AS (
       DELETE FROM coverage c USING cut WHERE (c.market_id, c.data_type, c.timeframe, c.start_time) = (cut.market_id, cut.data_type, cut.timeframe, cut.start_time)
         AND NOT EXISTS (SELECT FROM pieces p WHERE p.start_time = c.start_time)
     )
     INSERT INTO coverage AS c (market_id, data_type, timeframe, start_time, end_time, proven_at, proof, evidence, first_id, last_id, records)
     SELECT $1, '${kind.dataType}', '', start_time, end_time, proven_at, proof, evidence, first_id, last_id, records FROM pieces
     ON CONFLICT (market_id, data_type, timeframe, start_time) DO UPDATE SET end_time = EXCLUDED.end_time, evidence = EXCLUDED.evidence,
       first_id = EXCLUDED.first_id, last_id = EXCLUDED.last_id, records = EXCLUDED.records`,
    range,
  );
  const { rowCount } = await client.query(
    `DELETE FROM ${kind.table} WHERE market_id = $1 AND ts >= $2 AND ts < $3`,
    range,
  );
  const rows = rowCount ?? 0;
  await takeOutOfLedger(
    client,
    { marketId, dataType: kind.dataType, timeframe: "" },
    { ...day, rows, nowMs },
  );
  return rows;
}

/** What a series is expected to hold, under its lock. */
async function lockExpected(client: PoolClient, kind: LiveKind, marketId: number): Promise<TimeRange[]> {
  await client.query(
    "SELECT FROM series WHERE market_id = $1 AND data_type = $2 AND timeframe = '' FOR UPDATE",
    [marketId, kind.dataType],
  );
  const { rows } = await client.query<{ start_time: number; end_time: number }>(
    `SELECT lower(r) AS start_time, upper(r) AS end_time FROM series, unnest(expected) AS r
     WHERE market_id = $1 AND data_type = $2 AND timeframe = '' ORDER BY r`,
    [marketId, kind.dataType],
  );
  return rows.map((row) => ({ startMs: row.start_time, endMs: row.end_time }));
}

function keptDays(events: readonly CriticalEvent[], marketId: number): TimeRange[] {
  return mergeRanges(
    events
      .filter((event) => event.marketId === undefined || event.marketId === marketId)
      .map(({ startMs, endMs }) => ({
        startMs: floorToTimeframe(startMs, "1d"),
        endMs: ceilToTimeframe(endMs, "1d"),
      })),
  );
}

/** The first of what is expected, old enough and in no kept day, to the end of its UTC day. */
function oldestDay(
  expected: readonly TimeRange[],
  kept: readonly TimeRange[],
  cutoffMs: number,
): TimeRange | undefined {
  const [first] = subtractRanges(expected, [...kept, { startMs: cutoffMs, endMs: Infinity }]);
  if (first === undefined) return undefined;
  return {
    startMs: first.startMs,
    endMs: Math.min(first.endMs, floorToTimeframe(first.startMs, "1d") + DAY_MS),
  };
}

async function dropDeltas(
  { database, signal }: RetentionHands,
  ageMs: number | undefined,
  nowMs: number,
): Promise<number> {
  if (ageMs === undefined) return 0;
  const doing = "drop old rows of orderbook_deltas";
  const cutoffMs = floorToTimeframe(nowMs - ageMs, "1d");
  const dropOf = async (client: PoolClient, marketId: number): Promise<number> => {
    const kept = keptDays(await lockEvents(client), marketId);
    const { rowCount } = await client.query(
      `DELETE FROM orderbook_deltas d WHERE market_id = $1 AND ts < $2
         AND NOT EXISTS (SELECT FROM unnest($3::timestamptz[], $4::timestamptz[]) AS k (start_time, end_time)
           WHERE d.ts >= k.start_time AND d.ts < k.end_time)`,
      [
        marketId,
        formatTime(cutoffMs),
        kept.map(({ startMs }) => formatTime(startMs)),
        kept.map(({ endMs }) => formatTime(endMs)),
      ],
    );
    return rowCount ?? 0;
  };
  let dropped = 0;
  const markets = await database.attempt(doing, (pool) =>
    pool.query<{ id: number }>("SELECT id FROM markets ORDER BY id"),
  );
  for (const { id } of markets.rows) {
    signal.throwIfAborted();
    dropped += await database.transactionAnew(doing, (client) => dropOf(client, id));
  }
  return dropped;
}
