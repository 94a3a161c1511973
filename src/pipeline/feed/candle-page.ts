// From a page to a batch: what its rows cover, what it proves void, and what stays missing and why.
//
// 1. The gate checks the rows; runs of accepted candles become coverage when they are committed.
// 2. What the page speaks for and does not hold is absent. An absent candle is not believed yet when
//    - a refused row may have been it: reason `rejected`, asked for again;
//    - the exchange has shown no later candle of an active market: it may simply not have it yet;
//    - it was absent for the first time, or again sooner than the delay: reason `absent`, asked once more.
// 3. Absent twice, with the delay in between, is void; both questions are its proof.
import type { CandleBatch, MissingRange, VoidClaim } from "../../core/model/candle-batch.js";
import { floorToTimeframe, timeframeMs } from "../../core/timeframe.js";
import { intersectRanges, subtractRanges, type TimeRange } from "../../core/range.js";
import type { CandlePage } from "../../exchanges/exchange.js";
import { runsOf } from "../../store/coverage-ledger.js";
import type { OpenGap } from "../../store/gap-log.js";
import type { SeriesKey } from "../../store/store.js";
import { checkCandles, type GateResult } from "../gate/candle-gate.js";

export interface PageContext extends SeriesKey {
  /** What was asked for. */
  readonly asked: TimeRange;
  /** The exchange's clock, for closedness; epoch ms. */
  readonly exchangeNowMs: number;
  /** Our clock, for delays; epoch ms. */
  readonly nowMs: number;
  /** What the log holds of this series. */
  readonly openGaps: readonly OpenGap[];
  /** The latest open time at which the exchange has shown a candle of this market; -Infinity if none is known. */
  readonly latestSeenMs: number;
  /** False for a suspended market: no later candle is to be expected. */
  readonly isActive: boolean;
  /** How long after the first answer an absent candle is asked for again, ms. */
  readonly voidConfirmAfterMs: number;
}

/** The longest pause before a lasting gap is asked for again. */
const ASK_AGAIN_MAX_MS = 3_600_000;

/** Checks one page and states what follows from it. */
export function readPage(page: CandlePage, context: PageContext): CandleBatch {
  const gated = checkCandles(page.candidates, context);
  const proven = { startMs: context.asked.startMs, endMs: Math.min(page.provenToMs, context.asked.endMs) };
  const covered = runsOf(
    gated.candles.map((candle) => candle.openTimeMs),
    timeframeMs(context.timeframe),
  );
  const absent = subtractRanges([proven], covered);
  const spoiled = intersectRanges(absent, spoiledSlots(gated, context, proven));
  const honest = subtractRanges(absent, spoiled);
  const judged = honest.flatMap((range) => judgeAbsence(range, page.request, context));
  return {
    marketId: context.marketId,
    timeframe: context.timeframe,
    source: "rest",
    evidence: "rest_page",
    candles: gated.candles,
    voids: judged.filter((verdict) => "proof" in verdict),
    missing: [
      ...judged.filter((verdict) => "reason" in verdict),
      ...spoiled.map((range): MissingRange => ({
        ...range,
        reason: "rejected",
        detail: rulesOf(gated),
        nextAskMs: nextAskMs(range, context),
      })),
    ],
    rejected: gated.rejected,
    receivedMs: context.nowMs,
  };
}

/** Where a refused row may have been the candle that is absent; everywhere, when a row's time cannot be read. */
function spoiledSlots(gated: GateResult, context: PageContext, proven: TimeRange): TimeRange[] {
  const lengthMs = timeframeMs(context.timeframe);
  return gated.rejected.map(({ openTimeMs }) => {
    if (openTimeMs === undefined) return proven;
    const startMs = floorToTimeframe(openTimeMs, context.timeframe);
    return { startMs, endMs: startMs + lengthMs };
  });
}

function rulesOf(gated: GateResult): string {
  return [...new Set(gated.rejected.map((rejection) => rejection.rule))].join(", ");
}

function judgeAbsence(range: TimeRange, request: string, context: PageContext): (VoidClaim | MissingRange)[] {
  const { nowMs, voidConfirmAfterMs } = context;
  const believable = context.isActive
    ? { startMs: -Infinity, endMs: context.latestSeenMs }
    : { startMs: -Infinity, endMs: Infinity };
  const askedBefore = context.openGaps.filter(
    (gap) =>
      gap.reason === "absent" &&
      gap.lastAskedMs !== undefined &&
      gap.lastAskedMs <= nowMs - voidConfirmAfterMs,
  );
  const claims = askedBefore.flatMap((gap) =>
    intersectRanges(intersectRanges([range], [gap]), [believable]).map((part): VoidClaim => ({
      ...part,
      proof: {
        asked: [
          { atMs: gap.lastAskedMs ?? gap.foundMs, request: gap.detail },
          { atMs: nowMs, request },
        ],
      },
    })),
  );
  const stillMissing = subtractRanges([range], claims).map((part): MissingRange => ({
    ...part,
    reason: "absent",
    detail: request,
    nextAskMs: nextAskMs(part, context),
  }));
  return [...claims, ...stillMissing];
}

/** The first repeat comes after the configured delay, later ones ever more seldom. */
function nextAskMs(range: TimeRange, context: PageContext): number {
  const askedBefore = Math.max(
    0,
    ...context.openGaps
      .filter((gap) => gap.startMs < range.endMs && gap.endMs > range.startMs)
      .map((gap) => gap.asked),
  );
  return (
    context.nowMs +
    Math.min(
      context.voidConfirmAfterMs * 2 ** askedBefore,
      Math.max(ASK_AGAIN_MAX_MS, context.voidConfirmAfterMs),
    )
  );
}
