// What goes wrong around the embedded server, in words: which directory, what was found, what to do.
import { statfs } from "node:fs/promises";
import { formatSize } from "../../core/duration.js";
import { TickwellError } from "../../core/fault.js";
import { errorCode } from "../database-error.js";

const ELSEWHERE = "use another --data-dir, or set storage.url to a PostgreSQL of your own";

/** An error the user can mend: wrong place, wrong rights, missing program. */
export function setupError(message: string, cause?: unknown): TickwellError {
  return new TickwellError({ kind: "config" }, message, cause === undefined ? undefined : { cause });
}

/** An error of the server itself. */
export function serverError(message: string, isTransient: boolean, cause?: unknown): TickwellError {
  return new TickwellError(
    { kind: "database", code: undefined, isTransient },
    message,
    cause === undefined ? undefined : { cause },
  );
}

/** Explains an error of the file system; hands on what is none. */
export async function fileError(error: unknown, directory: string): Promise<unknown> {
  switch (errorCode(error)) {
    case "ENOSPC":
    case "EDQUOT":
      return diskFull(directory, error);
    case "EROFS":
      return setupError(
        `${directory}: the file system is read-only, but the database must write: ${ELSEWHERE}`,
        error,
      );
    case "EACCES":
    case "EPERM":
      return setupError(
        `${directory}: this user${uidText()} may not read or write here: run tickwell as the user who owns the data, correct the rights, or ${ELSEWHERE}`,
        error,
      );
    case "ENOTDIR":
    case "EEXIST":
      return setupError(`${directory}: a file is in the way, a directory is needed: ${ELSEWHERE}`, error);
    default:
      return error;
  }
}

function uidText(): string {
  const uid = process.geteuid?.();
  return uid === undefined ? "" : ` (uid ${uid})`;
}

async function diskFull(directory: string, cause?: unknown): Promise<TickwellError> {
  const space = await statfs(directory).catch(() => undefined);
  const free = space === undefined ? "" : `${formatSize(space.bavail * space.bsize)} free now, `;
  return new TickwellError(
    { kind: "database", code: "53100", isTransient: true },
    `${directory}: the disk is too full (${free}some 100 MB are needed to start): free some space, or ${ELSEWHERE}`,
    cause === undefined ? undefined : { cause },
  );
}

/** What the server's or initdb's own words tell about a failed start. */
export type StartFailure =
  | "already_running"
  | "port_taken"
  | "old_server_dying"
  | "disk_full"
  | "not_permitted"
  | "read_only"
  | "slow"
  | "other";

const START_FAILURES: readonly (readonly [RegExp, StartFailure])[] = [
  [/No space left on device|Disk quota exceeded/, "disk_full"],
  [/Read-only file system/, "read_only"],
  [/pre-existing shared memory block/, "old_server_dying"],
  [/lock file ".*" (already exists|is empty)|another server might be running/, "already_running"],
  [/could not (bind|create any) .*(address|TCP\/IP|Unix)|Address already in use/, "port_taken"],
  [/Permission denied|Operation not permitted|has wrong ownership/, "not_permitted"],
  [/server did not start in time/, "slow"],
];

/** @param text what was written to the log and to stderr during the start */
export function classifyStartFailure(text: string): StartFailure {
  return START_FAILURES.find(([pattern]) => pattern.test(text))?.[1] ?? "other";
}

/** The error for a start (or initdb) that failed for good. */
export async function startError(options: {
  readonly doing: string;
  readonly directory: string;
  readonly text: string;
}): Promise<TickwellError> {
  const { doing, directory, text } = options;
  const said = lastLines(text);
  switch (classifyStartFailure(text)) {
    case "disk_full":
      return diskFull(directory, new Error(said));
    case "read_only":
      return setupError(
        `${directory}: the file system is read-only, but the database must write: ${ELSEWHERE}`,
      );
    case "not_permitted":
      return setupError(
        `could not ${doing} in ${directory}: a file or directory is not accessible to the server's user; it said: ${said}; correct the rights, or ${ELSEWHERE}`,
      );
    case "already_running":
    case "old_server_dying":
    case "port_taken":
    case "slow":
    case "other":
      return serverError(`could not ${doing} in ${directory}; it said: ${said || "nothing"}`, false);
  }
}

const SAID_LINES_MAX = 6;
const SAID_CHARS_MAX = 1_200;

/** The lines of a log that tell why: errors if there are any, else the last ones. */
export function lastLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const telling = lines.filter((line) =>
    /FATAL|PANIC|ERROR|HINT|error|could not|cannot|invalid|unrecognized/.test(line),
  );
  return (telling.length > 0 ? telling : lines).slice(-SAID_LINES_MAX).join(" | ").slice(-SAID_CHARS_MAX);
}
