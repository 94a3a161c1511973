// What a quality check finds in the database: counts, scores, and the very gaps and records behind them. A series and its
// rows go in as windows of time; one measurement for each series comes out. The number of statements does not depend on
// the number of series. They cost per gap, void, refused and flagged row, plus one count of the rows; where ledger and
// table disagree, that series' rows are read once more to find where.
import type { ClientBase } from "pg";
import type { GapReason } from "../core/model/candle-batch.js";
import { CANDLE_FLAGS, type CandleFlag } from "../core/model/candle-flags.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { timeframeMs, type Timeframe } from "../core/timeframe.js";

/** So many gaps or records are named for each series and metric; of the rest there is the count. */
const LISTED_MAX = 20;
/** A candle that closed so recently and has not been asked for is late, not lost. */
const FRESH_MS = 5 * 60_000;
/** What the listed records are compared with: the candles before them. */
const NEIGHBOURS = 30;

export interface QualityRequest {
  /** Which candles of which timeframe; bounds lie on the timeframe's grid. Other timeframes are not checked. */
  readonly windows: readonly (TimeRange & { readonly timeframe: Timeframe })[];
  /** All markets when undefined. */
  readonly marketIds: readonly number[] | undefined;
  /** False leaves out inactive markets that miss nothing in their window. */
  readonly includesInactive: boolean;
  readonly nowMs: number;
}

/** The first of many. */
export interface Listed<T> {
  readonly total: number;
  readonly listed: readonly T[];
}

/** Candles that are not there. */
export interface MissingCandles extends TimeRange {
  readonly candles: number;
  /** Undefined when nobody has looked yet; `vanished` where the ledger says they are stored. */
  readonly reason: GapReason | "vanished" | undefined;
  readonly detail: string | undefined;
  readonly asked: number;
  readonly nextAskMs: number | undefined;
}

/** A record the gate refused, and how often it came. */
export interface RefusedRecord {
  readonly rule: string;
  readonly openTimeMs: number;
  readonly detail: string;
  readonly occurrences: number;
}

/** A stored candle with a flag, beside what was usual before it. Decimals as text. */
export interface FlaggedCandle {
  readonly openTimeMs: number;
  readonly close: string;
  readonly volume: string;
  /** Undefined where no candle stands right before it. */
  readonly previousClose: string | undefined;
  /** Median of the absolute log returns of the candles before it. */
  readonly usualReturn: number | undefined;
  /** Median volume of the candles before it. */
  readonly usualVolume: number | undefined;
}

/** Counts are candles unless they say otherwise. */
export interface QualityMeasurement extends TimeRange {
  readonly marketId: number;
  readonly market: string;
  readonly timeframe: Timeframe;
  /** What the range should hold, without voids. */
  readonly expectedRecords: number;
  /** Rows counted in the table. */
  readonly totalRecords: number;
  readonly voidCandles: number;
  readonly missing: number;
  /** How often, not how many different ones. */
  readonly duplicates: number;
  readonly outOfOrder: number;
  readonly priceJumps: number;
  readonly volumeSpikes: number;
  readonly ruleBroken: number;
  /** Candles whose source has changed them since. */
  readonly revised: number;
  /** What the ledger says is stored, and what of it is. */
  readonly coveredCandles: number;
  readonly coveredRows: number;
  readonly importedCandles: number;
  /** Rows where the ledger says there are none. */
  readonly rowsInVoids: number;
  readonly rowsInGaps: number;
  /** 0 to 100; undefined where nothing was expected. */
  readonly score: number | undefined;
  /** The score with missing candles only, then with each further metric, in the order of the counts above. */
  readonly scoreSteps: readonly number[];
  /** Undefined where nothing was expected. */
  readonly verifiedPercent: number | undefined;
  /** Up to where a collector has followed the series; undefined for what was only imported or backfilled. */
  readonly collectedToMs: number | undefined;
  /** Ranges without candles, the longest first; total counts ranges. */
  readonly gaps: Listed<MissingCandles>;
  /** Candles in gaps that the exchange did not have and is to be asked for again. */
  readonly waitingCandles: number;
  /** Candles in gaps nobody has looked into yet, all closed within the last minutes: a collector may be at it. */
  readonly freshCandles: number;
  /** By rule: total counts different records, the latest first. */
  readonly refused: ReadonlyMap<string, Listed<RefusedRecord> & { readonly occurrences: number }>;
  /** The latest first. */
  readonly flagged: Readonly<Record<CandleFlag, Listed<FlaggedCandle>>>;
}

