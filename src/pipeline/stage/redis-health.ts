// What a Redis server is, and whether a stage in it would keep what it is given.
import { Redis } from "ioredis";
import { describeError, TickwellError } from "../../core/fault.js";
import { onAbort } from "../../core/net/abort.js";
import { maskText } from "../../core/mask-text.js";

export interface RedisHealth {
  readonly version: string;
  /** Only `noeviction` refuses what does not fit; every other policy deletes what is not yet stored. */
  readonly evictionPolicy: string;
  /** True where what it holds outlives it, at least to the last second. */
  readonly isPersistent: boolean;
  readonly usedBytes: number;
}

/** Streams with consumer groups that can be claimed: XAUTOCLAIM, and deletions told by it. */
export const REDIS_VERSION_MIN = 7;

/** @throws TickwellError `stage` when it cannot be reached, or refuses the login; the signal's reason */
export async function examineRedis(
  url: string,
  { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<RedisHealth> {
  signal.throwIfAborted();
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // What went wrong is the command's to say.
  redis.on("error", () => undefined);
  const stopListening = onAbort(signal, () => redis.disconnect());
  try {
    await redis.connect();
    const info = await redis.info();
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
    return {
      version: field("redis_version"),
      evictionPolicy: field("maxmemory_policy"),
      isPersistent: field("aof_enabled") === "1",
      usedBytes: Number(field("used_memory")),
    };
  } catch (error) {
    signal.throwIfAborted();
    throw new TickwellError(
      { kind: "stage" },
      `Redis at ${maskText(url)} does not answer: ${maskText(describeError(error))}`,
      { cause: error },
    );
  } finally {
    stopListening();
    redis.disconnect();
  }
}
