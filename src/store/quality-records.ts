// Quality in the database: measures series, keeps the summaries of checks, reads the latest of each.
import type { GapReason } from "../core/model/candle-batch.js";
import type { Timeframe } from "../core/timeframe.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { Database } from "./database.js";
import { measureQuality, type QualityMeasurement, type QualityRequest } from "./quality-measurement.js";

/** One thing a check has to say; stored as jsonb. */
export interface QualityFinding {
  /** `missing_candles`, `ledger_mismatch` and the like. */
  readonly code: string;
  readonly count: number;
  /** For people. */
  readonly message: string;
}

/** Points one metric costs, and what is behind it; stored as jsonb. */
export type QualityDeduction = DeductedPoints &
  (
    | { readonly metric: "missing"; readonly evidence: readonly GapEvidence[] }
    | { readonly metric: "duplicate" | "out_of_order"; readonly evidence: readonly RefusedEvidence[] }
    | { readonly metric: "price_jump"; readonly evidence: readonly JumpEvidence[] }
    | { readonly metric: "volume_spike"; readonly evidence: readonly SpikeEvidence[] }
  );

interface DeductedPoints {
  readonly count: number;
  /** All deductions and the score add up to 100: where the score has reached 0 before, a metric costs nothing more. */
  readonly points: number;
  /** Gaps or records behind it that are not listed. */
  readonly more: number;
}

/** Candles that are not there; times are ISO-8601. */
export interface GapEvidence {
  readonly start: string;
  readonly end: string;
  readonly candles: number;
  /** `vanished`: the ledger says they are stored. */
  readonly reason: GapReason | "not_fetched" | "vanished";
  readonly detail: string | null;
  readonly asked: number;
  readonly next_ask_at: string | null;
}

/** A record the gate refused. */
export interface RefusedEvidence {
  readonly open_time: string;
  readonly rule: string;
  readonly detail: string;
  readonly occurrences: number;
}

/** A stored candle whose return is far from the usual: the median of absolute log returns before it. */
export interface JumpEvidence {
  readonly open_time: string;
  readonly close: string;
  readonly previous_close: string | null;
  readonly usual_return: number | null;
}

/** A stored candle whose volume is far above the usual: the median before it. */
export interface SpikeEvidence {
  readonly open_time: string;
  readonly volume: string;
  readonly usual_volume: number | null;
}

/** A row of data_quality_summary. Counts are candles. */
export interface QualitySummary extends TimeRange {
  readonly marketId: number;
  readonly market: string;
  readonly timeframe: Timeframe;
  readonly checkMs: number;
  readonly totalRecords: number;
  readonly expectedRecords: number;
  readonly missingCount: number;
  readonly duplicateCount: number;
  readonly outOfOrderCount: number;
  readonly priceJumpCount: number;
  readonly volumeSpikeCount: number;
  /** 0 to 100; undefined where nothing was expected. */
  readonly score: number | undefined;
  readonly verifiedPercent: number | undefined;
  readonly isValid: boolean;
  readonly errors: readonly QualityFinding[];
  readonly warnings: readonly QualityFinding[];
  readonly deductions: readonly QualityDeduction[];
}

/** All methods reject with a TickwellError of kind `database`. */
export interface QualityRecords {
  /** Measures series as they stand at one instant, by name. */
  measure(request: QualityRequest): Promise<QualityMeasurement[]>;
  /** Stores the summaries of checks. */
  put(summaries: readonly QualitySummary[]): Promise<void>;
  /** The latest summary of each series that was ever checked, by name. */
  latest(filter?: { readonly marketId?: number; readonly timeframe?: Timeframe }): Promise<QualitySummary[]>;
}

