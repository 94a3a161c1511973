// From a page to a batch: what its rows cover, what it proves void, and what stays missing and why.
//
// 1. The gate checks the rows; runs of accepted candles become coverage when they are committed.
// 2. What the page speaks for and does not hold is absent. An absent candle is not believed yet when
//    - a refused row may have been it: reason `rejected`, asked for again;
//    - it is not over by the exchange's clock, or the exchange has shown no later candle of an active market: it may
//      simply not have it yet;
//    - it was absent for the first time, or again sooner than the delay: reason `absent`, asked once more.
// 3. Absent twice, with the delay in between, is void; both questions are its proof.
// 4. What is stored and remarkable is flagged.
import type { CandleBatch, MissingRange, VoidClaim } from "../../core/model/candle-batch.js";
import { floorToTimeframe, timeframeMs } from "../../core/timeframe.js";
import { intersectRanges, subtractRanges, type TimeRange } from "../../core/range.js";
import type { CandlePage } from "../../exchanges/exchange.js";
import { runsOf } from "../../store/coverage-ledger.js";
import type { OpenGap, SeriesKey } from "../../store/store.js";
import { CANDLE_FLAGS } from "../../core/model/candle-flags.js";
import { flagCandles, type Neighbour } from "../gate/candle-flags.js";
import { checkCandles, type GateResult } from "../gate/candle-gate.js";
import type { Validation } from "../gate/validation.js";

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
  /** Nothing is flagged when undefined. */
  readonly validation?: Validation | undefined;
  /** The candles known before the page, ascending: what is usual is measured by them. */
  readonly recent?: readonly Neighbour[] | undefined;
}

/** The longest pause before a lasting gap is asked for again. */
const ASK_AGAIN_MAX_MS = 3_600_000;

/** Checks one page and states what follows from it. */
export function readPage(page: CandlePage, context: PageContext): CandleBatch {
  const gated = checkCandles(page.candidates, {
    timeframe: context.timeframe,
    exchangeNowMs: context.exchangeNowMs,
    keepsBroken: context.validation?.onFailure === "store_and_flag",
  });
  const proven = { startMs: context.asked.startMs, endMs: Math.min(page.provenToMs, context.asked.endMs) };
  const covered = runsOf(
    gated.candles.map((candle) => candle.openTimeMs),
    timeframeMs(context.timeframe),
  );
  const absent = subtractRanges([proven], covered);
  const spoiled = intersectRanges(absent, spoiledSlots(gated, context, proven));
  const honest = subtractRanges(absent, spoiled);
  const nearby = { ...context, openGaps: context.openGaps.filter((gap) => overlaps(gap, proven)) };
  const believedToMs = believableEnd(gated, context);
  const judged = honest.flatMap((range) =>
    judgeAbsence(range, { request: page.request, believedToMs }, nearby),
  );
  return {
    kind: "candles",
    marketId: context.marketId,
    timeframe: context.timeframe,
    source: "rest",
    evidence: "rest_page",
    candles: gated.candles,
    flags: flagsOf(gated, context),
    voids: judged.filter((verdict) => "proof" in verdict),
    missing: [
      ...judged.filter((verdict) => "reason" in verdict),
      ...spoiled.map((range): MissingRange => ({
        ...range,
        reason: "rejected",
        detail: rulesOf(gated),
        nextAskMs: nextAskMs(range, nearby),
      })),
    ],
    rejected: gated.rejected,
    receivedMs: context.nowMs,
  };
}

/** The candles whose own figures are possible: by others nothing is measured. */
export function soundCandles({
  candles,
  flags,
}: Pick<CandleBatch, "candles" | "flags">): CandleBatch["candles"] {
  if (flags === undefined) return candles;
  return candles.filter(({ openTimeMs }) => ((flags.get(openTimeMs) ?? 0) & CANDLE_FLAGS.rule_broken) === 0);
}

