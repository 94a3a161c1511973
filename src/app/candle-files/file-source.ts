// A file as a stream of bytes, unpacked where it is gzip, with its beginning looked at: whatever is plainly no file of
// candles is refused here.
import { open, type FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { describeError, TickwellError } from "../../core/fault.js";
import { errorCode } from "../../store/database-error.js";
import { usageError } from "../arguments.js";

export interface FileSource {
  /** As the user wrote it. */
  readonly file: string;
  /** On disk; 0 for a pipe. */
  readonly sizeBytes: number;
  /** The first bytes, unpacked. */
  readonly head: Buffer;
  /** All bytes, unpacked, the head included. May be read once. */
  readonly chunks: AsyncIterable<Buffer>;
  close(): Promise<void>;
}

const READ_BYTES = 262_144;
/** Enough for any header and some rows. */
export const HEAD_BYTES = 16_384;
const GZIP_MAGIC = Buffer.from([0x1f, 0x8b]);
const ZIP_MAGIC = Buffer.from("PK\u0003\u0004");

/** Codes of the file system in words. */
export const FILE_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it",
  EISDIR: "is a directory; name one file in it",
  ENOTDIR: "there is no such file",
};

/**
 * Opens a file and reads its head.
 * @param onBytes after each piece read from disk: for progress
 * @throws TickwellError `config` when it cannot be read, is empty, or is no text
 */
export async function openFileSource(file: string, onBytes: (bytes: number) => void): Promise<FileSource> {
  const { handle, sizeBytes } = await openFile(file);
  const stream = handle.createReadStream({ highWaterMark: READ_BYTES });
  const close = async (): Promise<void> => {
    stream.destroy();
    await handle.close().catch(() => undefined);
  };
  try {
    const packed = await peek(countBytes(stream as AsyncIterable<Buffer>, onBytes), GZIP_MAGIC.length);
    const isGzip = packed.head.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC);
    const { head, chunks } = await peek(isGzip ? gunzip(file, packed.chunks) : packed.chunks, HEAD_BYTES);
    refuseNonText(file, head);
    return { file, sizeBytes, head, chunks, close };
  } catch (error) {
    await close();
    const problem = FILE_PROBLEMS[errorCode(error) ?? ""];
    if (problem !== undefined) throw usageError(`${file}: ${problem}`);
    // Nothing of it could be read: it never was what its name says.
    throw error instanceof TickwellError ? usageError(error.message) : error;
  }
}

async function openFile(file: string): Promise<{ handle: FileHandle; sizeBytes: number }> {
  try {
    const handle = await open(file, "r");
    const stats = await handle.stat();
    if (!stats.isDirectory()) return { handle, sizeBytes: stats.isFile() ? stats.size : 0 };
    await handle.close();
    throw usageError(`${file}: ${FILE_PROBLEMS.EISDIR}`);
  } catch (error) {
    if (error instanceof TickwellError) throw error;
    throw usageError(`${file}: ${FILE_PROBLEMS[errorCode(error) ?? ""] ?? describeError(error)}`);
  }
}

async function* countBytes(
  stream: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of stream) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* gunzip(file: string, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const unpacked = createGunzip();
  // Errors of either end come out of the iteration.
  pipeline(packed, unpacked, () => undefined);
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    if (!errorCode(error)?.startsWith("Z_")) throw error;
    throw new TickwellError(
      { kind: "malformed_payload", path: file, sample: "" },
      `${file}: the gzip data is cut off or damaged (${describeError(error)}); get the file again`,
      { cause: error },
    );
  }
}

/** Reads at least `bytes` ahead, if there are as many, and puts them back. */
export async function peek(
  chunks: AsyncGenerator<Buffer>,
  bytes: number,
): Promise<{ head: Buffer; chunks: AsyncGenerator<Buffer> }> {
  const read: Buffer[] = [];
  let length = 0;
  while (length < bytes) {
    const next = await chunks.next();
    if (next.done) break;
    read.push(next.value);
    length += next.value.length;
  }
  return { head: Buffer.concat(read), chunks: putBack(read, chunks) };
}

async function* putBack(read: readonly Buffer[], rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* read;
  yield* rest;
}

function refuseNonText(file: string, head: Buffer): void {
  if (head.toString("utf8").trim() === "") throw usageError(`${file}: is empty, expected candles`);
  if (head.subarray(0, ZIP_MAGIC.length).equals(ZIP_MAGIC)) {
    throw usageError(
      `${file}: is a ZIP archive; if it is one of Binance's, name it .zip or add --format binance-zip, else unpack it`,
    );
  }
  if (head.includes(0)) {
    throw usageError(
      `${file}: is binary or UTF-16, expected text in UTF-8: CSV, or JSON as freqtrade writes it (either may be gzip)`,
    );
  }
}
