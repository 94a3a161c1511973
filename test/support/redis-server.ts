// A Redis server of the test's own, on a free port, in a folder that is removed again.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { until } from "./until.js";

/** Whether there is a server to start; in CI its absence is a failure, not a reason to skip. */
export const hasRedis = spawnSync("redis-server", ["--version"]).status === 0 || process.env.CI === "true";

export interface RedisServer {
  readonly url: string;
  /** Kills it without warning. */
  kill(): Promise<void>;
  /** Starts it again on the same port, with what it has kept on disk, or with nothing. */
  restart(options: { isEmpty: boolean }): Promise<void>;
  /** Makes it refuse every write, as one does whose disk is full: it cannot save, and says MISCONF. */
  stopSaving(): Promise<void>;
  saveAgain(): Promise<void>;
  remove(): Promise<void>;
}

export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), "tickwell-redis-"));
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn(
      "redis-server",
      [
        "--port",
        String(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        folder,
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
      ],
      { stdio: "ignore" },
    );
    const probe = new Redis(`redis://127.0.0.1:${port}`, { lazyConnect: true, retryStrategy: () => 50 });
    probe.on("error", () => undefined);
    await until(async () => (await probe.ping().catch(() => "")) === "PONG");
    probe.disconnect();
  };
  const kill = async (): Promise<void> => {
    const ended =
      child?.exitCode === null && child.signalCode === null
        ? new Promise((resolve) => child?.once("exit", resolve))
        : undefined;
    child?.kill("SIGKILL");
    await ended;
  };
  const withClient = async <T>(work: (client: Redis) => Promise<T>): Promise<T> => {
    const client = new Redis(`redis://127.0.0.1:${port}`);
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  };
  const hasSaved = async (client: Redis, status: string): Promise<boolean> =>
    (await client.info("persistence")).includes(`rdb_last_bgsave_status:${status}`);
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    kill,
    async restart({ isEmpty }) {
      if (isEmpty) await rm(join(folder, "appendonlydir"), { recursive: true, force: true });
      await start();
    },
    stopSaving: () =>
      withClient(async (client) => {
        // A folder where its file should be: nobody can write there, not even root.
        await mkdir(join(folder, "dump.rdb"));
        await client.config("SET", "save", "3600 1");
        await client.bgsave();
        await until(() => hasSaved(client, "err"));
      }),
    saveAgain: () =>
      withClient(async (client) => {
        await rm(join(folder, "dump.rdb"), { recursive: true });
        await client.bgsave();
        await until(() => hasSaved(client, "ok"));
        await client.config("SET", "save", "");
      }),
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
