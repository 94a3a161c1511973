// A file of candles in any format that can be read, as a stream of rows.
import { closest } from "fastest-levenshtein";
import { usageError } from "../arguments.js";
import type { Assets } from "./csv-layout.js";
import { readCsv } from "./csv-reader.js";
import type { FileRow, RowTiming } from "./file-row.js";
import { openFileSource } from "./file-source.js";
import { readFreqtradeJson } from "./freqtrade-reader.js";

export const FILE_FORMATS = ["csv", "freqtrade-json"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

export interface CandleFile {
  readonly format: FileFormat;
  /** On disk; 0 for a pipe. */
  readonly sizeBytes: number;
  readonly rows: AsyncGenerator<readonly FileRow[]>;
  close(): Promise<void>;
}

/** @throws TickwellError `config` for a format that cannot be read */
export function readFileFormat(text: string): FileFormat {
  const format = FILE_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  const supported = `this version reads ${FILE_FORMATS.join(" and ")}`;
  if (text === "binance-zip") {
    throw usageError(
      `--format: binance-zip cannot be read yet; unpack the archive and import the .csv inside: ${supported}`,
    );
  }
  throw usageError(
    `--format: found "${text}", did you mean ${closest(text, [...FILE_FORMATS])}? ${supported}`,
  );
}

/**
 * Opens a file; the format is told by its name, or else by its first character.
 * @throws TickwellError `config` when it cannot be read or is no text
 */
export async function openCandleFile(
  file: string,
  options: RowTiming & {
    readonly format: FileFormat | undefined;
    readonly assets: Assets;
    readonly onBytes: (bytes: number) => void;
  },
): Promise<CandleFile> {
  const source = await openFileSource(file, options.onBytes);
  const format = options.format ?? formatOfName(file) ?? formatOfHead(source.head);
  const rows =
    format === "csv" ? readCsv(source, options, options.assets) : readFreqtradeJson(source, options);
  return { format, sizeBytes: source.sizeBytes, rows, close: () => source.close() };
}

function formatOfName(file: string): FileFormat | undefined {
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (/\.(csv|tsv)$/.test(name)) return "csv";
  return name.endsWith(".json") ? "freqtrade-json" : undefined;
}

function formatOfHead(head: Buffer): FileFormat {
  return /^\uFEFF?\s*\[/.test(head.toString("utf8")) ? "freqtrade-json" : "csv";
}