/** Measures the chosen series. All statements must see the same state: the caller's transaction is REPEATABLE READ. */
export async function measureQuality(
  client: Pick<ClientBase, "query">,
  request: QualityRequest,
): Promise<QualityMeasurement[]> {
  const { windows, marketIds, includesInactive, nowMs } = request;
  const { rows } = await client.query<CountsRow>(COUNTS, [
    windows.map((window) => window.timeframe),
    windows.map((window) => timeframeMs(window.timeframe) / 1_000),
    windows.map((window) => formatTime(window.startMs)),
    windows.map((window) => formatTime(window.endMs)),
    marketIds ?? null,
    includesInactive,
  ]);
  const gaps = await listGaps(client, rows, nowMs);
  const vanished = await listVanished(client, rows);
  const refused = await listRefused(client, rows);
  const flagged = await listFlagged(client, rows);
  return rows.map((row): QualityMeasurement => {
    const key = keyOf(row);
    const ofGaps = gaps.get(key) ?? [];
    const ofVanished = vanished.get(key) ?? [];
    const ofFlags = flagged.get(key) ?? [];
    const listFlags = (flag: CandleFlag, total: number): Listed<FlaggedCandle> => ({
      total,
      listed: ofFlags.filter((each) => each.flag === CANDLE_FLAGS[flag]).map(toFlagged),
    });
    return {
      marketId: row.market_id,
      market: row.market,
      timeframe: row.timeframe,
      startMs: row.start_time,
      endMs: row.end_time,
      expectedRecords: row.expected,
      totalRecords: row.total,
      voidCandles: row.voided,
      missing: row.missing,
      duplicates: row.duplicates,
      outOfOrder: row.out_of_order,
      priceJumps: row.price_jumps,
      volumeSpikes: row.volume_spikes,
      ruleBroken: row.rule_broken,
      revised: row.revised,
      coveredCandles: row.covered_candles,
      coveredRows: row.covered_rows,
      importedCandles: row.imported_candles,
      rowsInVoids: row.rows_in_voids,
      rowsInGaps: row.rows_in_gaps,
      score: row.score ?? undefined,
      scoreSteps: row.score_steps.filter((step) => step !== null),
      verifiedPercent: row.verified ?? undefined,
      collectedToMs: row.collected_to ?? undefined,
      gaps: {
        total: (ofGaps[0]?.total ?? 0) + (ofVanished[0]?.total ?? 0),
        listed: [...ofVanished, ...ofGaps].slice(0, LISTED_MAX).map(toMissing),
      },
      waitingCandles: ofGaps[0]?.waiting ?? 0,
      freshCandles: ofGaps[0]?.fresh ?? 0,
      refused: byRule(refused.get(key) ?? []),
      flagged: {
        price_jump: listFlags("price_jump", row.price_jumps),
        volume_spike: listFlags("volume_spike", row.volume_spikes),
        rule_broken: listFlags("rule_broken", row.rule_broken),
      },
    };
  });
}

interface SeriesRow {
  readonly market_id: number;
  readonly timeframe: Timeframe;
}

interface CountsRow extends SeriesRow {
  readonly market: string;
  readonly start_time: number;
  readonly end_time: number;
  readonly collected_to: number | null;
  readonly covered: string;
  readonly holes: string;
  readonly expected: number;
  readonly total: number;
  readonly voided: number;
  readonly missing: number;
  readonly duplicates: number;
  readonly out_of_order: number;
  readonly refusals: number;
  readonly price_jumps: number;
  readonly volume_spikes: number;
  readonly rule_broken: number;
  readonly flags: number;
  readonly revised: number;
  readonly covered_candles: number;
  readonly covered_rows: number;
  readonly imported_candles: number;
  readonly rows_in_voids: number;
  readonly rows_in_gaps: number;
  readonly score: number | null;
  readonly score_steps: readonly (number | null)[];
  readonly verified: number | null;
}

