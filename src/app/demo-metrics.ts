// The demo's metrics: as those of `start`, of its own pipeline, on simulated time.
import type { Clock } from "../core/clock.js";
import type { Exchange } from "../exchanges/exchange.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Store } from "../store/store.js";
import { CommitCounts } from "../upkeep/metrics/commit-counts.js";
import { Figures } from "../upkeep/metrics/figures.js";
import type { VenueFeed } from "../upkeep/metrics/intake-metrics.js";
import { Metrics } from "../upkeep/metrics/metrics.js";
import { RequestCounts } from "../upkeep/metrics/request-counts.js";
import { VERSION } from "./version.js";

export interface DemoMetricsParts {
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly dataDir: string;
  readonly venues: () => readonly Exchange[];
  readonly feeds: () => readonly VenueFeed[];
}

export class DemoMetrics {
  /** To be told of commits. */
  readonly commits: CommitCounts;
  /** To be told of requests. */
  readonly requests = new RequestCounts();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.commits = new CommitCounts({ clock });
  }

  /** @returns the metrics, and the figures to be measured now and then */
  open({ store, pipeline, dataDir, venues, feeds }: DemoMetricsParts): {
    metrics: Metrics;
    figures: Figures;
  } {
    const figures = new Figures({ store, stage: pipeline.stage, clock: this.#clock, dataDir });
    const metrics = new Metrics({
      version: VERSION,
      requests: this.requests,
      venues,
      feeds,
      stage: pipeline.stage,
      writes: pipeline.writes,
      commits: this.commits,
      cycles: [],
      figures,
      // The demo tells what happens on the terminal, and nobody else.
      alerts: { openBySeverity: () => ({ warning: 0, critical: 0 }), deliveries: () => [] },
    });
    return { metrics, figures };
  }
}
