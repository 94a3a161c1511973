// Checks stored candles against what their series should hold: measures in the database, judges here, stores a summary of
// every series it has checked. A check of all markets takes as many statements as one of a single market.
import type { Clock } from "../../core/clock.js";
import { TickwellError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import type { TimeRange } from "../../core/range.js";
import { TIMEFRAMES, type Timeframe } from "../../core/timeframe.js";
import type { QualityMeasurement, QualityRequest } from "../../store/quality-measurement.js";
import type { QualitySummary } from "../../store/quality-records.js";
import type { Store, StoredMarket } from "../../store/store.js";
import { checkedWindow, type CheckedTime } from "./checked-window.js";
import { qualityDeductions } from "./quality-deductions.js";
import { qualityErrors, qualityWarnings } from "./quality-findings.js";
import { qualityReport, type QualityReport } from "./quality-report.js";

export interface DataQualityCheckerOptions {
  readonly store: Pick<Store, "quality">;
  readonly clock: Clock;
  readonly log: Log;
  /** Below this score, 0 to 100, a series is not valid. */
  readonly minScore: number;
}

export type OhlcvCheck = {
  readonly market: Pick<StoredMarket, "id" | "exchange" | "symbol">;
  readonly timeframe: Timeframe;
} & ({ readonly lookbackMs: number } | { readonly range: TimeRange });

export interface AllMarketsCheck {
  readonly lookbackMs: number;
  /** Only these; all when absent. */
  readonly marketIds?: readonly number[];
  /** Also inactive markets that miss nothing; default false. */
  readonly includesInactive?: boolean;
}

export class DataQualityChecker {
  readonly #options: DataQualityCheckerOptions;

  constructor(options: DataQualityCheckerOptions) {
    this.#options = options;
  }

  /**
   * Checks one series, active or not, and stores the summary.
   * @throws TickwellError `bad_request` when nothing was ever expected of it; `database`
   */
  async checkOhlcvQuality(check: OhlcvCheck): Promise<QualitySummary> {
    const { market, timeframe } = check;
    const [summary] = await this.#check([timeframe], check, {
      marketIds: [market.id],
      includesInactive: true,
    });
    if (summary) return summary;
    throw new TickwellError(
      { kind: "bad_request", code: undefined },
      `${market.exchange}:${market.symbol} ${timeframe} has never been collected: there is nothing to check`,
    );
  }

  /**
   * Checks every series of active markets, and those of inactive ones that still miss something, and stores the
   * summaries; by name of the market. @throws TickwellError `database`
   */
  async checkAllActiveMarkets({
    lookbackMs,
    marketIds,
    includesInactive = false,
  }: AllMarketsCheck): Promise<QualitySummary[]> {
    return this.#check(TIMEFRAMES, { lookbackMs }, { marketIds, includesInactive });
  }

  /** One report over what was checked. */
  generateQualityReport(summaries: readonly QualitySummary[]): QualityReport {
    return qualityReport(summaries);
  }

  async #check(
    timeframes: readonly Timeframe[],
    time: CheckedTime,
    markets: Pick<QualityRequest, "marketIds" | "includesInactive">,
  ): Promise<QualitySummary[]> {
    const { store, clock } = this.#options;
    const nowMs = clock.nowMs();
    const windows = timeframes.map((timeframe) => checkedWindow(time, timeframe, nowMs));
    const measured = await store.quality.measure({ windows, nowMs, ...markets });
    const summaries = measured.map((each) => this.#judge(each, nowMs));
    if (summaries.length > 0) await store.quality.put(summaries);
    this.#tell(summaries);
    return summaries;
  }

  #judge(measured: QualityMeasurement, nowMs: number): QualitySummary {
    const errors = qualityErrors(measured);
    const { score } = measured;
    return {
      startMs: measured.startMs,
      endMs: measured.endMs,
      marketId: measured.marketId,
      market: measured.market,
      timeframe: measured.timeframe,
      checkMs: nowMs,
      totalRecords: measured.totalRecords,
      expectedRecords: measured.expectedRecords,
      missingCount: measured.missing,
      duplicateCount: measured.duplicates,
      outOfOrderCount: measured.outOfOrder,
      priceJumpCount: measured.priceJumps,
      volumeSpikeCount: measured.volumeSpikes,
      score,
      verifiedPercent: measured.verifiedPercent,
      isValid: errors.length === 0 && (score ?? 100) >= this.#options.minScore,
      errors,
      warnings: qualityWarnings(measured, nowMs),
      deductions: qualityDeductions(measured),
    };
  }

  /** One line, however many markets there are. */
  #tell(summaries: readonly QualitySummary[]): void {
    const { log } = this.#options;
    const invalid = summaries.filter((summary) => !summary.isValid);
    const [worst] = invalid.toSorted((a, b) => (a.score ?? 100) - (b.score ?? 100));
    if (!worst) {
      log.debug(`quality: ${summaries.length} series checked, all valid`);
      return;
    }
    const why = worst.errors.map((error) => error.message).join("; ");
    log.debug(
      `quality: ${invalid.length} of ${summaries.length} series are not valid; the worst is ${worst.market} ${worst.timeframe} with ${worst.score?.toFixed(2) ?? "no score"}${why === "" ? "" : `: ${why}`}`,
    );
  }
}
