// Writes capture events to compressed files, a line of JSON each. A file is closed and the next begun at a size; a process that
// is killed leaves one that can be read to its last second (see capture-reader.ts).
import { createWriteStream, mkdirSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { constants, createGzip, type Gzip } from "node:zlib";
import { describeError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import type { CaptureEvent } from "./capture-event.js";

export interface CaptureWriterOptions {
  /** Is made if it is not there. */
  readonly directory: string;
  /** The beginning of the files' names. */
  readonly name: string;
  /** The session's, part of the files' names. */
  readonly startedMs: number;
  /** Compressed. */
  readonly rotateSizeBytes: number;
  readonly log: Log;
}

/** The first line of each file. */
export interface CaptureHeader {
  readonly kind: "capture";
  readonly format: 1;
  readonly session: string;
  /** Counted from 1. */
  readonly part: number;
}

/** The last line of a file that was not cut off. */
export interface CaptureTrailer {
  readonly kind: "closed";
}

/** The names of capture files, and of nothing else in their folder. */
export const CAPTURE_FILE = /-\d{8}T\d{6}Z-\d{4,}\.ndjson\.gz$/;
/** What a killed process may leave out of its last file. Real time. */
const FLUSH_EVERY_MS = 1_000;
/** Not yet compressed; a disk that keeps up never comes near. */
const BUFFERED_BYTES_MAX = 64 * 1024 ** 2;

interface OpenFile {
  readonly gzip: Gzip;
  readonly stream: WriteStream;
  readonly closed: Promise<void>;
}

/**
 * Takes events until it is closed. A disk that is full or slow ends the capture with a word in the log, never the collector: what
 * was captured before stays readable.
 */
export class CaptureWriter {
  readonly #options: CaptureWriterOptions;
  readonly #session: string;
  readonly #timer: NodeJS.Timeout;
  readonly #closing: Promise<void>[] = [];
  #file: OpenFile | undefined;
  #part = 0;
  #isDirty = false;
  #hasFailed = false;

  /** @throws the system's error when the folder cannot be made */
  constructor(options: CaptureWriterOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true });
    const time = new Date(options.startedMs).toISOString().replace(/[-:]|\.\d+/g, "");
    this.#session = `${options.name}-${time}`;
    this.#timer = setInterval(() => this.#flush(), FLUSH_EVERY_MS);
    this.#timer.unref();
  }

  write(event: CaptureEvent): void {
    if (this.#hasFailed) return;
    const file = this.#current();
    file.gzip.write(`${JSON.stringify(event)}\n`);
    this.#isDirty = true;
    if (file.gzip.writableLength + file.stream.writableLength > BUFFERED_BYTES_MAX)
      this.#fail(new Error("the disk does not keep up"));
  }

  /** Resolves when everything is in the file. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#end();
    await Promise.all(this.#closing);
  }

  #current(): OpenFile {
    const { rotateSizeBytes } = this.#options;
    if (this.#file !== undefined && this.#file.stream.bytesWritten >= rotateSizeBytes) this.#end();
    return (this.#file ??= this.#begin());
  }

  #begin(): OpenFile {
    const part = ++this.#part;
    const name = `${this.#session}-${String(part).padStart(4, "0")}.ndjson.gz`;
    const stream = createWriteStream(join(this.#options.directory, name));
    const gzip = createGzip();
    gzip.pipe(stream);
    const closed = finished(stream).catch((error: unknown) => this.#fail(error));
    gzip.on("error", (error) => this.#fail(error));
    this.#closing.push(closed);
    const header: CaptureHeader = { kind: "capture", format: 1, session: this.#session, part };
    gzip.write(`${JSON.stringify(header)}\n`);
    return { gzip, stream, closed };
  }

  #end(): void {
    const trailer: CaptureTrailer = { kind: "closed" };
    this.#file?.gzip.end(`${JSON.stringify(trailer)}\n`);
    this.#file = undefined;
  }

  #flush(): void {
    if (!this.#isDirty || this.#file === undefined) return;
    this.#isDirty = false;
    this.#file.gzip.flush(constants.Z_SYNC_FLUSH);
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#file?.stream.destroy();
    this.#file?.gzip.destroy();
    this.#file = undefined;
    this.#options.log.error(
      `the capture in ${this.#options.directory} has ended: ${describeError(error)}; collecting goes on, and the next start begins a new one`,
    );
  }
}
