// Transactions that wait for each other, on a real server.
import { Pool } from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Database } from "../../../src/store/database.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.url });
  await pool.query(
    "CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL); INSERT INTO counters VALUES (1, 0), (2, 0)",
  );
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

it("runs the victim of a deadlock anew, once for each time", async () => {
  const both = new Database(pool);
  let attempts = 0;
  let arrived = 0;
  let meet = (): void => undefined;
  const met = new Promise<void>((resolve) => (meet = resolve));
  const add = (order: readonly number[]) =>
    both.transactionAnew("count", async (client) => {
      attempts++;
      const [first, second] = order;
      await client.query("UPDATE counters SET n = n + 1 WHERE id = $1", [first]);
      // Both hold their first row before either asks for its second.
      if (++arrived === 2) meet();
      await met;
      await client.query("UPDATE counters SET n = n + 1 WHERE id = $1", [second]);
    });
  await Promise.all([add([1, 2]), add([2, 1])]);
  expect(attempts).toBe(3);
  expect((await pool.query<{ n: number }>("SELECT n FROM counters ORDER BY id")).rows).toEqual([
    { n: 2 },
    { n: 2 },
  ]);
});

it("does not run anything else anew", async () => {
  let attempts = 0;
  const work = new Database(pool).transactionAnew("divide", async (client) => {
    attempts++;
    await client.query("SELECT 1 / 0");
  });
  await expect(work).rejects.toThrow("could not divide");
  expect(attempts).toBe(1);
});
