// Tables for people: plain columns on a terminal, numbers to the right.
import { stripVTControlCharacters } from "node:util";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const BETWEEN = "  ";

/** Lays out rows under their titles; each line ends with a line feed. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  return new TablePages(columns).add(rows);
}

/** A table of any length, a page at a time: what is written already is not laid out again, and columns only become wider. */
export class TablePages {
  readonly #columns: readonly Column[];
  readonly #widths: number[];
  #hasTitles = false;

  constructor(columns: readonly Column[]) {
    this.#columns = columns;
    this.#widths = columns.map(() => 0);
  }

  /** The lines of these rows; under the titles the first time. */
  add(rows: readonly (readonly string[])[]): string {
    const lines = [...(this.#hasTitles ? [] : [this.#columns.map(({ title }) => title)]), ...rows].flatMap(
      linesOf,
    );
    this.#hasTitles = true;
    for (const line of lines)
      for (const [i, cell] of line.entries()) {
        const width = terminalWidth(cell);
        if (width > (this.#widths[i] ?? 0)) this.#widths[i] = width;
      }
    return lines.map((line) => `${this.#format(line)}\n`).join("");
  }

  #format(line: readonly string[]): string {
    return line
      .map((cell, i) => {
        const padding = " ".repeat(Math.max(0, (this.#widths[i] ?? 0) - terminalWidth(cell)));
        return this.#columns[i]?.align === "right" ? padding + cell : cell + padding;
      })
      .join(BETWEEN)
      .trimEnd();
  }
}

/** A row is as many lines as its cell with the most of them. */
function linesOf(row: readonly string[]): readonly (readonly string[])[] {
  if (!row.some((cell) => cell.includes("\n"))) return [row];
  const cells = row.map((cell) => cell.split("\n"));
  const height = cells.reduce((most, { length }) => Math.max(most, length), 0);
  return Array.from({ length: height }, (_, i) => cells.map((cell) => cell[i] ?? ""));
}

const PLAIN = /^[\x20-\x7e]*$/;
/** Fills no column of its own: marks upon the letter before, controls, joiners. */
const NO_COLUMN = /[\p{M}\p{Cc}\p{Cf}]/u;
/** Fills two: East Asian wide and fullwidth letters, and what is drawn as a picture. */
const TWO_COLUMNS =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** How many columns of a terminal a text fills. */
function terminalWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const letter of stripVTControlCharacters(text))
    width += NO_COLUMN.test(letter) ? 0 : TWO_COLUMNS.test(letter) ? 2 : 1;
  return width;
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
