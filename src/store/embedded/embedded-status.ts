// What can be said about a data directory's server without starting or connecting to anything: for status and doctor.
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { clusterVersion, readPassword } from "./cluster.js";
import { connectionStringOf } from "./embedded-postgres.js";
import { fileError } from "./failure.js";
import { layoutOf } from "./layout.js";
import { findServer } from "./postmaster.js";

export interface EmbeddedStatus {
  /** Whether there is a database in this data directory at all. */
  readonly exists: boolean;
  readonly isRunning: boolean;
  /** With the password; undefined when no server runs or its password may not be read. */
  readonly connectionString: string | undefined;
  readonly serverPid: number | undefined;
  /** Major version that wrote the data: 18. */
  readonly majorVersion: number | undefined;
  /** Bytes of the database's files, its write-ahead log included. */
  readonly dataBytes: number;
  /** The server's own log. */
  readonly logPath: string;
}

/** @throws TickwellError `config` when the directory may not be read */
export async function readEmbeddedStatus(dataDir: string): Promise<EmbeddedStatus> {
  const layout = await layoutOf(dataDir);
  try {
    const majorVersion = await clusterVersion(layout);
    const server = await findServer(layout);
    const password = server && (await readPassword(layout).catch(() => undefined));
    return {
      exists: majorVersion !== undefined,
      isRunning: server !== undefined,
      connectionString: server && password ? connectionStringOf(server.port, password) : undefined,
      serverPid: server?.pid,
      majorVersion,
      dataBytes: await bytesUnder(layout.cluster),
      logPath: layout.log,
    };
  } catch (error) {
    throw await fileError(error, layout.root);
  }
}

// Files come and go while the server works: what has vanished counts nothing.
async function bytesUnder(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) bytes += await bytesUnder(path);
    else bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
