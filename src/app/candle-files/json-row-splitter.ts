// Cuts the text of `[[ms, o, h, l, c, v], …]` into rows as it arrives, each field as its source text: JSON.parse would
// need the whole file at once and turn prices into doubles. Knows arrays of plain values and nothing else. A row that is
// not closed ends where the next one begins, so that one broken row spoils no other.

export interface JsonRow {
  readonly fields: readonly string[];
  /** As it stands in the file, brackets included. */
  readonly raw: string;
  /** Where it begins; counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly row: number;
  /** What is wrong with it as JSON. */
  readonly problem: string | undefined;
}

/** No row of a candle file comes near. */
const ROW_CHARS_MAX = 65_536;

export class JsonRowSplitter {
  #rest = "";
  #line = 1;
  #row = 0;
  #hasBegun = false;
  #hasEnded = false;

  /** Rows that `text` completes. @throws RangeError when a row never ends */
  push(text: string): JsonRow[] {
    this.#rest += text;
    const rows: JsonRow[] = [];
    while (this.#step(rows, false));
    if (this.#rest.length > ROW_CHARS_MAX) {
      throw new RangeError(`no candle ends within ${ROW_CHARS_MAX} characters`);
    }
    return rows;
  }

  /** What is left when the file ends: a row that was cut off, or the lack of the last bracket. */
  end(): JsonRow[] {
    const rows: JsonRow[] = [];
    while (this.#step(rows, true));
    if (!this.#hasEnded) rows.push(this.#broken("", "the file is cut off: its last ] is missing"));
    return rows;
  }

  /** @returns false when more text is needed */
  #step(rows: JsonRow[], isLast: boolean): boolean {
    const blank = /^[\s,]+/.exec(this.#rest)?.[0];
    if (blank !== undefined) this.#take(blank.length);
    if (this.#rest === "") return false;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#take(1); // the caller has seen that it is the opening bracket
      return true;
    }
    if (this.#rest.startsWith("]") && !this.#hasEnded) {
      this.#hasEnded = true;
      this.#take(1);
      return true;
    }
    const isRow = this.#rest.startsWith("[");
    const stop = this.#rest.slice(1).search(isRow ? /[[\]]/ : /\[/) + 1;
    if (stop === 0 && !isLast) return false;
    const isClosed = isRow && this.#rest[stop] === "]";
    const raw = this.#rest.slice(0, stop === 0 ? undefined : isClosed ? stop + 1 : stop);
    if (isClosed && !this.#hasEnded) rows.push(this.#read(raw));
    else
      rows.push(this.#broken(raw.trim(), isRow ? "the candle has no closing ]" : "expected [ and a candle"));
    this.#take(raw.length);
    return true;
  }

  #read(raw: string): JsonRow {
    const fields = raw
      .slice(1, -1)
      .split(",")
      .map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
    return { fields, raw, line: this.#line, row: ++this.#row, problem: undefined };
  }

  #broken(raw: string, problem: string): JsonRow {
    const fields = raw
      .replace(/^\[/, "")
      .split(",")
      .map((field) => field.trim());
    return { fields, raw, line: this.#line, row: ++this.#row, problem };
  }

  #take(chars: number): void {
    const taken = this.#rest.slice(0, chars);
    for (let at = taken.indexOf("\n"); at >= 0; at = taken.indexOf("\n", at + 1)) this.#line++;
    this.#rest = this.#rest.slice(chars);
  }
}
