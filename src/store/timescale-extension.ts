// Whether this database has TimescaleDB, or can have it, and how much of it. Whatever stands in the way is a sentence,
// never an error: everything works without.
import type { ClientBase } from "pg";
import { isOlder, TIMESCALE_VERSION_MIN } from "./capabilities.js";

/** `none`: leave it alone; `hypertables`: nothing more than these; `all`: columnstore and continuous aggregates too. */
export interface TimescaleUse {
  readonly use: "none" | "hypertables" | "all";
  /** Why it is not `all`. */
  readonly hindrance: string | undefined;
}

/** Creates the extension where the server offers it and this login may. Call it outside a transaction. */
export async function ensureTimescale(client: ClientBase): Promise<TimescaleUse> {
  const { rows } = await client.query<{
    installed: string | null;
    available: string | null;
    is_preloaded: boolean;
  }>(
    `SELECT (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS installed,
            (SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb') AS available,
            -- Only the preloaded library knows this setting; to create the extension without it breaks the connection.
            current_setting('timescaledb.disable_load', true) IS NOT NULL AS is_preloaded`,
  );
  const { installed = null, available = null, is_preloaded: isPreloaded = false } = rows[0] ?? {};
  if (installed === null) {
    if (available === null) return { use: "none", hindrance: undefined };
    if (!isPreloaded)
      return {
        use: "none",
        hindrance:
          "it is installed but not loaded (add timescaledb to shared_preload_libraries and restart the server)",
      };
    if (isOlder(available, TIMESCALE_VERSION_MIN)) return tooOld(available);
    try {
      await client.query("CREATE EXTENSION IF NOT EXISTS timescaledb");
    } catch (error) {
      return {
        use: "none",
        hindrance: `this login may not create it (${messageOf(error)}); an administrator can: CREATE EXTENSION timescaledb`,
      };
    }
  } else if (isOlder(installed, TIMESCALE_VERSION_MIN)) return tooOld(installed);
  const { rows: state } = await client.query<{
    edition: string | null;
    owner: string;
    is_owner: boolean;
    is_built: boolean;
  }>(
    `SELECT current_setting('timescaledb.license', true) AS edition, pg_get_userbyid(relowner) AS owner,
            pg_get_userbyid(relowner) = current_user AS is_owner, to_regclass('timescale_migrations') IS NOT NULL AS is_built
     FROM pg_class WHERE oid = 'ohlcv'::regclass`,
  );
  const { edition, owner, is_owner: isOwner, is_built: isBuilt } = state[0] ?? {};
  // Aggregates that an administrator made could not be refreshed by the login that stores the candles.
  if (!isOwner)
    return {
      use: "none",
      hindrance: isBuilt
        ? undefined
        : `it is put to use when ${owner}, who owns the tables, opens the database`,
    };
  return edition === "timescale"
    ? { use: "all", hindrance: undefined }
    : { use: "hypertables", hindrance: "its Apache edition has no columnstore and no continuous aggregates" };
}

function tooOld(version: string): TimescaleUse {
  return { use: "none", hindrance: `version ${version} is older than ${TIMESCALE_VERSION_MIN}` };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
