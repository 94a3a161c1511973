// Binance's bulk files: one CSV in a ZIP, with a checksum beside it. In: the ZIP. Out: the CSV as any other file's bytes,
// and only after the whole of it has proven to be undamaged.
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { sha256OfChecksum } from "../../core/checksum-file.js";
import { describeError, TickwellError } from "../../core/fault.js";
import { openZipEntry } from "../../core/zip-entry.js";
import { errorCode } from "../../store/database-error.js";
import { usageError } from "../arguments.js";
import { FILE_PROBLEMS, HEAD_BYTES, peek, type FileSource } from "./file-source.js";

/** A month of 1m candles has some 2 MB packed and 6 MB unpacked; one of 1s candles sixty times as much. */
const ZIP_BYTES_MAX = 256 * 1024 ** 2;
const CSV_BYTES_MAX = 1024 ** 3;

/**
 * Opens the CSV in a ZIP.
 * @param onBytes after the file is read from disk: for progress
 * @throws TickwellError `config` when it cannot be read, is damaged, or is not the file its checksum belongs to
 */
export async function openBinanceZip(file: string, onBytes: (bytes: number) => void): Promise<FileSource> {
  const archive = await readArchive(file);
  await compareChecksum(file, archive);
  const open = (): AsyncGenerator<Buffer> => openCsv(file, archive);
  try {
    // The CRC comes last: without this pass the rows of a damaged file would be stored before that shows.
    for await (const _ of open());
    const { head, chunks } = await peek(open(), HEAD_BYTES);
    onBytes(archive.length);
    if (head.toString("utf8").trim() === "") throw usageError(`${file}: its CSV is empty, expected candles`);
    return { file, sizeBytes: archive.length, head, chunks, close: () => Promise.resolve() };
  } catch (error) {
    throw error instanceof TickwellError ? usageError(error.message) : error;
  }
}

async function readArchive(file: string): Promise<Buffer> {
  try {
    const stats = await stat(file);
    if (stats.isDirectory()) throw usageError(`${file}: ${FILE_PROBLEMS.EISDIR}`);
    if (stats.size > ZIP_BYTES_MAX)
      throw usageError(`${file}: has ${stats.size} bytes, expected ${ZIP_BYTES_MAX} at most`);
    return await readFile(file);
  } catch (error) {
    if (error instanceof TickwellError) throw error;
    throw usageError(`${file}: ${FILE_PROBLEMS[errorCode(error) ?? ""] ?? describeError(error)}`);
  }
}

/** Looks for `<file>.CHECKSUM`; without one there is nothing to compare with but the ZIP's own CRC. */
async function compareChecksum(file: string, archive: Buffer): Promise<void> {
  let text: string;
  try {
    text = await readFile(`${file}.CHECKSUM`, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw usageError(`${file}.CHECKSUM: ${FILE_PROBLEMS[errorCode(error) ?? ""] ?? describeError(error)}`);
  }
  const published = sha256OfChecksum(text);
  if (published === undefined) {
    throw usageError(
      `${file}.CHECKSUM: found "${text.slice(0, 80).trim()}", expected a sha256 and a file name; get it again, or move it away to import without it`,
    );
  }
  const sha256 = createHash("sha256").update(archive).digest("hex");
  if (published === sha256) return;
  throw usageError(
    `${file}: its sha256 is ${sha256}, and ${file}.CHECKSUM says ${published}: the file is damaged or was replaced; get both again. Nothing was stored`,
  );
}

function openCsv(file: string, archive: Buffer): AsyncGenerator<Buffer> {
  const entry = openZipEntry(archive, { subject: file, bytesMax: CSV_BYTES_MAX });
  if (entry.name.toLowerCase().endsWith(".csv")) return entry.chunks;
  throw usageError(`${file}: holds "${entry.name}", expected a .csv`);
}
