// One quality check of a collector's markets after the other: summaries into the store, a word to a person when a series
// is not good enough any more, and when it is again.
import type { Clock } from "../../core/clock.js";
import type { Log } from "../../core/log.js";
import type { QualitySummary } from "../../store/quality-records.js";
import type { Store } from "../../store/store.js";
import type { Alerts } from "../alerts/alerts.js";
import type { Series } from "../candle-keeper.js";
import { DataQualityChecker } from "./data-quality-checker.js";
import { LiveQualityChecker } from "./live-quality-checker.js";
import type { QualityReport } from "./quality-report.js";

export interface QualityCycleOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** How far back a check looks. */
  readonly lookbackMs: number;
  /** Below this score, 0 to 100, a series is not valid. */
  readonly minScore: number;
  readonly alerts: Pick<Alerts, "raise" | "resolve"> | undefined;
}

export class QualityCycle {
  readonly #options: QualityCycleOptions;
  readonly #checker: DataQualityChecker;
  readonly #live: LiveQualityChecker;

  constructor(options: QualityCycleOptions) {
    this.#options = options;
    this.#checker = new DataQualityChecker(options);
    this.#live = new LiveQualityChecker(options);
  }

  /**
   * @param options.mayAlarm false: scores are stored, and what is well again is told, but nobody is told of a low one
   * @throws TickwellError `database`
   */
  async run(series: readonly Series[], { mayAlarm }: { mayAlarm: boolean }): Promise<QualityReport> {
    const { lookbackMs } = this.#options;
    const marketIds = [...new Set(series.map(({ market }) => market.id))];
    const summaries = await this.#checker.checkAllActiveMarkets({ lookbackMs, marketIds });
    const markets = new Map(series.map(({ market }) => [market.id, market]));
    for (const summary of summaries) {
      const market = markets.get(summary.marketId);
      // That a market is suspended is told by the collector's list.
      if (market?.isActive) this.#alert(summary, market.exchange, mayAlarm);
    }
    await this.#checkLive(marketIds, markets, mayAlarm);
    return this.#checker.generateQualityReport(summaries);
  }

  /** Trades and books of the same markets. A stream that is down is being connected again; a person hears of a low score. */
  async #checkLive(
    marketIds: readonly number[],
    markets: ReadonlyMap<number, Series["market"]>,
    mayAlarm: boolean,
  ): Promise<void> {
    const { lookbackMs, minScore, alerts } = this.#options;
    for (const summary of await this.#live.check({ lookbackMs, marketIds })) {
      const market = markets.get(summary.marketId);
      if (!market?.isActive) continue;
      const name = `${summary.market} ${summary.dataType}`;
      const key = `quality:${name}`;
      const score = summary.score?.toFixed(1) ?? "none";
      if ((summary.score ?? 100) >= minScore) {
        alerts?.resolve(key, `${name}: the score is ${score} again`);
        continue;
      }
      if (!mayAlarm) continue;
      const why = [...summary.errors, ...summary.warnings].map(({ message }) => message).join("; ");
      alerts?.raise({
        key,
        severity: "warning",
        exchange: market.exchange,
        title: `${name}: quality ${score}, at least ${minScore} is wanted`,
        text: `${why}. See \`tickwell quality --market ${summary.market}\`.`,
      });
    }
  }

  #alert(summary: QualitySummary, exchange: string, mayAlarm: boolean): void {
    const { alerts, minScore } = this.#options;
    const name = `${summary.market} ${summary.timeframe}`;
    const score = summary.score?.toFixed(1) ?? "none";
    const key = `quality:${name}`;
    if (!needsAPerson(summary, minScore)) {
      alerts?.resolve(key, `${name}: the score is ${score} again`);
      return;
    }
    if (!mayAlarm) return;
    const why = [...summary.errors, ...summary.warnings].map(({ message }) => message).join("; ");
    alerts?.raise({
      key,
      severity: "warning",
      exchange,
      title: `${name}: quality ${score}, at least ${minScore} is wanted`,
      text: `${why}. See \`tickwell quality --market ${summary.market}\`; what is missing is being repaired by itself.`,
    });
  }
}

/** A candle that is missing is being repaired, and a repair that fails is told by itself; rows that nobody can explain are not. */
function needsAPerson({ score, errors }: QualitySummary, minScore: number): boolean {
  return (
    (score ?? 100) < minScore ||
    errors.some(({ code }) => code !== "missing_candles" && code !== "rule_broken")
  );
}
