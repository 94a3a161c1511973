// The embedded PostgreSQL used from one process: making, sharing, stopping, mending, refusing.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { cp, mkdir, readFile, readlink, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { silentLog } from "../../../src/core/log.js";
import { findBinaries } from "../../../src/store/embedded/binaries.js";
import { ensureCluster, makeRoot } from "../../../src/store/embedded/cluster.js";
import { openEmbeddedPostgres } from "../../../src/store/embedded/embedded-postgres.js";
import { layoutOf } from "../../../src/store/embedded/layout.js";
import { findServer } from "../../../src/store/embedded/postmaster.js";
import { startServer, stopServer } from "../../../src/store/embedded/server-control.js";
import { serverUser } from "../../../src/store/embedded/server-user.js";
import {
  hasBinaries,
  isRoot,
  isRunning,
  newDataDir,
  open,
  postmasterPid,
  processField,
  query,
  sweep,
  until,
} from "./embedded-harness.js";

afterEach(sweep);

const never = new AbortController().signal;

describe.runIf(process.env["CI"] && !hasBinaries)("embedded PostgreSQL, binaries MISSING", () => {
  it("has its binaries where the tests must not be skipped", () => {
    expect(hasBinaries).toBe(true);
  });
});

describe.skipIf(!hasBinaries)("embedded PostgreSQL (skipped: no binaries for this platform)", () => {
  it("makes and starts a database in an empty directory, reachable by socket and by TCP, and stops it", async () => {
    const dataDir = await newDataDir();
    const server = await open(dataDir);
    const sql =
      "SELECT current_user AS who, current_setting('fsync') AS fsync, current_setting('TimeZone') AS zone";
    const expected = [{ who: "tickwell", fsync: "on", zone: "UTC" }];
    expect(await query(server.socketConnection, sql)).toEqual(expected);
    expect(server.socketConnection.host).toBe(join(dataDir, "postgres/socket"));
    expect(await query(server.connectionString, sql)).toEqual(expected);
    expect(server.connectionString).toMatch(/^postgresql:\/\/tickwell:\w{48}@127\.0\.0\.1:\d+\/tickwell$/);
    expect(server.serverVersion).toMatch(/^18\./);
    expect((await stat(join(dataDir, "postgres/password"))).mode & 0o777).toBe(0o600);
    const pid = postmasterPid(dataDir) ?? 0;
    expect(isRunning(pid)).toBe(true);
    await server.close();
    await server.close();
    expect(isRunning(pid)).toBe(false);
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it("keeps data, port and password over a stop", async () => {
    const dataDir = await newDataDir();
    const first = await open(dataDir);
    await query(first.connectionString, "CREATE TABLE kept AS SELECT 42 AS answer");
    await first.close();
    const second = await open(dataDir);
    expect(second.connectionString).toBe(first.connectionString);
    expect(await query(second.connectionString, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
    await second.close();
  });

  it("refuses a wrong password", async () => {
    const server = await open(await newDataDir());
    await expect(query({ ...server.socketConnection, password: "wrong" }, "SELECT 1")).rejects.toThrow(
      /password/,
    );
    await server.close();
  });

  it("lets readers beside an owner, refuses a second owner by name, and stops with the last one", async () => {
    const dataDir = await newDataDir();
    const owner = await open(dataDir);
    const reader = await open(dataDir, "reader");
    const refused = open(dataDir, "owner");
    await expect(refused).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringMatching(
        new RegExp(`^${dataDir}: .*pid ${process.pid}.*--data-dir.*storage\\.url`),
      ) as unknown,
    });
    const pid = postmasterPid(dataDir) ?? 0;
    await owner.close();
    expect(await query(reader.socketConnection, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    const nextOwner = await open(dataDir);
    await nextOwner.close();
    expect(isRunning(pid)).toBe(true);
    await reader.close();
    expect(isRunning(pid)).toBe(false);
  });

  it("starts again on the same port when the server was killed, with the locks it had and the data", async () => {
    const dataDir = await newDataDir();
    const server = await open(dataDir);
    const { connectionString } = server;
    await query(connectionString, "CREATE TABLE kept AS SELECT 42 AS answer");
    const pid = postmasterPid(dataDir) ?? 0;
    process.kill(pid, "SIGKILL");
    await until(() => !isRunning(pid));
    await Promise.all([server.ensureRunning(never), server.ensureRunning(never)]);
    expect(postmasterPid(dataDir)).not.toBe(pid);
    expect(server.connectionString).toBe(connectionString);
    expect(await query(server.socketConnection, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
    await expect(open(dataDir)).rejects.toThrow(/already writing/);
    await server.close();
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it("does not disturb a server that lives when it is asked whether it runs", async () => {
    const dataDir = await newDataDir();
    const server = await open(dataDir);
    const pid = postmasterPid(dataDir);
    await server.ensureRunning(never);
    expect(postmasterPid(dataDir)).toBe(pid);
    await server.close();
  });

  it("stops the server even when its own connection was cut before", async () => {
    const dataDir = await newDataDir();
    const server = await open(dataDir);
    const cut =
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tickwell owner%'";
    await query(server.connectionString, cut);
    await server.close();
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it("takes another port when the remembered one is taken", async () => {
    const dataDir = await newDataDir();
    const first = await open(dataDir);
    await first.close();
    const { port } = first.socketConnection;
    const squatter = createServer();
    await new Promise<void>((done) => squatter.listen(port, "127.0.0.1", done));
    try {
      const second = await open(dataDir);
      expect(second.socketConnection.port).not.toBe(port);
      expect(await query(second.connectionString, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
      await second.close();
    } finally {
      await new Promise((done) => squatter.close(done));
    }
  });

  it("puts the socket elsewhere when the path of the data directory is too long for one", async () => {
    const dataDir = await newDataDir({
      name: join("d".repeat(60), "with space and 'quote' $HOME", "e".repeat(60)),
    });
    const server = await open(dataDir);
    const { host, port } = server.socketConnection;
    expect(Buffer.byteLength(`${host}/.s.PGSQL.${port}`)).toBeLessThanOrEqual(107);
    expect((await stat(host)).mode & 0o777).toBe(0o700);
    expect(await query(server.socketConnection, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    expect(await query(server.connectionString, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await server.close();
    await rmdir(host); // empty: the server took its socket away
  });

  it.runIf(process.platform === "linux")("clears lock files whose pid another process got", async () => {
    const dataDir = await newDataDir();
    const first = await open(dataDir);
    const pidFile = join(dataDir, "postgres/cluster/postmaster.pid");
    const socketLock = join(dataDir, `postgres/socket/.s.PGSQL.${first.socketConnection.port}.lock`);
    const [left, leftSocket] = [await readFile(pidFile, "utf8"), await readFile(socketLock, "utf8")];
    await first.close();
    const stranger = spawn("sleep", ["600"]);
    try {
      await writeFile(pidFile, left.replace(/^\d+/, String(stranger.pid)));
      await writeFile(socketLock, leftSocket.replace(/^\d+/, String(stranger.pid)));
      expect(await findServer(await layoutOf(dataDir))).toBeUndefined();
      const second = await open(dataDir);
      expect(await query(second.socketConnection, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
      await second.close();
      expect(stranger.exitCode).toBeNull();
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  it("makes the database although an earlier making was cut off", async () => {
    const dataDir = await newDataDir();
    await mkdir(join(dataDir, "postgres/init-killed/cluster"), { recursive: true });
    await writeFile(join(dataDir, "postgres/init-killed/cluster/PG_VERSION"), "18\n");
    const server = await open(dataDir);
    expect(await query(server.socketConnection, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await expect(stat(join(dataDir, "postgres/init-killed"))).rejects.toThrow(/ENOENT/);
    await server.close();
  });

  it("tells of a database of another major version, and changes nothing", async () => {
    const dataDir = await newDataDir();
    await mkdir(join(dataDir, "postgres/cluster"), { recursive: true });
    await writeFile(join(dataDir, "postgres/cluster/PG_VERSION"), "16\n");
    await writeFile(join(dataDir, "postgres/password"), "secret\n");
    await expect(open(dataDir)).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringMatching(/PostgreSQL 16, but .* PostgreSQL 18: .*pg_dump/) as unknown,
    });
    expect(await readFile(join(dataDir, "postgres/cluster/PG_VERSION"), "utf8")).toBe("16\n");
  });

  it("shows the server's own words when it does not start", async () => {
    const dataDir = await newDataDir();
    await (await open(dataDir)).close();
    await writeFile(join(dataDir, "postgres/cluster/postgresql.conf"), "shared_buffers = nonsense\n");
    await expect(open(dataDir)).rejects.toMatchObject({
      fault: { kind: "database" },
      message: expect.stringMatching(/shared_buffers.*nonsense/) as unknown,
    });
  });

  it("tells what is missing when the password is gone", async () => {
    const dataDir = await newDataDir();
    await (await open(dataDir)).close();
    await rm(join(dataDir, "postgres/password"));
    await expect(open(dataDir)).rejects.toThrow(/password: is missing/);
  });

  it("gives up when it is aborted while the server starts, and takes that server down", async () => {
    const dataDir = await newDataDir();
    const aborter = new AbortController();
    const opening = openEmbeddedPostgres({
      dataDir,
      role: "owner",
      clock: systemClock,
      log: silentLog,
      signal: aborter.signal,
    });
    const settled = opening.then(
      () => "opened",
      (error: unknown) => String(error),
    );
    await until(() => postmasterPid(dataDir) !== undefined);
    aborter.abort(new Error("stop now"));
    expect(await settled).toContain("stop now");
    await until(() => postmasterPid(dataDir) === undefined);
  });

  it.runIf(isRoot)("as root runs the server as another user without any capability", async () => {
    const dataDir = await newDataDir({ mode: 0o755 });
    const server = await open(dataDir);
    const pid = postmasterPid(dataDir) ?? 0;
    expect(processField(pid, "Uid")).not.toMatch(/\b0\b/);
    expect(processField(pid, "CapEff")).toBe("0000000000000000");
    await server.close();
  });

  it.runIf(isRoot)("as root runs the server from binaries its user may not reach", async () => {
    const dataDir = await newDataDir({ mode: 0o700 });
    const found = await findBinaries();
    const directory = join(dirname(dataDir), "native/bin");
    await cp(dirname(found.directory), dirname(directory), { recursive: true, verbatimSymlinks: true });
    const moved = (path: string) => join(directory, basename(path));
    const { initdb, pgCtl, postgres } = found;
    const binaries = {
      ...found,
      directory,
      initdb: moved(initdb),
      pgCtl: moved(pgCtl),
      postgres: moved(postgres),
    };
    const layout = await layoutOf(dataDir);
    await makeRoot(layout);
    const user = await serverUser(layout, binaries, never);
    const hands = { layout, binaries, user, clock: systemClock, log: silentLog };
    await ensureCluster({ ...hands, signal: never });
    await startServer(hands, never);
    const pid = postmasterPid(dataDir) ?? 0;
    expect(await readlink(`/proc/${pid}/exe`)).toBe(binaries.postgres);
    await stopServer(hands, never);
    expect(isRunning(pid)).toBe(false);
  });

  it.runIf(isRoot)("as root works in a 0700 directory of root, lending one capability", async () => {
    const dataDir = await newDataDir({ mode: 0o700 });
    const server = await open(dataDir);
    const pid = postmasterPid(dataDir) ?? 0;
    expect(processField(pid, "Uid")).not.toMatch(/\b0\b/);
    expect(processField(pid, "CapEff")).toBe("0000000000000002");
    expect(await query(server.socketConnection, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await server.close();
    expect(isRunning(pid)).toBe(false);
  });
});
