// Metrics of what is under way: the stage, the writer, and what became of the records.
import type { Registry } from "prom-client";
import type { Stage } from "../../pipeline/stage/stage.js";
import type { WriterCounts } from "../../pipeline/write/writer-counts.js";
import { TALLY_COLUMNS } from "../../store/live-tallies.js";
import type { CommitCounts, SeriesCounts } from "./commit-counts.js";
import { addCounter, addGauge, addHistogram, type Sample } from "./read-metric.js";

export interface PipelineSources {
  readonly stage: Pick<Stage, "load">;
  readonly writes: WriterCounts;
  readonly commits: CommitCounts;
  /** Undefined for a market that is not known yet: its counts are told as soon as it is. */
  readonly exchangeOf: (marketId: number) => string | undefined;
}

type Labels = Readonly<Record<string, string>>;

/** Everything a tally counts but what was received. */
const EVENTS = Object.entries(TALLY_COLUMNS).filter(([key]) => key !== "received") as readonly [
  keyof typeof TALLY_COLUMNS,
  string,
][];

export function addPipelineMetrics(
  registry: Registry,
  { stage, writes, commits, exchangeOf }: PipelineSources,
): void {
  const sumOf = (entriesOf: (counts: SeriesCounts) => Iterable<readonly [Labels, number]>): Sample[] => {
    const sums = new Map<string, { labels: Labels; value: number }>();
    for (const counts of commits) {
      const exchange = exchangeOf(counts.marketId);
      if (exchange === undefined) continue;
      for (const [further, value] of entriesOf(counts)) {
        const labels = { exchange, ...further };
        const key = JSON.stringify(labels);
        const sum = sums.get(key);
        if (sum) sum.value += value;
        else sums.set(key, { labels, value });
      }
    }
    return [...sums.values()];
  };
  addGauge(
    registry,
    { name: "tickwell_stage_rows", help: "Rows that wait for the database, or are being committed." },
    () => [{ value: stage.load.rows }],
  );
  addGauge(
    registry,
    { name: "tickwell_stage_rows_limit", help: "Rows the stage holds at most; when it is full, feeds wait." },
    () => [{ value: stage.load.rowsMax }],
  );
  addHistogram(
    registry,
    { name: "tickwell_commit_duration_seconds", help: "How long commits took that succeeded." },
    () => [{ histogram: writes.seconds }],
  );
  addHistogram(registry, { name: "tickwell_commit_rows", help: "Rows of a commit." }, () => [
    { histogram: writes.rows },
  ]);
  addCounter(
    registry,
    {
      name: "tickwell_commit_failures_total",
      help: "Commits that failed: the database was away, or refused the rows.",
    },
    () => [{ value: writes.failures }],
  );
  addCounter(
    registry,
    {
      name: "tickwell_records_committed_total",
      help: "Candles, trades, book snapshots and changes committed, repeated ones included.",
    },
    () => sumOf(({ dataType, records }) => [[{ data_type: dataType }, records]]),
  );
  addCounter(
    registry,
    {
      name: "tickwell_records_refused_total",
      help: "Records the gate refused, by rule; kept in quarantine.",
    },
    () =>
      sumOf(({ dataType, refused }) =>
        [...refused].map(([rule, count]) => [{ data_type: dataType, rule }, count]),
      ),
  );
  addCounter(
    registry,
    { name: "tickwell_live_records_total", help: "Records received by stream, duplicates included." },
    () => sumOf(({ dataType, tally }) => (tally ? [[{ data_type: dataType }, tally.received]] : [])),
  );
  addCounter(
    registry,
    {
      name: "tickwell_live_events_total",
      help: "What went wrong on streams, by event: duplicates, missing_ids, resyncs and the like.",
    },
    () =>
      sumOf(({ dataType, tally }) =>
        tally ? EVENTS.map(([key, event]) => [{ data_type: dataType, event }, tally[key]]) : [],
      ),
  );
  addCounter(
    registry,
    {
      name: "tickwell_book_outage_seconds_total",
      help: "Time without a valid order book, over all markets.",
    },
    () => sumOf(({ dataType, outageMs }) => (dataType === "orderbook" ? [[{}, outageMs / 1_000]] : [])),
  );
  addHistogram(
    registry,
    {
      name: "tickwell_commit_lag_seconds",
      help: "From the exchange's time of a live record (the end of a candle) to its commit.",
    },
    () =>
      commits.lags(exchangeOf).map(({ exchange, dataType, histogram }) => ({
        labels: { exchange, data_type: dataType },
        histogram,
      })),
  );
}