/** Candles a multirange has room for. */
const candlesIn = (ranges: string): string =>
  `(SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0) / l.seconds FROM unnest(l.${ranges}) r)::bigint`;
/** Rows in a multirange, counted along the primary key. */
const rowsIn = (ranges: string): string =>
  `(SELECT coalesce(sum(counted.n), 0) FROM unnest(l.${ranges}) r CROSS JOIN LATERAL (
      SELECT count(*) AS n FROM ohlcv o WHERE o.market_id = l.market_id AND o.timeframe = l.timeframe
        AND o.open_time >= lower(r) AND o.open_time < upper(r)) counted)::bigint`;

/** $1 to $4 windows, $5 markets or null, $6 whether inactive markets without gaps are wanted too. */
const COUNTS = `
WITH windows AS (
  SELECT * FROM unnest($1::text[], $2::float8[], $3::timestamptz[], $4::timestamptz[]) AS w (timeframe, seconds, start_time, end_time)
), chosen AS (
  SELECT s.market_id, s.timeframe, s.collected_to, e.name || ':' || m.symbol AS market, m.is_active, w.seconds, w.start_time, w.end_time,
         s.expected * tstzmultirange(tstzrange(w.start_time, w.end_time)) AS wanted
  FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id JOIN windows w USING (timeframe)
  WHERE s.data_type = 'ohlcv' AND ($5::int[] IS NULL OR s.market_id = ANY ($5))
), ledger AS MATERIALIZED (
  SELECT c.*, c.wanted * coalesce(v.covered, '{}') AS covered, c.wanted * coalesce(v.voids, '{}') AS voids,
         c.wanted * coalesce(v.imported, '{}') AS imported, c.wanted - coalesce(v.proven, '{}') AS holes
  FROM chosen c LEFT JOIN LATERAL (
    SELECT range_agg(part.range) AS proven, range_agg(part.range) FILTER (WHERE evidence <> 'exchange_void') AS covered,
           range_agg(part.range) FILTER (WHERE evidence = 'exchange_void') AS voids,
           range_agg(part.range) FILTER (WHERE evidence = 'import') AS imported
    FROM coverage v CROSS JOIN LATERAL (SELECT tstzrange(v.start_time, v.end_time) AS range) part
    WHERE v.market_id = c.market_id AND v.data_type = 'ohlcv' AND v.timeframe = c.timeframe
      AND v.start_time < c.end_time AND v.end_time > c.start_time
  ) v ON true
), counts AS MATERIALIZED (
  SELECT l.*, ${candlesIn("wanted")} AS wanted_candles, ${candlesIn("voids")} AS voided, ${candlesIn("covered")} AS covered_candles,
         ${candlesIn("imported")} AS imported_candles,
         ${rowsIn("wanted")} AS total, ${rowsIn("voids")} AS rows_in_voids, ${rowsIn("holes")} AS rows_in_gaps,
         q.duplicates, q.out_of_order, q.refusals, f.*,
         (SELECT count(DISTINCT r.open_time) FROM candle_revisions r WHERE r.market_id = l.market_id AND r.timeframe = l.timeframe
            AND r.open_time >= l.start_time AND r.open_time < l.end_time) AS revised
  FROM ledger l
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(q.occurrences) FILTER (WHERE q.rule = 'candle.duplicate'), 0)::bigint AS duplicates,
           coalesce(sum(q.occurrences) FILTER (WHERE q.rule = 'candle.out_of_order'), 0)::bigint AS out_of_order, count(*) AS refusals
    FROM quarantine q WHERE q.market_id = l.market_id AND q.data_type = 'ohlcv' AND q.timeframe = l.timeframe
      AND q.open_time >= l.start_time AND q.open_time < l.end_time
  ) q
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE o.flags & ${CANDLE_FLAGS.price_jump} <> 0) AS price_jumps,
           count(*) FILTER (WHERE o.flags & ${CANDLE_FLAGS.volume_spike} <> 0) AS volume_spikes,
           count(*) FILTER (WHERE o.flags & ${CANDLE_FLAGS.rule_broken} <> 0) AS rule_broken, count(*) AS flags
    FROM ohlcv o WHERE o.flags <> 0 AND o.market_id = l.market_id AND o.timeframe = l.timeframe
      AND o.open_time >= l.start_time AND o.open_time < l.end_time AND l.wanted @> o.open_time
  ) f
  WHERE $6 OR l.is_active OR NOT isempty(l.holes)
), judged AS (
  SELECT c.*, c.wanted_candles - c.voided AS expected, c.total - c.rows_in_voids - c.rows_in_gaps AS covered_rows,
         greatest(0, c.wanted_candles - c.voided - (c.total - c.rows_in_voids)) AS missing
  FROM counts c
)
SELECT market_id, market, timeframe, start_time, end_time, collected_to, covered::text, holes::text, expected, total, voided, missing,
       duplicates, out_of_order, refusals, price_jumps, volume_spikes, rule_broken, flags, revised,
       covered_candles, covered_rows, imported_candles, rows_in_voids, rows_in_gaps,
       ARRAY[calculate_quality_score(total, missing, 0, 0, 0, 0),
             calculate_quality_score(total, missing, duplicates, 0, 0, 0),
             calculate_quality_score(total, missing, duplicates, out_of_order, 0, 0),
             calculate_quality_score(total, missing, duplicates, out_of_order, price_jumps, 0),
             calculate_quality_score(total, missing, duplicates, out_of_order, price_jumps, volume_spikes)] AS score_steps,
       calculate_quality_score(total, missing, duplicates, out_of_order, price_jumps, volume_spikes) AS score,
       CASE WHEN wanted_candles > 0
         THEN 100 * ((least(covered_candles, covered_rows) + voided)::float8 / wanted_candles) END AS verified
FROM judged ORDER BY market, timeframe`;

