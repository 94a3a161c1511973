// A quality report in Markdown, for a pull request, a wiki or a chat.
import type { Column } from "../table.js";
import type { QualityReport } from "../../upkeep/quality/quality-report.js";
import {
  deductionWords,
  explainedSeries,
  notes,
  otherErrors,
  REPORT_COLUMNS,
  reportCells,
  reportSummary,
  seriesTitle,
} from "./quality-words.js";

export function formatQualityMarkdown(report: QualityReport): string {
  const columns: readonly Column[] = REPORT_COLUMNS;
  const lines = [
    "# Data quality",
    "",
    reportSummary(report),
    "",
    row(columns.map((column) => column.title)),
    row(columns.map((column) => (column.align === "right" ? "---:" : "---"))),
    ...report.series.map((series) => row(reportCells(series))),
  ];
  for (const series of explainedSeries(report)) {
    lines.push("", `## ${escape(seriesTitle(series))}`, "");
    for (const deduction of series.deductions) {
      const { points, title, evidence } = deductionWords(deduction);
      lines.push(`- ${escape(points)}: ${title}`, ...evidence.map((line) => `  - ${escape(line)}`));
    }
    for (const error of otherErrors(series)) lines.push(`- error: ${escape(error)}`);
  }
  const all = notes(report);
  if (all.length > 0) lines.push("", "## Notes", "", ...all.map((note) => `- ${escape(note)}`));
  return `${lines.join("\n")}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map(escape).join(" | ")} |`;
}

/** An exchange's own words must not become markup. */
function escape(text: string): string {
  return text.replace(/[\\|<>*_`[\]]/g, "\\$&");
}
