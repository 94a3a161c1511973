// Reads candles as freqtrade's JSON keeps them, `[[ms, open, high, low, close, volume], …]`, as a stream.
import { TickwellError } from "../../core/fault.js";
import { usageError } from "../arguments.js";
import {
  CHUNK_ROWS,
  PLAIN_COLUMNS,
  PLAIN_FIELDS,
  toFileRow,
  type FileRow,
  type RowTiming,
} from "./file-row.js";
import type { FileSource } from "./file-source.js";
import { JsonRowSplitter, type JsonRow } from "./json-row-splitter.js";

/**
 * Rows in the file's order, a few thousand at a time.
 * @throws TickwellError `config` when it is no JSON array; `malformed_payload` when it stops being one of candles
 */
export async function* readFreqtradeJson(
  source: FileSource,
  timing: RowTiming,
): AsyncGenerator<readonly FileRow[]> {
  const start = source.head
    .toString("utf8")
    .replace(/^\uFEFF/, "")
    .trimStart();
  if (!start.startsWith("[")) {
    throw usageError(
      `${source.file}: found "${start.slice(0, 40)}", expected JSON as freqtrade writes it: [[1704067200000, open, high, low, close, volume], …]`,
    );
  }
  const splitter = new JsonRowSplitter();
  const decoder = new TextDecoder();
  let rows: FileRow[] = [];
  try {
    for await (const chunk of source.chunks) {
      for (const row of splitter.push(decoder.decode(chunk, { stream: true })))
        rows.push(readRow(row, timing));
      while (rows.length >= CHUNK_ROWS) {
        yield rows.slice(0, CHUNK_ROWS);
        rows = rows.slice(CHUNK_ROWS);
      }
    }
    for (const row of splitter.end()) rows.push(readRow(row, timing));
  } catch (error) {
    // What stood before the fault is good.
    if (rows.length > 0) yield rows;
    if (!(error instanceof RangeError)) throw error;
    throw new TickwellError(
      { kind: "malformed_payload", path: source.file, sample: "" },
      `${source.file}: ${error.message}; expected [[1704067200000, open, high, low, close, volume], …]`,
      { cause: error },
    );
  }
  if (rows.length > 0) yield rows;
}

function readRow({ fields, raw, line, row, problem }: JsonRow, timing: RowTiming): FileRow {
  const wrongLength =
    fields.length === PLAIN_FIELDS ? undefined : `has ${fields.length} values, expected ${PLAIN_FIELDS}`;
  return toFileRow(fields, PLAIN_COLUMNS, raw, timing, { line, row, problem: problem ?? wrongLength });
}
