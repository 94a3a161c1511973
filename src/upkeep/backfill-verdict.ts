// What becomes of a backfill task after an attempt: coverage and the gap log say what is missing and why, a fault says what
// went wrong, and out comes how the attempt ends.
import { classifyError, describeError, type Fault } from "../core/fault.js";
import type { GapReason } from "../core/model/candle-batch.js";
import type { Random } from "../core/random.js";
import { subtractRanges, totalMs, type TimeRange } from "../core/range.js";
import { isRetried, planRetry } from "../core/retry.js";
import { formatMinute } from "../core/time.js";
import { timeframeMs } from "../core/timeframe.js";
import type { OpenGap } from "../store/store.js";
import type { BackfillTask, TaskOutcome } from "../store/task-queue.js";

/** What an attempt left behind. */
export interface Attempt {
  readonly task: BackfillTask;
  /** What of the task's range is missing by coverage. */
  readonly missing: readonly TimeRange[];
  /** How much of it was missing before the attempt, ms. */
  readonly missingBeforeMs: number;
  readonly openGaps: readonly OpenGap[];
  /** When the first of the missing may be asked for; epoch ms. */
  readonly nextAskMs: number | undefined;
  /** What the attempt threw, if it did. */
  readonly error?: unknown;
}

export interface Verdict {
  readonly kind: "completed" | "postponed" | "retried" | "failed";
  readonly outcome: TaskOutcome;
}

/** Full jitter below these: the first retry within a minute, none later than an hour unless the exchange asks for it. */
const BACKOFF = { baseDelayMs: 60_000, maxDelayMs: 3_600_000 } as const;
/** A host that turns us away is asked again this late: a person has to act, and the alert tells him so. */
const REFUSED_PAUSE_MS = 600_000;
/** A wait for a confirmation takes at least so long, so that a queue of one task does not spin. */
const POSTPONED_MS_MIN = 1_000;

/**
 * Judges an attempt.
 * @param now.nowMs epoch ms, by which a ban's end is measured
 */
export function judgeBackfill(
  attempt: Attempt,
  { random, nowMs }: { random: Random; nowMs: number },
): Verdict {
  const { task, missing, missingBeforeMs, openGaps, nextAskMs, error } = attempt;
  if (error === undefined && missing.length === 0)
    return { kind: "completed", outcome: { status: "completed" } };
  const errorMessage = [
    describeMissing(attempt),
    ...(error === undefined ? [] : [describeError(error)]),
  ].join("; ");
  const isNearer = totalMs(missing) < missingBeforeMs;
  if (error === undefined && (isNearer || isWaitingOnly(missing, openGaps))) {
    return {
      kind: "postponed",
      outcome: {
        status: "pending",
        isRetry: false,
        delayMs: POSTPONED_MS_MIN,
        notBeforeMs: nextAskMs,
        errorMessage,
      },
    };
  }
  const fault = error === undefined ? ({ kind: "exchange", code: undefined } as const) : classifyError(error);
  if (error !== undefined && isAway(fault)) {
    const wait = planRetry(fault, 1, { ...BACKOFF, attempts: Infinity, random, nowMs });
    const delayMs = wait.do === "retry" ? wait.delayMs : REFUSED_PAUSE_MS;
    return { kind: "postponed", outcome: { status: "pending", isRetry: false, delayMs, errorMessage } };
  }
  const attempts = task.maxRetries + 1;
  const plan = planRetry(fault, task.retryCount + 1, { ...BACKOFF, attempts, random, nowMs });
  if (plan.do === "retry") {
    return {
      kind: "retried",
      outcome: {
        status: "pending",
        isRetry: true,
        delayMs: plan.delayMs,
        notBeforeMs: nextAskMs,
        errorMessage,
      },
    };
  }
  const why = isRetried(fault)
    ? `gave up after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`
    : "another attempt would fail as well";
  return { kind: "failed", outcome: { status: "failed", errorMessage: `${why}: ${errorMessage}` } };
}

/** True when the whole exchange cannot be asked: that says nothing about this range, however long it takes. */
function isAway({ kind }: Fault): boolean {
  switch (kind) {
    case "network":
    case "timeout":
    case "rate_limit":
    case "ip_ban":
    case "maintenance":
    case "exchange":
    case "geo_blocked":
    case "auth":
      return true;
    default:
      return false;
  }
}

/** True when the exchange has been asked once for all of it, did not have it, and is to be asked again. */
function isWaitingOnly(missing: readonly TimeRange[], openGaps: readonly OpenGap[]): boolean {
  const waiting = openGaps.filter((gap) => gap.reason === "absent" && gap.asked === 1);
  return subtractRanges(missing, waiting).length === 0;
}

const REASONS: Readonly<Record<GapReason, string>> = {
  absent: "the exchange did not have it",
  rejected: "the exchange sent broken rows",
  fetch_failed: "the request failed",
  not_collected: "nothing was collecting",
};

/** `3 of 60 candles are missing, 2024-01-01 00:10 to 2024-01-01 00:13 UTC: the exchange did not have it, asked twice` */
function describeMissing({ task, missing, openGaps }: Attempt): string {
  const [range] = missing;
  if (range === undefined) return "nothing is missing";
  const candles = totalMs(missing) / timeframeMs(task.timeframe);
  const others = missing.length === 1 ? "" : ` and ${missing.length - 1} more`;
  const gap = openGaps.find((each) => each.startMs < range.endMs && each.endMs > range.startMs);
  const where = `${candles} of ${task.expectedRecords} candles are missing, ${formatMinute(range.startMs)} to ${formatMinute(range.endMs)} UTC${others}`;
  if (gap === undefined) return where;
  const asked = gap.asked === 1 ? "once" : `${gap.asked} times`;
  const detail = gap.detail === "" ? "" : ` (${gap.detail})`;
  return `${where}: ${REASONS[gap.reason]}${detail}, asked ${asked}`;
}
