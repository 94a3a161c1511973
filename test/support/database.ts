// A database of its own for each test file, on a PostgreSQL that the test run started itself (see global-setup.ts) or on
// the server named by TEST_DATABASE_URL.
import { randomBytes } from "node:crypto";
import { Client } from "pg";
import { inject } from "vitest";
import { openStore } from "../../src/store/open-store.js";
import type { Store } from "../../src/store/store.js";

export interface TestDatabase {
  readonly url: string;
  openStore(): Promise<Store>;
  /** Runs SQL on a connection of its own. */
  readonly sql: <T extends object = Record<string, unknown>>(
    text: string,
    values?: unknown[],
  ) => Promise<T[]>;
  drop(): Promise<void>;
}

export async function createTestDatabase(): Promise<TestDatabase> {
  const serverUrl = inject("databaseUrl");
  const name = `tickwell_test_${randomBytes(6).toString("hex")}`;
  await run(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const stores: Store[] = [];
  return {
    url: url.href,
    async openStore() {
      const store = await openStore(url.href);
      stores.push(store);
      return store;
    },
    sql: (text, values) => run(url.href, text, values),
    async drop() {
      await Promise.all(stores.map((store) => store.close()));
      await run(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function run<T extends object>(url: string, text: string, values: unknown[] = []): Promise<T[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<T>(text, values);
    return rows;
  } finally {
    await client.end();
  }
}
