// What follows from a deep check: voids that are none become gaps again, and what differs is asked for once more and goes
// the way of every page, where a changed candle is a revision.
import { describeError } from "../../core/fault.js";
import { formatTime } from "../../core/time.js";
import { mergeRanges } from "../../core/range.js";
import type { CandleFeed } from "../../pipeline/feed/candle-feed.js";
import type { Stage } from "../../pipeline/stage/stage.js";
import type { Store, StoredMarket } from "../../store/store.js";
import type { DeepReport } from "./deep-report.js";

export interface DeepRepairParts {
  readonly store: Pick<Store, "reopenVoid" | "openGaps" | "seriesStates">;
  readonly feed: Pick<CandleFeed, "fetchRange">;
  readonly stage: Stage;
  /** The exchange's clock, epoch ms. */
  readonly nowMs: () => number;
}

export interface DeepRepairOutcome {
  readonly reopenedVoids: number;
  readonly refetchedCandles: number;
  /** Ranges that could not be asked for now, in words; reopened ones are gaps and asked for again by the collector. */
  readonly failures: readonly string[];
}

/**
 * Repairs what a report found.
 * @throws TickwellError `database`; the error of the venue when it cannot be asked at all; the signal's reason
 */
export async function repairDeepFindings(
  { store, feed, stage, nowMs }: DeepRepairParts,
  { market, report }: { readonly market: StoredMarket; readonly report: DeepReport },
  signal: AbortSignal,
): Promise<DeepRepairOutcome> {
  const key = { marketId: market.id, timeframe: report.timeframe };
  let reopenedVoids = 0;
  for (const range of report.reopen) {
    const found = report.differences.find(
      (each) =>
        each.repair === "reopen_void" && each.openTimeMs >= range.startMs && each.openTimeMs < range.endMs,
    );
    const detail = `the deep check of ${formatTime(nowMs())} found: ${found?.detail ?? "the exchange has data"}`;
    reopenedVoids += (await store.reopenVoid(key, range, { detail, atMs: nowMs() })).length;
  }
  const [state] = await store.seriesStates(key);
  const failures: string[] = [];
  let refetchedCandles = 0;
  for (const range of mergeRanges([...report.reopen, ...report.refetch])) {
    const openGaps = await store.openGaps(key);
    const latestSeenMs = state?.latestCoveredMs ?? -Infinity;
    const outcome = await feed.fetchRange(
      { market, timeframe: report.timeframe, range, openGaps, latestSeenMs },
      signal,
    );
    refetchedCandles += outcome.candles;
    for (const { range: failed, error } of outcome.failures)
      failures.push(`${formatTime(failed.startMs)}: ${describeError(error)}`);
  }
  await stage.settled(stage.lastSequence, signal);
  return { reopenedVoids, refetchedCandles, failures };
}
