// Fills one range until it is proven: pass after pass, with the pause that an absence needs before it is believed.
import type { Clock } from "../core/clock.js";
import type { CandleBatch } from "../core/model/candle-batch.js";
import type { TimeRange } from "../core/range.js";
import type { CandleKeeper, PassOutcome, Series } from "./candle-keeper.js";

/** Why passes go on after the first. */
export interface Waiting {
  readonly remaining: readonly TimeRange[];
  readonly delayMs: number;
}

/** A range that no pass brings nearer is left as a gap after so many. */
const FRUITLESS_PASSES_MAX = 3;
/** A longer wait is the running collector's business, not that of someone looking at a progress bar. */
const WAIT_MAX_MS = 300_000;

/**
 * Runs passes until nothing is missing, or until going on makes no sense now.
 * @param hooks.onPage after each page; hooks.onWait before each pause
 * @returns the last pass; what remains is on record as gaps
 */
export async function backfillRange(
  { keeper, clock }: { keeper: CandleKeeper; clock: Clock },
  { series, range }: { series: Series; range: TimeRange },
  signal: AbortSignal,
  hooks: { onPage?: (batch: CandleBatch) => void; onWait?: (waiting: Waiting) => void } = {},
): Promise<PassOutcome> {
  let fruitless = 0;
  let missingBefore = Infinity;
  while (true) {
    const outcome = await keeper.fill(series, range, signal, hooks.onPage);
    const missingMs = outcome.remaining.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    if (outcome.nextAskMs === undefined) return outcome;
    fruitless = missingMs < missingBefore ? 0 : fruitless + 1;
    missingBefore = missingMs;
    const delayMs = Math.max(outcome.nextAskMs - clock.nowMs(), 0);
    if (fruitless >= FRUITLESS_PASSES_MAX || delayMs > WAIT_MAX_MS) return outcome;
    hooks.onWait?.({ remaining: outcome.remaining, delayMs });
    await clock.sleep(delayMs, signal);
  }
}
