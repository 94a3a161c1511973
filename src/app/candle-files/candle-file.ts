// A file of candles in any format that can be read, as a stream of rows.
import { didYouMean } from "../../core/nearest-name.js";
import { usageError } from "../arguments.js";
import { openBinanceZip } from "./binance-zip.js";
import type { Assets } from "./csv-layout.js";
import { readCsv } from "./csv-reader.js";
import type { FileRow, RowTiming } from "./file-row.js";
import { openFileSource } from "./file-source.js";
import { readFreqtradeJson } from "./freqtrade-reader.js";

export const FILE_FORMATS = ["csv", "freqtrade-json", "binance-zip"] as const;
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
  throw usageError(
    `--format: found "${text}"${didYouMean(text, FILE_FORMATS)} this version reads ${FILE_FORMATS.join(", ")}`,
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
  const named = options.format ?? formatOfName(file);
  const source = await (named === "binance-zip" ? openBinanceZip : openFileSource)(file, options.onBytes);
  const format = named ?? formatOfHead(source.head);
  const rows =
    format === "freqtrade-json"
      ? readFreqtradeJson(source, options)
      : readCsv(source, options, options.assets);
  return { format, sizeBytes: source.sizeBytes, rows, close: () => source.close() };
}

function formatOfName(file: string): FileFormat | undefined {
  const name = file.toLowerCase().replace(/\.gz$/, "");
  if (/\.(csv|tsv)$/.test(name)) return "csv";
  if (name.endsWith(".zip")) return "binance-zip";
  return name.endsWith(".json") ? "freqtrade-json" : undefined;
}

function formatOfHead(head: Buffer): FileFormat {
  return /^\uFEFF?\s*\[/.test(head.toString("utf8")) ? "freqtrade-json" : "csv";
}