interface MissingRow extends SeriesRow {
  readonly start_time: number;
  readonly end_time: number;
  readonly reason: MissingCandles["reason"] | null;
  readonly detail: string | null;
  readonly asked: number | null;
  readonly next_ask_at: number | null;
  readonly total: number;
  readonly waiting: number;
  readonly fresh: number;
}

/** Gaps by the ledger, the longest of each series first, with what the log knows of them. */
async function listGaps(
  client: Pick<ClientBase, "query">,
  rows: readonly CountsRow[],
  nowMs: number,
): Promise<Map<string, MissingRow[]>> {
  const wanted = rows.filter((row) => row.holes !== "{}");
  if (wanted.length === 0) return new Map();
  const found = await client.query<MissingRow>(
    `SELECT * FROM (
       SELECT s.market_id, s.timeframe, lower(hole) AS start_time, upper(hole) AS end_time, l.reason, l.detail, l.asked, l.next_ask_at,
              count(*) OVER series AS total,
              (coalesce(sum(extract(epoch FROM upper(hole) - lower(hole))) FILTER (WHERE l.reason = 'absent' AND l.next_ask_at > $4) OVER series, 0)
                / s.seconds)::bigint AS waiting,
              (coalesce(sum(extract(epoch FROM upper(hole) - lower(hole))) FILTER (WHERE l.reason IS NULL
                AND lower(hole) + make_interval(secs => s.seconds) > $6) OVER series, 0) / s.seconds)::bigint AS fresh,
              row_number() OVER (PARTITION BY s.market_id, s.timeframe ORDER BY upper(hole) - lower(hole) DESC, lower(hole)) AS place
       FROM unnest($1::int[], $2::text[], $3::tstzmultirange[], $5::float8[]) AS s (market_id, timeframe, holes, seconds) CROSS JOIN unnest(s.holes) AS hole
       LEFT JOIN LATERAL (
         SELECT g.reason, g.detail, g.asked, g.next_ask_at FROM gap_log g
         WHERE g.market_id = s.market_id AND g.data_type = 'ohlcv' AND g.timeframe = s.timeframe AND g.closed_at IS NULL
           AND g.start_time < upper(hole) AND g.end_time > lower(hole)
         ORDER BY g.last_asked_at DESC NULLS LAST LIMIT 1
       ) l ON true
       WINDOW series AS (PARTITION BY s.market_id, s.timeframe)
     ) ranked WHERE place <= ${LISTED_MAX} ORDER BY market_id, timeframe, place`,
    [
      wanted.map((row) => row.market_id),
      wanted.map((row) => row.timeframe),
      wanted.map((row) => row.holes),
      formatTime(nowMs),
      wanted.map((row) => timeframeMs(row.timeframe) / 1_000),
      formatTime(nowMs - FRESH_MS),
    ],
  );
  return groupBySeries(found.rows);
}

