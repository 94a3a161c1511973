// Why a score is below 100: for each metric the points it costs, with the gaps and records behind it.
import { formatTime } from "../../core/time.js";
import type {
  FlaggedCandle,
  Listed,
  MissingCandles,
  QualityMeasurement,
  RefusedRecord,
} from "../../store/quality-measurement.js";
import type {
  GapEvidence,
  JumpEvidence,
  QualityDeduction,
  RefusedEvidence,
  SpikeEvidence,
} from "../../store/quality-records.js";

/** Metrics in the order in which the measurement's score steps count them. */
const METRICS = ["missing", "duplicate", "out_of_order", "price_jump", "volume_spike"] as const;

/**
 * Metrics that found something. A metric costs what the score loses when it is counted after those before it; so the
 * points of all and the score add up to 100, and what comes after the score has reached 0 costs nothing more.
 */
export function qualityDeductions(measured: QualityMeasurement): QualityDeduction[] {
  let before = 100;
  return METRICS.flatMap((metric, i) => {
    const after = measured.scoreSteps[i];
    if (after === undefined) return [];
    const points = before - after;
    before = after;
    const deduction = deductionOf(measured, metric, points);
    return deduction.count === 0 ? [] : [deduction];
  });
}

function deductionOf(
  measured: QualityMeasurement,
  metric: (typeof METRICS)[number],
  points: number,
): QualityDeduction {
  const { gaps, refused, flagged } = measured;
  switch (metric) {
    case "missing":
      return { metric, count: measured.missing, points, ...listed(gaps, gapEvidence) };
    case "duplicate":
      return {
        metric,
        count: measured.duplicates,
        points,
        ...listed(refused.get("candle.duplicate"), refusedEvidence),
      };
    case "out_of_order":
      return {
        metric,
        count: measured.outOfOrder,
        points,
        ...listed(refused.get("candle.out_of_order"), refusedEvidence),
      };
    case "price_jump":
      return { metric, count: measured.priceJumps, points, ...listed(flagged.price_jump, jumpEvidence) };
    case "volume_spike":
      return { metric, count: measured.volumeSpikes, points, ...listed(flagged.volume_spike, spikeEvidence) };
  }
}

function listed<T, E>(
  found: Listed<T> | undefined,
  toEvidence: (each: T) => E,
): { evidence: E[]; more: number } {
  const evidence = (found?.listed ?? []).map(toEvidence);
  return { evidence, more: (found?.total ?? 0) - evidence.length };
}

function gapEvidence(gap: MissingCandles): GapEvidence {
  return {
    start: formatTime(gap.startMs),
    end: formatTime(gap.endMs),
    candles: gap.candles,
    reason: gap.reason ?? "not_fetched",
    detail: gap.detail ?? null,
    asked: gap.asked,
    next_ask_at: gap.nextAskMs === undefined ? null : formatTime(gap.nextAskMs),
  };
}

function refusedEvidence(record: RefusedRecord): RefusedEvidence {
  const { rule, detail, occurrences } = record;
  return { open_time: formatTime(record.openTimeMs), rule, detail, occurrences };
}

function jumpEvidence(candle: FlaggedCandle): JumpEvidence {
  return {
    open_time: formatTime(candle.openTimeMs),
    close: candle.close,
    previous_close: candle.previousClose ?? null,
    usual_return: candle.usualReturn ?? null,
  };
}

function spikeEvidence(candle: FlaggedCandle): SpikeEvidence {
  return {
    open_time: formatTime(candle.openTimeMs),
    volume: candle.volume,
    usual_volume: candle.usualVolume ?? null,
  };
}
