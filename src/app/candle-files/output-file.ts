// Writes a file that is either whole or not there: into PATH.partial, flushed to disk, then renamed. What stood at PATH
// stays until then.
import { open, realpath, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { formatSize } from "../../core/duration.js";
import { describeError, TickwellError } from "../../core/fault.js";
import { errorCode } from "../../store/database-error.js";
import { usageError } from "../arguments.js";

const OPEN_PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "its folder does not exist",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the name is too long",
};

/**
 * Writes `texts` to `path`, packed where the name ends in `.gz`.
 * @returns bytes on disk
 * @throws TickwellError when the file cannot be written, whatever `texts` throws, or the signal's reason; no partial
 *   file is left then
 */
export async function writeOutputFile(
  path: string,
  texts: AsyncIterable<string>,
  signal: AbortSignal,
): Promise<number> {
  const target = await resolveTarget(path);
  const partial = `${target}.partial`;
  const handle = await openPartial(path, partial);
  let bytes = 0;
  try {
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        // Unlike write(), this goes on until all of it is written.
        await handle.writeFile(chunk);
        bytes += chunk.length;
      }
    };
    const source = Readable.from(texts, { objectMode: false });
    if (path.endsWith(".gz")) await pipeline(source, createGzip(), write, { signal });
    else await pipeline(source, write, { signal });
    await handle.sync();
    await handle.close();
    await rename(partial, target);
    return bytes;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(partial, { force: true });
    signal.throwIfAborted();
    throw writeError(path, bytes, error);
  }
}

/** Follows a link, so that what it points to is replaced and not the link; refuses what a rename would destroy. */
async function resolveTarget(path: string): Promise<string> {
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined) return path;
  if (stats.isDirectory()) throw usageError(`--out: ${path} is a directory; name a file in it`);
  if (!stats.isFile()) throw usageError(`--out: ${path} is no regular file; use --out - and redirect stdout`);
  return realpath(path);
}

async function openPartial(path: string, partial: string): Promise<FileHandle> {
  try {
    return await open(partial, "w");
  } catch (error) {
    throw usageError(
      `--out: ${path} cannot be written: ${OPEN_PROBLEMS[errorCode(error) ?? ""] ?? describeError(error)}`,
    );
  }
}

function writeError(path: string, bytes: number, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof TickwellError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const isFull = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  const reason = isFull ? `there is no room for more than ${formatSize(bytes)}` : describeError(error);
  return new TickwellError(
    { kind: "internal" },
    `--out: ${path} could not be written: ${reason}. Nothing was left behind, and what stood there before is unchanged; free some space or name another place`,
    { cause: error },
  );
}
