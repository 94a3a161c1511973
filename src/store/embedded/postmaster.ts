// Is a server running on this cluster? Read from PostgreSQL's own postmaster.pid, but believed only when the process
// is really that server: after a reboot or in a new container another process may have the pid.
import { readFile, readlink, readdir, rm } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { errorCode } from "../database-error.js";
import type { Layout } from "./layout.js";

/** What postmaster.pid says. @see https://www.postgresql.org/docs/18/storage-file-layout.html */
export interface PostmasterFile {
  readonly pid: number;
  readonly port: number;
  /** Of the Unix socket; undefined where there is none. */
  readonly socketDirectory: string | undefined;
}

/** A server that is running, or on its way up or down. */
export interface RunningServer extends PostmasterFile {
  /** Whether the process could be seen; false where another container runs the server on the same directory. */
  readonly isLocal: boolean;
}

/** undefined when the text is not (yet) complete. */
export function parsePostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split("\n");
  const [pid, port] = [Math.abs(Number(lines[0])), Number(lines[3])];
  if (!Number.isInteger(pid) || pid === 0 || !Number.isInteger(port) || port === 0) return undefined;
  return { pid, port, socketDirectory: lines[4]?.trim() || undefined };
}

/** The server of this cluster, if one runs. Starts and changes nothing. */
export async function findServer(layout: Layout): Promise<RunningServer | undefined> {
  const file = parsePostmasterFile(await textOf(pidFile(layout)));
  if (file === undefined) return undefined;
  const state = await processState(file.pid, layout.cluster);
  if (state === "server") return { ...file, isLocal: true };
  if (state === "unknown") return (await answers(file)) ? { ...file, isLocal: true } : undefined;
  // Not a process of this machine's view, yet somebody answers at its socket: another container, on the same volume.
  const isElsewhere = file.socketDirectory !== undefined && (await answers(file));
  return isElsewhere ? { ...file, isLocal: false } : undefined;
}

const pidFile = (layout: Layout) => join(layout.cluster, "postmaster.pid");

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return "";
    throw error;
  }
}

/** Whether a process of this id exists, whosever it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
}

/** Whether this process is (or, where that cannot be seen, may be) the server of this cluster. */
export async function isServer(pid: number, layout: Layout): Promise<boolean> {
  const state = await processState(pid, layout.cluster);
  return state === "server" || state === "unknown";
}

type ProcessState = "server" | "other" | "gone" | "unknown";

async function processState(pid: number, cluster: string): Promise<ProcessState> {
  if (!isAlive(pid)) return "gone";
  if (process.platform !== "linux") return "unknown";
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const [, name, letter] = /^\d+ \((.*)\) (\S)/s.exec(stat) ?? [];
    if (letter === "Z" || letter === "X") return "gone"; // dead, but nobody fetched its exit status
    if (name !== "postgres") return "other";
  } catch (error) {
    return errorCode(error) === "ENOENT" ? "gone" : "unknown";
  }
  try {
    // The postmaster works in its cluster; another cluster's server may have got the pid.
    return (await readlink(`/proc/${pid}/cwd`)) === cluster ? "server" : "other";
  } catch {
    return isAlive(pid) ? "unknown" : "gone";
  }
}

const ANSWER_TIMEOUT_MS = 1_000;

async function answers({ socketDirectory, port }: PostmasterFile): Promise<boolean> {
  const address =
    socketDirectory === undefined
      ? { host: "127.0.0.1", port }
      : { path: join(socketDirectory, `.s.PGSQL.${port}`) };
  return new Promise((resolve) => {
    const socket = createConnection({ ...address, timeout: ANSWER_TIMEOUT_MS });
    const settle = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", () => settle(true));
    socket.once("timeout", () => settle(false));
    socket.once("error", () => settle(false));
  });
}

/**
 * Removes lock files whose process is certainly not their server. PostgreSQL does so itself when nobody has the pid; it
 * refuses to start when somebody else has it, or when the dead server was never reaped.
 */
export async function clearStaleLocks(layout: Layout, socketDirectory: string | undefined): Promise<void> {
  const paths = [pidFile(layout)];
  if (socketDirectory !== undefined) {
    const names = await readdir(socketDirectory).catch(() => []);
    paths.push(...names.filter((name) => name.endsWith(".lock")).map((name) => join(socketDirectory, name)));
  }
  for (const path of paths) {
    const pid = Math.abs(Number.parseInt(await textOf(path), 10));
    if (!Number.isInteger(pid) || pid === 0 || !isAlive(pid)) continue;
    const state = await processState(pid, layout.cluster);
    const isUnchanged = Math.abs(Number.parseInt(await textOf(path), 10)) === pid;
    if ((state === "other" || state === "gone") && isUnchanged) await rm(path, { force: true });
  }
}
