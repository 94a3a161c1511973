// The one connection that says "this process uses the server" and, for an owner, "this process writes here". Both are
// session advisory locks: PostgreSQL drops them when the process ends in whatever way, so nothing ever goes stale.
import pg from "pg";
import type { Clock } from "../../core/clock.js";
import { databaseError, errorCode } from "../database-error.js";
import { serverError, setupError } from "./failure.js";
import { EMBEDDED_NAME, type Layout } from "./layout.js";
import { isAlive } from "./postmaster.js";

/** Owners (start, demo, backfill, import, replay, migrate) exclude one another; readers (all other commands) exclude nobody. */
export type EmbeddedRole = "owner" | "reader";

/** What a client needs to connect; `host` is the directory of the Unix socket, or 127.0.0.1. */
export interface ConnectionParts {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** First key of the pair, "tick" in ASCII: two-key locks never meet the one-key locks of migrations and feeds. */
const LOCK_CLASS = 0x7469636b;
const USE_LOCK = 1;
const OWNER_LOCK = 2;

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_RETRY_MS = 50;
/** The server may need a moment to notice that the process of a session was killed. */
const DEAD_OWNER_WAIT_MS = 2_000;

/** Whether the server is on its way up or down, so that the same attempt will do better soon. */
export function isComingOrGoing(error: unknown): boolean {
  const code = errorCode(error);
  if (code !== undefined) return /^(57P0[123]|ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|EAGAIN)$/.test(code);
  return (
    error instanceof Error &&
    /Connection terminated|not queryable|connection error|timeout expired/.test(error.message)
  );
}

export class LockSession {
  readonly #client: pg.Client;
  #isBroken = false;

  private constructor(client: pg.Client) {
    this.#client = client;
    const breakOff = () => {
      this.#isBroken = true;
    };
    client.on("error", breakOff);
    client.on("end", breakOff);
  }

  /** Connects, making the database at the first time. @throws what pg throws */
  static async open(connection: ConnectionParts, role: EmbeddedRole): Promise<LockSession> {
    try {
      return await LockSession.#connect(connection, role);
    } catch (error) {
      if (errorCode(error) !== "3D000") throw error;
      await createDatabase(connection);
      return LockSession.#connect(connection, role);
    }
  }

  static async #connect(connection: ConnectionParts, role: EmbeddedRole): Promise<LockSession> {
    return new LockSession(await connectClient(connection, `tickwell ${role} pid=${process.pid}`));
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  async serverVersion(): Promise<string> {
    const answer = await this.#client.query<{ server_version: string }>("SHOW server_version");
    return answer.rows[0]?.server_version ?? "";
  }

  /** Whether the server still answers on this session. */
  async isAnswering(): Promise<boolean> {
    if (this.#isBroken) return false;
    try {
      await this.#client.query("SELECT 1");
      return true;
    } catch {
      return false;
    }
  }

  /** Says that this process uses the server; waits while another one is about to stop it. */
  async lockUse(clock: Clock, signal: AbortSignal): Promise<void> {
    // Whoever holds the exclusive side stops the server next, which ends this session and this loop.
    while (!(await this.#ask("pg_try_advisory_lock_shared", USE_LOCK)))
      await clock.sleep(LOCK_RETRY_MS, signal);
  }

  /** @throws TickwellError `config` when another process is the owner */
  async lockOwner(layout: Layout, clock: Clock, signal: AbortSignal): Promise<void> {
    const deadlineMs = clock.nowMs() + DEAD_OWNER_WAIT_MS;
    while (!(await this.#ask("pg_try_advisory_lock", OWNER_LOCK))) {
      const holder = await this.#owner();
      const isFading = holder === undefined || !isAlive(holder.pid);
      if (!isFading || clock.nowMs() >= deadlineMs) throw refusal(layout, holder);
      await clock.sleep(LOCK_RETRY_MS, signal);
    }
  }

  /** Gives the locks back. @returns whether nobody else uses the server; no one else can begin to, then, until `end` */
  async release(): Promise<boolean> {
    await this.#client.query("SELECT pg_advisory_unlock_all()");
    return this.#ask("pg_try_advisory_lock", USE_LOCK);
  }

  /** Ends the connection; never throws. */
  async end(): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  async #ask(lockFunction: string, key: number): Promise<boolean> {
    const sql = `SELECT ${lockFunction}($1::int, $2::int) AS got`;
    const answer = await this.#client.query<{ got: boolean }>(sql, [LOCK_CLASS, key]);
    return answer.rows[0]?.got === true;
  }

  async #owner(): Promise<{ pid: number; name: string } | undefined> {
    const answer = await this.#client.query<{ application_name: string }>(
      `SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
       WHERE l.locktype = 'advisory' AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.objsubid = 2 AND l.granted
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      [LOCK_CLASS, OWNER_LOCK],
    );
    const name = answer.rows[0]?.application_name;
    const pid = Number(/pid=(\d+)/.exec(name ?? "")?.[1]);
    return name === undefined || !Number.isInteger(pid) ? undefined : { pid, name };
  }
}

function refusal(layout: Layout, holder: { pid: number } | undefined): Error {
  const who =
    holder === undefined
      ? "another tickwell"
      : holder.pid === process.pid
        ? `this very process (pid ${holder.pid})`
        : `another tickwell (pid ${holder.pid})`;
  return setupError(
    `${layout.dataDir}: ${who} is already writing to this data directory, and only one may: stop it first, use another --data-dir, or set storage.url to a PostgreSQL that several can share`,
  );
}

async function connectClient(connection: ConnectionParts, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client({
    ...connection,
    ssl: false,
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
  });
  // Without a listener, a connection that breaks between two queries would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function createDatabase(connection: ConnectionParts): Promise<void> {
  const client = await connectClient(
    { ...connection, database: "postgres" },
    `tickwell setup pid=${process.pid}`,
  );
  try {
    // The pair of locks lives in the database that is being made, so this one takes its own: two may begin at once.
    await client.query("SELECT pg_advisory_lock($1::int, $2::int)", [LOCK_CLASS, OWNER_LOCK]);
    const found = await client.query("SELECT 1 FROM pg_database WHERE datname = $1", [EMBEDDED_NAME]);
    if (found.rows.length === 0) await client.query(`CREATE DATABASE ${EMBEDDED_NAME}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The error for a connection that could not be made for good. */
export function connectError(error: unknown, layout: Layout): Error {
  if (errorCode(error) === "28P01") {
    return setupError(
      `${layout.password}: the embedded PostgreSQL does not accept the password in this file: bring back the file that belongs to ${layout.cluster}, or use another --data-dir`,
      error,
    );
  }
  if (isComingOrGoing(error)) {
    return serverError(
      `${layout.cluster}: the embedded PostgreSQL does not accept connections; see ${layout.log}`,
      true,
      error,
    );
  }
  return databaseError(error, `connect to the embedded PostgreSQL in ${layout.dataDir}`);
}
