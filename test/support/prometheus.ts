// Prometheus' own programs: the Debian package `prometheus`. Locally tests do without them and say so; in CI they must be there.
import { spawnSync } from "node:child_process";

export interface Checked {
  readonly status: number | null;
  /** Everything it said. */
  readonly output: string;
}

/** True when the program can be run. @throws in CI, where it has to */
export function hasProgram(name: "prometheus" | "promtool"): boolean {
  const isThere = spawnSync(name, ["--version"]).error === undefined;
  if (!isThere && process.env.CI === "true")
    throw new Error(`${name} is missing: apt-get install -y --no-install-recommends prometheus`);
  if (!isThere) process.stderr.write(`SKIPPED: ${name} is not installed (Debian package prometheus)\n`);
  return isThere;
}

export function promtool(args: readonly string[], input?: string): Checked {
  const { status, stdout, stderr } = spawnSync("promtool", args, { input, encoding: "utf8" });
  return { status, output: stdout + stderr };
}
