// Runs one command in this process, as the command line does: what it wrote, and the status it would have exited with.
import { setMaxListeners } from "node:events";
import type { CommandContext } from "../../src/app/command-context.js";
import { statusOf } from "../../src/app/exit-status.js";
import { createProgram } from "../../src/app/program.js";
import { silentLog } from "../../src/core/log.js";

export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * @param options.onStdout told of each piece that is written
 * @param argv without `node` and the program's name: `["query", "SELECT 1"]`
 * @param options.signal stands for Ctrl-C
 */
export async function runCommand(
  argv: readonly string[],
  options: { readonly signal?: AbortSignal; readonly onStdout?: (text: string) => void } = {},
): Promise<CommandResult> {
  const signal = options.signal ?? new AbortController().signal;
  setMaxListeners(0, signal);
  let status = 0;
  let stdout = "";
  let stderr = "";
  const context: CommandContext = {
    stdout: (text) => {
      stdout += text;
      options.onStdout?.(text);
    },
    stderr: (text) => (stderr += text),
    signal,
    log: silentLog,
    setExitStatus: (wanted) => (status = wanted),
  };
  try {
    await createProgram(context).parseAsync(["node", "tickwell", ...argv]);
  } catch (error) {
    status = statusOf(error, context);
  }
  return { status, stdout, stderr };
}
