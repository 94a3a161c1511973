// A private PostgreSQL under the data directory: made, started, adopted, shared and stopped.
//
// A server outlives a tickwell that was killed, and several tickwells may use one server. Who may do what is settled by
// two advisory locks in it (lock-session.ts): everybody holds "use" shared, the one writer also holds "owner" alone.
// 1. Open: find the server or start it, connect, take "use"; an owner takes "owner" or is refused.
// 2. Close: give both back and try "use" exclusively. Whoever gets it was the last one and stops the server while
//    holding it, so that nobody begins meanwhile; a newcomer sees the server go, waits, and starts it anew.
// 3. ensureRunning: when the session broke, the locks went with it: open again, on the same port.
import type { Clock } from "../../core/clock.js";
import type { Log } from "../../core/log.js";
import { findBinaries } from "./binaries.js";
import { ensureCluster, makeRoot, refuseOtherVersion } from "./cluster.js";
import { fileError } from "./failure.js";
import { EMBEDDED_NAME, layoutOf } from "./layout.js";
import {
  connectError,
  isComingOrGoing,
  LockSession,
  type ConnectionParts,
  type EmbeddedRole,
} from "./lock-session.js";
import { findServer, type RunningServer } from "./postmaster.js";
import { startServer, stopServer, type ServerHands } from "./server-control.js";
import { serverUser } from "./server-user.js";

/** Crash recovery after a power cut may take minutes. */
const OPEN_TIMEOUT_MS = 300_000;
const RETRY_MS = 100;
const CLOSE_TIMEOUT_MS = 70_000;

export interface EmbeddedPostgresOptions {
  /** `--data-dir`; made if it is missing. */
  readonly dataDir: string;
  readonly role: EmbeddedRole;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the opening; the opened server is ended by `close`. */
  readonly signal: AbortSignal;
}

/** A server this process may use until it closes it. */
export interface EmbeddedPostgres {
  /** TCP on loopback, with the password: for psql, Grafana, pandas. Read it anew after `ensureRunning`. */
  readonly connectionString: string;
  /** For our own pool: the Unix socket where there is one. Read it anew after `ensureRunning`. */
  readonly socketConnection: ConnectionParts;
  /** `18.4` */
  readonly serverVersion: string;
  /**
   * Starts the server again if it died, and takes the locks again; cheap when it lives.
   * @throws TickwellError `config` when another process became the owner meanwhile, `database` when it does not start
   */
  ensureRunning(signal: AbortSignal): Promise<void>;
  /** Gives the server back; the last one to do so stops it, whatever psql or Grafana still do. May be repeated. */
  close(): Promise<void>;
}

