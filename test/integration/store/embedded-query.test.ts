// Queries on the embedded server, where our own login could do anything: theirs cannot.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../../src/store/open-store.js";
import type { Store } from "../../../src/store/store.js";

const never = new AbortController().signal;
let dataDir: string;
let store: Store;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tickwell-test-"));
  store = await openStore("embedded", { dataDir });
});
afterAll(async () => {
  await store.close();
  await rm(dataDir, { recursive: true, force: true });
});

describe("a query on the embedded server", () => {
  it("reads the tables", async () => {
    expect(await store.query("SELECT count(*) AS candles FROM ohlcv", never)).toEqual({
      columns: ["candles"],
      rows: [[0]],
    });
  });

  it("runs under a login without any right but to read", async () => {
    const { rows } = await store.query(
      "SELECT session_user, (SELECT rolsuper FROM pg_roles WHERE rolname = session_user), current_setting('transaction_read_only')",
      never,
    );
    expect(rows).toEqual([["tickwell_reader", false, "on"]]);
  });

  it.each([
    [
      "takes no role back to read the server's files",
      `SELECT set_config('role', 'none', true), query_to_xml($$SELECT pg_read_file('/etc/hostname')$$, true, false, '')`,
    ],
    ["becomes no other login", "SELECT set_config('session_authorization', 'tickwell', true)"],
    ["reads no passwords", "SELECT rolpassword FROM pg_authid"],
    [
      "ends no other session",
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tickwell'",
    ],
    ["writes no file on the server", `SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/tickwell-never')`],
  ])("%s", async (_name, sql) => {
    await expect(store.query(sql, never)).rejects.toMatchObject({ fault: { kind: "bad_request" } });
  });
});
