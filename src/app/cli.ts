// Where the process begins and ends: arguments in, exit status out, signals in between.
import { setMaxListeners } from "node:events";
import { createLog, LOG_LEVELS, type LogLevel } from "../core/log.js";
import { EXIT, type CommandContext } from "./command-context.js";
import { statusOf } from "./exit-status.js";
import { createProgram } from "./program.js";

/** Runs one command and sets the process's exit status. Never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  stopOnSignals(stop);
  dieQuietlyOnClosedPipe();
  const log = createLog({
    level: logLevelOf(argv),
    isPretty: process.stderr.isTTY,
    hasColor: process.stderr.isTTY && !argv.includes("--no-color") && !process.env.NO_COLOR,
  });
  const context: CommandContext = {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    signal: stop.signal,
    log,
    setExitStatus: (status) => (process.exitCode = status),
  };
  try {
    await createProgram(context).parseAsync([...argv]);
  } catch (error) {
    process.exitCode = statusOf(error, context);
  }
}

/** Ctrl-C once: stop cleanly. Twice: stop now. */
function stopOnSignals(stop: AbortController): void {
  let hasAsked = false;
  const ask = (): void => {
    if (hasAsked) process.exit(130);
    hasAsked = true;
    process.stderr.write("\nStopping cleanly: what was received is kept. Once more stops at once.\n");
    stop.abort(new Error("stopped by the user"));
  };
  process.on("SIGINT", ask);
  process.on("SIGTERM", ask);
  process.on("SIGHUP", ask);
}

/** `tickwell query … | head` closes the pipe early; that is no error. */
function dieQuietlyOnClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT.done);
    throw error;
  });
}

/** The log exists before the options are parsed; a wrong level is reported by the parser. */
function logLevelOf(argv: readonly string[]): LogLevel {
  const at = argv.findIndex((argument) => argument === "--log-level" || argument.startsWith("--log-level="));
  const text = argv[at]?.includes("=") ? argv[at].split("=")[1] : argv[at + 1];
  return LOG_LEVELS.find((level) => at >= 0 && level === text) ?? "info";
}