/**
 * Opens the embedded PostgreSQL of a data directory, making or starting it as needed.
 * @throws TickwellError `config` (no binaries, second owner, rights, other version) or `database` (does not start)
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, role, clock, log, signal } = options;
  signal.throwIfAborted();
  const layout = await layoutOf(dataDir);
  try {
    await makeRoot(layout);
    const binaries = await findBinaries();
    const user = await serverUser(layout, binaries, signal);
    const password = await ensureCluster({ layout, binaries, user, log, signal });
    const server = new EmbeddedServer({ layout, binaries, user, clock, log }, role, password);
    await server.ensureRunning(signal);
    return server;
  } catch (error) {
    throw await fileError(error, layout.root);
  }
}

function connectionParts(server: RunningServer, password: string): ConnectionParts {
  const host = server.socketDirectory ?? "127.0.0.1";
  return { host, port: server.port, user: EMBEDDED_NAME, password, database: EMBEDDED_NAME };
}

class EmbeddedServer implements EmbeddedPostgres {
  readonly #hands: ServerHands;
  readonly #role: EmbeddedRole;
  readonly #password: string;
  #session: LockSession | undefined;
  #connection: ConnectionParts | undefined;
  #serverVersion = "";
  /** Set while one opening is under way: whoever else asks waits for the same one. */
  #opening: Promise<void> | undefined;
  #isClosed = false;

  constructor(hands: ServerHands, role: EmbeddedRole, password: string) {
    this.#hands = hands;
    this.#role = role;
    this.#password = password;
  }

  get socketConnection(): ConnectionParts {
    if (this.#connection === undefined) throw new Error("broken invariant: handed out before it was opened");
    return this.#connection;
  }

  get connectionString(): string {
    const { port } = this.socketConnection;
    return `postgresql://${EMBEDDED_NAME}:${encodeURIComponent(this.#password)}@127.0.0.1:${port}/${EMBEDDED_NAME}`;
  }

  get serverVersion(): string {
    return this.#serverVersion;
  }

  async ensureRunning(signal: AbortSignal): Promise<void> {
    if (this.#isClosed) throw new Error("broken invariant: ensureRunning after close");
    this.#opening ??= this.#open(signal).finally(() => {
      this.#opening = undefined;
    });
    await this.#opening;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#opening?.catch(() => undefined);
    await this.#leave();
  }

  async #open(signal: AbortSignal): Promise<void> {
    if (await this.#session?.isAnswering()) return;
    const { layout, log } = this.#hands;
    if (this.#session !== undefined)
      log.warn("the embedded PostgreSQL ended the connection, bringing it back");
    await this.#session?.end();
    this.#session = undefined;
    const started = { byUs: false };
    try {
      await this.#enter(started, signal);
    } catch (error) {
      // Also when refused: the owner may have closed just now, and left the stopping to us.
      if (started.byUs || this.#session !== undefined) await this.#leave().catch(() => undefined);
      throw error;
    }
    const { port } = this.socketConnection;
    const words = started.byUs ? "embedded PostgreSQL started" : "embedded PostgreSQL was running, using it";
    log.debug({ port, version: this.#serverVersion, directory: layout.root }, words);
  }

  /** Step 1: tries until it is in, as long as the server is only coming or going. */
  async #enter(started: { byUs: boolean }, signal: AbortSignal): Promise<void> {
    const { layout, binaries, clock } = this.#hands;
    const deadlineMs = clock.nowMs() + OPEN_TIMEOUT_MS;
    for (;;) {
      signal.throwIfAborted();
      if ((await findServer(layout)) === undefined) {
        await refuseOtherVersion(layout, binaries);
        started.byUs = true;
        await startServer(this.#hands, signal);
      }
      const server = await findServer(layout);
      try {
        if (server !== undefined)
          return await this.#takeLocks(connectionParts(server, this.#password), signal);
      } catch (error) {
        if (!isComingOrGoing(error) || clock.nowMs() >= deadlineMs) throw connectError(error, layout);
        await this.#session?.end();
        this.#session = undefined;
      }
      await clock.sleep(RETRY_MS, signal);
    }
  }

  async #takeLocks(connection: ConnectionParts, signal: AbortSignal): Promise<void> {
    const { layout, clock } = this.#hands;
    const session = await LockSession.open(connection, this.#role);
    this.#session = session;
    await session.lockUse(clock, signal);
    if (this.#role === "owner") await session.lockOwner(layout, clock, signal);
    this.#serverVersion = await session.serverVersion();
    this.#connection = connection;
  }

  /** Step 2. A session that broke while the server lives on is replaced, or the server would be left running. */
  async #leave(): Promise<void> {
    const { layout, log } = this.#hands;
    let session = this.#session;
    this.#session = undefined;
    try {
      if (session === undefined || !(await session.isAnswering())) {
        await session?.end();
        const server = await findServer(layout);
        if (server === undefined) return;
        session = await LockSession.open(connectionParts(server, this.#password), this.#role);
      }
      const isLast = await session.release();
      if (isLast) await stopServer(this.#hands, AbortSignal.timeout(CLOSE_TIMEOUT_MS));
      else log.debug("embedded PostgreSQL stays up for its other users");
    } catch (error) {
      if (!isComingOrGoing(error)) throw connectError(error, layout);
    } finally {
      await session?.end();
    }
  }
}
