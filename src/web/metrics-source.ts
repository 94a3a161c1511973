// What `/metrics` serves, by whoever counts.

/** The metrics now, in Prometheus' text format. */
export interface MetricsSource {
  /** `text/plain; version=0.0.4; charset=utf-8` and the like. */
  readonly contentType: string;
  text(): Promise<string>;
}
