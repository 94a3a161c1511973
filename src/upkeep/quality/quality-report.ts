// One report over the summaries of a check; what the command line prints and scripts read.
import { formatTime } from "../../core/time.js";
import type { QualityDeduction, QualityFinding, QualitySummary } from "../../store/quality-records.js";

/** A summary as it is written in JSON: names as in the table, times as ISO-8601, null where nothing was expected. */
export interface ReportedSeries {
  readonly market: string;
  readonly timeframe: string;
  readonly time_range_start: string;
  readonly time_range_end: string;
  readonly quality_score: number | null;
  readonly verified_percent: number | null;
  readonly expected_records: number;
  readonly total_records: number;
  readonly missing_count: number;
  readonly duplicate_count: number;
  readonly out_of_order_count: number;
  readonly price_jump_count: number;
  readonly volume_spike_count: number;
  readonly is_valid: boolean;
  readonly validation_errors: readonly QualityFinding[];
  readonly validation_warnings: readonly QualityFinding[];
  readonly deductions: readonly QualityDeduction[];
}

/** Plain data: JSON.stringify writes it as it stands. */
export interface QualityReport {
  /** When the check was made; null when nothing was checked. */
  readonly check_time: string | null;
  /** The lowest score; null when nothing was expected of anything. */
  readonly lowest_score: number | null;
  readonly missing_count: number;
  readonly valid_series: number;
  readonly series: readonly ReportedSeries[];
}

export function qualityReport(summaries: readonly QualitySummary[]): QualityReport {
  const scores = summaries.flatMap((summary) => summary.score ?? []);
  const checkMs = summaries.reduce((latest, summary) => Math.max(latest, summary.checkMs), -Infinity);
  return {
    check_time: summaries.length === 0 ? null : formatTime(checkMs),
    lowest_score: scores.reduce<number | null>((low, score) => Math.min(low ?? score, score), null),
    missing_count: summaries.reduce((sum, summary) => sum + summary.missingCount, 0),
    valid_series: summaries.filter((summary) => summary.isValid).length,
    series: summaries.map((summary) => ({
      market: summary.market,
      timeframe: summary.timeframe,
      time_range_start: formatTime(summary.startMs),
      time_range_end: formatTime(summary.endMs),
      quality_score: summary.score ?? null,
      verified_percent: summary.verifiedPercent ?? null,
      expected_records: summary.expectedRecords,
      total_records: summary.totalRecords,
      missing_count: summary.missingCount,
      duplicate_count: summary.duplicateCount,
      out_of_order_count: summary.outOfOrderCount,
      price_jump_count: summary.priceJumpCount,
      volume_spike_count: summary.volumeSpikeCount,
      is_valid: summary.isValid,
      validation_errors: summary.errors,
      validation_warnings: summary.warnings,
      deductions: summary.deductions,
    })),
  };
}
