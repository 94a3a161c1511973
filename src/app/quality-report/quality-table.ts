// A quality report for the terminal: one line for each series, below it why any of them is under 100.
import type { QualityReport, ReportedSeries } from "../../upkeep/quality/quality-report.js";
import { formatCount, formatTable } from "../table.js";
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

const POINTS_WIDTH = 9;
const NOTES_MAX = 20;

export function formatQualityTable(report: QualityReport): string {
  const parts = [formatTable(REPORT_COLUMNS, report.series.map(reportCells)), `${reportSummary(report)}\n`];
  for (const series of explainedSeries(report)) parts.push(explain(series));
  const all = notes(report);
  const shown = all.slice(0, NOTES_MAX);
  if (all.length > shown.length)
    shown.push(`and ${formatCount(all.length - shown.length)} more: see them with --json`);
  if (shown.length > 0) parts.push(`Notes\n${shown.map((note) => `  ${note}\n`).join("")}`);
  return parts.join("\n");
}

function explain(series: ReportedSeries): string {
  const lines = [seriesTitle(series)];
  for (const deduction of series.deductions) {
    const { points, title, evidence } = deductionWords(deduction);
    lines.push(`${points.padStart(POINTS_WIDTH)}  ${title}`);
    for (const line of evidence) lines.push(`${" ".repeat(POINTS_WIDTH + 4)}${line}`);
  }
  for (const error of otherErrors(series)) lines.push(`${"error".padStart(POINTS_WIDTH)}  ${error}`);
  return `${lines.join("\n")}\n`;
}