function flagsOf(gated: GateResult, context: PageContext): ReadonlyMap<number, number> | undefined {
  const { validation, timeframe, recent: before = [] } = context;
  if (validation === undefined) return undefined;
  const sound = gated.candles.filter(({ openTimeMs }) => !gated.broken.has(openTimeMs));
  const flags = flagCandles(sound, { ...validation, timeframe, before });
  for (const openTimeMs of gated.broken) flags.set(openTimeMs, CANDLE_FLAGS.rule_broken);
  return flags.size > 0 ? flags : undefined;
}

/** Where a refused row may have been the candle that is absent; everywhere, when its time cannot be read or believed. */
function spoiledSlots(gated: GateResult, context: PageContext, proven: TimeRange): TimeRange[] {
  const { asked, exchangeNowMs, timeframe } = context;
  const lengthMs = timeframeMs(timeframe);
  return gated.rejected.map(({ openTimeMs }) => {
    if (openTimeMs === undefined) return proven;
    const startMs = floorToTimeframe(openTimeMs, timeframe);
    // Some venues add the forming candle. Any other time that was not asked for is a wrong one.
    const isForming = startMs >= asked.endMs && startMs === floorToTimeframe(exchangeNowMs, timeframe);
    const isCredible = isForming || (startMs >= asked.startMs && startMs < asked.endMs);
    return isCredible ? { startMs, endMs: startMs + lengthMs } : proven;
  });
}

/** Before an absence without a later candle is believed of a suspended market. */
const SUSPENDED_DOUBT_MS = 86_400_000;

/** Up to where an absence may be believed at all: what is not over, or has nothing after it yet, may still come. */
function believableEnd(gated: GateResult, context: PageContext): number {
  const closedEndMs = floorToTimeframe(context.exchangeNowMs, context.timeframe);
  const lastSound = gated.candles.findLast(({ openTimeMs }) => !gated.broken.has(openTimeMs));
  const lastOfPageMs = lastSound?.openTimeMs ?? -Infinity;
  // A suspended market may never have a later candle; one that is only down for maintenance has its own by then.
  const silentMs = context.isActive ? -Infinity : closedEndMs - SUSPENDED_DOUBT_MS;
  return Math.min(Math.max(context.latestSeenMs, lastOfPageMs, silentMs), closedEndMs);
}

function rulesOf(gated: GateResult): string {
  return [...new Set(gated.rejected.map((rejection) => rejection.rule))].join(", ");
}

function judgeAbsence(
  range: TimeRange,
  { request, believedToMs }: { request: string; believedToMs: number },
  context: PageContext,
): (VoidClaim | MissingRange)[] {
  const { nowMs, openGaps, voidConfirmAfterMs } = context;
  const claims: VoidClaim[] = [];
  let unclaimed = intersectRanges([range], [{ startMs: -Infinity, endMs: believedToMs }]);
  for (const gap of openGaps) {
    const { lastAskedMs } = gap;
    if (!overlaps(gap, range) || gap.reason !== "absent" || lastAskedMs === undefined) continue;
    if (lastAskedMs > nowMs - voidConfirmAfterMs) continue;
    const proof = {
      asked: [
        { atMs: lastAskedMs, request: gap.detail },
        { atMs: nowMs, request },
      ],
    };
    for (const part of intersectRanges(unclaimed, [gap])) claims.push({ ...part, proof });
    unclaimed = subtractRanges(unclaimed, [gap]);
  }
  const stillMissing = subtractRanges([range], claims).map((part): MissingRange => ({
    ...part,
    reason: "absent",
    detail: request,
    nextAskMs: nextAskMs(part, context),
  }));
  return [...claims, ...stillMissing];
}

function overlaps(a: TimeRange, b: TimeRange): boolean {
  return a.startMs < b.endMs && a.endMs > b.startMs;
}

/** The first repeat comes after the configured delay, later ones ever more seldom. */
export function nextAskMs(range: TimeRange, context: PageContext): number {
  const askedBefore = Math.max(
    0,
    ...context.openGaps.filter((gap) => overlaps(gap, range)).map((gap) => gap.asked),
  );
  return (
    context.nowMs +
    Math.min(
      context.voidConfirmAfterMs * 2 ** askedBefore,
      Math.max(ASK_AGAIN_MAX_MS, context.voidConfirmAfterMs),
    )
  );
}
