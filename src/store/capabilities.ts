// What the database server can do beyond plain PostgreSQL, and what that means in words. Nothing here is needed: without
// TimescaleDB the same tables and views are plain ones.
import type { ClientBase } from "pg";
import { AGGREGATE_VIEWS } from "./aggregate-views.js";

/** Since this release an upsert into compressed chunks is right, and everything the migrations use is there. */
export const TIMESCALE_VERSION_MIN = "2.18.1";

export interface TimescaleCapabilities {
  readonly version: string;
  /** `apache` has hypertables only. */
  readonly edition: "apache" | "timescale";
  /** Older than {@link TIMESCALE_VERSION_MIN}: the migrations leave it alone. */
  readonly isTooOld: boolean;
  /** Our tables that are hypertables, by name. */
  readonly hypertables: readonly string[];
  /** Those of them that hold old chunks by column. */
  readonly columnstores: readonly string[];
  /** Our views that are continuous aggregates, by name. */
  readonly continuousAggregates: readonly string[];
  /** Background jobs whose last run failed: "policy_compression on ohlcv". */
  readonly failingJobs: readonly string[];
}

export interface Capabilities {
  readonly serverVersion: string;
  /** Undefined where the extension is not in this database. */
  readonly timescale: TimescaleCapabilities | undefined;
  /** Why TimescaleDB, or a part of it, is not in use; undefined when all of it is. */
  readonly hindrance: string | undefined;
}

/** One line for people. */
export interface CapabilityLine {
  readonly subject: string;
  readonly state: "ok" | "warning";
  readonly found: string;
  readonly remedy?: string;
}

/**
 * Looks at the server, and at what the migrations have made of it.
 * @param hindrance what `migrate` said
 */
export async function detectCapabilities(
  client: Pick<ClientBase, "query">,
  hindrance: string | undefined,
): Promise<Capabilities> {
  const { rows: server } = await client.query<{
    server_version: string;
    version: string | null;
    edition: string | null;
  }>(
    `SELECT current_setting('server_version') AS server_version, current_setting('timescaledb.license', true) AS edition,
            (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS version`,
  );
  const { server_version: serverVersion = "unknown", version = null, edition = null } = server[0] ?? {};
  if (version === null) return { serverVersion, timescale: undefined, hindrance };
  const { rows } = await client.query<{
    hypertables: string[];
    columnstores: string[];
    aggregates: string[];
    failing: string[];
  }>(
    `SELECT array(SELECT hypertable_name::text FROM timescaledb_information.hypertables
                  WHERE hypertable_schema = current_schema() ORDER BY 1) AS hypertables,
            array(SELECT hypertable_name::text FROM timescaledb_information.hypertables
                  WHERE hypertable_schema = current_schema() AND compression_enabled ORDER BY 1) AS columnstores,
            array(SELECT view_name::text FROM timescaledb_information.continuous_aggregates
                  WHERE view_schema = current_schema() AND view_name = ANY ($1) ORDER BY 1) AS aggregates,
            array(SELECT concat_ws(' on ', j.proc_name, coalesce(a.view_name, j.hypertable_name))
                  FROM timescaledb_information.job_stats s JOIN timescaledb_information.jobs j USING (job_id)
                  LEFT JOIN timescaledb_information.continuous_aggregates a
                    ON a.materialization_hypertable_name = j.hypertable_name
                  WHERE s.last_run_status = 'Failed' ORDER BY 1) AS failing`,
    [AGGREGATE_VIEWS.map(({ view }) => view)],
  );
  const [found] = rows;
  return {
    serverVersion,
    timescale: {
      version,
      edition: edition === "timescale" ? "timescale" : "apache",
      isTooOld: isOlder(version, TIMESCALE_VERSION_MIN),
      hypertables: found?.hypertables ?? [],
      columnstores: found?.columnstores ?? [],
      continuousAggregates: found?.aggregates ?? [],
      failingJobs: found?.failing ?? [],
    },
    hindrance,
  };
}

/** Compares `2.18.1` with `2.9`; what follows a dash is left out. */
export function isOlder(version: string, than: string): boolean {
  const parts = (text: string): number[] => (text.split("-")[0] ?? "").split(".").map(Number);
  const [a, b] = [parts(version), parts(than)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** What is there, and what is done instead of what is not. */
export function describeCapabilities({ timescale, hindrance }: Capabilities): CapabilityLine[] {
  if (timescale === undefined)
    return [
      {
        subject: "TimescaleDB",
        state: "ok",
        found: `not in use: ${hindrance ?? "this server does not offer it"}; plain tables and views hold the same`,
      },
    ];
  const { version, edition, isTooOld, hypertables, columnstores, continuousAggregates, failingJobs } =
    timescale;
  const editionText = edition === "apache" ? "Apache edition" : "Community edition";
  return [
    isTooOld
      ? {
          subject: "TimescaleDB",
          state: "warning",
          found: `${version}: changes of compressed candles went wrong before ${TIMESCALE_VERSION_MIN}`,
          remedy: `install TimescaleDB ${TIMESCALE_VERSION_MIN} or later, then ALTER EXTENSION timescaledb UPDATE; until then nothing new is built on it`,
        }
      : {
          subject: "TimescaleDB",
          state: "ok",
          found: `${version}, ${editionText}${hindrance === undefined ? "" : `; ${hindrance}`}`,
        },
    lineOf(
      "hypertables",
      hypertables,
      "none: the tables are plain ones, and old rows are dropped one by one",
    ),
    lineOf("columnstore", columnstores, "none: old candles stay rows, three times as large"),
    lineOf(
      "continuous aggregates",
      continuousAggregates,
      "none: longer candles are views, computed when asked for",
    ),
    failingJobs.length === 0
      ? { subject: "background jobs", state: "ok", found: "none is failing" }
      : {
          subject: "background jobs",
          state: "warning",
          found: `failing: ${failingJobs.join(", ")}`,
          remedy:
            "SELECT * FROM timescaledb_information.job_errors says why; until it is mended old chunks are not compressed and late candles may be missing in ohlcv_5m to ohlcv_1d",
        },
  ];
}

function lineOf(subject: string, names: readonly string[], instead: string): CapabilityLine {
  return { subject, state: "ok", found: names.length > 0 ? names.join(", ") : instead };
}
