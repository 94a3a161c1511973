// Checks stored trades and order books: measured in the database, judged here, a summary of every series stored beside those
// of candles.
import type { Clock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import type { LiveMeasurement, LiveSummary } from "../../store/live-quality.js";
import { gapMs } from "../../store/live-quality.js";
import type { QualityFinding } from "../../store/quality-records.js";
import type { Store } from "../../store/store.js";

export interface LiveQualityCheckerOptions {
  readonly store: Pick<Store, "live">;
  readonly clock: Clock;
  /** Below this score, 0 to 100, a series is not valid. */
  readonly minScore: number;
}

export class LiveQualityChecker {
  readonly #options: LiveQualityCheckerOptions;

  constructor(options: LiveQualityCheckerOptions) {
    this.#options = options;
  }

  /** Checks every series of trades and books over the last `lookbackMs`, and stores the summaries. @throws TickwellError `database` */
  async check({
    lookbackMs,
    marketIds,
  }: {
    lookbackMs: number;
    marketIds?: readonly number[] | undefined;
  }): Promise<LiveSummary[]> {
    const { store, clock } = this.#options;
    const nowMs = clock.nowMs();
    const window = { startMs: nowMs - lookbackMs, endMs: nowMs };
    const measured = await store.live.measure({ window, marketIds });
    const summaries = measured.map((each) => this.#judge(each, nowMs));
    if (summaries.length > 0) await store.live.putSummaries(summaries);
    return summaries;
  }

  #judge(measured: LiveMeasurement, checkMs: number): LiveSummary {
    const { expectedMs, coveredMs, voidMs, score } = measured;
    const errors = errorsOf(measured);
    return {
      ...measured,
      checkMs,
      verifiedPercent: expectedMs > 0 ? Math.min(100, (100 * (coveredMs + voidMs)) / expectedMs) : undefined,
      isValid: (score ?? 100) >= this.#options.minScore && errors.length === 0,
      errors,
      warnings: warningsOf(measured),
    };
  }
}

function errorsOf(measured: LiveMeasurement): QualityFinding[] {
  const { dataType, missingIds, holes } = measured;
  if (dataType === "trades" && missingIds > 0)
    return [
      {
        code: "missing_trades",
        count: missingIds,
        message: `${counted(missingIds, "trade")} missing in ${counted(holes.length, "gap")}, asked for until found`,
      },
    ];
  return [];
}

function warningsOf(measured: LiveMeasurement): QualityFinding[] {
  const { tally, dataType } = measured;
  const warnings: QualityFinding[] = [];
  const warn = (code: string, count: number, message: string): void => {
    if (count > 0) warnings.push({ code, count, message });
  };
  const withoutMs = dataType === "orderbook" ? gapMs(measured) : 0;
  warn(
    "no_valid_book",
    Math.ceil(withoutMs / 1_000),
    `no valid book for ${formatDuration(Math.round(withoutMs))}`,
  );
  warn(
    "sequence_breaks",
    tally.sequenceBreaks,
    `${counted(tally.sequenceBreaks, "change")} of the book did not continue the one before`,
  );
  warn(
    "checksum_failures",
    tally.checksumFailures,
    `${counted(tally.checksumFailures, "checksum")} differed`,
  );
  warn(
    "malformed",
    tally.malformed,
    `${counted(tally.malformed, "message")} could not be read, or held what cannot be`,
  );
  warn(
    "shed",
    tally.shed,
    `${counted(tally.shed, "record")} dropped because the store did not take what came in`,
  );
  warn(
    "built_differences",
    tally.builtDifferences,
    `${counted(tally.builtDifferences, "value")} of candles differ from what their trades add up to`,
  );
  return warnings;
}

/** `1 trade`, `2 trades` */
function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
