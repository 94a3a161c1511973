// Runs one of PostgreSQL's programs to its end and keeps what it said.
import { spawn } from "node:child_process";
import { setupError } from "./failure.js";

const OUTPUT_CHARS_MAX = 64 * 1_024;

/**
 * A fixed environment: the user's PGHOST, PGDATA or LC_ALL would redirect the server or translate the messages we read.
 * Windows programs do not start without the system's own variables.
 */
const POSIX_ENVIRONMENT = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin",
  LC_ALL: "C",
} as const;

/** A command line, and the user it runs as (undefined: the present one). */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly identity?: { readonly uid: number; readonly gid: number } | undefined;
}

export interface ProgramResult {
  /** Exit status; undefined when a signal ended it. */
  readonly status: number | undefined;
  /** stdout and stderr, interleaved as they came, the end of it. */
  readonly output: string;
}

/**
 * Runs to the end, apart from our process group, so that Ctrl-C on the terminal reaches neither it nor the server it
 * may leave behind.
 * @throws the signal's reason when aborted; TickwellError `config` when the program cannot be run at all
 */
export async function runProgram(program: Program, signal: AbortSignal): Promise<ProgramResult> {
  signal.throwIfAborted();
  const { file, args, cwd, env, identity } = program;
  const child = spawn(file, args, {
    cwd,
    detached: process.platform !== "win32",
    windowsHide: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...(process.platform === "win32" ? {} : { env: { ...POSIX_ENVIRONMENT, ...env } }),
    ...identity,
  });
  let output = "";
  const keep = (chunk: string) => {
    output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
  };
  child.stdout.setEncoding("utf8").on("data", keep);
  child.stderr.setEncoding("utf8").on("data", keep);
  // initdb cleans up at SIGINT, and pg_ctl takes the server it is starting down with it.
  const kill = () => child.kill("SIGINT");
  signal.addEventListener("abort", kill, { once: true });
  try {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      child.once("error", (error) =>
        reject(
          setupError(
            `cannot run ${file}: it is missing, not executable for this user, or built for another C library (musl systems such as Alpine): reinstall tickwell's dependencies, or set storage.url to a PostgreSQL of your own`,
            error,
          ),
        ),
      );
      child.once("close", (code) => resolve(code ?? undefined));
    });
    signal.throwIfAborted();
    return { status, output };
  } finally {
    signal.removeEventListener("abort", kill);
  }
}
