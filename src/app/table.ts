// Tables for people: plain columns on a terminal, numbers to the right.
import Table from "cli-table3";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Lays out rows under their titles; each line ends with a line feed. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => column.align ?? "left"),
    chars: NO_LINES,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => [...row]));
  return `${table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
}

/** 525600 → 525,600 */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** Two digits, rounded down: 100 % is only said when nothing at all is missing. */
export function formatPercent(part: number, whole: number): string {
  if (whole === 0) return "–";
  return `${(Math.floor((part / whole) * 10_000) / 100).toFixed(2)} %`;
}
