// What is read from PostgreSQL's files and words, and what is decided from it.
import { mkdir, mkdtemp, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeLibraryLinks } from "../../../src/store/embedded/binaries.js";
import {
  classifyStartFailure,
  fileError,
  lastLines,
  startError,
} from "../../../src/store/embedded/failure.js";
import { canHoldSocket } from "../../../src/store/embedded/layout.js";
import { isComingOrGoing } from "../../../src/store/embedded/lock-session.js";
import { parsePostmasterFile } from "../../../src/store/embedded/postmaster.js";
import { userIn } from "../../../src/store/embedded/server-user.js";

describe("parsePostmasterFile", () => {
  it("reads pid, port and socket directory", () => {
    const text =
      "4711\n/data/postgres/cluster\n1795379716\n39803\n/data/postgres/socket\n127.0.0.1\n 1 2\nready   \n";
    expect(parsePostmasterFile(text)).toEqual({
      pid: 4711,
      port: 39_803,
      socketDirectory: "/data/postgres/socket",
    });
  });
  it("knows a server without a Unix socket", () => {
    const expected = { pid: 4711, port: 39_803, socketDirectory: undefined };
    expect(parsePostmasterFile("4711\n/c\n1795379716\n39803\n\n127.0.0.1\n")).toEqual(expected);
  });
  it("takes a file that is not complete yet for no file", () => {
    for (const text of ["", "4711\n", "4711\n/c\n1795379716\n", "x\n/c\n1\n5432\n/s\n"]) {
      expect(parsePostmasterFile(text)).toBeUndefined();
    }
  });
});

describe("classifyStartFailure", () => {
  it.each([
    ['FATAL:  could not write lock file "postmaster.pid": No space left on device', "disk_full"],
    ['initdb: error: could not create directory "c": Read-only file system', "read_only"],
    ['FATAL:  lock file "postmaster.pid" already exists', "already_running"],
    ["pg_ctl: another server might be running; trying to start server anyway", "already_running"],
    ["FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", "old_server_dying"],
    ['LOG:  could not bind IPv4 address "127.0.0.1": Address already in use', "port_taken"],
    ["FATAL:  could not create any TCP/IP sockets", "port_taken"],
    ['FATAL:  data directory "/c" has wrong ownership', "not_permitted"],
    ["pg_ctl: server did not start in time", "slow"],
    ['FATAL:  configuration file "postgresql.conf" contains errors', "other"],
  ])("reads %s as %s", (text, expected) => {
    expect(classifyStartFailure(text)).toBe(expected);
  });
});

describe("startError", () => {
  it("names directory, room and remedy when the disk is full", async () => {
    const text = "PANIC: No space left on device";
    const error = await startError({ doing: "start it", directory: tmpdir(), text });
    expect(error.fault).toEqual({ kind: "database", code: "53100", isTransient: true });
    expect(error.message).toMatch(
      /too full \([\d.]+ \w?B free now, .*free some space, or use another --data-dir/,
    );
  });
});

describe("lastLines", () => {
  it("prefers the lines that tell why", () => {
    expect(lastLines("LOG: one\nLOG: invalid value\nFATAL: two\nLOG: three\n")).toBe(
      "LOG: invalid value | FATAL: two",
    );
  });
  it("falls back to the last lines", () => {
    expect(lastLines("a\nb\n\n")).toBe("a | b");
  });
});

describe("fileError", () => {
  it("explains refused rights as a config fault, and hands on what is no file error", async () => {
    const refused = Object.assign(new Error("EACCES"), { code: "EACCES" });
    expect(await fileError(refused, "/data")).toMatchObject({
      fault: { kind: "config" },
      message: expect.stringMatching(/^\/data: this user/) as unknown,
    });
    const other = new Error("other");
    expect(await fileError(other, "/data")).toBe(other);
  });
});

describe("isComingOrGoing", () => {
  it.each(["57P03", "57P01", "57P02", "ECONNREFUSED", "ENOENT"])("waits after %s", (code) => {
    expect(isComingOrGoing(Object.assign(new Error("x"), { code }))).toBe(true);
  });
  it("waits after a connection that broke, not after a wrong password", () => {
    expect(isComingOrGoing(new Error("Connection terminated unexpectedly"))).toBe(true);
    expect(isComingOrGoing(Object.assign(new Error("x"), { code: "28P01" }))).toBe(false);
  });
});

describe("canHoldSocket", () => {
  it("takes a path of 107 bytes and refuses one of 108", () => {
    const fileBytes = "/.s.PGSQL.65535".length;
    expect(canHoldSocket(`/${"d".repeat(106 - fileBytes)}`)).toBe(true);
    expect(canHoldSocket(`/${"d".repeat(107 - fileBytes)}`)).toBe(false);
  });
  it.each(["/with space", "/with,comma", "/with$dollar", "/with'quote", "/grüße"])(
    "refuses %s",
    (directory) => {
      expect(canHoldSocket(directory)).toBe(false);
    },
  );
});

describe("userIn", () => {
  const passwd = "root:x:0:0::/root:/bin/sh\npostgres:x:101:104::/var/lib/postgresql:/bin/bash\nbroken:x\n";
  it("finds a user's ids, and never root's", () => {
    expect(userIn(passwd, "postgres")).toEqual({ uid: 101, gid: 104 });
    expect(userIn(passwd, "root")).toBeUndefined();
    expect(userIn(passwd, "broken")).toBeUndefined();
    expect(userIn(passwd, "nobody")).toBeUndefined();
  });
});

describe("makeLibraryLinks", () => {
  it("makes the links that are missing and leaves those that are there", async () => {
    const root = await mkdtemp(join(tmpdir(), "tickwell-links-"));
    try {
      await mkdir(join(root, "native/lib"), { recursive: true });
      const links = ["libpq.so", "libpq.so.5"].map((name) => ({
        source: "native/lib/libpq.so.5.18",
        target: `native/lib/${name}`,
      }));
      await writeFile(join(root, "native/pg-symlinks.json"), JSON.stringify(links));
      await symlink("elsewhere", join(root, "native/lib/libpq.so"));
      await makeLibraryLinks(root);
      await makeLibraryLinks(root);
      expect(await readlink(join(root, "native/lib/libpq.so"))).toBe("elsewhere");
      expect(await readlink(join(root, "native/lib/libpq.so.5"))).toBe("libpq.so.5.18");
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
