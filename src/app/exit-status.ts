// From what a command threw to the process's exit status, and the words for it on stderr.
import { CommanderError } from "commander";
import { classifyError, describeError, TickwellError } from "../core/fault.js";
import { EXIT, type CommandContext } from "./command-context.js";
import { isHelp } from "./program.js";

/** The exit status for what a command threw; says on stderr what commander has not said already. */
export function statusOf(error: unknown, { stderr, signal }: CommandContext): number {
  if (isHelp(error)) return EXIT.done;
  // Commander has said what is wrong.
  if (error instanceof CommanderError) return EXIT.usage;
  if (signal.aborted && error === signal.reason) return EXIT.failed;
  stderr(`tickwell: ${describeError(error)}\n`);
  if (!(error instanceof TickwellError) && error instanceof Error)
    stderr(`${error.stack ?? ""}\nThis is a mistake in tickwell itself.\n`);
  const { kind } = classifyError(error);
  return kind === "config" || kind === "bad_request" ? EXIT.usage : EXIT.failed;
}
