// A metric that is read when somebody asks: no copy of the numbers is kept, and nothing is done while nobody asks.
import type { Histogram } from "../../core/counts.js";
import type { Metric, Registry } from "prom-client";

type Labels = Readonly<Record<string, string>>;

/** One value of a metric. */
export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

interface Described {
  readonly name: string;
  /** One sentence, with the unit where the name has none. */
  readonly help: string;
}

/** A value that goes up and down; absent where `read` gives none. */
export function addGauge(registry: Registry, about: Described, read: () => Iterable<Sample>): void {
  register(registry, { ...about, type: "gauge", read: () => [...read()] });
}

/** A count since the process began; its name ends in `_total`. */
export function addCounter(registry: Registry, about: Described, read: () => Iterable<Sample>): void {
  register(registry, { ...about, type: "counter", read: () => [...read()] });
}

export function addHistogram(
  registry: Registry,
  about: Described,
  read: () => Iterable<{ readonly labels?: Labels; readonly histogram: Histogram }>,
): void {
  const { name } = about;
  register(registry, {
    ...about,
    type: "histogram",
    read: () =>
      [...read()].flatMap(({ labels, histogram }) => {
        let below = 0;
        const buckets = histogram.counts.map((count, i) => {
          below += count;
          const bound = histogram.bounds[i];
          return {
            metricName: `${name}_bucket`,
            labels: { ...labels, le: bound === undefined ? "+Inf" : String(bound) },
            value: below,
          };
        });
        return [
          ...buckets,
          { metricName: `${name}_sum`, labels: { ...labels }, value: histogram.sum },
          { metricName: `${name}_count`, labels: { ...labels }, value: histogram.count },
        ];
      }),
  });
}

interface ReadMetric extends Described {
  readonly type: "gauge" | "counter" | "histogram";
  readonly read: () => readonly (Sample & { readonly metricName?: string })[];
}

function register(registry: Registry, { name, help, type, read }: ReadMetric): void {
  const metric = {
    name,
    help,
    type,
    get: () => Promise.resolve({ name, help, type, aggregator: "sum", values: read() }),
  };
  // All a registry asks of a metric is its name and `get`; its own classes would hold every value twice.
  registry.registerMetric(metric as unknown as Metric);
}
