// Deep reports for the terminal: one line for each market, below it every difference in words.
import { formatMinute } from "../../core/time.js";
import { DEEP_CLASSES, type DeepReport } from "../../upkeep/deep/deep-report.js";
import type { DeepRepairOutcome } from "../../upkeep/deep/deep-repair.js";
import { formatCount, formatTable, type Column } from "../table.js";

/** What a deep check of one market found, and what was done about it. */
export interface DeepResult {
  readonly report: DeepReport;
  /** Undefined when there was nothing to repair. */
  readonly repair: DeepRepairOutcome | undefined;
}

const COLUMNS: readonly Column[] = [
  { title: "MARKET" },
  { title: "MINUTES", align: "right" },
  { title: "AGREE", align: "right" },
  { title: "REVISED", align: "right" },
  { title: "LATE TRADE", align: "right" },
  { title: "OUR LOSS", align: "right" },
  { title: "SOURCE FAULT", align: "right" },
];
const DIFFERENCES_SHOWN_MAX = 20;

export function formatDeepResults(results: readonly DeepResult[]): string {
  if (results.length === 0) return "There are no 1m candles to check against trades yet.\n";
  const rows = results.map(({ report }) => [
    report.market,
    ...[report.samples.length, report.agreements, ...DEEP_CLASSES.map((name) => report.counts[name])].map(
      formatCount,
    ),
  ]);
  return [
    "Checked against the exchange's trades\n",
    formatTable(COLUMNS, rows),
    ...results.map(explain).filter((text) => text !== ""),
  ].join("\n");
}

function explain({ report, repair }: DeepResult): string {
  const { market, differences, withoutTrades, failures } = report;
  const lines = differences
    .slice(0, DIFFERENCES_SHOWN_MAX)
    .map((each) => `  ${formatMinute(each.openTimeMs)}  ${each.class}: ${each.detail}`);
  const rest = differences.length - lines.length;
  if (rest > 0) lines.push(`  and ${formatCount(rest)} more: see them with --json`);
  if (withoutTrades > 0)
    lines.push(
      `  Of ${formatCount(withoutTrades)} minutes the exchange keeps no trades any more: only candles were compared.`,
    );
  for (const failure of failures) lines.push(`  could not be asked for: ${failure}`);
  if (repair) {
    lines.push(
      `  ${formatCount(repair.reopenedVoids)} voids reopened, ${formatCount(repair.refetchedCandles)} candles fetched again.`,
    );
    for (const failure of repair.failures) lines.push(`  could not be fetched again: ${failure}`);
  }
  return lines.length === 0 ? "" : `${market}\n${lines.join("\n")}\n`;
}
