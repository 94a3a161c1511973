// Reads captures back, event by event. Files of a process that was killed, or that were cut off on the way, are read to the last
// whole line.
import { createReadStream } from "node:fs";
import { createGunzip, constants } from "node:zlib";
import { TickwellError } from "../../core/fault.js";
import type { CaptureEvent } from "./capture-event.js";
import type { CaptureHeader, CaptureTrailer } from "./capture-writer.js";

/** How reading a file ended. */
export interface CaptureEnd {
  readonly file: string;
  readonly events: number;
  /** The file stops in the middle: what was written after is lost. */
  readonly isCutOff: boolean;
}

/**
 * The events of these files, in their order: those of one session belong together, by their names.
 * @param onEnd told of each file
 * @throws TickwellError `bad_request` for a file that is no capture, or whose session's earlier part is not among them; the
 *   system's error for one that cannot be opened
 */
export async function* readCaptures(
  files: readonly string[],
  onEnd: (end: CaptureEnd) => void = () => undefined,
): AsyncGenerator<CaptureEvent> {
  let before: CaptureHeader | undefined;
  for (const file of [...files].sort()) {
    let events = 0;
    let isCutOff = true;
    for await (const line of wholeLines(file)) {
      const value = parseLine(line, file, events + 1);
      if (value.kind === "closed") isCutOff = false;
      else if (value.kind === "capture") {
        refuseOutOfOrder(value, before, file);
        before = value;
      } else if (before === undefined) throw noCapture(file, "it does not begin as one");
      else {
        events++;
        yield value;
      }
    }
    onEnd({ file, events, isCutOff });
  }
}

/** The whole lines of one file, as far as it can be read. */
async function* wholeLines(file: string): AsyncGenerator<string> {
  // With a sync flush at the end, what a cut-off stream holds comes out instead of an error.
  const gunzip = createGunzip({ finishFlush: constants.Z_SYNC_FLUSH });
  const source = createReadStream(file);
  source.on("error", (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for await (const chunk of gunzip) {
      const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  } catch (error) {
    if (isOtherFile(error)) throw noCapture(file, "it is not compressed");
    if (!isDataError(error)) throw error;
  } finally {
    source.destroy();
  }
}

/** Bytes that are no compressed data: the file was damaged there. */
function isDataError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === "Z_BUF_ERROR" || code === "Z_DATA_ERROR";
}

function isOtherFile(error: unknown): boolean {
  return error instanceof Error && error.message === "incorrect header check";
}

function parseLine(
  line: string,
  file: string,
  number: number,
): CaptureEvent | CaptureHeader | CaptureTrailer {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw noCapture(file, `line ${number} is no JSON`);
  }
  if (typeof value !== "object" || value === null || !("kind" in value))
    throw noCapture(file, `line ${number} is no event`);
  return value as CaptureEvent | CaptureHeader | CaptureTrailer;
}

function refuseOutOfOrder(header: CaptureHeader, before: CaptureHeader | undefined, file: string): void {
  if (header.format !== 1)
    throw noCapture(file, `its format is ${String(header.format)}, and this version reads format 1`);
  const expected = before?.session === header.session ? before.part + 1 : 1;
  if (header.part !== expected)
    throw noCapture(
      file,
      `it is part ${header.part} of ${header.session}, and part ${expected} is not among the files: a book or a run of trades goes on from one to the next`,
    );
}

function noCapture(file: string, why: string): TickwellError {
  return new TickwellError(
    { kind: "bad_request", code: undefined },
    `${file} cannot be replayed: ${why}; expected files as capture.enabled writes them, all parts of a session`,
  );
}
