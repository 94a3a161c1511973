// Where an export goes and in which format, by the options of the command, and the writing itself.
import { once } from "node:events";
import { didYouMean } from "../core/nearest-name.js";
import { usageError } from "./arguments.js";
import { EXPORT_FORMATS, type ExportFormat } from "./candle-files/candle-text.js";
import { writeOutputFile } from "./candle-files/output-file.js";
import type { CommandContext, GlobalOptions } from "./command-context.js";

export interface ExportOptions extends GlobalOptions {
  readonly since?: string;
  readonly until?: string;
  readonly format?: string;
  readonly out?: string;
}

export interface Target {
  /** Undefined for stdout. */
  readonly path: string | undefined;
  readonly format: ExportFormat;
}

/** Where and how, by the options. */
export function readTarget({ format, out, json }: ExportOptions): Target {
  const path = out === undefined || out === "-" ? undefined : out;
  const known = format === undefined ? undefined : readFormat(format);
  if (path !== undefined) return { path, format: known ?? formatOfName(path) };
  if (json && known === "csv") {
    throw usageError(
      "export: --json promises JSON on stdout, and --format csv writes CSV there: leave out one, or name a file with --out",
    );
  }
  return { path, format: known ?? (json ? "ndjson" : "csv") };
}

/** @throws TickwellError `config` for a format that cannot be written */
function readFormat(text: string): ExportFormat {
  const format = EXPORT_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  const supported = `this version writes ${EXPORT_FORMATS.join(" and ")}`;
  if (text === "parquet") throw usageError(`--format: parquet cannot be written yet; ${supported}`);
  throw usageError(`--format: found "${text}"${didYouMean(text, EXPORT_FORMATS)} ${supported}`);
}

function formatOfName(path: string): ExportFormat {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".parquet")) return readFormat("parquet");
  return /\.(ndjson|jsonl)$/.test(name) ? "ndjson" : "csv";
}

/**
 * Writes texts to the file, or to stdout.
 * @returns what was written to the file, 0 bytes for stdout; undefined, with a word on stderr, when interrupted
 * @throws as {@link writeOutputFile} does
 */
export async function writeTexts(
  target: Target,
  texts: AsyncIterable<string>,
  context: CommandContext,
): Promise<{ readonly bytes: number } | undefined> {
  const { signal, stderr } = context;
  try {
    if (target.path !== undefined) return { bytes: await writeOutputFile(target.path, texts, signal) };
    await writeStdout(texts, context);
    return { bytes: 0 };
  } catch (error) {
    if (!signal.aborted) throw error;
    stderr(
      target.path === undefined
        ? "Interrupted: the records above are not all.\n"
        : `Interrupted: ${target.path} was not written.\n`,
    );
    return undefined;
  }
}

/** A slow reader of the pipe holds us up instead of filling our memory. */
async function writeStdout(texts: AsyncIterable<string>, { stdout, signal }: CommandContext): Promise<void> {
  for await (const text of texts) {
    stdout(text);
    if (process.stdout.writableNeedDrain) await once(process.stdout, "drain", { signal });
  }
}
