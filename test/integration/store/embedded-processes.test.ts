// The embedded PostgreSQL used by several processes, some of which are killed. Needs compiled sources (npm run build).
import { execFileSync } from "node:child_process";
import { chown, mkdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import {
  hasBinaries,
  isRoot,
  isRunning,
  newDataDir,
  open,
  openInChild,
  postmasterPid,
  processField,
  query,
  sweep,
} from "./embedded-harness.js";

afterEach(sweep);

const NOBODY = { uid: 65_534, gid: 65_534 };

function canNobodyEnter(): boolean {
  if (!isRoot) return false;
  const compiled = process.env["TICKWELL_COMPILED"] ?? resolve(import.meta.dirname, "../../../dist/src");
  try {
    for (const path of [import.meta.dirname, compiled, process.execPath]) {
      execFileSync("test", ["-x", path], NOBODY);
    }
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!hasBinaries)("embedded PostgreSQL (skipped: no binaries for this platform)", () => {
  it("is adopted after its process was killed, with the data and without the dead process' lock", async () => {
    const dataDir = await newDataDir();
    const child = openInChild(dataDir);
    const { connectionString = "" } = await child.event(0);
    await query(connectionString, "CREATE TABLE kept AS SELECT 42 AS answer");
    const pid = postmasterPid(dataDir) ?? 0;
    await child.kill();
    expect(isRunning(pid)).toBe(true);
    const server = await open(dataDir);
    expect(postmasterPid(dataDir)).toBe(pid);
    expect(server.connectionString).toBe(connectionString);
    expect(await query(server.socketConnection, "SELECT answer FROM kept")).toEqual([{ answer: 42 }]);
    await server.close();
    expect(isRunning(pid)).toBe(false);
  });

  it("refuses a second owner, naming the process that is the first", async () => {
    const dataDir = await newDataDir();
    const first = openInChild(dataDir);
    expect(await first.event(0)).toMatchObject({ event: "open" });
    const second = openInChild(dataDir);
    expect(await second.event(0)).toMatchObject({
      event: "refused",
      kind: "config",
      message: expect.stringContaining(`(pid ${first.pid})`) as unknown,
    });
    await first.close();
    expect(await first.event(1)).toEqual({ event: "closed" });
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it("lets one of two owners in that start at once on an empty directory", async () => {
    const dataDir = await newDataDir();
    const both = [openInChild(dataDir), openInChild(dataDir)];
    const events = await Promise.all(both.map((child) => child.event(0)));
    expect(events.map(({ event }) => event).sort()).toEqual(["open", "refused"]);
    await both[events.findIndex(({ event }) => event === "open")]?.close();
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it("serves four readers that start at once on an empty directory, and stops after the last", async () => {
    const dataDir = await newDataDir();
    const readers = [1, 2, 3, 4].map(() => openInChild(dataDir, "reader"));
    const events = await Promise.all(readers.map((child) => child.event(0)));
    expect(events.map(({ event }) => event)).toEqual(["open", "open", "open", "open"]);
    expect(new Set(events.map(({ connectionString }) => connectionString)).size).toBe(1);
    const pid = postmasterPid(dataDir) ?? 0;
    await Promise.all(readers.map((reader) => reader.close()));
    expect(await Promise.all(readers.map((reader) => reader.event(1)))).toEqual(
      readers.map(() => ({ event: "closed" })),
    );
    expect(isRunning(pid)).toBe(false);
  });

  it("opens while another process is just closing", async () => {
    const dataDir = await newDataDir();
    let leaving = await open(dataDir, "reader");
    for (let round = 0; round < 10; round++) {
      const [, coming] = await Promise.all([leaving.close(), open(dataDir, "reader")]);
      expect(await query(coming.connectionString, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
      leaving = coming;
    }
    await leaving.close();
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it.skipIf(process.platform === "win32")("does not end at Ctrl-C on the terminal", async () => {
    const dataDir = await newDataDir();
    const child = openInChild(dataDir);
    const { connectionString = "" } = await child.event(0);
    child.interruptGroup();
    expect(await child.event(1)).toEqual({ event: "interrupted" });
    expect(await query(connectionString, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await child.close();
    expect(postmasterPid(dataDir)).toBeUndefined();
  });

  it.runIf(canNobodyEnter())("runs as an ordinary user, who is then the user of the server", async () => {
    const dataDir = await newDataDir();
    await mkdir(dataDir);
    await chown(dataDir, NOBODY.uid, NOBODY.gid);
    const child = openInChild(dataDir, "owner", NOBODY);
    const { connectionString = "" } = await child.event(0);
    expect(processField(postmasterPid(dataDir) ?? 0, "Uid")).toMatch(/^65534\s/);
    expect(await query(connectionString, "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await child.close();
    expect(await child.event(1)).toEqual({ event: "closed" });
  });

  it.runIf(canNobodyEnter())(
    "lets root make a database in a user's directory that the user can go on with",
    async () => {
      const dataDir = await newDataDir();
      await mkdir(dataDir);
      await chown(dataDir, NOBODY.uid, NOBODY.gid);
      await (await open(dataDir)).close();
      expect((await stat(`${dataDir}/postgres/password`)).uid).toBe(NOBODY.uid);
      const child = openInChild(dataDir, "owner", NOBODY);
      expect(await child.event(0)).toMatchObject({ event: "open" });
      await child.close();
    },
  );

  it.runIf(canNobodyEnter())("tells an ordinary user in words that the directory is not theirs", async () => {
    const dataDir = await newDataDir();
    const child = openInChild(dataDir, "owner", NOBODY);
    expect(await child.event(0)).toMatchObject({
      event: "refused",
      kind: "config",
      message: expect.stringMatching(/may not read or write.*--data-dir/) as unknown,
    });
  });
});
