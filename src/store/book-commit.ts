// Stores order books: snapshots, deltas, the times with a valid book and those without, inside a transaction the caller has
// begun. A time without a book stays a gap for ever, with its reason: no exchange keeps past books.
import type { PoolClient } from "pg";
import type { BookLevel } from "../core/model/book.js";
import type { BookBatch } from "../core/model/record-batch.js";
import { mergeRanges, subtractRanges, type TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { growExpectation, hullOfRanges, lockLiveSeries, recordLiveRejections } from "./live-series.js";
import { columnsOf, recordOutages, trimOutages, type MarketRange } from "./book-gaps.js";
import { addTallies } from "./live-tallies.js";

/** @returns snapshots and deltas that were not stored before */
export async function commitBooks(
  client: PoolClient,
  batches: readonly BookBatch[],
  nowMs: number,
): Promise<number> {
  if (batches.length === 0) return 0;
  const marketIds = [...new Set(batches.map(({ marketId }) => marketId))].sort((a, b) => a - b);
  await lockLiveSeries(client, "orderbook", marketIds);
  const snapshots = await storeSnapshots(client, batches);
  const deltas = await storeDeltas(client, batches);
  await claimValidity(client, batches, snapshots);
  await growExpectation(
    client,
    "orderbook",
    marketIds.map((marketId) => ({
      marketId,
      hull: hullOfRanges(
        batches
          .filter((batch) => batch.marketId === marketId)
          .flatMap(({ valid, outages }) => [...valid, ...outages]),
      ),
    })),
  );
  await trimOutages(
    client,
    batches.flatMap(({ marketId, valid }) => valid.map((range) => ({ ...range, marketId }))),
    nowMs,
  );
  await recordOutages(
    client,
    batches.flatMap(({ marketId, outages, receivedMs }) =>
      outages.map((outage) => ({ ...outage, marketId, foundMs: receivedMs })),
    ),
  );
  await recordLiveRejections(
    client,
    "orderbook",
    batches.flatMap(({ marketId, rejected }) =>
      rejected.map((each) => ({ ...each, marketId, source: "ws" })),
    ),
  );
  await addTallies(
    client,
    "orderbook",
    batches.map((batch) => ({
      marketId: batch.marketId,
      atMs: batch.receivedMs,
      tally: batch.tally,
      stored: batch.snapshots.length,
      lagsMs: batch.snapshots.map(({ timeMs }) => nowMs - timeMs),
    })),
  );
  return snapshots.length + deltas;
}

interface StoredSnapshot {
  readonly marketId: number;
  readonly timeMs: number;
}

async function storeSnapshots(client: PoolClient, batches: readonly BookBatch[]): Promise<StoredSnapshot[]> {
  const rows = batches.flatMap(({ marketId, snapshots }) => snapshots.map((each) => ({ ...each, marketId })));
  if (rows.length === 0) return [];
  const { rows: stored } = await client.query<{ market_id: number; ts: number }>(
    `INSERT INTO orderbook_snapshots (market_id, ts, sequence, bids, asks)
     SELECT market_id, ts, sequence, bids::numeric[], asks::numeric[]
     FROM unnest($1::int[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[]) AS s (market_id, ts, sequence, bids, asks)
     ON CONFLICT DO NOTHING RETURNING market_id, ts`,
    [
      rows.map(({ marketId }) => marketId),
      rows.map(({ timeMs }) => formatTime(timeMs)),
      rows.map(({ sequence }) => sequence),
      rows.map(({ bids }) => arrayText(bids)),
      rows.map(({ asks }) => arrayText(asks)),
    ],
  );
  return stored.map(({ market_id, ts }) => ({ marketId: market_id, timeMs: ts }));
}

async function storeDeltas(client: PoolClient, batches: readonly BookBatch[]): Promise<number> {
  const rows = batches.flatMap(({ marketId, deltas }) => deltas.map((each) => ({ ...each, marketId })));
  if (rows.length === 0) return 0;
  const { rowCount } = await client.query(
    `INSERT INTO orderbook_deltas (market_id, ts, received_at, first_id, last_id, is_snapshot, bids, asks)
     SELECT market_id, ts, received_at, first_id, last_id, is_snapshot, bids::numeric[], asks::numeric[]
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::bigint[], $6::boolean[], $7::text[], $8::text[])
       AS d (market_id, ts, received_at, first_id, last_id, is_snapshot, bids, asks)
     ON CONFLICT DO NOTHING`,
    [
      rows.map(({ marketId }) => marketId),
      rows.map(({ timeMs }) => formatTime(timeMs)),
      rows.map(({ receivedMs }) => formatTime(receivedMs)),
      rows.map(({ firstId }) => firstId),
      rows.map(({ lastId }) => lastId),
      rows.map(({ isSnapshot }) => isSnapshot),
      rows.map(({ bids }) => arrayText(bids)),
      rows.map(({ asks }) => arrayText(asks)),
    ],
  );
  return rowCount ?? 0;
}

/** `{{100.5,1},{100,2}}`; decimals hold nothing that would have to be quoted. */
function arrayText(levels: readonly BookLevel[]): string {
  return levels.length === 0 ? "{}" : `{${levels.map(([price, qty]) => `{${price},${qty}}`).join(",")}}`;
}

interface BookRange extends MarketRange {
  /** Snapshots stored in it. */
  readonly records: number;
}

/** Ranges that touch become one row: a book that holds for a day is one range. */
async function claimValidity(
  client: PoolClient,
  batches: readonly BookBatch[],
  snapshots: readonly StoredSnapshot[],
): Promise<void> {
  const claims = [...groupBy(batches, ({ marketId }) => marketId)].flatMap(([marketId, own]) =>
    mergeRanges(own.flatMap(({ valid }) => valid).filter(({ startMs, endMs }) => startMs < endMs)).map(
      (range) => ({ ...range, marketId }),
    ),
  );
  if (claims.length === 0) return;
  const onRecord = await loadTouched(client, claims);
  const put: (TimeRange & { marketId: number; before: readonly BookRange[] })[] = [];
  const removed: BookRange[] = [];
  const added: MarketRange[] = [];
  for (const [marketId, own] of groupBy(claims, (claim) => claim.marketId)) {
    const before = onRecord.filter((range) => range.marketId === marketId);
    const merged = mergeRanges([...own, ...before]);
    for (const range of merged) {
      const within = before.filter((each) => each.startMs >= range.startMs && each.endMs <= range.endMs);
      put.push({ ...range, marketId, before: within });
      for (const part of subtractRanges([range], within)) added.push({ ...part, marketId });
    }
    removed.push(...before.filter(({ startMs }) => !merged.some((range) => range.startMs === startMs)));
  }
  const counted = await countSnapshots(client, added);
  /** What a range holds depends on the rows alone: those counted before, those come late, and all of the time added. */
  const recordsOf = (range: (typeof put)[number]): number =>
    sum(range.before) +
    snapshots.filter(
      ({ marketId, timeMs }) =>
        marketId === range.marketId &&
        range.before.some(({ startMs, endMs }) => timeMs >= startMs && timeMs < endMs),
    ).length +
    sum(
      counted.filter(
        (part) =>
          part.marketId === range.marketId && part.startMs >= range.startMs && part.endMs <= range.endMs,
      ),
    );
  if (removed.length > 0)
    await client.query(
      `DELETE FROM coverage c USING unnest($1::int[], $2::timestamptz[]) AS r (market_id, start_time)
       WHERE c.market_id = r.market_id AND c.data_type = 'orderbook' AND c.timeframe = '' AND c.start_time = r.start_time`,
      [removed.map(({ marketId }) => marketId), removed.map(({ startMs }) => formatTime(startMs))],
    );
  await client.query(
    `INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records)
     SELECT market_id, 'orderbook', '', start_time, end_time, 'ws_sequence', records
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) AS p (market_id, start_time, end_time, records)
     ON CONFLICT (market_id, data_type, timeframe, start_time) DO UPDATE SET
       end_time = EXCLUDED.end_time, records = EXCLUDED.records, proven_at = now()`,
    [
      put.map(({ marketId }) => marketId),
      put.map(({ startMs }) => formatTime(startMs)),
      put.map(({ endMs }) => formatTime(endMs)),
      put.map(recordsOf),
    ],
  );
}

/** How many books are stored in each of these ranges. */
async function countSnapshots(client: PoolClient, ranges: readonly MarketRange[]): Promise<BookRange[]> {
  if (ranges.length === 0) return [];
  const { rows } = await client.query<{ at: number; records: number }>(
    `SELECT p.at, count(s.ts) AS records
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) WITH ORDINALITY AS p (market_id, start_time, end_time, at)
     LEFT JOIN orderbook_snapshots s ON s.market_id = p.market_id AND s.ts >= p.start_time AND s.ts < p.end_time
     GROUP BY p.at`,
    columnsOf(ranges),
  );
  const records = new Map(rows.map((row) => [row.at, row.records]));
  return ranges.map((range, i) => ({ ...range, records: records.get(i + 1) ?? 0 }));
}

async function loadTouched(client: PoolClient, claims: readonly MarketRange[]): Promise<BookRange[]> {
  const { rows } = await client.query<{
    market_id: number;
    start_time: number;
    end_time: number;
    records: number;
  }>(
    `SELECT DISTINCT c.market_id, c.start_time, c.end_time, c.records
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS h (market_id, start_time, end_time)
     JOIN coverage c ON c.market_id = h.market_id AND c.data_type = 'orderbook' AND c.timeframe = ''
      AND c.start_time <= h.end_time AND c.end_time >= h.start_time`,
    columnsOf(claims),
  );
  return rows.map((row) => ({
    marketId: row.market_id,
    startMs: row.start_time,
    endMs: row.end_time,
    records: row.records,
  }));
}

function sum(ranges: readonly BookRange[]): number {
  return ranges.reduce((total, { records }) => total + records, 0);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
