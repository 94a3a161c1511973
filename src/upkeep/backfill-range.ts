// Fills one range until it is proven: pass after pass, with the pause that an absence needs before it is believed.
import type { Clock } from "../core/clock.js";
import { TickwellError } from "../core/fault.js";
import type { CandleBatch } from "../core/model/candle-batch.js";
import type { TimeRange } from "../core/range.js";
import type { CandleKeeper, PassOutcome, Series } from "./candle-keeper.js";

/** Why passes go on after the first. */
export interface Waiting {
  readonly remaining: readonly TimeRange[];
  readonly delayMs: number;
  /** So often the exchange is asked again at most, unless that brings the end nearer. */
  readonly asksLeft: number;
  /** And for so long, all pauses together. */
  readonly leftMs: number;
}

/** A range that no pass brings nearer is left as a gap after so many. */
const FRUITLESS_PASSES_MAX = 3;
/** A longer wait is the running collector's business, not that of someone looking at a progress bar. */
const WAIT_MAX_MS = 300_000;
/** Between two attempts to reach a database that is away: doubled each time up to the maximum. */
const AWAY_FIRST_MS = 200;
const AWAY_MAX_MS = 5_000;

export interface BackfillHooks {
  /** After each page. */
  readonly onPage?: (batch: CandleBatch) => void;
  /** Before each pause. */
  readonly onWait?: (waiting: Waiting) => void;
  /** Once for each time that the database cannot be asked. */
  readonly onDatabaseAway?: (error: TickwellError) => void;
}

/**
 * Runs passes until nothing is missing, or until going on makes no sense now. A database that is away is waited for.
 * @returns the last pass; what remains is on record as gaps
 */
export async function backfillRange(
  { keeper, clock }: { keeper: CandleKeeper; clock: Clock },
  { series, range }: { series: Series; range: TimeRange },
  signal: AbortSignal,
  hooks: BackfillHooks = {},
): Promise<PassOutcome> {
  let fruitless = 0;
  let missingBefore = Infinity;
  while (true) {
    const outcome = await outlastDatabase({ keeper, clock }, signal, hooks, () =>
      keeper.fill(series, range, signal, hooks.onPage),
    );
    const missingMs = outcome.remaining.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
    if (outcome.nextAskMs === undefined) return outcome;
    fruitless = missingMs < missingBefore ? 0 : fruitless + 1;
    missingBefore = missingMs;
    const delayMs = Math.max(outcome.nextAskMs - keeper.nowMs(), 0);
    if (fruitless >= FRUITLESS_PASSES_MAX || delayMs > WAIT_MAX_MS) return outcome;
    const asksLeft = FRUITLESS_PASSES_MAX - fruitless;
    hooks.onWait?.({
      remaining: outcome.remaining,
      delayMs,
      asksLeft,
      leftMs: delayMs + (asksLeft - 1) * WAIT_MAX_MS,
    });
    await clock.sleep(delayMs, signal);
  }
}

/** Repeats a pass, which does no harm, until the database is there for all of it. */
async function outlastDatabase<T>(
  { keeper, clock }: { keeper: CandleKeeper; clock: Clock },
  signal: AbortSignal,
  hooks: BackfillHooks,
  pass: () => Promise<T>,
): Promise<T> {
  for (let delayMs = AWAY_FIRST_MS; ; delayMs = Math.min(delayMs * 2, AWAY_MAX_MS)) {
    try {
      return await pass();
    } catch (error) {
      const isAway =
        error instanceof TickwellError && error.fault.kind === "database" && error.fault.isTransient;
      if (!isAway || signal.aborted) throw error;
      if (delayMs === AWAY_FIRST_MS) hooks.onDatabaseAway?.(error);
      await clock.sleep(delayMs, signal);
      // Should it not come back now, the next attempt says why.
      await keeper.revive(signal).catch(() => undefined);
    }
  }
}
