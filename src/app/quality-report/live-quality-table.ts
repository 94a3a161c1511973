// Trades and order books in a quality report: for the terminal, for Markdown, and as plain data.
import { formatTime } from "../../core/time.js";
import { gapMs, liveMissing, liveTotal, metricsOf, type LiveSummary } from "../../store/live-quality.js";
import { formatCount, formatTable, type Column } from "../table.js";

const COLUMNS: readonly Column[] = [
  { title: "market" },
  { title: "data" },
  ...["score", "verified", "stored", "missing", "repeated", "breaks", "resyncs", "lag p50", "p99"].map(
    (title) => ({
      title,
      align: "right" as const,
    }),
  ),
];
const HOLES_SHOWN = 5;

export function formatLiveQuality(summaries: readonly LiveSummary[]): string {
  const parts = [formatTable(COLUMNS, summaries.map(cellsOf))];
  for (const summary of summaries) {
    const lines = [...summary.errors, ...summary.warnings].map(({ message }) => `    ${message}`);
    const holes = summary.holes
      .slice(0, HOLES_SHOWN)
      .map(
        ({ startMs, endMs, reason, detail }) =>
          `      ${formatTime(startMs)} to ${formatTime(endMs)}: ${reason}: ${detail}`,
      );
    if (lines.length + holes.length === 0) continue;
    if (summary.holes.length > HOLES_SHOWN)
      holes.push(`      and ${summary.holes.length - HOLES_SHOWN} more`);
    parts.push(`${summary.market} ${summary.dataType}\n${[...lines, ...holes].join("\n")}\n`);
  }
  return parts.join("\n");
}

export function liveQualityMarkdown(summaries: readonly LiveSummary[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return (
    [
      row(COLUMNS.map(({ title }) => title)),
      row(COLUMNS.map(() => "---")),
      ...summaries.map((each) => row(cellsOf(each))),
    ].join("\n") + "\n"
  );
}

/** As it is written in JSON: names as in the table, times as ISO-8601, null where nothing was expected. */
export function liveQualityJson(summaries: readonly LiveSummary[]): unknown[] {
  return summaries.map((summary) => ({
    market: summary.market,
    data_type: summary.dataType,
    time_range_start: formatTime(summary.startMs),
    time_range_end: formatTime(summary.endMs),
    quality_score: summary.score ?? null,
    verified_percent: summary.verifiedPercent ?? null,
    total_records: liveTotal(summary),
    missing_count: liveMissing(summary),
    is_valid: summary.isValid,
    validation_errors: summary.errors,
    validation_warnings: summary.warnings,
    metrics: metricsOf(summary),
    gaps: summary.holes.map(({ startMs, endMs, reason, detail }) => ({
      start: formatTime(startMs),
      end: formatTime(endMs),
      reason,
      detail,
    })),
  }));
}

function cellsOf(summary: LiveSummary): string[] {
  const { market, dataType, score, verifiedPercent, tally, lagMs } = summary;
  const isBook = dataType === "orderbook";
  return [
    market,
    isBook ? "books" : "trades",
    score === undefined ? "" : score.toFixed(2),
    verifiedPercent === undefined ? "" : `${verifiedPercent.toFixed(2)} %`,
    formatCount(summary.stored),
    isBook ? `${(gapMs(summary) / 1_000).toFixed(1)} s` : formatCount(summary.missingIds),
    formatCount(tally.duplicates),
    formatCount(isBook ? tally.sequenceBreaks + tally.checksumFailures : tally.missingIds),
    isBook ? formatCount(tally.resyncs) : "",
    lagWords(lagMs?.p50),
    lagWords(lagMs?.p99),
  ];
}

/** The upper bound of the bucket a lag lies in. */
function lagWords(lagMs: number | undefined): string {
  if (lagMs === undefined) return "";
  if (lagMs === Infinity) return "over 5 min";
  return lagMs < 1_000 ? `≤ ${lagMs} ms` : `≤ ${lagMs / 1_000} s`;
}
