// A folder for one test, with the configs it writes there. After the test its PostgreSQL is stopped, if one was left
// behind by a killed process, and the folder removed.
import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import { isAlive } from "../../src/store/embedded/postmaster.js";
import { until } from "./until.js";

/** Tests run beside each other and beside a tickwell of the machine. */
const ANY_PORT = { port: 0 };
const folders: WorkFolder[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await folder.remove();
});

export async function newWorkFolder(): Promise<WorkFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), "tickwell-test-")));
  // The embedded server may run as another user.
  await chmod(path, 0o755);
  const folder = new WorkFolder(path);
  folders.push(folder);
  return folder;
}

export class WorkFolder {
  readonly path: string;
  readonly dataDir: string;
  readonly configs: string;

  constructor(path: string) {
    this.path = path;
    this.dataDir = join(path, "data");
    this.configs = join(path, "configs");
  }

  /** The options every command is given. */
  get options(): readonly string[] {
    return ["-c", this.configs, "--data-dir", this.dataDir];
  }

  /** Writes both files; JSON is YAML. */
  async configure(files: { collector: object; instance?: object }): Promise<void> {
    await mkdir(join(this.configs, "collector"), { recursive: true });
    await writeFile(join(this.configs, "tickwell.yml"), JSON.stringify({ api: ANY_PORT, ...files.instance }));
    await writeFile(join(this.configs, "collector/test.yml"), JSON.stringify(files.collector));
  }

  /** The pid of the embedded server's postmaster; undefined when none runs. */
  postmasterPid(dataDir = this.dataDir): number | undefined {
    try {
      const file = readFileSync(join(dataDir, "postgres/cluster/postmaster.pid"), "utf8");
      const pid = Number.parseInt(file, 10);
      return isRunning(pid) ? pid : undefined;
    } catch {
      return undefined;
    }
  }

  async remove(): Promise<void> {
    const pid = this.postmasterPid();
    if (pid !== undefined) {
      process.kill(pid, "SIGQUIT");
      await until(() => !isRunning(pid));
    }
    await rm(this.path, { recursive: true, force: true });
  }
}

/** A process that is dead and not yet reaped does not run. */
export function isRunning(pid: number): boolean {
  if (!isAlive(pid)) return false;
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}
