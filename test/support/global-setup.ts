// Starts one PostgreSQL for the whole run, in a folder of its own on a free port, and removes it afterwards.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { systemClock } from "../../src/core/clock.js";
import { silentLog } from "../../src/core/log.js";
import { openEmbeddedPostgres } from "../../src/store/embedded/embedded-postgres.js";

declare module "vitest" {
  interface ProvidedContext {
    databaseUrl: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const external = process.env.TEST_TIMESCALE_URL ?? process.env.TEST_DATABASE_URL;
  if (external) {
    project.provide("databaseUrl", external);
    return async () => undefined;
  }
  const dataDir = await mkdtemp(join(tmpdir(), "tickwell-test-"));
  const signal = new AbortController().signal;
  const server = await openEmbeddedPostgres({
    dataDir,
    role: "owner",
    clock: systemClock,
    log: silentLog,
    signal,
  });
  project.provide("databaseUrl", server.connectionString);
  return async () => {
    await server.close();
    await rm(dataDir, { recursive: true, force: true });
  };
}
