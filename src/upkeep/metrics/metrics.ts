// All metrics of one process in Prometheus' text format. In: what the parts of the program count and measure anyway. Out:
// a text, read when it is asked for. Labels are bounded: exchange, channel, data type, endpoint, class, rule, status; markets by
// name only where the number of series is capped.
import { collectDefaultMetrics, Registry } from "prom-client";
import type { Alerts } from "../alerts/alerts.js";
import { addAlertMetrics } from "./alert-metrics.js";
import { addCycleMetrics } from "./cycle-metrics.js";
import type { CycleRun } from "./cycle-times.js";
import type { Figures } from "./figures.js";
import { addIntakeMetrics, type IntakeSources } from "./intake-metrics.js";
import { addPipelineMetrics, type PipelineSources } from "./pipeline-metrics.js";
import { addGauge } from "./read-metric.js";
import { addStoreMetrics } from "./store-metrics.js";

export interface MetricsSources extends IntakeSources, Omit<PipelineSources, "exchangeOf"> {
  /** Of this program: `0.1.0`. */
  readonly version: string;
  readonly figures: Figures;
  /** The last run of each cycle. */
  readonly cycles: Iterable<CycleRun>;
  readonly alerts: Pick<Alerts, "openBySeverity" | "deliveries">;
}

/** Gauges whose names end like a counter's, and what nobody who operates the program looks at. */
const LEFT_OUT = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
  "nodejs_active_handles",
  "nodejs_active_requests",
  "nodejs_heap_space_size_total_bytes",
  "nodejs_heap_space_size_used_bytes",
  "nodejs_heap_space_size_available_bytes",
  "nodejs_version_info",
];

export class Metrics {
  readonly #registry = new Registry();

  constructor({ version, figures, alerts, cycles, ...sources }: MetricsSources) {
    const registry = this.#registry;
    addGauge(
      registry,
      { name: "tickwell_build_info", help: "Always 1; the labels tell the versions." },
      () => [{ labels: { version, node_version: process.version }, value: 1 }],
    );
    addIntakeMetrics(registry, sources);
    addPipelineMetrics(registry, {
      ...sources,
      exchangeOf: (marketId) => figures.exchangeOf(marketId),
    });
    addCycleMetrics(registry, cycles);
    addStoreMetrics(registry, figures);
    addAlertMetrics(registry, alerts);
    collectDefaultMetrics({ register: registry });
    for (const name of LEFT_OUT) registry.removeSingleMetric(name);
  }

  /** The media type of {@link Metrics.text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Every metric now. Asks nobody outside this process. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
