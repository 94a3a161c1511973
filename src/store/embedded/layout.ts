// Where the embedded server keeps its things under the data directory, and where its Unix socket may lie.
import { createHash } from "node:crypto";
import { lstat, mkdir, mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** Database and user of the embedded server. */
export const EMBEDDED_NAME = "tickwell";

/** sockaddr_un holds 108 bytes with the closing zero: 107 for `<directory>/.s.PGSQL.<port>`. */
const SOCKET_PATH_BYTES_MAX = 107;
const SOCKET_FILE_BYTES_MAX = "/.s.PGSQL.65535".length;

/** The paths under `<dataDir>/postgres/`, all absolute. */
export interface Layout {
  readonly dataDir: string;
  readonly root: string;
  /** PGDATA. */
  readonly cluster: string;
  readonly password: string;
  readonly log: string;
  /** The TCP port of the last start. */
  readonly port: string;
  readonly socket: string;
}

/** @param dataDir relative to the working directory or absolute */
export async function layoutOf(dataDir: string): Promise<Layout> {
  const real = await realpathOfNearest(resolve(dataDir));
  const root = join(real, "postgres");
  return {
    dataDir: real,
    root,
    cluster: join(root, "cluster"),
    password: join(root, "password"),
    log: join(root, "server.log"),
    port: join(root, "port"),
    socket: join(root, "socket"),
  };
}

// The data directory may not exist yet; links above it are resolved all the same, so that one directory has one name.
async function realpathOfNearest(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realpathOfNearest(parent), path.slice(parent.length));
  }
}

/** Whether a Unix socket can lie in this directory: short enough, and no character the server's settings would split at. */
export function canHoldSocket(directory: string): boolean {
  return (
    Buffer.byteLength(directory) + SOCKET_FILE_BYTES_MAX <= SOCKET_PATH_BYTES_MAX &&
    /^[\w./+@%=:-]+$/.test(directory)
  );
}

/**
 * Makes the directory of the Unix socket: beside the cluster, or a private one under the system's temporary directory
 * when the path would be too long.
 * @returns undefined where there can be no Unix socket: TCP alone then
 */
export async function makeSocketDirectory(
  layout: Layout,
  serverUid: number | undefined,
): Promise<string | undefined> {
  if (process.platform === "win32") return undefined;
  if (canHoldSocket(layout.socket)) {
    await mkdir(layout.socket, { recursive: true, mode: 0o700 });
    return layout.socket;
  }
  const digest = createHash("sha256").update(layout.cluster).digest("hex").slice(0, 12);
  const temporary = join(tmpdir(), `tickwell-${digest}`);
  if (!canHoldSocket(temporary)) return undefined;
  await mkdir(temporary, { mode: 0o700 }).catch(() => undefined);
  // Others may write in the temporary directory too: only a directory that is provably ours will do.
  const found = await lstat(temporary).catch(() => undefined);
  const ours = new Set([process.geteuid?.(), serverUid]);
  if (found?.isDirectory() && ours.has(found.uid) && (found.mode & 0o077) === 0) return temporary;
  return mkdtemp(join(tmpdir(), "tickwell-"));
}
