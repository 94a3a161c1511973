// The command line as a process of its own, to be interrupted, killed and read. What a test leaves running is killed
// after it.
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { afterEach } from "vitest";
import { requireBuilt } from "./package-folder.js";
import { until } from "./until.js";

export interface SpawnOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs as this user; only root may ask for it. */
  readonly uid?: number;
  /** Another copy of the package. */
  readonly packageFolder?: string;
}

export interface Ended {
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<CliProcess>();
afterEach(async () => {
  await Promise.all([...running].map((each) => each.kill("SIGKILL")));
});

/** Starts `tickwell` with these arguments. */
export function spawnCli(argv: readonly string[], options: SpawnOptions = {}): CliProcess {
  const folder = requireBuilt(options.packageFolder);
  const child = spawn(process.execPath, [join(folder, "bin/tickwell.js"), ...argv], {
    cwd: options.cwd ?? folder,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  return new CliProcess(child);
}

/** Runs `tickwell` to its end. */
export function runCli(argv: readonly string[], options?: SpawnOptions): Promise<Ended> {
  return spawnCli(argv, options).ended;
}

export class CliProcess {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";
  #hasEnded = false;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    running.add(this);
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status, signal) => {
        this.#hasEnded = true;
        running.delete(this);
        const { stdout, stderr } = this;
        resolve({ status: status ?? undefined, signal: signal ?? undefined, stdout, stderr });
      });
    });
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Waits until stderr holds the text. Fails with all that was said when the process ends before. */
  async says(text: string | RegExp, timeoutMs?: number): Promise<void> {
    const hasSaid = (): boolean =>
      typeof text === "string" ? this.stderr.includes(text) : text.test(this.stderr);
    await until(() => hasSaid() || this.#hasEnded, {
      timeoutMs,
      what: () => `"${String(text)}" in: ${this.stderr}`,
    });
    if (!hasSaid()) throw new Error(`ended without saying "${String(text)}": ${this.stderr}`);
  }

  /** Sends a signal without waiting. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends a signal and waits for the end. */
  async kill(name: NodeJS.Signals): Promise<Ended> {
    this.signal(name);
    return this.ended;
  }
}
