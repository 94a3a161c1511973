// Metrics of what is stored, by exchange and data type; and of single markets, as many as stay readable.
import type { Registry } from "prom-client";
import type { DataType, SeriesFigures } from "../../store/operating-figures.js";
import type { Figures } from "./figures.js";
import { addGauge, type Sample } from "./read-metric.js";

/** Markets that are told by name: those with the most missing, and those with the lowest scores. All others are sums. */
const MARKETS_TOLD = 20;

export function addStoreMetrics(registry: Registry, figures: Figures): void {
  const groups = (valueOf: (series: readonly SeriesFigures[]) => number | undefined): Sample[] =>
    [...groupsOf(figures.store?.series ?? [])].flatMap(([, series]) => {
      const [first] = series;
      const value = valueOf(series);
      if (!first || value === undefined) return [];
      return [{ labels: { exchange: first.exchange, data_type: first.dataType }, value }];
    });
  const add = (name: string, help: string, read: () => Iterable<Sample>): void =>
    addGauge(registry, { name, help }, read);

  add("tickwell_database_up", "1 when the database answered the last time figures were measured.", () => [
    { value: figures.isReachable ? 1 : 0 },
  ]);
  add("tickwell_figures_timestamp_seconds", "When the figures of the store were measured.", () =>
    figures.store ? [{ value: figures.store.atMs / 1_000 }] : [],
  );
  add("tickwell_figures_duration_seconds", "How long measuring them took.", () => [
    { value: figures.tookMs / 1_000 },
  ]);
  add("tickwell_database_size_bytes", "Size of the database with its indexes.", () =>
    figures.store ? [{ value: figures.store.databaseBytes }] : [],
  );
  add("tickwell_stage_bytes", "Memory the stage takes in Redis; none where it is in this process.", () =>
    figures.stageBytes === undefined ? [] : [{ value: figures.stageBytes }],
  );
  add("tickwell_disk_free_bytes", "Free space where the data directory is.", () =>
    figures.disk ? [{ value: figures.disk.freeBytes }] : [],
  );
  add("tickwell_disk_size_bytes", "Size of the file system where the data directory is.", () =>
    figures.disk ? [{ value: figures.disk.sizeBytes }] : [],
  );
  add(
    "tickwell_series",
    "Series that are kept: a market's candles of one length, its trades, its order book.",
    () => groups((series) => series.length),
  );
  add("tickwell_gaps", "Gaps now: ranges neither stored nor proven to be empty.", () =>
    groups((series) => sum(series, ({ gaps }) => gaps)),
  );
  add("tickwell_missing_seconds", "Time in these gaps, over all series.", () =>
    groups((series) => sum(series, ({ missingMs }) => missingMs) / 1_000),
  );
  add(
    "tickwell_oldest_gap_age_seconds",
    "How long the oldest gap has been known that the exchange was asked about.",
    () =>
      groups((series) => {
        const found = series.flatMap(({ oldestGapFoundMs }) => oldestGapFoundMs ?? []);
        return figures.store && found.length > 0
          ? Math.max(0, figures.store.atMs - Math.min(...found)) / 1_000
          : 0;
      }),
  );
  add(
    "tickwell_verified_ratio",
    "Part of the expected time that is stored or proven to be empty, 0 to 1.",
    () =>
      groups((series) => {
        const expectedMs = sum(series, (each) => each.expectedMs);
        return expectedMs > 0 ? 1 - sum(series, ({ missingMs }) => missingMs) / expectedMs : undefined;
      }),
  );
  add("tickwell_quality_score_min", "The lowest score of the latest quality checks, 0 to 100.", () =>
    groups((series) => {
      const scores = series.flatMap(({ score }) => score ?? []);
      return scores.length > 0 ? Math.min(...scores) : undefined;
    }),
  );
  add("tickwell_quality_score_avg", "The average score of the latest quality checks, 0 to 100.", () =>
    groups((series) => {
      const scores = series.flatMap(({ score }) => score ?? []);
      return scores.length > 0
        ? scores.reduce((total, score) => total + score, 0) / scores.length
        : undefined;
    }),
  );
  add("tickwell_backfill_tasks", "Backfill tasks by status.", () =>
    Object.entries(figures.store?.tasks ?? {}).map(([status, value]) => ({ labels: { status }, value })),
  );
  add(
    "tickwell_market_missing_seconds",
    `Time missing of the ${MARKETS_TOLD} series that miss the most.`,
    () =>
      (figures.store?.series ?? [])
        .filter(({ missingMs }) => missingMs > 0)
        .toSorted((a, b) => b.missingMs - a.missingMs)
        .slice(0, MARKETS_TOLD)
        .map((each) => ({ labels: labelsOf(each), value: each.missingMs / 1_000 })),
  );
  add(
    "tickwell_market_quality_score",
    `Scores of the ${MARKETS_TOLD} series that have the lowest, 0 to 100.`,
    () =>
      (figures.store?.series ?? [])
        .flatMap((each) => (each.score === undefined ? [] : { labels: labelsOf(each), value: each.score }))
        .toSorted((a, b) => a.value - b.value)
        .slice(0, MARKETS_TOLD),
  );
}

function labelsOf({ market, dataType, timeframe }: SeriesFigures): Readonly<Record<string, string>> {
  return { market, data_type: dataType, timeframe };
}

function groupsOf(all: readonly SeriesFigures[]): ReadonlyMap<string, readonly SeriesFigures[]> {
  const groups = new Map<`${string} ${DataType}`, SeriesFigures[]>();
  for (const series of all) {
    const key = `${series.exchange} ${series.dataType}` as const;
    const group = groups.get(key);
    if (group) group.push(series);
    else groups.set(key, [series]);
  }
  return groups;
}

function sum(all: readonly SeriesFigures[], valueOf: (series: SeriesFigures) => number): number {
  return all.reduce((total, series) => total + valueOf(series), 0);
}
