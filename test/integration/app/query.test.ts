// `query` reads and does nothing else, whatever it is given.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batchOf, BTC_USDT, candlesBetween, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";
import { newWorkFolder, type WorkFolder } from "../../support/work-folder.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  const store = await database.openStore();
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  const key = { marketId: market?.id ?? 0, timeframe: "1m" } as const;
  await store.expect(key, { startMs: minuteMs(0), endMs: minuteMs(5) });
  await store.commit([batchOf(key.marketId, candlesBetween(0, 5))]);
});
afterAll(() => database.drop());

async function newFolder(): Promise<WorkFolder> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url } },
    collector: { exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] },
  });
  return folder;
}

async function query(sql: string, ...options: string[]): Promise<CommandResult> {
  const folder = await newFolder();
  return runCommand([...folder.options, ...options, "query", sql]);
}

/** Everything there is, in one text. */
async function fingerprint(): Promise<unknown> {
  return database.sql(`SELECT
    (SELECT md5(string_agg(o::text, '' ORDER BY o::text)) FROM ohlcv o) AS candles,
    (SELECT md5(string_agg(e::text, '' ORDER BY e::text)) FROM exchanges e) AS exchanges,
    -- TimescaleDB's own jobs make tables of theirs meanwhile.
    (SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(_timescaledb|pg_toast)') AS relations, (SELECT count(*) FROM pg_roles) AS roles,
    (SELECT count(*) FROM pg_largeobject_metadata) AS objects,
    (SELECT last_value FROM markets_id_seq) AS sequence`);
}

const MARK = join("/tmp", `tickwell-query-${process.pid}`);

