// Which user the server runs as, and how a program is started as that user. PostgreSQL refuses to run as root, so root
// lends it another user; where that user may not reach the binaries or the data (a checkout in a 0700 home), it gets
// the one capability to pass file permissions, and nothing else.
import { chown, lstat, readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Binaries } from "./binaries.js";
import { setupError } from "./failure.js";
import type { Layout } from "./layout.js";
import { runProgram, type Program } from "./run-program.js";

interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** The user of the server, seen from the present one. */
export interface ServerUser {
  /** undefined: the present user. */
  readonly identity: Identity | undefined;
  /** The same program, started as that user. */
  as(program: Program): Program;
  /** Gives files to that user. */
  own(path: string): Promise<void>;
}

const OURSELVES: ServerUser = { identity: undefined, as: (program) => program, own: async () => undefined };

/**
 * @param layout its root exists already
 * @throws TickwellError `config` when the cluster is another user's, or when root cannot find a user that works
 */
export async function serverUser(
  layout: Layout,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<ServerUser> {
  const uid = process.geteuid?.();
  if (uid === undefined) return OURSELVES;
  const cluster = await stat(layout.cluster).catch(() => undefined);
  if (uid !== 0) {
    if (cluster === undefined || cluster.uid === uid) return OURSELVES;
    throw setupError(
      `${layout.cluster}: belongs to uid ${cluster.uid}, but this is uid ${uid}: run tickwell as that user or as root, or use another --data-dir`,
    );
  }
  const identity = await identityForRoot(layout);
  const own = (path: string) => chown(path, identity.uid, identity.gid);
  // Somebody may have given the whole data directory to root, who cannot run the server.
  if (cluster?.uid === 0) await ownTree(layout.cluster, own);

  const plain = (program: Program): Program => ({ ...program, identity });
  if (await canReach(plain, layout, binaries, signal)) return { identity, as: plain, own };
  const privileged = (program: Program) => withCapability(program, identity);
  if (await canReach(privileged, layout, binaries, signal)) return { identity, as: privileged, own };
  throw setupError(
    `${layout.root}: PostgreSQL refuses to run as root, and uid ${identity.uid} may not reach this directory and ${binaries.directory}; lending it that right with setpriv (util-linux) did not work: install util-linux, allow the container CAP_SETUID, CAP_SETGID, CAP_SETPCAP and CAP_DAC_OVERRIDE, run tickwell as an ordinary user, use another --data-dir, or set storage.url to a PostgreSQL of your own`,
  );
}

async function identityForRoot(layout: Layout): Promise<Identity> {
  for (const path of [layout.cluster, layout.dataDir]) {
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && found.uid !== 0) return { uid: found.uid, gid: found.gid };
  }
  const passwd = await readFile("/etc/passwd", "utf8").catch(() => "");
  return userIn(passwd, "postgres") ?? userIn(passwd, "nobody") ?? { uid: 65_534, gid: 65_534 };
}

/** @param passwd the text of /etc/passwd */
export function userIn(passwd: string, name: string): Identity | undefined {
  const fields = passwd
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.split(":");
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return Number.isInteger(uid) && Number.isInteger(gid) && uid > 0 ? { uid, gid } : undefined;
}

// Asked of the kernel instead of reading mode bits: access lists and mount options count too.
async function canReach(
  as: (program: Program) => Program,
  layout: Layout,
  binaries: Binaries,
  signal: AbortSignal,
): Promise<boolean> {
  const script = '"$1" --version && test -x "$2" && test -r "$3/../lib"';
  const args = ["-c", script, "sh", binaries.postgres, layout.root, binaries.directory];
  const program = as({ file: "/bin/sh", args, cwd: "/" });
  const result = await runProgram(program, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    return { status: undefined, output: String(error) };
  });
  return result.status === 0;
}

// access(2), which initdb and pg_ctl ask about their own programs, ignores capabilities of ordinary users unless the
// securebit says otherwise; all other capabilities fall away with the exec under the new uid.
function withCapability(program: Program, { uid, gid }: Identity): Program {
  const become = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const lend = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  return { ...program, file: "setpriv", args: [...become, ...lend, program.file, ...program.args] };
}

async function ownTree(path: string, own: (path: string) => Promise<void>): Promise<void> {
  await own(path);
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    if (entry.isDirectory()) await ownTree(child, own);
    else if ((await lstat(child)).isFile()) await own(child);
  }
}
