// Stores trades: rows, coverage by ids, gaps, refused records and counts of any number of batches, inside a transaction the
// caller has begun.
//
// 1. Lock the series (their rows in `series`), in order.
// 2. Rows that must be new by their ids are COPYed straight in; should one exist after all, the savepoint is rolled back and
//    they take the way of 3.
// 3. All other rows are COPYed into a temporary table, compared and inserted. A trade that one source tells in microseconds
//    and another in milliseconds is one trade; one that differs from what is stored is kept in quarantine, for trades do
//    not change, and so is one whose id is proven to be stored at another time.
//    Where ids count fills, several may be told together and, by another source, one by one: each is stored once. Those that
//    stand together stay so, and take the place of single ones.
// 4. Coverage follows by the arithmetic of trade-ledger.ts, then what is expected, gaps, refused records, counts.
import { pipeline } from "node:stream/promises";
import type { PoolClient } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { TradeBatch } from "../core/model/record-batch.js";
import type { Trade } from "../core/model/trade.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { CommitHands } from "./candle-commit.js";
import type { CopyEncoder } from "./copy-encoder.js";
import { errorCode } from "./database-error.js";
import {
  closeLiveGaps,
  growExpectation,
  hullOfRanges,
  lockLiveSeries,
  recordLiveGaps,
  recordLiveRejections,
} from "./live-series.js";
import { addTallies } from "./live-tallies.js";
import { addTradeClaims, type TradeCoverage } from "./trade-ledger.js";

const UNIQUE_VIOLATION = "23505";
const COLUMNS = ["ts", "trade_id", "market_id", "fills", "side", "price", "quantity"] as const;
/** Ranges of this much around a claim are read: whatever touches it. */
const AROUND_MS = 1;

/**
 * Trades may be stored without a claim. The highest id is among those with the latest times: a venue's ids and times differ in
 * order by the trades of some milliseconds.
 */
const LATEST_ROWS = 256;

interface TradeSeries {
  readonly marketId: number;
  readonly batches: TradeBatch[];
  onRecord: TradeCoverage[];
  /** The highest id that is covered or stored; -1 without any. */
  lastId: number;
  countsFills: boolean;
}

/** @returns trades that were not stored before */
export async function commitTrades(
  hands: CommitHands,
  batches: readonly TradeBatch[],
  nowMs: number,
): Promise<number> {
  if (batches.length === 0) return 0;
  const { client } = hands;
  const allSeries = groupByMarket(batches);
  const marketIds = allSeries.map(({ marketId }) => marketId);
  await lockLiveSeries(client, "trades", marketIds);
  await loadCoverage(client, allSeries);
  const inserted = await storeRows(hands, allSeries);
  await recordProofs(client, allSeries);
  await growExpectation(
    client,
    "trades",
    allSeries.map(({ marketId, batches: own }) => ({ marketId, hull: hullOfRanges(own.flatMap(rangesOf)) })),
  );
  const missing = batches.flatMap((batch) =>
    batch.missing.map((range) => ({ ...range, marketId: batch.marketId, foundMs: batch.receivedMs })),
  );
  await recordLiveGaps(client, "trades", missing);
  await closeLiveGaps(client, "trades", marketIds, nowMs);
  await recordLiveRejections(
    client,
    "trades",
    batches.flatMap((batch) =>
      batch.rejected.map((each) => ({ ...each, marketId: batch.marketId, source: sourceOf(batch) })),
    ),
  );
  await addTallies(
    client,
    "trades",
    batches.map((batch) => ({
      marketId: batch.marketId,
      atMs: batch.receivedMs,
      tally: batch.tally,
      stored: batch.trades.length,
      // What was fetched later says nothing of the stream.
      lagsMs: batch.evidence === "ws_sequence" ? batch.trades.map(({ timeMs }) => nowMs - timeMs) : [],
    })),
  );
  return inserted;
}

function groupByMarket(batches: readonly TradeBatch[]): TradeSeries[] {
  const byMarket = new Map<number, TradeSeries>();
  for (const batch of batches) {
    const series = byMarket.get(batch.marketId);
    if (series) series.batches.push(batch);
    else
      byMarket.set(batch.marketId, {
        marketId: batch.marketId,
        batches: [batch],
        onRecord: [],
        lastId: -1,
        countsFills: false,
      });
  }
  return [...byMarket.values()].sort((a, b) => a.marketId - b.marketId);
}

