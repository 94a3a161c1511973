// Brings a database to the current schema: plain SQL files, forward only, each in its own transaction, by
// node-pg-migrate. Safe when several processes start at once: one migrates, the others wait and find it done.
// Where TimescaleDB is there, or as soon as it is, further files build on it; where it is not, the schema is complete too.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runner } from "node-pg-migrate";
import type { ClientBase } from "pg";
import { describeError, TickwellError } from "../core/fault.js";
import { silentLog } from "../core/log.js";
import { refreshAggregates } from "./aggregates.js";
import { ensureTimescale } from "./timescale-extension.js";

/** From dist/src/store and from src/store alike, database/ lies beside the outermost folder. */
const MIGRATIONS_DIRECTORY = fileURLToPath(
  new URL(
    import.meta.url.includes("/dist/src/") ? "../../../database/migrations" : "../../database/migrations",
    import.meta.url,
  ),
);
/** Any number nobody else uses: the advisory lock under which the schema changes. */
const MIGRATION_LOCK_ID = 7_377_001;

/** Files of one folder, applied in order, and the table that remembers which. */
interface Series {
  readonly directory: string;
  readonly table: string;
}
const PLAIN: Series = { directory: MIGRATIONS_DIRECTORY, table: "schema_migrations" };
const HYPERTABLES: Series = {
  directory: join(MIGRATIONS_DIRECTORY, "timescale"),
  table: "timescale_migrations",
};
/** What the Apache edition lacks. */
const COMMUNITY: Series = {
  directory: join(MIGRATIONS_DIRECTORY, "timescale-community"),
  table: "timescale_community_migrations",
};

export interface MigrationOutcome {
  /** The names of the migrations applied now. */
  readonly applied: readonly string[];
  /** Why TimescaleDB, or a part of it, is not in use; undefined when all is, or when the server does not know it. */
  readonly hindrance: string | undefined;
}

/**
 * Applies the migrations this database has not seen.
 * @throws TickwellError `database` when a migration of plain PostgreSQL fails (its transaction is rolled back) or when the
 *   database is newer than this program.
 */
export async function migrate(client: ClientBase, signal: AbortSignal): Promise<MigrationOutcome> {
  const applied: string[] = [];
  let hindrance: string | undefined;
  let added: readonly string[];
  await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK_ID]);
  try {
    applied.push(...(await applySeries(client, PLAIN)));
    ({ applied: added, hindrance } = await buildOnTimescale(client));
    applied.push(...added);
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK_ID]);
  }
  // What was stored before the aggregates were made. Not under the lock: it may take minutes.
  if (added.length > 0) await refreshAggregates(client, signal);
  return { applied, hindrance };
}

/** A failure here leaves plain tables, which hold the same: it is told, and tried again at the next start. */
async function buildOnTimescale(client: ClientBase): Promise<MigrationOutcome> {
  const { use, hindrance } = await ensureTimescale(client);
  if (use === "none") return { applied: [], hindrance };
  const applied: string[] = [];
  try {
    applied.push(...(await applySeries(client, HYPERTABLES)));
    if (use === "all") applied.push(...(await applySeries(client, COMMUNITY)));
    return { applied, hindrance };
  } catch (error) {
    if (error instanceof TickwellError) throw error;
    return { applied, hindrance: `it could not be put to use (${describeError(error)})` };
  }
}

async function applySeries(client: ClientBase, { directory, table }: Series): Promise<string[]> {
  await refuseNewerDatabase(client, { directory, table });
  const applied = await runner({
    dbClient: client,
    dir: directory,
    direction: "up",
    migrationsTable: table,
    noLock: true,
    logger: silentLog,
  });
  return applied.map((migration) => migration.name);
}

async function refuseNewerDatabase(client: ClientBase, { directory, table }: Series): Promise<void> {
  const found = await client.query<{ exists: boolean }>("SELECT to_regclass($1) IS NOT NULL AS exists", [
    table,
  ]);
  if (!found.rows[0]?.exists) return;
  const known = new Set((await readdir(directory)).map((file) => file.replace(/\.sql$/, "")));
  const applied = await client.query<{ name: string }>(`SELECT name FROM ${table} ORDER BY id`);
  const unknown = applied.rows.map((row) => row.name).filter((name) => !known.has(name));
  if (unknown.length === 0) return;
  throw new TickwellError(
    { kind: "database", code: undefined, isTransient: false },
    `the database was written by a newer tickwell (it has the migration ${unknown.join(", ")}, unknown here): update tickwell, or use another database`,
  );
}