describe("query", () => {
  it.each([
    "INSERT INTO exchanges (name) VALUES ('x')",
    "UPDATE ohlcv SET close = 1",
    "DELETE FROM ohlcv",
    "TRUNCATE ohlcv",
    "CREATE TABLE x (a int)",
    "CREATE TEMP TABLE x (a int)",
    "DROP TABLE ohlcv",
    "SELECT * INTO x FROM ohlcv",
    "WITH gone AS (DELETE FROM ohlcv RETURNING 1) SELECT * FROM gone",
    "EXPLAIN ANALYZE DELETE FROM ohlcv",
    "/* SHOW */ EXPLAIN ANALYZE INSERT INTO exchanges (name) VALUES ('x')",
    "SELECT * FROM ohlcv FOR UPDATE",
    `COPY (SELECT 1) TO PROGRAM 'touch ${MARK}'`,
    `COPY ohlcv TO '${MARK}'`,
    "COPY exchanges (name) FROM STDIN",
    "COPY ohlcv TO STDOUT",
    "SELECT 1; DELETE FROM ohlcv",
    "SELECT 1; COMMIT; DELETE FROM ohlcv",
    "COMMIT",
    "ROLLBACK AND CHAIN",
    "BEGIN",
    "SET TRANSACTION READ WRITE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET ROLE NONE",
    "RESET ROLE",
    "RESET ALL",
    "DO $$ BEGIN PERFORM 1; END $$",
    "DO $$ BEGIN RESET ROLE; DELETE FROM ohlcv; END $$",
    `DO $$ BEGIN RESET ROLE; COPY (SELECT 1) TO PROGRAM 'touch ${MARK}'; END $$`,
    "CALL nothing()",
    "LOCK TABLE ohlcv",
    "VACUUM",
    "NOTIFY x",
    "LISTEN x",
    "PREPARE p AS DELETE FROM ohlcv",
    "CREATE ROLE x SUPERUSER",
    "SELECT nextval('markets_id_seq')",
    "SELECT setval('markets_id_seq', 99)",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT $1::int",
    "",
    "   ",
    "/* nothing */",
  ])("refuses %j with status 2 and leaves everything as it is", async (sql) => {
    const before = await fingerprint();
    const { status, stdout, stderr } = await query(sql);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^tickwell: the query was refused: /);
    expect(stderr).not.toContain("mistake in tickwell");
    expect(await fingerprint()).toEqual(before);
    expect(existsSync(MARK)).toBe(false);
  });

  // PostgreSQL refuses these in a read-only transaction from version 16 on; before, the rollback undoes them.
  it.each(["SELECT lo_create(4711)", "SELECT lo_from_bytea(4711, 'x')"])(
    "leaves nothing behind of %j",
    async (sql) => {
      const before = await fingerprint();
      const [server] = await database.sql<{ version: number }>(
        "SELECT current_setting('server_version_num')::int AS version",
      );
      expect((await query(sql)).status).toBe((server?.version ?? 0) >= 160_000 ? 2 : 0);
      expect(await fingerprint()).toEqual(before);
    },
  );

  it("says where the mistake is", async () => {
    expect((await query("SELECT 1,\n  nothing FROM ohlcv")).stderr).toContain(
      'column "nothing" does not exist, at line 2, column 3',
    );
    const { stderr } = await query("SELEC 1");
    expect(stderr).toContain('syntax error at or near "SELEC", at line 1, column 1');
    expect(stderr.split('SELEC"')).toHaveLength(2);
  });

  it.each([
    ["SELECT count(*) AS n FROM ohlcv", { columns: ["n"], rows: [[5]] }],
    ["select count(*) as n from ohlcv;", { columns: ["n"], rows: [[5]] }],
    ["/* how many */\nSELECT count(*) AS n FROM ohlcv -- all", { columns: ["n"], rows: [[5]] }],
    ["VALUES (1, 'a'), (2, NULL)", { columns: ["column1", "column2"], rows: [[1, "a"], [2, null]] }], // prettier-ignore
    ["WITH x AS (SELECT 1 AS a) TABLE x", { columns: ["a"], rows: [[1]] }],
    ["SHOW transaction_read_only", { columns: ["transaction_read_only"], rows: [["on"]] }],
    ["SELECT name FROM exchanges WHERE false", { columns: ["name"], rows: [] }],
    ["SELECT 1 AS a, 2 AS a", { columns: ["a", "a"], rows: [[1, 2]] }],
    [
      "SELECT open_time, open, trade_count FROM ohlcv ORDER BY open_time LIMIT 1",
      { columns: ["open_time", "open", "trade_count"], rows: [["2024-01-01T00:00:00Z", "100.5", 7]] },
    ],
  ])("answers %j", async (sql, answer) => {
    const { status, stdout } = await query(sql, "--json");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toEqual(answer);
  });

  it("hands out any number of rows in pages, as a table with its titles once", async () => {
    const { status, stdout, stderr } = await query(
      "SELECT n, CASE WHEN n > 12000 THEN 'a longer word' ELSE 'short' END AS word FROM generate_series(1, 12345) n",
    );
    expect([status, stderr]).toEqual([0, "12,345 rows\n"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines).toHaveLength(12_346);
    expect(lines.filter((line) => line.includes("word") && !line.includes("longer"))).toHaveLength(1);
    expect([lines[1], lines[12_345]]).toEqual(["   1  short", "12345  a longer word"]);
  });

  it("hands out any number of rows in pages, as one JSON document", async () => {
    const { stdout } = await query("SELECT n FROM generate_series(1, 10000) n", "--json");
    const { columns, rows } = JSON.parse(stdout) as { columns: string[]; rows: number[][] };
    expect(columns).toEqual(["n"]);
    expect(rows.map(([n]) => n)).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 1));
  });

  it("ends between two pages when it is told to, and says that there may be more", async () => {
    const stop = new AbortController();
    const folder = await newFolder();
    let written = 0;
    const { status, stderr } = await runCommand(
      [...folder.options, "query", "SELECT generate_series(1, 100000000) AS n"],
      {
        signal: stop.signal,
        onStdout: () => {
          if (++written === 2) stop.abort(new Error("stopped by the user"));
        },
      },
    );
    expect(status).toBe(1);
    expect(stderr).toBe("Stopped after 10,000 rows; there may be more.\n");
  });

  it("explains, and says no more than the result on stdout", async () => {
    const { status, stdout, stderr } = await query("explain analyze SELECT * FROM ohlcv");
    expect(status).toBe(0);
    expect(stdout).toMatch(/Scan.* on /);
    expect(stderr).toMatch(/^\d+ rows\n$/);
  });
});
