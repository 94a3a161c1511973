// A real Prometheus on a free port, with the shipped configuration but for addresses and times.
import { spawn } from "node:child_process";
import { copyFileSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "./repository.js";
import { until } from "./until.js";

export interface QueryResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

export interface RunningPrometheus {
  readonly url: string;
  /** An instant query now. @throws with what Prometheus says is wrong with the expression */
  readonly query: (expr: string) => Promise<readonly QueryResult[]>;
  close(): Promise<void>;
}

/** @param options.target `127.0.0.1:7377` */
export async function startPrometheus({
  target,
  token,
}: {
  readonly target: string;
  readonly token: string;
}): Promise<RunningPrometheus> {
  const folder = await mkdtemp(join(tmpdir(), "tickwell-prometheus-"));
  const shipped = join(REPOSITORY, "deploy/prometheus");
  await writeFile(join(folder, "token"), token);
  copyFileSync(join(shipped, "rules.yml"), join(folder, "rules.yml"));
  await writeFile(
    join(folder, "prometheus.yml"),
    readFileSync(join(shipped, "prometheus.yml"), "utf8")
      .replace("tickwell:7377", target)
      .replace("/run/secrets/tickwell_api_token", join(folder, "token"))
      .replaceAll("15s", "1s"),
  );
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await until(async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true);
  return {
    url,
    async query(expr) {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const answer = (await response.json()) as {
        status: string;
        error?: string;
        data?: { result: QueryResult[] };
      };
      if (answer.status !== "success") throw new Error(`${expr}: ${answer.error ?? ""}`);
      return answer.data?.result ?? [];
    },
    async close() {
      child.kill("SIGTERM");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Nobody else's between this and its use, as far as one can tell. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
