// Brings a database to the current schema: plain SQL files, forward only, each in its own transaction, by
// node-pg-migrate. Safe when several processes start at once: one migrates, the others wait and find it done.
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import type { ClientBase } from "pg";
import { TickwellError } from "../core/fault.js";
import { silentLog } from "../core/log.js";

/** From dist/src/store and from src/store alike, database/ lies beside the outermost folder. */
const MIGRATIONS_DIRECTORY = fileURLToPath(
  new URL(
    import.meta.url.includes("/dist/src/") ? "../../../database/migrations" : "../../database/migrations",
    import.meta.url,
  ),
);
/** Any number nobody else uses: the advisory lock under which the schema changes. */
const MIGRATION_LOCK_ID = 7_377_001;

/**
 * Applies the migrations this database has not seen.
 * @returns the names of those applied now
 * @throws TickwellError `database` when a migration fails (its transaction is rolled back) or when the database is
 *   newer than this program.
 */
export async function migrate(client: ClientBase): Promise<string[]> {
  await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK_ID]);
  try {
    await refuseNewerDatabase(client);
    const applied = await runner({
      dbClient: client,
      dir: MIGRATIONS_DIRECTORY,
      direction: "up",
      migrationsTable: "schema_migrations",
      noLock: true,
      logger: silentLog,
    });
    return applied.map((migration) => migration.name);
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK_ID]);
  }
}

async function refuseNewerDatabase(client: ClientBase): Promise<void> {
  const table = await client.query<{ exists: boolean }>(
    "SELECT to_regclass('schema_migrations') IS NOT NULL AS exists",
  );
  if (!table.rows[0]?.exists) return;
  const known = new Set((await readdir(MIGRATIONS_DIRECTORY)).map((file) => file.replace(/\.sql$/, "")));
  const applied = await client.query<{ name: string }>("SELECT name FROM schema_migrations ORDER BY id");
  const unknown = applied.rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new TickwellError(
    { kind: "database", code: undefined, isTransient: false },
    `the database was written by a newer tickwell (it has the migration ${unknown.join(", ")}, unknown here): update tickwell, or use another database`,
  );
}