export class PostgresQualityRecords implements QualityRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  measure(request: QualityRequest): Promise<QualityMeasurement[]> {
    return this.#database.transaction("measure quality", async (client) => {
      // A commit between two statements would look like rows the ledger does not know.
      await client.query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
      return measureQuality(client, request);
    });
  }

  put(summaries: readonly QualitySummary[]): Promise<void> {
    return this.#database.attempt("store quality summaries", async (pool) => {
      await pool.query(
        `INSERT INTO data_quality_summary (${COLUMNS.join(", ")})
         SELECT ${COLUMNS.join(", ")} FROM jsonb_populate_recordset(NULL::data_quality_summary, $1::jsonb)`,
        [JSON.stringify(summaries.map(toRow))],
      );
    });
  }

  latest(filter: { marketId?: number; timeframe?: Timeframe } = {}): Promise<QualitySummary[]> {
    return this.#database.attempt("read quality summaries", async (pool) => {
      const { rows } = await pool.query<SummaryRow & { market: string }>(
        `SELECT d.*, e.name || ':' || m.symbol AS market
         FROM series s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id
         CROSS JOIN LATERAL (
           SELECT * FROM data_quality_summary d
           WHERE d.market_id = s.market_id AND d.data_type = s.data_type AND d.timeframe = s.timeframe
           ORDER BY d.check_time DESC, d.id DESC LIMIT 1
         ) d
         WHERE s.data_type = 'ohlcv' AND ($1::int IS NULL OR s.market_id = $1) AND ($2::text IS NULL OR s.timeframe = $2)
         ORDER BY market, d.timeframe`,
        [filter.marketId ?? null, filter.timeframe ?? null],
      );
      return rows.map(toSummary);
    });
  }
}

const COLUMNS = [
  "check_time",
  "time_range_start",
  "time_range_end",
  "total_records",
  "expected_records",
  "missing_count",
  "duplicate_count",
  "out_of_order_count",
  "price_jump_count",
  "volume_spike_count",
  "quality_score",
  "verified_percent",
  "market_id",
  "is_valid",
  "data_type",
  "timeframe",
  "validation_errors",
  "validation_warnings",
  "deductions",
] as const;

interface SummaryRow {
  readonly check_time: number;
  readonly time_range_start: number;
  readonly time_range_end: number;
  readonly total_records: number;
  readonly expected_records: number;
  readonly missing_count: number;
  readonly duplicate_count: number;
  readonly out_of_order_count: number;
  readonly price_jump_count: number;
  readonly volume_spike_count: number;
  readonly quality_score: number | null;
  readonly verified_percent: number | null;
  readonly market_id: number;
  readonly is_valid: boolean;
  readonly timeframe: Timeframe;
  readonly validation_errors: readonly QualityFinding[];
  readonly validation_warnings: readonly QualityFinding[];
  readonly deductions: readonly QualityDeduction[];
}

function toRow(summary: QualitySummary): Record<(typeof COLUMNS)[number], unknown> {
  return {
    check_time: formatTime(summary.checkMs),
    time_range_start: formatTime(summary.startMs),
    time_range_end: formatTime(summary.endMs),
    total_records: summary.totalRecords,
    expected_records: summary.expectedRecords,
    missing_count: summary.missingCount,
    duplicate_count: summary.duplicateCount,
    out_of_order_count: summary.outOfOrderCount,
    price_jump_count: summary.priceJumpCount,
    volume_spike_count: summary.volumeSpikeCount,
    quality_score: summary.score ?? null,
    verified_percent: summary.verifiedPercent ?? null,
    market_id: summary.marketId,
    is_valid: summary.isValid,
    data_type: "ohlcv",
    timeframe: summary.timeframe,
    validation_errors: summary.errors,
    validation_warnings: summary.warnings,
    deductions: summary.deductions,
  };
}

function toSummary(row: SummaryRow & { market: string }): QualitySummary {
  return {
    startMs: row.time_range_start,
    endMs: row.time_range_end,
    marketId: row.market_id,
    market: row.market,
    timeframe: row.timeframe,
    checkMs: row.check_time,
    totalRecords: row.total_records,
    expectedRecords: row.expected_records,
    missingCount: row.missing_count,
    duplicateCount: row.duplicate_count,
    outOfOrderCount: row.out_of_order_count,
    priceJumpCount: row.price_jump_count,
    volumeSpikeCount: row.volume_spike_count,
    score: row.quality_score ?? undefined,
    verifiedPercent: row.verified_percent ?? undefined,
    isValid: row.is_valid,
    errors: row.validation_errors,
    warnings: row.validation_warnings,
    deductions: row.deductions,
  };
}
