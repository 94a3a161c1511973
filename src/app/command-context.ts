// What every command is given: where to write, what to log to, when to stop, and how to say that a check fell short.
import type { Log, LogLevel } from "../core/log.js";

/** Exit statuses a command may end with by itself; errors have theirs by kind. */
export const EXIT = { done: 0, failed: 1, usage: 2, shortfall: 3 } as const;

export interface CommandContext {
  /** Results; the only thing a pipe sees. */
  readonly stdout: (text: string) => void;
  /** Progress and words for the person at the terminal. */
  readonly stderr: (text: string) => void;
  /** Aborted when the user or the system asks the command to stop cleanly. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Sets the process's exit status without an error: the work is done, but the data falls short. */
  readonly setExitStatus: (status: number) => void;
}

/** The options every command knows. */
export interface GlobalOptions {
  readonly config?: readonly string[];
  readonly dataDir: string;
  readonly logLevel?: LogLevel;
  readonly json?: boolean;
  readonly color: boolean;
}