function rangesOf({ runs, voids, missing }: TradeBatch): TimeRange[] {
  return [...runs, ...voids, ...missing];
}

function sourceOf({ evidence }: TradeBatch): string {
  return evidence === "ws_sequence" ? "ws" : evidence === "import" ? "import" : "rest";
}

async function loadCoverage(client: PoolClient, allSeries: readonly TradeSeries[]): Promise<void> {
  const hulls = allSeries.map(({ batches }) =>
    hullOfRanges(batches.flatMap(({ runs, voids }) => [...runs, ...voids])),
  );
  const { rows } = await client.query<{
    market_id: number;
    start_time: number | null;
    end_time: number | null;
    first_id: number | null;
    last_id: number | null;
    evidence: TradeCoverage["evidence"] | null;
    top_id: number | null;
    counts_fills: boolean;
  }>(
    `SELECT h.market_id, c.start_time, c.end_time, c.first_id, c.last_id, c.evidence,
            greatest(
              (SELECT max(last_id) FROM coverage t WHERE t.market_id = h.market_id AND t.data_type = 'trades' AND t.timeframe = ''),
              (SELECT max(trade_id) FROM (SELECT trade_id FROM trades t WHERE t.market_id = h.market_id ORDER BY ts DESC LIMIT ${LATEST_ROWS}) latest)
            ) AS top_id,
            EXISTS (SELECT FROM series s WHERE s.market_id = h.market_id AND s.data_type = 'trades' AND s.trade_numbering = 'fill') AS counts_fills
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS h (market_id, start_time, end_time)
     LEFT JOIN coverage c ON c.market_id = h.market_id AND c.data_type = 'trades' AND c.timeframe = ''
      AND c.start_time <= h.end_time AND c.end_time >= h.start_time`,
    [
      allSeries.map(({ marketId }) => marketId),
      hulls.map((hull) => (hull ? formatTime(hull.startMs - AROUND_MS) : null)),
      hulls.map((hull) => (hull ? formatTime(hull.endMs + AROUND_MS) : null)),
    ],
  );
  const byMarket = new Map(allSeries.map((series) => [series.marketId, series]));
  for (const row of rows) {
    const series = byMarket.get(row.market_id);
    if (!series) continue;
    series.lastId = row.top_id ?? -1;
    series.countsFills = row.counts_fills;
    if (row.start_time === null || row.end_time === null || row.evidence === null) continue;
    series.onRecord.push({
      startMs: row.start_time,
      endMs: row.end_time,
      evidence: row.evidence,
      ids:
        row.first_id === null || row.last_id === null
          ? undefined
          : { firstId: row.first_id, lastId: row.last_id },
    });
  }
}

async function storeRows(hands: CommitHands, allSeries: readonly TradeSeries[]): Promise<number> {
  const direct: TradeBatch[] = [];
  const compared: TradeBatch[] = [];
  for (const { batches, lastId } of allSeries) {
    let topId = lastId;
    for (const batch of batches) {
      const first = batch.trades[0];
      if (first === undefined) continue;
      (first.firstFillId > topId && first.id > topId ? direct : compared).push(batch);
      topId = Math.max(topId, batch.trades.at(-1)?.id ?? topId);
    }
  }
  let inserted = 0;
  if (direct.length > 0) {
    if (await copyNew(hands, direct)) inserted += direct.reduce((sum, { trades }) => sum + trades.length, 0);
    else compared.unshift(...direct);
  }
  if (compared.length > 0) inserted += await insertCompared(hands, compared, allSeries);
  return inserted;
}

async function copyNew(hands: CommitHands, batches: readonly TradeBatch[]): Promise<boolean> {
  const { client } = hands;
  await client.query("SAVEPOINT direct_trades");
  try {
    await copy(hands, "trades", batches);
  } catch (error) {
    if (errorCode(error) !== UNIQUE_VIOLATION) throw error;
    await client.query("ROLLBACK TO SAVEPOINT direct_trades");
    return false;
  }
  await client.query("RELEASE SAVEPOINT direct_trades");
  return true;
}

