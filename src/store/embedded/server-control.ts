// Starts and stops the server with pg_ctl: on a free port, out of our process group, its words kept in server.log.
import { open, readFile, rename, stat, statfs, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { basename } from "node:path";
import type { Clock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import type { Log } from "../../core/log.js";
import { errorCode } from "../database-error.js";
import type { Binaries } from "./binaries.js";
import { giveToDataOwner } from "./cluster.js";
import { classifyStartFailure, serverError, startError } from "./failure.js";
import { makeSocketDirectory, type Layout } from "./layout.js";
import { clearStaleLocks, findServer, isServer } from "./postmaster.js";
import { runProgram, type Program } from "./run-program.js";
import type { ServerUser } from "./server-user.js";

export interface ServerHands {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly user: ServerUser;
  readonly clock: Clock;
  readonly log: Log;
}

const START_ATTEMPTS_MAX = 40;
const START_RETRY_MS = 250;
/** pg_ctl waits this long; a longer crash recovery is waited for by whoever connects. */
const START_WAIT_S = 60;
const STOP_WAIT_MS = 60_000;
const STOP_POLL_MS = 20;
const LOG_BYTES_MAX = 10 * 1024 ** 2;
/** Docker gives /dev/shm 64 MB, which parallel queries outgrow; such machines map files in the cluster instead. */
const SHM_BYTES_MIN = 256 * 1024 ** 2;

/**
 * Starts the server; returns as well when another process started it meanwhile, or when it is up but still recovering.
 * @throws TickwellError `database` or `config`, with the last lines of server.log
 */
export async function startServer(hands: ServerHands, signal: AbortSignal): Promise<void> {
  const { layout, clock, log } = hands;
  await rotateLog(hands);
  let port = await freePort(await rememberedPort(layout));
  for (let attempt = 1; ; attempt++) {
    const said = await startOnce(hands, port, signal);
    if (said === undefined) {
      await writeFile(layout.port, `${port}\n`);
      await giveToDataOwner(layout, layout.port);
      return;
    }
    const failure = classifyStartFailure(said);
    const isRetried = ["already_running", "port_taken", "old_server_dying", "slow"].includes(failure);
    if (!isRetried || attempt >= START_ATTEMPTS_MAX) {
      throw await startError({ doing: "start the embedded PostgreSQL", directory: layout.root, text: said });
    }
    if (failure === "port_taken") {
      log.warn({ port }, "the port is taken, trying another");
      port = await freePort(undefined);
    }
    await clock.sleep(START_RETRY_MS, signal);
    if ((await findServer(layout)) !== undefined) return;
  }
}

/** @returns what was said when it failed, undefined when it started */
async function startOnce(hands: ServerHands, port: number, signal: AbortSignal): Promise<string | undefined> {
  const { layout, user } = hands;
  const socketDirectory = await makeSocketDirectory(layout, user.identity?.uid);
  if (socketDirectory !== undefined) await user.own(socketDirectory);
  await clearStaleLocks(layout, socketDirectory);
  const options = [
    `-p ${port}`,
    "-c listen_addresses=127.0.0.1",
    ...(process.platform === "win32" ? [] : [`-c unix_socket_directories=${socketDirectory ?? "''"}`]),
    ...((await isShmTight()) ? ["-c dynamic_shared_memory_type=mmap"] : []),
  ];
  const logBytes = await touchLog(hands);
  // The log's name is relative and PGDATA is in the environment: pg_ctl puts paths into a shell command line.
  const args = ["start", "-w", "-s", "-t", String(START_WAIT_S), "-l", basename(layout.log)];
  const result = await runProgram(pgCtl(hands, [...args, "-o", options.join(" ")]), signal);
  if (result.status === 0) return undefined;
  return `${await logSince(layout, logBytes)}\n${result.output}`;
}

function pgCtl({ layout, binaries, user }: ServerHands, args: readonly string[]): Program {
  return user.as({ file: binaries.pgCtl, args, cwd: layout.root, env: { PGDATA: layout.cluster } });
}

/**
 * Stops the server, rolling back what other sessions have open. Does nothing when none runs here.
 * @throws TickwellError `database` when it does not stop
 */
export async function stopServer(hands: ServerHands, signal: AbortSignal): Promise<void> {
  const { layout, clock, log } = hands;
  const server = await findServer(layout);
  // A server of another container has a pid that means some other process here.
  if (server === undefined || !server.isLocal) return;
  const { pid } = server;
  const result = await runProgram(pgCtl(hands, ["stop", "-m", "fast", "-W", "-s"]), signal);
  // Not pg_ctl's own waiting: it would wait for the next server, if a newcomer starts one at once.
  const deadlineMs = clock.nowMs() + STOP_WAIT_MS;
  while (await isServer(pid, layout)) {
    if (clock.nowMs() >= deadlineMs) {
      throw serverError(
        `${layout.cluster}: the embedded PostgreSQL (pid ${pid}) did not stop within ${formatDuration(STOP_WAIT_MS)}: ${result.output.trim() || "no word from pg_ctl"}; see ${layout.log}`,
        true,
      );
    }
    await clock.sleep(STOP_POLL_MS, signal);
  }
  log.debug({ pid }, "embedded PostgreSQL stopped");
}

async function rememberedPort(layout: Layout): Promise<number | undefined> {
  const port = Number((await readFile(layout.port, "utf8").catch(() => "")).trim());
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

/** @param wanted taken if it is free */
async function freePort(wanted: number | undefined): Promise<number> {
  const server = createServer();
  try {
    return await new Promise<number>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: wanted ?? 0 }, () =>
        resolve((server.address() as AddressInfo).port),
      );
    });
  } catch (error) {
    const isBusy = wanted !== undefined && ["EADDRINUSE", "EACCES"].includes(errorCode(error) ?? "");
    if (!isBusy) throw serverError("no free TCP port on 127.0.0.1 for the embedded PostgreSQL", true, error);
    return await freePort(undefined);
  } finally {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  }
}

async function isShmTight(): Promise<boolean> {
  if (process.platform !== "linux") return false;
  const space = await statfs("/dev/shm").catch(() => undefined);
  return space === undefined || space.bavail * space.bsize < SHM_BYTES_MIN;
}

async function rotateLog({ layout }: ServerHands): Promise<void> {
  const found = await stat(layout.log).catch(() => undefined);
  if (found !== undefined && found.size > LOG_BYTES_MAX) await rename(layout.log, `${layout.log}.1`);
}

/** @returns its size */
async function touchLog({ layout, user }: ServerHands): Promise<number> {
  const file = await open(layout.log, "a", 0o600);
  const { size } = await file.stat();
  await file.close();
  await user.own(layout.log);
  return size;
}

const LOG_TAIL_BYTES = 16 * 1_024;

async function logSince(layout: Layout, offset: number): Promise<string> {
  const text = await readFile(layout.log).catch(() => Buffer.alloc(0));
  return text.subarray(Math.max(offset, text.length - LOG_TAIL_BYTES)).toString("utf8");
}