/** Where rows are missing that the ledger says are stored; reads the rows of those series whose counts differ. */
async function listVanished(
  client: Pick<ClientBase, "query">,
  rows: readonly CountsRow[],
): Promise<Map<string, MissingRow[]>> {
  const wanted = rows.filter((row) => row.covered_rows < row.covered_candles);
  if (wanted.length === 0) return new Map();
  const found = await client.query<MissingRow>(
    `SELECT * FROM (
       SELECT s.market_id, s.timeframe, hole.start_time, hole.end_time, 'vanished' AS reason,
              NULL AS detail, NULL::int AS asked, NULL::timestamptz AS next_ask_at, 0 AS waiting, 0 AS fresh,
              count(*) OVER (PARTITION BY s.market_id, s.timeframe) AS total,
              row_number() OVER (PARTITION BY s.market_id, s.timeframe ORDER BY hole.end_time - hole.start_time DESC, hole.start_time) AS place
       FROM unnest($1::int[], $2::text[], $3::tstzmultirange[], $4::float8[]) AS s (market_id, timeframe, covered, seconds)
       CROSS JOIN unnest(s.covered) AS r
       CROSS JOIN LATERAL (
         SELECT lag(marks.time + make_interval(secs => s.seconds), 1, lower(r)) OVER (ORDER BY marks.time) AS start_time, marks.time AS end_time
         FROM (
           SELECT o.open_time AS time FROM ohlcv o WHERE o.market_id = s.market_id AND o.timeframe = s.timeframe
             AND o.open_time >= lower(r) AND o.open_time < upper(r)
           UNION ALL SELECT upper(r)
         ) marks
       ) hole
       WHERE hole.start_time < hole.end_time
     ) ranked WHERE place <= ${LISTED_MAX} ORDER BY market_id, timeframe, place`,
    [
      wanted.map((row) => row.market_id),
      wanted.map((row) => row.timeframe),
      wanted.map((row) => row.covered),
      wanted.map((row) => timeframeMs(row.timeframe) / 1_000),
    ],
  );
  return groupBySeries(found.rows);
}

interface RefusedRow extends SeriesRow {
  readonly rule: string;
  readonly open_time: number;
  readonly detail: string;
  readonly occurrences: number;
  readonly total: number;
  readonly total_occurrences: number;
}

async function listRefused(
  client: Pick<ClientBase, "query">,
  rows: readonly CountsRow[],
): Promise<Map<string, RefusedRow[]>> {
  const wanted = rows.filter((row) => row.refusals > 0);
  if (wanted.length === 0) return new Map();
  const found = await client.query<RefusedRow>(
    `SELECT * FROM (
       SELECT s.market_id, s.timeframe, q.rule, q.open_time, q.detail, q.occurrences, count(*) OVER rule AS total,
              sum(q.occurrences) OVER rule AS total_occurrences,
              row_number() OVER (PARTITION BY s.market_id, s.timeframe, q.rule ORDER BY q.open_time DESC, q.id) AS place
       FROM ${WINDOWS_OF_SERIES} JOIN quarantine q ON q.market_id = s.market_id AND q.data_type = 'ohlcv' AND q.timeframe = s.timeframe
         AND q.open_time >= s.start_time AND q.open_time < s.end_time
       WINDOW rule AS (PARTITION BY s.market_id, s.timeframe, q.rule)
     ) ranked WHERE place <= ${LISTED_MAX} ORDER BY market_id, timeframe, rule, place`,
    windowsOf(wanted),
  );
  return groupBySeries(found.rows);
}

interface FlaggedRow extends SeriesRow {
  readonly flag: number;
  readonly open_time: number;
  readonly close: string;
  readonly volume: string;
  readonly previous_close: string | null;
  readonly usual_return: number | null;
  readonly usual_volume: number | null;
}

