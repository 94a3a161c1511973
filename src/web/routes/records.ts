// From rows of the store to the contract's documents.
import { formatTime } from "../../core/time.js";
import type { Timeframe } from "../../core/timeframe.js";
import { timeframeMs } from "../../core/timeframe.js";
import type { GapLogRow } from "../../store/api/gap-events.js";
import type { AbsenceRow, CoverageRow } from "../../store/api/ledger-pages.js";
import type { ErrorRow, QualityRow, TaskRow } from "../../store/api/record-pages.js";
import type { ApiError, Coverage, Gap, Quality, Task } from "../contract.js";
import { timeOrNull } from "./call.js";

function time(timeMs: number): string {
  return formatTime(Math.floor(timeMs));
}

function timeframeOrNull(text: Timeframe | ""): Timeframe | null {
  return text === "" ? null : text;
}

export function toQuality(row: QualityRow): Quality {
  return {
    market: row.market,
    data_type: row.data_type,
    timeframe: timeframeOrNull(row.timeframe),
    check_time: time(row.check_ms),
    from: time(row.start_ms),
    to: time(row.end_ms),
    total_records: row.total_records,
    expected_records: row.expected_records,
    missing_count: row.missing_count,
    duplicate_count: row.duplicate_count,
    out_of_order_count: row.out_of_order_count,
    price_jump_count: row.price_jump_count,
    volume_spike_count: row.volume_spike_count,
    quality_score: row.quality_score,
    verified_percent: row.verified_percent,
    is_valid: row.is_valid,
    validation_errors: [...row.validation_errors],
    validation_warnings: [...row.validation_warnings],
    deductions: row.deductions.map((deduction) => ({ ...deduction, evidence: [...deduction.evidence] })),
    metrics: row.metrics,
  };
}

export function toTask(row: TaskRow): Task {
  return {
    id: row.id,
    market: row.market,
    data_type: row.data_type,
    timeframe: timeframeOrNull(row.timeframe),
    start: time(row.start_ms),
    end: time(row.end_ms),
    status: row.status,
    priority: row.priority,
    retry_count: row.retry_count,
    max_retries: row.max_retries,
    next_attempt_at: timeOrNull(row.next_attempt_ms),
    started_at: timeOrNull(row.started_ms),
    completed_at: timeOrNull(row.completed_ms),
    error_message: row.error_message,
    expected_records: row.expected_records,
    actual_records: row.actual_records,
    created_at: time(row.created_ms),
    updated_at: time(row.updated_ms),
    worker: row.worker,
  };
}

export function toError(row: ErrorRow): ApiError {
  return {
    time: time(row.time_us / 1_000),
    exchange: row.exchange,
    endpoint: row.endpoint,
    symbol: row.symbol,
    error_type: row.error_type,
    error_code: row.error_code,
    message: row.message,
    attempt: row.attempt,
    count: row.count,
  };
}

export function toGap(row: AbsenceRow): Gap {
  return {
    kind: row.kind,
    market: row.market,
    data_type: row.data_type,
    timeframe: timeframeOrNull(row.timeframe),
    start: time(row.start_ms),
    end: time(row.end_ms),
    records: recordsOf(row),
    reason: row.reason,
    detail: row.detail === "" ? null : row.detail,
    found_at: timeOrNull(row.found_ms),
    asked: row.asked,
    next_ask_at: timeOrNull(row.next_ask_ms),
    proven_at: timeOrNull(row.proven_ms),
    task:
      row.task_id === null || row.task_status === null ? null : { id: row.task_id, status: row.task_status },
  };
}

/** An entry of the gap log, as it stands in the stream. */
export function toLoggedGap(row: GapLogRow): Gap {
  const isVoid = row.closed_ms !== null && row.void_records > 0 && row.repaired_records === 0;
  return {
    kind: isVoid ? "void" : "gap",
    market: row.market,
    data_type: row.data_type,
    timeframe: timeframeOrNull(row.timeframe),
    start: time(row.start_ms),
    end: time(row.end_ms),
    records: candlesIn(row),
    reason: row.reason,
    detail: row.detail === "" ? null : row.detail,
    found_at: time(row.found_ms),
    asked: row.asked,
    next_ask_at: timeOrNull(row.next_ask_ms),
    proven_at: isVoid ? timeOrNull(row.closed_ms) : null,
    task: null,
  };
}

export function toCoverage(row: CoverageRow): Coverage {
  return {
    market: row.market,
    data_type: row.data_type,
    timeframe: timeframeOrNull(row.timeframe),
    start: time(row.start_ms),
    end: time(row.end_ms),
    state: row.state,
    evidence: row.evidence,
    proven_at: timeOrNull(row.proven_ms),
    first_id: row.first_id,
    last_id: row.last_id,
  };
}

/** Candles by the grid, trades by the ids on both sides; null where nobody can know. */
function recordsOf(row: AbsenceRow): number | null {
  if (row.data_type === "ohlcv") return candlesIn(row);
  if (row.first_id === null || row.last_id === null || row.last_id < row.first_id) return null;
  return row.last_id - row.first_id + 1;
}

function candlesIn(row: Pick<AbsenceRow, "timeframe" | "start_ms" | "end_ms">): number | null {
  return row.timeframe === "" ? null : Math.round((row.end_ms - row.start_ms) / timeframeMs(row.timeframe));
}