async function insertCompared(
  hands: CommitHands,
  batches: readonly TradeBatch[],
  allSeries: readonly TradeSeries[],
): Promise<number> {
  const { client } = hands;
  await client.query(
    `CREATE TEMP TABLE IF NOT EXISTS incoming_trades ON COMMIT DELETE ROWS AS SELECT ${COLUMNS.join(", ")} FROM trades WITH NO DATA`,
  );
  await client.query("DELETE FROM incoming_trades");
  await copy(hands, "incoming_trades", batches);
  const fillMarkets = allSeries.filter(({ countsFills }) => countsFills).map(({ marketId }) => marketId);
  const isJoined = ({ firstFillId, lastFillId }: Trade): boolean => lastFillId > firstFillId;
  if (batches.some(({ marketId, trades }) => fillMarkets.includes(marketId) && trades.some(isJoined)))
    await joinFills(client, fillMarkets);
  const proven = allSeries.flatMap(({ marketId, onRecord }) =>
    onRecord.flatMap(({ ids }) => (ids ? { marketId, ...ids } : [])),
  );
  const { rows } = await client.query<{
    inserted: number;
    contradictions: { market_id: number; ts_ms: number; incoming: unknown }[] | null;
  }>(
    `WITH compared AS MATERIALIZED (
       SELECT DISTINCT ON (i.market_id, i.trade_id, date_trunc('milliseconds', i.ts)) i,
              t.trade_id IS NOT NULL OR p.market_id IS NOT NULL AS is_known,
              CASE WHEN t.trade_id IS NULL THEN p.market_id IS NOT NULL
                   WHEN counts_fills AND t.fills <> i.fills THEN (t.price, t.side) IS DISTINCT FROM (i.price, i.side)
                   ELSE (t.price, t.quantity, t.side) IS DISTINCT FROM (i.price, i.quantity, i.side) END AS differs
       FROM incoming_trades i
       CROSS JOIN LATERAL (SELECT i.market_id = ANY ($1::int[]) AS counts_fills) m
       LEFT JOIN LATERAL (
         SELECT * FROM trades t WHERE t.market_id = i.market_id
           AND t.ts >= date_trunc('milliseconds', i.ts) AND t.ts < date_trunc('milliseconds', i.ts) + interval '1 millisecond'
           AND (t.trade_id = i.trade_id OR counts_fills AND t.trade_id > i.trade_id AND t.trade_id - t.fills <= i.trade_id - i.fills)
         LIMIT 1
       ) t ON true
       LEFT JOIN LATERAL (
         SELECT r.market_id FROM unnest($2::int[], $3::bigint[], $4::bigint[]) AS r (market_id, first_id, last_id)
         WHERE t.trade_id IS NULL AND r.market_id = i.market_id AND i.trade_id BETWEEN r.first_id AND r.last_id LIMIT 1
       ) p ON true
     ), written AS (
       INSERT INTO trades (${COLUMNS.join(", ")}) SELECT ${COLUMNS.map((c) => `(i).${c}`).join(", ")} FROM compared WHERE NOT is_known
       ON CONFLICT DO NOTHING RETURNING 1
     )
     SELECT (SELECT count(*) FROM written) AS inserted,
            (SELECT jsonb_agg(jsonb_build_object('market_id', (i).market_id, 'ts_ms', extract(epoch FROM (i).ts) * 1000, 'incoming', to_jsonb(i)))
             FROM compared WHERE differs) AS contradictions`,
    [
      fillMarkets,
      proven.map(({ marketId }) => marketId),
      proven.map(({ firstId }) => firstId),
      proven.map(({ lastId }) => lastId),
    ],
  );
  const [row] = rows;
  await recordLiveRejections(
    client,
    "trades",
    (row?.contradictions ?? []).map((each) => ({
      marketId: each.market_id,
      source: "rest",
      rule: "trade.contradicts_stored",
      detail: "the trade of this id is stored with other values; those stay",
      openTimeMs: each.ts_ms,
      raw: JSON.stringify(each.incoming),
    })),
  );
  return row?.inserted ?? 0;
}

/**
 * Fills that are told together by one row and one by one by others: whole ones that are stored one by one already are taken out
 * of what comes in; otherwise the single ones are taken out, of what comes in and of what is stored.
 */