async function listFlagged(
  client: Pick<ClientBase, "query">,
  rows: readonly CountsRow[],
): Promise<Map<string, FlaggedRow[]>> {
  const wanted = rows.filter((row) => row.flags > 0);
  if (wanted.length === 0) return new Map();
  const found = await client.query<FlaggedRow>(
    `SELECT f.market_id, f.timeframe, f.flag, f.open_time, f.close, f.volume, before.previous_close, before.usual_return, before.usual_volume
     FROM (
       SELECT o.market_id, o.timeframe, o.open_time, o.close, o.volume, flag, make_interval(secs => s.seconds) AS length,
              row_number() OVER (PARTITION BY o.market_id, o.timeframe, flag ORDER BY o.open_time DESC) AS place
       FROM ${WINDOWS_OF_SERIES} JOIN ohlcv o ON o.flags <> 0 AND o.market_id = s.market_id AND o.timeframe = s.timeframe
         AND o.open_time >= s.start_time AND o.open_time < s.end_time
       JOIN unnest($6::int[]) AS flag ON o.flags & flag <> 0
     ) f
     CROSS JOIN LATERAL (
       SELECT max(n.close) FILTER (WHERE n.open_time = f.open_time - f.length) AS previous_close,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(ln(n.close::float8 / n.earlier_close::float8))) AS usual_return,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY n.volume::float8) AS usual_volume
       FROM (
         SELECT o.open_time, nullif(o.close, 0) AS close, o.volume, lag(nullif(o.close, 0)) OVER (ORDER BY o.open_time) AS earlier_close FROM ohlcv o
         WHERE o.market_id = f.market_id AND o.timeframe = f.timeframe
           AND o.open_time < f.open_time AND o.open_time >= f.open_time - ${NEIGHBOURS} * f.length
       ) n
     ) before
     WHERE f.place <= ${LISTED_MAX} ORDER BY f.market_id, f.timeframe, f.flag, f.place`,
    [...windowsOf(wanted), Object.values(CANDLE_FLAGS)],
  );
  return groupBySeries(found.rows);
}

/** As $1 to $5. */
const WINDOWS_OF_SERIES =
  "unnest($1::int[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::float8[]) AS s (market_id, timeframe, start_time, end_time, seconds)";

function windowsOf(rows: readonly CountsRow[]): unknown[] {
  return [
    rows.map((row) => row.market_id),
    rows.map((row) => row.timeframe),
    rows.map((row) => formatTime(row.start_time)),
    rows.map((row) => formatTime(row.end_time)),
    rows.map((row) => timeframeMs(row.timeframe) / 1_000),
  ];
}

function keyOf(row: SeriesRow): string {
  return `${row.market_id} ${row.timeframe}`;
}

function groupBySeries<R extends SeriesRow>(rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group) group.push(row);
    else groups.set(keyOf(row), [row]);
  }
  return groups;
}

function toMissing(row: MissingRow): MissingCandles {
  return {
    startMs: row.start_time,
    endMs: row.end_time,
    candles: (row.end_time - row.start_time) / timeframeMs(row.timeframe),
    reason: row.reason ?? undefined,
    detail: row.detail ?? undefined,
    asked: row.asked ?? 0,
    nextAskMs: row.next_ask_at ?? undefined,
  };
}

function byRule(rows: readonly RefusedRow[]): QualityMeasurement["refused"] {
  const rules = new Map<string, Listed<RefusedRecord> & { occurrences: number }>();
  for (const row of rows) {
    const { rule, detail, occurrences } = row;
    const record = { rule, openTimeMs: row.open_time, detail, occurrences };
    const listed = [...(rules.get(rule)?.listed ?? []), record];
    rules.set(rule, { total: row.total, occurrences: row.total_occurrences, listed });
  }
  return rules;
}

function toFlagged(row: FlaggedRow): FlaggedCandle {
  return {
    openTimeMs: row.open_time,
    close: row.close,
    volume: row.volume,
    previousClose: row.previous_close ?? undefined,
    usualReturn: row.usual_return ?? undefined,
    usualVolume: row.usual_volume ?? undefined,
  };
}
