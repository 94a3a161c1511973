// Stores checked pages: rows, coverage, voids, gaps and rejections of any number of pages in one transaction.
//
// 1. Lock the series (their row in `series`), in order, so that two writers cannot deadlock or both read old coverage.
// 2. Rows of a range that coverage knows to be empty are COPYed straight into the table; should one exist after all, the
//    savepoint is rolled back and they take the way of 3.
// 3. All other rows are COPYed into a temporary table and upserted; a changed candle keeps its earlier values in
//    `candle_revisions`.
// 4. Coverage, gap log and quarantine follow, then COMMIT: all of it or nothing.
import { pipeline } from "node:stream/promises";
import type { PoolClient } from "pg";
import { from as copyFrom } from "pg-copy-streams";
import type { Candle } from "../core/model/candle.js";
import { CANDLE_FLAGS } from "../core/model/candle-flags.js";
import type { CandleBatch, Rejection } from "../core/model/candle-batch.js";
import { formatTime } from "../core/time.js";
import { timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { CopyEncoder } from "./copy-encoder.js";
import { applyClaims, runsOf, type CoverageRange } from "./coverage-ledger.js";
import { errorCode } from "./database-error.js";
import { closeFilledGaps, recordMissing } from "./gap-log.js";
import { recordRejections } from "./quarantine.js";
import type { CommitResult } from "./store.js";

const UNIQUE_VIOLATION = "23505";
const COLUMNS = [
  "open_time",
  "trade_count",
  "market_id",
  "flags",
  "timeframe",
  "source",
  "open",
  "high",
  "low",
  "close",
  "volume",
  "quote_volume",
] as const;
const REVISION_COLUMNS = [...COLUMNS.filter((column) => column !== "flags"), "revision"] as const;

const CREATE_INCOMING = `
  CREATE TEMP TABLE IF NOT EXISTS incoming_ohlcv ON COMMIT DELETE ROWS AS
  SELECT ${COLUMNS.join(", ")} FROM ohlcv WITH NO DATA`;

/** SQL over the stored row `o` and an incoming one. A value the source does not tell (null) differs from nothing. */
const valuesDiffer = (incoming: string): string => `(
  (${incoming}.open, ${incoming}.high, ${incoming}.low, ${incoming}.close, ${incoming}.volume)
    IS DISTINCT FROM (o.open, o.high, o.low, o.close, o.volume)
  OR coalesce(${incoming}.quote_volume <> o.quote_volume, false) OR coalesce(${incoming}.trade_count <> o.trade_count, false))`;
/** A file never overwrites what the exchange itself has said. */
const isRefused = (incoming: string): string =>
  `(${valuesDiffer(incoming)} AND o.source <> 'import' AND ${incoming}.source = 'import')`;
/** A row whose figures contradict each other never takes the place of a sound one. */
const isWorse = (incoming: string): string =>
  `(${incoming}.flags & ${CANDLE_FLAGS.rule_broken} <> 0 AND o.flags & ${CANDLE_FLAGS.rule_broken} = 0)`;
const knowsMore = (incoming: string): string => `(
  o.quote_volume IS NULL AND ${incoming}.quote_volume IS NOT NULL
  OR o.trade_count IS NULL AND ${incoming}.trade_count IS NOT NULL
  OR o.source = 'import' AND ${incoming}.source <> 'import')`;

/**
 * Only what is new or different reaches the INSERT: ON CONFLICT alone would lock, and so write, every row that is there
 * already. The series' lock is held, so nothing changes between the comparison and the write. LIMIT 1 keeps the planner
 * on the primary key, however large the table and however old its statistics.
 */
const UPSERT = `
  WITH compared AS MATERIALIZED (
    SELECT i, o.stored, o.open_time IS NOT NULL AND ${valuesDiffer("i")} AS is_changed, ${isRefused("i")} AS is_refused
    FROM incoming_ohlcv i LEFT JOIN LATERAL (
      SELECT s AS stored, s.* FROM ohlcv s
      WHERE s.market_id = i.market_id AND s.timeframe = i.timeframe AND s.open_time = i.open_time LIMIT 1
    ) o ON true
    WHERE o.open_time IS NULL OR NOT ${isWorse("i")} AND (${valuesDiffer("i")} OR ${knowsMore("i")})
  ), kept AS (
    INSERT INTO candle_revisions (${REVISION_COLUMNS.join(", ")})
    SELECT ${REVISION_COLUMNS.map((column) => `(stored).${column}`).join(", ")} FROM compared WHERE is_changed AND is_refused IS NOT TRUE
  ), written AS (
    INSERT INTO ohlcv AS o (${COLUMNS.join(", ")})
    SELECT ${COLUMNS.map((column) => `(i).${column}`).join(", ")} FROM compared WHERE is_refused IS NOT TRUE
    ON CONFLICT (market_id, timeframe, open_time) DO UPDATE SET
      open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close, volume = EXCLUDED.volume,
      quote_volume = coalesce(EXCLUDED.quote_volume, o.quote_volume),
      trade_count = coalesce(EXCLUDED.trade_count, o.trade_count),
      source = EXCLUDED.source,
      flags = CASE WHEN ${valuesDiffer("EXCLUDED")} THEN EXCLUDED.flags ELSE o.flags | EXCLUDED.flags END,
      revision = o.revision + ${valuesDiffer("EXCLUDED")}::int
    WHERE NOT ${isWorse("EXCLUDED")} AND (${valuesDiffer("EXCLUDED")} OR ${knowsMore("EXCLUDED")})
    RETURNING (xmax = 0) AS is_new
  )
  SELECT (SELECT count(*) FROM written WHERE is_new) AS inserted,
         (SELECT count(*) FROM compared WHERE is_changed AND is_refused IS NOT TRUE) AS revised,
         (SELECT jsonb_agg(jsonb_build_object('market_id', (i).market_id, 'timeframe', (i).timeframe, 'incoming', to_jsonb(i) - 'flags',
                 'open_ms', extract(epoch FROM (i).open_time) * 1000)) FROM compared WHERE is_refused) AS refused`;

interface SeriesState {
  readonly marketId: number;
  readonly timeframe: Timeframe;
  readonly batches: CandleBatch[];
  /** Coverage on record around the batches. */
  onRecord: CoverageRange[];
}

/** A connection inside a transaction, and the encoder its COPYs may use. */
export interface CommitHands {
  readonly client: PoolClient;
  readonly encoder: CopyEncoder;
}

/** Runs the numbered steps above inside a transaction the caller has begun. */
export async function commitBatches(
  hands: CommitHands,
  batches: readonly CandleBatch[],
): Promise<Omit<CommitResult, "live">> {
  const { client } = hands;
  const allSeries = groupBySeries(batches);
  await lockSeries(client, allSeries);
  await loadCoverage(client, allSeries);

  const { direct, rounds } = planRows(allSeries);
  let inserted = 0;
  if (direct.length > 0) {
    if (await copyIntoEmptyRange(hands, direct)) inserted += countRows(direct);
    else rounds.unshift(direct);
  }
  let revised = 0;
  let refused = 0;
  for (const round of rounds) {
    const result = await upsert(hands, round);
    inserted += result.inserted;
    revised += result.revised;
    refused += result.refused.length;
    for (const { marketId, timeframe, rejection } of result.refused) {
      await recordRejections(client, { marketId, timeframe, source: "import" }, [rejection]);
    }
  }
  for (const series of allSeries) await recordProofs(client, series);
  await noteChangedMinutes(client, allSeries);
  return { inserted, revised, refused };
}

function groupBySeries(batches: readonly CandleBatch[]): SeriesState[] {
  const byKey = new Map<string, SeriesState>();
  for (const batch of batches) {
    const key = `${batch.marketId} ${batch.timeframe}`;
    const series = byKey.get(key);
    if (series) series.batches.push(batch);
    else
      byKey.set(key, {
        marketId: batch.marketId,
        timeframe: batch.timeframe,
        batches: [batch],
        onRecord: [],
      });
  }
  return [...byKey.values()].sort((a, b) => a.marketId - b.marketId || (a.timeframe < b.timeframe ? -1 : 1));
}

async function lockSeries(client: PoolClient, allSeries: readonly SeriesState[]): Promise<void> {
  const locked = await client.query(
    `SELECT 1 FROM series WHERE data_type = 'ohlcv' AND (market_id, timeframe) IN (SELECT * FROM unnest($1::int[], $2::text[]))
     ORDER BY market_id, timeframe FOR UPDATE`,
    [allSeries.map((series) => series.marketId), allSeries.map((series) => series.timeframe)],
  );
  if (locked.rowCount !== allSeries.length) {
    throw new Error(
      `${allSeries.length - (locked.rowCount ?? 0)} of ${allSeries.length} series were never expected: expect() comes before commit()`,
    );
  }
}

/** The range that a series' batches speak about. */
function hullOf(batches: readonly CandleBatch[], lengthMs: number): { startMs: number; endMs: number } {
  let startMs = Infinity;
  let endMs = -Infinity;
  for (const { candles, voids, missing } of batches) {
    const first = candles[0];
    const last = candles.at(-1);
    if (first) startMs = Math.min(startMs, first.openTimeMs);
    if (last) endMs = Math.max(endMs, last.openTimeMs + lengthMs);
    for (const range of [...voids, ...missing]) {
      startMs = Math.min(startMs, range.startMs);
      endMs = Math.max(endMs, range.endMs);
    }
  }
  return { startMs, endMs };
}

async function loadCoverage(client: PoolClient, allSeries: readonly SeriesState[]): Promise<void> {
  const hulls = allSeries.map((series) => hullOf(series.batches, timeframeMs(series.timeframe)));
  const wanted = allSeries
    .map((series, i) => ({ series, hull: hulls[i] }))
    .filter(({ hull }) => hull && hull.startMs < hull.endMs);
  if (wanted.length === 0) return;
  const { rows } = await client.query<{
    market_id: number;
    timeframe: Timeframe;
    start_time: number;
    end_time: number;
    evidence: CoverageRange["evidence"];
    proof: CoverageRange["proof"] | null;
  }>(
    `SELECT c.market_id, c.timeframe, c.start_time, c.end_time, c.evidence, c.proof
     FROM unnest($1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[]) AS h (market_id, timeframe, start_time, end_time)
     JOIN coverage c ON c.market_id = h.market_id AND c.data_type = 'ohlcv' AND c.timeframe = h.timeframe
      AND c.start_time <= h.end_time AND c.end_time >= h.start_time
     ORDER BY c.start_time`,
    [
      wanted.map(({ series }) => series.marketId),
      wanted.map(({ series }) => series.timeframe),
      wanted.map(({ hull }) => formatTime(hull?.startMs ?? 0)),
      wanted.map(({ hull }) => formatTime(hull?.endMs ?? 0)),
    ],
  );
  const byKey = new Map(allSeries.map((series) => [`${series.marketId} ${series.timeframe}`, series]));
  for (const row of rows) {
    byKey.get(`${row.market_id} ${row.timeframe}`)?.onRecord.push({
      startMs: row.start_time,
      endMs: row.end_time,
      evidence: row.evidence,
      proof: row.proof ?? undefined,
    });
  }
}

/** Splits batches into those whose range holds no rows yet, and rounds of upserts in which no candle occurs twice. */
function planRows(allSeries: readonly SeriesState[]): { direct: CandleBatch[]; rounds: CandleBatch[][] } {
  const direct: CandleBatch[] = [];
  const rounds: CandleBatch[][] = [];
  for (const series of allSeries) {
    const lengthMs = timeframeMs(series.timeframe);
    const taken = series.onRecord
      .filter((range) => range.evidence !== "exchange_void")
      .map(({ startMs, endMs }) => ({ startMs, endMs }));
    let round = -1;
    for (const batch of series.batches) {
      if (batch.candles.length === 0) continue;
      const { startMs, endMs } = hullOf([{ ...batch, voids: [], missing: [] }], lengthMs);
      const isEmpty = !taken.some((range) => range.startMs < endMs && range.endMs > startMs);
      taken.push({ startMs, endMs });
      if (isEmpty) direct.push(batch);
      else (rounds[++round] ??= []).push(batch);
    }
  }
  return { direct, rounds };
}

function countRows(batches: readonly CandleBatch[]): number {
  return batches.reduce((sum, batch) => sum + batch.candles.length, 0);
}

async function copyIntoEmptyRange(hands: CommitHands, batches: readonly CandleBatch[]): Promise<boolean> {
  const { client } = hands;
  await client.query("SAVEPOINT direct_copy");
  try {
    await copy(hands, "ohlcv", batches);
  } catch (error) {
    if (errorCode(error) !== UNIQUE_VIOLATION) throw error;
    await client.query("ROLLBACK TO SAVEPOINT direct_copy");
    return false;
  }
  await client.query("RELEASE SAVEPOINT direct_copy");
  return true;
}

async function copy(
  { client, encoder }: CommitHands,
  table: "ohlcv" | "incoming_ohlcv",
  batches: readonly CandleBatch[],
): Promise<void> {
  encoder.begin();
  for (const batch of batches) {
    for (const candle of batch.candles) encodeRow(encoder, batch, candle);
  }
  const body = encoder.finish();
  await pipeline(
    [body],
    client.query(copyFrom(`COPY ${table} (${COLUMNS.join(", ")}) FROM STDIN (FORMAT binary)`)),
  );
}

function encodeRow(encoder: CopyEncoder, batch: CandleBatch, candle: Candle): void {
  encoder.startRow(COLUMNS.length);
  encoder.timestamp(candle.openTimeMs);
  if (candle.tradeCount === undefined) encoder.null();
  else encoder.bigint(candle.tradeCount);
  encoder.integer(batch.marketId);
  encoder.smallint(batch.flags?.get(candle.openTimeMs) ?? 0);
  encoder.asciiText(batch.timeframe);
  encoder.asciiText(batch.source);
  encoder.numeric(candle.open);
  encoder.numeric(candle.high);
  encoder.numeric(candle.low);
  encoder.numeric(candle.close);
  encoder.numeric(candle.volume);
  if (candle.quoteVolume === undefined) encoder.null();
  else encoder.numeric(candle.quoteVolume);
}

interface RefusedRow {
  readonly marketId: number;
  readonly timeframe: Timeframe;
  readonly rejection: Rejection;
}

async function upsert(
  hands: CommitHands,
  batches: readonly CandleBatch[],
): Promise<{ inserted: number; revised: number; refused: RefusedRow[] }> {
  const { client } = hands;
  await client.query(CREATE_INCOMING);
  await client.query("DELETE FROM incoming_ohlcv");
  await copy(hands, "incoming_ohlcv", batches);
  const { rows } = await client.query<{
    inserted: number;
    revised: number;
    refused: { market_id: number; timeframe: Timeframe; open_ms: number; incoming: unknown }[] | null;
  }>(UPSERT);
  const [row] = rows;
  return {
    inserted: row?.inserted ?? 0,
    revised: row?.revised ?? 0,
    refused: (row?.refused ?? []).map((each) => ({
      marketId: each.market_id,
      timeframe: each.timeframe,
      rejection: {
        rule: "candle.contradicts_exchange",
        detail: `the exchange itself has sent other values for ${formatTime(each.open_ms)}; those stay`,
        openTimeMs: each.open_ms,
        raw: JSON.stringify(each.incoming),
      },
    })),
  };
}

async function recordProofs(client: PoolClient, series: SeriesState): Promise<void> {
  const key = { marketId: series.marketId, timeframe: series.timeframe };
  const lengthMs = timeframeMs(series.timeframe);
  let next: CoverageRange[] = series.onRecord;
  for (const batch of series.batches) {
    const covered = runsOf(openTimes(batch.candles), lengthMs);
    next = applyClaims(next, { covered, evidence: batch.evidence, voids: batch.voids });
  }
  await replaceCoverage(client, key, series.onRecord, next);
  for (const batch of series.batches) {
    const { missing, rejected, receivedMs } = batch;
    if (missing.length > 0) await recordMissing(client, key, { missing, proven: next, atMs: receivedMs });
    if (rejected.length > 0) await recordRejections(client, { ...key, source: batch.source }, rejected);
  }
  const around = hullOf(series.batches, lengthMs);
  const atMs = series.batches.at(-1)?.receivedMs ?? 0;
  if (around.startMs < around.endMs) await closeFilledGaps(client, key, { around, atMs });
}

/** For the longer candles that the database keeps as rows. */
async function noteChangedMinutes(client: PoolClient, allSeries: readonly SeriesState[]): Promise<void> {
  const hulls = allSeries
    .filter((series) => series.timeframe === "1m")
    .map(({ batches }) => batches.map((batch) => ({ ...batch, voids: [], missing: [] })))
    .map((batches) => hullOf(batches, timeframeMs("1m")))
    .filter((hull) => hull.startMs < hull.endMs);
  if (hulls.length === 0) return;
  await client.query(
    "SELECT note_changed_minutes(h.from_time, h.to_time) FROM unnest($1::timestamptz[], $2::timestamptz[]) AS h (from_time, to_time)",
    [hulls.map((hull) => formatTime(hull.startMs)), hulls.map((hull) => formatTime(hull.endMs))],
  );
}

function* openTimes(candles: readonly Candle[]): Generator<number> {
  for (const candle of candles) yield candle.openTimeMs;
}

async function replaceCoverage(
  client: PoolClient,
  key: { marketId: number; timeframe: Timeframe },
  before: readonly CoverageRange[],
  after: readonly CoverageRange[],
): Promise<void> {
  const identity = (range: CoverageRange): string => `${range.startMs} ${range.endMs} ${range.evidence}`;
  const kept = new Set(before.map(identity));
  const stays = new Set(after.map(identity));
  const removed = before.filter((range) => !stays.has(identity(range)));
  const added = after.filter((range) => !kept.has(identity(range)));
  if (removed.length > 0) {
    await client.query(
      "DELETE FROM coverage WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2 AND start_time = ANY ($3::timestamptz[])",
      [key.marketId, key.timeframe, removed.map((range) => formatTime(range.startMs))],
    );
  }
  if (added.length === 0) return;
  const lengthMs = timeframeMs(key.timeframe);
  await client.query(
    `WITH claimed AS (
       INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records, proof)
       SELECT $1, 'ohlcv', $2, * FROM unnest($3::timestamptz[], $4::timestamptz[], $5::text[], $6::bigint[], $7::jsonb[])
       RETURNING tstzrange(start_time, end_time) AS range
     )
     UPDATE series SET expected = expected + (SELECT range_agg(range) FROM claimed)
     WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2
       AND NOT expected @> (SELECT range_agg(range) FROM claimed)`,
    [
      key.marketId,
      key.timeframe,
      added.map((range) => formatTime(range.startMs)),
      added.map((range) => formatTime(range.endMs)),
      added.map((range) => range.evidence),
      added.map((range) =>
        range.evidence === "exchange_void" ? 0 : (range.endMs - range.startMs) / lengthMs,
      ),
      added.map((range) => (range.proof === undefined ? null : JSON.stringify(range.proof))),
    ],
  );
}
