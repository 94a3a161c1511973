// Opens the store a config names: `embedded` runs PostgreSQL under the data directory, anything else is a server's URL.
import { systemClock, type Clock } from "../core/clock.js";
import { TickwellError } from "../core/fault.js";
import { silentLog, type Log } from "../core/log.js";
import { openEmbeddedPostgres } from "./embedded/embedded-postgres.js";
import { PostgresStore } from "./postgres-store.js";
import type { Store } from "./store.js";

/** The login of `tickwell query` on the embedded server. */
const READER_NAME = "tickwell_reader";

export interface OpenStoreOptions {
  /** Where an embedded database lives; default `./data`. */
  readonly dataDir?: string;
  /** An owner writes and is alone; a reader may stand beside it. Only for `embedded`; default owner. */
  readonly role?: "owner" | "reader";
  readonly clock?: Clock;
  readonly log?: Log;
  readonly signal?: AbortSignal;
}

/**
 * Opens a store, creating or migrating its schema as needed.
 * @param url `embedded` or `postgres://user:password@host:port/database`
 * @throws TickwellError `config` for another kind of url or a second owner of the same data directory; `database` when
 *   the server cannot be started or reached.
 */
export async function openStore(url: string, options: OpenStoreOptions = {}): Promise<Store> {
  if (url === "embedded") return openEmbeddedStore(options);
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new TickwellError(
      { kind: "config" },
      `storage url: found "${url}", expected "embedded" or postgres://user:password@host:port/database`,
    );
  }
  return PostgresStore.open({
    pool: { connectionString: url },
    connectionString: url,
    revive: async () => ({}),
    onClose: async () => undefined,
  });
}

async function openEmbeddedStore(options: OpenStoreOptions): Promise<Store> {
  const server = await openEmbeddedPostgres({
    dataDir: options.dataDir ?? "./data",
    role: options.role ?? "owner",
    clock: options.clock ?? systemClock,
    log: options.log ?? silentLog,
    signal: options.signal ?? new AbortController().signal,
  });
  try {
    return await PostgresStore.open({
      pool: server.socketConnection,
      connectionString: server.connectionString,
      reader: { user: READER_NAME, password: server.socketConnection.password },
      revive: async (signal) => {
        await server.ensureRunning(signal);
        const { host, port } = server.socketConnection;
        return { host, port };
      },
      onClose: () => server.close(),
    });
  } catch (error) {
    await server.close();
    throw error;
  }
}
