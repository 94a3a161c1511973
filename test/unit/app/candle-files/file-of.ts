// A file in memory, as the readers are given it, in pieces of a chosen size.
import type { FileRow, RowTiming } from "../../../../src/app/candle-files/file-row.js";
import type { FileSource } from "../../../../src/app/candle-files/file-source.js";

export const TIMING: RowTiming = { timeframe: "1m", timeIs: "open" };

/** @param pieceBytes small pieces cut through rows and characters */
export function fileOf(text: string, pieceBytes = 65_536): FileSource {
  const bytes = Buffer.from(text);
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };
  return {
    file: "x",
    sizeBytes: bytes.length,
    head: bytes.subarray(0, 16_384),
    chunks: pieces(),
    close: async () => undefined,
  };
}

export async function allRows(chunks: AsyncIterable<readonly FileRow[]>): Promise<FileRow[]> {
  const rows: FileRow[] = [];
  for await (const chunk of chunks) rows.push(...chunk);
  return rows;
}
