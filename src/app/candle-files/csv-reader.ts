// Reads candles from CSV as a stream. Quotes are taken off by us and not by the parser: no field of a candle holds a
// delimiter or a line break, and one stray quote must not swallow the rest of the file. So each line is one record, and
// counting records gives line numbers without the parser's own, which cost twice the parsing.
import { CsvError, parse, type Parser } from "csv-parse";
import { TickwellError } from "../../core/fault.js";
import { usageError } from "../arguments.js";
import { detectDelimiter, readLayout, type Assets, type CsvLayout } from "./csv-layout.js";
import type { FileSource } from "./file-source.js";
import { CHUNK_ROWS, toFileRow, type FileRow, type RowTiming } from "./file-row.js";

/** No line of a candle file comes near; without a limit a file without line breaks would be held whole. */
const LINE_BYTES_MAX = 65_536;

/**
 * Rows in the file's order, a few thousand at a time.
 * @throws TickwellError `config` when the first line shows that this is no file of candles; `malformed_payload` when a
 *   line further on is no text line at all
 */
export async function* readCsv(
  source: FileSource,
  timing: RowTiming,
  assets: Assets,
): AsyncGenerator<readonly FileRow[]> {
  const { line: firstLine, delimiter } = findFirstLine(source);
  const parser = parse({
    delimiter,
    quote: null,
    escape: null,
    bom: true,
    relax_column_count: true,
    record_delimiter: ["\r\n", "\n", "\r"],
    max_record_size: LINE_BYTES_MAX,
  });
  const read = new RowReader(source.file, firstLine, delimiter, timing, assets);
  let parserError: Error | undefined;
  parser.on("error", (error) => (parserError = error));
  try {
    for await (const chunk of source.chunks) {
      // Driven by hand and not piped: a pipe that breaks throws away the rows it has already parsed.
      parser.write(chunk);
      for (let record = nextRecord(parser); record !== null; record = nextRecord(parser)) read.add(record);
      if (parserError) throw parserError;
      while (read.rows.length >= CHUNK_ROWS) yield read.take(CHUNK_ROWS);
    }
    parser.end();
    for await (const record of parser as AsyncIterable<string[]>) read.add(record);
  } catch (error) {
    // What stood before the fault is good.
    if (read.rows.length > 0) yield read.take(Infinity);
    if (!(error instanceof CsvError)) throw error;
    const place = `${source.file}:${read.line + 1}`;
    throw new TickwellError(
      { kind: "malformed_payload", path: place, sample: "" },
      `${place}: no line break within ${LINE_BYTES_MAX} bytes; expected one candle a line`,
      { cause: error },
    );
  } finally {
    parser.destroy();
  }
  while (read.rows.length > 0) yield read.take(CHUNK_ROWS);
}

function nextRecord(parser: Parser): string[] | null {
  return parser.read() as string[] | null;
}

/** Turns records into rows, once the first of them has told the columns. */
class RowReader {
  readonly #file: string;
  readonly #firstLine: number;
  readonly #delimiter: string;
  readonly #timing: RowTiming;
  readonly #assets: Assets;
  #layout: CsvLayout | undefined;
  /** The line read last. */
  line = 0;
  rows: FileRow[] = [];

  constructor(file: string, firstLine: number, delimiter: string, timing: RowTiming, assets: Assets) {
    this.#file = file;
    this.#firstLine = firstLine;
    this.#delimiter = delimiter;
    this.#timing = timing;
    this.#assets = assets;
  }

  add(record: readonly string[]): void {
    this.line++;
    if (this.line < this.#firstLine || (record.length === 1 && record[0]?.trim() === "")) return;
    const fields = record.map(unquote);
    if (!this.#layout) {
      this.#layout = readLayout(this.#file, fields, this.#assets);
      if (this.#layout.hasHeader) return;
    }
    const place = { line: this.line, problem: wrongLength(fields, this.#layout.fields) };
    this.rows.push(
      toFileRow(fields, this.#layout.columns, record.join(this.#delimiter), this.#timing, place),
    );
  }

  take(count: number): readonly FileRow[] {
    const taken = this.rows.slice(0, count);
    this.rows = this.rows.slice(count);
    return taken;
  }
}

/** The header or first row: the first line that is divided by something. One line of words may stand above it. */
function findFirstLine({ file, head }: FileSource): { line: number; delimiter: string } {
  const lines = head
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/);
  let words: string | undefined;
  for (const [at, text] of lines.entries()) {
    if (text.trim() === "") continue;
    const delimiter = detectDelimiter(text);
    if (delimiter !== undefined) return { line: at + 1, delimiter };
    if (words !== undefined) break;
    words = text;
  }
  throw usageError(
    `${file}: found "${(words ?? "").slice(0, 80)}", expected CSV: a header or candles, divided by comma, semicolon or tab`,
  );
}

/** Fields too many are harmless when they are empty: some tools end each line with a delimiter. */
function wrongLength(fields: readonly string[], expected: number): string | undefined {
  if (fields.length === expected) return undefined;
  if (fields.length > expected && fields.slice(expected).every((field) => field === "")) return undefined;
  return `has ${fields.length} fields, expected ${expected}`;
}

function unquote(field: string): string {
  const text = field.trim();
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).trim() : text;
}
