// What the store finds its server able to do, and what it says where something is missing.
import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { describeCapabilities, isOlder } from "../../../src/store/capabilities.js";
import { openStore } from "../../../src/store/open-store.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const hasTimescale = Boolean(process.env.TEST_TIMESCALE_URL);
let database: TestDatabase;

beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(() => database.drop());

test("compares versions number by number", () => {
  expect(isOlder("2.18.0", "2.18.1")).toBe(true);
  expect(isOlder("2.9.3", "2.18.1")).toBe(true);
  expect(isOlder("2.18.1", "2.18.1")).toBe(false);
  expect(isOlder("2.28.3-dev", "2.28.3")).toBe(false);
  expect(isOlder("3.0", "2.18.1")).toBe(false);
});

test("warns of a TimescaleDB that is too old, and of jobs that fail", () => {
  const lines = describeCapabilities({
    serverVersion: "15.18",
    hindrance: undefined,
    timescale: {
      version: "2.17.2",
      edition: "timescale",
      isTooOld: true,
      hypertables: [],
      columnstores: [],
      continuousAggregates: [],
      failingJobs: ["policy_compression on ohlcv"],
    },
  });
  expect(lines.map(({ subject, state }) => [subject, state])).toEqual([
    ["TimescaleDB", "warning"],
    ["hypertables", "ok"],
    ["columnstore", "ok"],
    ["continuous aggregates", "ok"],
    ["background jobs", "warning"],
  ]);
  expect(lines[4]?.found).toBe("failing: policy_compression on ohlcv");
});

describe.skipIf(hasTimescale)("on plain PostgreSQL (TEST_TIMESCALE_URL is not set)", () => {
  test("says in one sentence that plain tables hold the same", async () => {
    const store = await database.openStore();
    expect(store.capabilities.timescale).toBe(undefined);
    expect(store.capabilities.serverVersion).toBe(store.serverVersion);
    const [line, ...others] = describeCapabilities(store.capabilities);
    expect(others).toEqual([]);
    expect(line?.state).toBe("ok");
    expect(line?.found).toMatch(/^not in use: .*; plain tables and views hold the same$/);
  });
});

describe.skipIf(!hasTimescale)("with TimescaleDB (needs TEST_TIMESCALE_URL)", () => {
  test("makes the time tables hypertables and the longer candles continuous aggregates", async () => {
    const { capabilities } = await database.openStore();
    expect(capabilities.hindrance).toBe(undefined);
    expect(capabilities.timescale).toMatchObject({
      edition: "timescale",
      isTooOld: false,
      hypertables: expect.arrayContaining([
        "api_error_logs",
        "data_quality_summary",
        "ohlcv",
        "orderbook_deltas",
        "orderbook_snapshots",
        "trades",
      ]) as string[],
      columnstores: ["ohlcv", "orderbook_deltas", "orderbook_snapshots", "trades"],
      continuousAggregates: ["ohlcv_15m", "ohlcv_1d", "ohlcv_1h", "ohlcv_4h", "ohlcv_5m"],
    });
  });

  test("goes on without it where the login may not create it, and says who can", async () => {
    const role = `tickwell_test_${randomBytes(6).toString("hex")}`;
    await database.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`);
    await database.sql(`GRANT ALL ON SCHEMA public TO ${role}`);
    const url = new URL(database.url);
    url.username = role;
    url.password = "secret";
    const store = await openStore(url.href);
    try {
      expect(store.capabilities.timescale).toBe(undefined);
      expect(store.capabilities.hindrance).toContain("an administrator can: CREATE EXTENSION timescaledb");
      expect(describeCapabilities(store.capabilities).map(({ state }) => state)).toEqual(["ok"]);
    } finally {
      await store.close();
      await database.sql(`DROP OWNED BY ${role} CASCADE`);
      await database.sql(`DROP ROLE ${role}`);
    }
  });

  test("leaves plain tables where its own migration fails, and says why", async () => {
    await database.sql("CREATE TABLE timescale_migrations (id serial PRIMARY KEY, name text NOT NULL)");
    const { capabilities } = await database.openStore();
    expect(capabilities.timescale?.hypertables).toEqual([]);
    expect(capabilities.hindrance).toMatch(/^it could not be put to use \(.*run_on/);
  });
});
