// Makes the cluster (PGDATA) and its password: both appear whole or not at all, whoever is killed in between and however
// many processes begin at once.
import { randomBytes } from "node:crypto";
import {
  access,
  chmod,
  chown,
  constants,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Log } from "../../core/log.js";
import { errorCode } from "../database-error.js";
import type { Binaries } from "./binaries.js";
import { setupError, startError } from "./failure.js";
import { EMBEDDED_NAME, type Layout } from "./layout.js";
import { runProgram } from "./run-program.js";
import type { ServerUser } from "./server-user.js";

/** Written into postgresql.conf, where the user may change them. */
const SETTINGS = [
  "max_connections=50",
  "shared_buffers=128MB",
  "jit=off", // our statements are short: compiling them costs more than it saves
  "timezone=UTC",
  "log_timezone=UTC",
  "log_checkpoints=off", // server.log is rotated only at start
  "log_line_prefix=%m [%p] %a ",
] as const;

/** Directories in which a cluster is being made; complete ones are renamed away. */
const WORK_PREFIX = "init-";

/** Makes `<dataDir>/postgres/`. */
export async function makeRoot(layout: Layout): Promise<void> {
  try {
    await mkdir(layout.root, { recursive: true });
  } catch (error) {
    // On a read-only file system Node's recursive mkdir says "no such file": the directory above knows the reason.
    if (errorCode(error) === "ENOENT") await requireWritable(dirname(layout.root));
    throw error;
  }
  await giveToDataOwner(layout, layout.root);
}

async function requireWritable(directory: string): Promise<void> {
  const exists = (await stat(directory).catch(() => undefined)) !== undefined;
  if (exists || dirname(directory) === directory) await access(directory, constants.W_OK);
  else await requireWritable(dirname(directory));
}

/** What root makes in another user's data directory is given to that user, who can go on with it then. */
export async function giveToDataOwner(layout: Layout, path: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(layout.dataDir);
  if (uid !== 0) await chown(path, uid, gid);
}

/** The server's password, or undefined when there is none yet. */
export async function readPassword(layout: Layout): Promise<string | undefined> {
  try {
    return (await readFile(layout.password, "utf8")).trim();
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** PGDATA's major version, or undefined when there is no cluster. */
export async function clusterVersion(layout: Layout): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(join(layout.cluster, "PG_VERSION"), "utf8"), 10);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** @throws TickwellError `config` when another major version wrote the cluster */
export async function refuseOtherVersion(layout: Layout, binaries: Binaries): Promise<void> {
  const found = await clusterVersion(layout);
  if (found === undefined || found === binaries.majorVersion) return;
  throw setupError(
    `${layout.cluster}: was written by PostgreSQL ${found}, but this tickwell brings PostgreSQL ${binaries.majorVersion}: go back to the tickwell that wrote it and dump the data (pg_dump), then load it into a new --data-dir; or use another --data-dir`,
  );
}

/**
 * Makes sure that a password and a cluster exist.
 * @returns the password
 */
export async function ensureCluster(options: {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly user: ServerUser;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<string> {
  const { layout, log } = options;
  if ((await clusterVersion(layout)) !== undefined) {
    const password = await readPassword(layout);
    if (password !== undefined) return password;
    throw setupError(
      `${layout.password}: is missing, but the cluster beside it needs it: bring the file back, or write a new password there (mode 0600) and set it with ALTER ROLE ${EMBEDDED_NAME} after allowing "trust" once in ${layout.cluster}/pg_hba.conf`,
    );
  }
  const password = (await readPassword(layout)) ?? (await createPassword(layout));
  log.info({ directory: layout.cluster }, "creating the embedded database");
  await createCluster(options, password);
  await removeLeftovers(layout);
  return password;
}

async function createPassword(layout: Layout): Promise<string> {
  const draft = `${layout.password}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(draft, `${randomBytes(24).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
    await giveToDataOwner(layout, draft);
    // A link appears with its whole content and never replaces another's: of two processes one wins, both read the same.
    await link(draft, layout.password).catch((error: unknown) => {
      if (errorCode(error) !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  const password = await readPassword(layout);
  if (password === undefined) throw setupError(`${layout.password}: vanished while it was being made`);
  return password;
}

async function createCluster(
  options: { layout: Layout; binaries: Binaries; user: ServerUser; signal: AbortSignal },
  password: string,
): Promise<void> {
  const { layout, binaries, user, signal } = options;
  const work = await mkdtemp(join(layout.root, WORK_PREFIX));
  const draft = join(work, "cluster");
  const passwordFile = join(work, "password");
  try {
    await mkdir(draft, { mode: 0o700 });
    await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
    for (const path of [work, draft, passwordFile]) await user.own(path);
    const args = ["--no-locale", "-E", "UTF8", "-A", "scram-sha-256", "-U", EMBEDDED_NAME];
    const settings = SETTINGS.flatMap((setting) => ["-c", setting]);
    const program = {
      file: binaries.initdb,
      args: [...args, `--pwfile=${passwordFile}`, ...settings],
      cwd: layout.root,
      env: { PGDATA: draft },
    };
    const result = await runProgram(user.as(program), signal);
    if (result.status !== 0) {
      // A faster process sweeps what slower ones are still making.
      if ((await clusterVersion(layout)) !== undefined) return;
      throw await startError({
        doing: "create the embedded database",
        directory: layout.root,
        text: result.output,
      });
    }
    await chmod(draft, 0o700);
    await rename(draft, layout.cluster);
  } catch (error) {
    // A directory cannot be renamed onto one that is not empty: another process was faster, and its cluster counts.
    if ((await clusterVersion(layout)) === undefined) throw error;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function removeLeftovers(layout: Layout): Promise<void> {
  for (const name of await readdir(layout.root)) {
    const isLeftover = name.startsWith(WORK_PREFIX) || /^password\../.test(name);
    if (isLeftover) await rm(join(layout.root, name), { recursive: true, force: true });
  }
}
