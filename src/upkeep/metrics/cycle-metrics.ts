// Metrics of the cycles of each collector. Collectors are as many as the configuration has files.
import type { Registry } from "prom-client";
import type { CycleRun } from "./cycle-times.js";
import { addGauge } from "./read-metric.js";

export function addCycleMetrics(registry: Registry, cycles: Iterable<CycleRun>): void {
  addGauge(
    registry,
    {
      name: "tickwell_cycle_last_success_timestamp_seconds",
      help: "When a cycle of a collector last ended without an error.",
    },
    () =>
      [...cycles].map(({ collector, cycle, endMs }) => ({
        labels: { collector, cycle },
        value: endMs / 1_000,
      })),
  );
  addGauge(registry, { name: "tickwell_cycle_duration_seconds", help: "How long that cycle took." }, () =>
    [...cycles].map(({ collector, cycle, startMs, endMs }) => ({
      labels: { collector, cycle },
      value: (endMs - startMs) / 1_000,
    })),
  );
}