async function joinFills(client: PoolClient, fillMarkets: readonly number[]): Promise<void> {
  const isPart = `j.market_id = ANY ($1::int[]) AND part.market_id = j.market_id AND part.fills < j.fills
    AND part.ts >= date_trunc('milliseconds', j.ts) AND part.ts < date_trunc('milliseconds', j.ts) + interval '1 millisecond'
    AND part.trade_id <= j.trade_id AND part.trade_id - part.fills >= j.trade_id - j.fills`;
  for (const statement of [
    `DELETE FROM incoming_trades j WHERE j.fills = (SELECT sum(part.fills) FROM trades part WHERE ${isPart})`,
    `DELETE FROM incoming_trades part USING incoming_trades j WHERE ${isPart}`,
    `DELETE FROM trades part USING incoming_trades j WHERE ${isPart}`,
  ])
    await client.query(statement, [fillMarkets]);
}

async function copy(
  { client, encoder }: CommitHands,
  table: "trades" | "incoming_trades",
  batches: readonly TradeBatch[],
): Promise<void> {
  encoder.begin();
  for (const { marketId, trades } of batches)
    for (const trade of trades) encodeTrade(encoder, marketId, trade);
  await pipeline(
    [encoder.finish()],
    client.query(copyFrom(`COPY ${table} (${COLUMNS.join(", ")}) FROM STDIN (FORMAT binary)`)),
  );
}

function encodeTrade(encoder: CopyEncoder, marketId: number, trade: Trade): void {
  encoder.startRow(COLUMNS.length);
  encoder.timestamp(trade.timeMs, trade.microsecond);
  encoder.bigint(trade.id);
  encoder.integer(marketId);
  encoder.integer(trade.lastFillId - trade.firstFillId + 1);
  encoder.asciiText(trade.side);
  encoder.numeric(trade.price);
  encoder.numeric(trade.qty);
}

async function recordProofs(client: PoolClient, allSeries: readonly TradeSeries[]): Promise<void> {
  const removed: { marketId: number; startMs: number }[] = [];
  const put: (TradeCoverage & { marketId: number })[] = [];
  for (const { marketId, batches, onRecord } of allSeries) {
    let ranges = onRecord;
    for (const batch of batches) ranges = addTradeClaims(ranges, claimsOf(batch));
    const identity = (range: TradeCoverage): string =>
      `${range.startMs} ${range.endMs} ${range.evidence} ${range.ids?.firstId} ${range.ids?.lastId}`;
    const before = new Set(onRecord.map(identity));
    const starts = new Set(ranges.map(({ startMs }) => startMs));
    for (const { startMs } of onRecord) if (!starts.has(startMs)) removed.push({ marketId, startMs });
    for (const range of ranges) if (!before.has(identity(range))) put.push({ ...range, marketId });
  }
  if (removed.length > 0) {
    await client.query(
      `DELETE FROM coverage c USING unnest($1::int[], $2::timestamptz[]) AS r (market_id, start_time)
       WHERE c.market_id = r.market_id AND c.data_type = 'trades' AND c.timeframe = '' AND c.start_time = r.start_time`,
      [removed.map(({ marketId }) => marketId), removed.map(({ startMs }) => formatTime(startMs))],
    );
  }
  if (put.length === 0) return;
  await client.query(
    `INSERT INTO coverage AS c (market_id, data_type, timeframe, start_time, end_time, evidence, first_id, last_id, records)
     SELECT p.market_id, 'trades', '', p.start_time, p.end_time, p.evidence, p.first_id, p.last_id, coalesce(p.last_id - p.first_id + 1, 0)
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[])
       AS p (market_id, start_time, end_time, evidence, first_id, last_id)
     ON CONFLICT (market_id, data_type, timeframe, start_time) DO UPDATE SET
       end_time = EXCLUDED.end_time, evidence = EXCLUDED.evidence, first_id = EXCLUDED.first_id, last_id = EXCLUDED.last_id,
       records = EXCLUDED.records, proven_at = now()`,
    [
      put.map(({ marketId }) => marketId),
      put.map(({ startMs }) => formatTime(startMs)),
      put.map(({ endMs }) => formatTime(endMs)),
      put.map(({ evidence }) => evidence),
      put.map(({ ids }) => ids?.firstId ?? null),
      put.map(({ ids }) => ids?.lastId ?? null),
    ],
  );
}

function claimsOf({ runs, voids, evidence }: TradeBatch): TradeCoverage[] {
  return [
    ...runs.map(({ startMs, endMs, firstId, lastId }) => ({
      startMs,
      endMs,
      evidence,
      ids: { firstId, lastId },
    })),
    ...voids.map(({ startMs, endMs }) => ({
      startMs,
      endMs,
      evidence: "exchange_void" as const,
      ids: undefined,
    })),
  ];
}
