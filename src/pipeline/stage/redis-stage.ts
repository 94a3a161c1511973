// The stage in a Redis server: what was received outlives this process, and several processes share the writing.
//
// 1. Streams, one for each shard of the markets, so that the batches of a market stay in their order; one consumer group.
// 2. The bound is in rows, counted beside each stream in the same step as its entries. A full stage makes appenders wait;
//    nothing unread is ever trimmed.
// 3. What is read belongs to its reader until it is acknowledged, and is then deleted. A reader keeps what it has fresh; what
//    nobody has kept fresh for a minute was a dead reader's, and is claimed by another.
// 4. A Redis that comes back empty has lost what was in it: coverage was never claimed for that, so it is a gap, and fetched.
import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import type { Clock } from "../../core/clock.js";
import { describeError, TickwellError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import { maskText } from "../../core/mask-text.js";
import { rowsOf, type RecordBatch } from "../../core/model/record-batch.js";
import { untilAborted } from "../../core/net/abort.js";
import { decodeBatch, encodeBatch } from "./batch-codec.js";
import type { ReadLimits, Stage, StagedBatch } from "./stage.js";

export interface RedisStageOptions {
  /** `redis://host:6379`; secret, it may carry a password. */
  readonly url: string;
  readonly rowsMax: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Begins every key; default `tickwell`. */
  readonly prefix?: string;
  /** After this long without a sign of its reader an entry is another's, ms; default a minute. */
  readonly claimAfterMs?: number;
}

const GROUP = "writers";
/** Shards keep the batches of a market in order and let several writers work. */
const SHARDS = 8;
const CLAIM_AFTER_MS = 60_000;
/** Entries taken at once; a batch has some hundred rows. */
const ENTRIES_MAX = 200;
/** A read that finds nothing looks again after this long, also for the entries of dead readers. */
const BLOCK_MS = 500;
/** Who waits for room, or for others to acknowledge, looks this often. */
const LOOK_EVERY_MS = 100;
const RECONNECT_MAX_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;
const RETRY_MS = 250;
/** It reads its file, is full, or is no master at the moment: what was asked can be asked again. */
const NOT_NOW = /\b(LOADING|OOM|BUSY|MASTERDOWN|READONLY|TRYAGAIN|CLUSTERDOWN)\b/;

const APPEND = `
local id = redis.call('XADD', KEYS[1], '*', 'b', ARGV[1], 'r', ARGV[2])
return {id, redis.call('INCRBY', KEYS[2], ARGV[2])}`;
/** Deletes what it acknowledges; an empty stream has no rows, whatever was counted. */
const ACK = `
local rows = tonumber(ARGV[1])
for i = 2, #ARGV do
  redis.call('XACK', KEYS[1], '${GROUP}', ARGV[i])
  redis.call('XDEL', KEYS[1], ARGV[i])
end
local left = redis.call('DECRBY', KEYS[2], rows)
if redis.call('XLEN', KEYS[1]) == 0 or left < 0 then redis.call('SET', KEYS[2], 0) return 0 end
return left`;

/** Where an entry stands. */
interface Place {
  readonly shard: number;
  readonly id: string;
  readonly rows: number;
}

type Entry = readonly [id: string, fields: readonly string[] | null];

export class RedisStage implements Stage {
  readonly #options: Required<Pick<RedisStageOptions, "prefix" | "claimAfterMs">> & RedisStageOptions;
  readonly #consumer = `${process.pid}-${randomBytes(4).toString("hex")}`;
  readonly #commands: Redis;
  /** Blocking reads hold their connection. */
  readonly #reads: Redis;
  readonly #places = new WeakMap<StagedBatch, Place>();
  /** What this process has read and not acknowledged, by shard and id. */
  readonly #held = new Map<string, Place>();
  /** What this process has appended and nobody has acknowledged, by sequence. */
  readonly #unsettled = new Map<number, Place>();
  readonly #rowsByShard = new Array<number>(SHARDS).fill(0);
  readonly #keepFresh: NodeJS.Timeout;
  #ready: Promise<void> | undefined;
  #appended = 0;
  #read = 0;
  #claimedMs = -Infinity;
  #isEnded = false;
  #isAway = false;

  constructor(options: RedisStageOptions) {
    this.#options = { prefix: "tickwell", claimAfterMs: CLAIM_AFTER_MS, ...options };
    this.#commands = this.#connect("commands");
    this.#reads = this.#connect("reads");
    this.#keepFresh = setInterval(() => void this.#freshen(), this.#options.claimAfterMs / 3);
    this.#keepFresh.unref();
  }

  get lastSequence(): number {
    return this.#appended;
  }

  get load(): { readonly rows: number; readonly rowsMax: number } {
    const rows = this.#rowsByShard.reduce((sum, each) => sum + each, 0);
    return { rows, rowsMax: this.#options.rowsMax };
  }

  async bytes(signal: AbortSignal): Promise<number> {
    const sizes = await Promise.all(
      Array.from({ length: SHARDS }, (_, shard) =>
        this.#run("measure the stage", signal, () =>
          this.#commands.call("MEMORY", "USAGE", this.#stream(shard)),
        ),
      ),
    );
    // A stream that is not there has no size.
    return sizes.reduce((sum: number, size) => sum + Number(size ?? 0), 0);
  }

  async append(batch: RecordBatch, signal: AbortSignal): Promise<number> {
    const rows = rowsOf(batch);
    const shard = batch.marketId % SHARDS;
    await this.#prepare(signal);
    while (!this.#isEnded && this.#isFullFor(rows)) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal);
      await this.#count(signal);
    }
    signal.throwIfAborted();
    if (this.#isEnded)
      throw new TickwellError(
        { kind: "stage" },
        `the stage has ended: ${rows} rows came too late to be stored; the next run fetches them again`,
      );
    const text = encodeBatch(batch);
    const [id, count] = (await this.#run("append a batch", signal, () =>
      this.#commands.eval(APPEND, 2, this.#stream(shard), this.#counter(shard), text, String(rows)),
    )) as [string, number];
    this.#rowsByShard[shard] = count;
    const sequence = ++this.#appended;
    this.#unsettled.set(sequence, { shard, id, rows });
    return sequence;
  }

  async read({ rowsMax, ageMs }: ReadLimits, signal: AbortSignal): Promise<readonly StagedBatch[]> {
    await this.#prepare(signal);
    const { clock } = this.#options;
    const taken: StagedBatch[] = [];
    let rows = 0;
    let firstMs = Infinity;
    while (rows < rowsMax) {
      const leftMs = taken.length === 0 ? BLOCK_MS : firstMs + ageMs - clock.nowMs();
      if (leftMs <= 0) break;
      const blockMs = this.#isEnded ? 0 : Math.min(leftMs, BLOCK_MS);
      const found = [...(await this.#claim(signal)), ...(await this.#readNew(blockMs, signal))];
      if (found.length === 0) {
        if (taken.length > 0 || this.#isEnded) break;
        continue;
      }
      firstMs = Math.min(firstMs, clock.nowMs());
      for (const { place, batch } of found) {
        const staged: StagedBatch = { sequence: ++this.#read, batch };
        this.#places.set(staged, place);
        this.#held.set(`${place.shard} ${place.id}`, place);
        taken.push(staged);
        rows += place.rows;
      }
    }
    return taken;
  }

  async ack(staged: readonly StagedBatch[]): Promise<void> {
    const byShard = new Map<number, Place[]>();
    for (const each of staged) {
      const place = this.#places.get(each);
      if (!place) continue;
      byShard.set(place.shard, [...(byShard.get(place.shard) ?? []), place]);
    }
    for (const [shard, places] of byShard) {
      await this.#acknowledge(shard, places);
      for (const { id } of places) this.#held.delete(`${shard} ${id}`);
    }
    const gone = new Set([...byShard].flatMap(([shard, places]) => places.map(({ id }) => `${shard} ${id}`)));
    for (const [sequence, { shard, id }] of this.#unsettled)
      if (gone.has(`${shard} ${id}`)) this.#unsettled.delete(sequence);
  }

  /** Also what another process has acknowledged, and what a Redis that came back empty has lost. */
  async settled(sequence: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const waiting = [...this.#unsettled].filter(([each]) => each <= sequence);
      if (waiting.length === 0) return;
      for (const [each, { shard, id }] of waiting) {
        const found = await this.#run("look for a batch", signal, () =>
          this.#commands.xrange(this.#stream(shard), id, id),
        );
        if (found.length > 0) break;
        this.#unsettled.delete(each);
      }
      if ([...this.#unsettled.keys()].some((each) => each <= sequence))
        await this.#options.clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  end(): void {
    this.#isEnded = true;
  }

  close(): Promise<void> {
    this.#isEnded = true;
    clearInterval(this.#keepFresh);
    this.#commands.disconnect();
    this.#reads.disconnect();
    return Promise.resolve();
  }

  #connect(what: string): Redis {
    const { url, log } = this.#options;
    const redis = new Redis(url, {
      // Lists as every version of Redis gives them.
      protocol: 2,
      connectionName: `tickwell ${what} ${this.#consumer}`,
      // What is asked while Redis is away waits until it is back: that is the back-pressure.
      maxRetriesPerRequest: null,
      retryStrategy: (attempt) => Math.min(100 * 2 ** Math.min(attempt, 10), RECONNECT_MAX_MS),
      connectTimeout: CONNECT_TIMEOUT_MS,
    });
    redis.on("error", (error) => {
      if (!this.#isAway && !this.#isEnded)
        log.warn(
          `Redis at ${maskText(url)} cannot be reached (${describeError(error)}); waiting for it, what has been collected is kept or fetched again`,
        );
      this.#isAway = true;
    });
    redis.on("ready", () => {
      if (this.#isAway) log.info("Redis is back");
      this.#isAway = false;
      // It may have come back without its streams.
      this.#ready = undefined;
    });
    return redis;
  }

  /** Makes the streams and their group, where they are not there. */
  #prepare(signal: AbortSignal): Promise<void> {
    this.#ready ??= this.#makeGroups(signal).catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  async #makeGroups(signal: AbortSignal): Promise<void> {
    for (let shard = 0; shard < SHARDS; shard++) {
      try {
        await this.#run("make a stream", signal, () =>
          this.#commands.xgroup("CREATE", this.#stream(shard), GROUP, "0", "MKSTREAM"),
        );
      } catch (error) {
        // It is there already.
        if (!describeError(error).includes("BUSYGROUP")) throw error;
      }
    }
    await this.#count(signal);
  }

  async #count(signal: AbortSignal): Promise<void> {
    const counts = await this.#run("count what is staged", signal, () =>
      this.#commands.mget(Array.from({ length: SHARDS }, (_, shard) => this.#counter(shard))),
    );
    counts.forEach((count, shard) => (this.#rowsByShard[shard] = Math.max(0, Number(count ?? 0))));
  }

  /** A batch larger than the whole stage may pass when it is alone. */
  #isFullFor(rows: number): boolean {
    const { rows: held, rowsMax } = this.load;
    return held > 0 && held + rows > rowsMax;
  }

  async #readNew(blockMs: number, signal: AbortSignal): Promise<{ place: Place; batch: RecordBatch }[]> {
    const streams = Array.from({ length: SHARDS }, (_, shard) => this.#stream(shard));
    const onlyNew = streams.map(() => ">");
    const block = blockMs > 0 ? (["BLOCK", String(Math.ceil(blockMs))] as const) : ([] as const);
    let answer: unknown;
    try {
      answer = await this.#run("read batches", signal, () =>
        this.#reads.call(
          "XREADGROUP",
          ...["GROUP", GROUP, this.#consumer, "COUNT", String(ENTRIES_MAX), ...block, "STREAMS"],
          ...streams,
          ...onlyNew,
        ),
      );
    } catch (error) {
      if (!describeError(error).includes("NOGROUP")) throw error;
      // Redis has come back empty.
      this.#ready = undefined;
      await this.#prepare(signal);
      return [];
    }
    if (!Array.isArray(answer)) return [];
    const found: { place: Place; batch: RecordBatch }[] = [];
    for (const [stream, entries] of answer as [string, Entry[]][])
      found.push(...(await this.#decode(streams.indexOf(stream), entries)));
    return found;
  }

  /** What dead readers have left, now and then. */
  async #claim(signal: AbortSignal): Promise<{ place: Place; batch: RecordBatch }[]> {
    const { clock, claimAfterMs } = this.#options;
    if (clock.nowMs() - this.#claimedMs < claimAfterMs / 2) return [];
    this.#claimedMs = clock.nowMs();
    const found: { place: Place; batch: RecordBatch }[] = [];
    for (let shard = 0; shard < SHARDS; shard++) {
      const answer = await this.#run("claim batches", signal, () =>
        this.#commands.call(
          "XAUTOCLAIM",
          ...[
            this.#stream(shard),
            GROUP,
            this.#consumer,
            String(claimAfterMs),
            "0",
            "COUNT",
            String(ENTRIES_MAX),
          ],
        ),
      ).catch((error: unknown) => {
        if (describeError(error).includes("NOGROUP")) return undefined;
        throw error;
      });
      if (!Array.isArray(answer)) continue;
      const entries = (answer[1] as Entry[]).filter(([id]) => !this.#held.has(`${shard} ${id}`));
      found.push(...(await this.#decode(shard, entries)));
    }
    return found;
  }

  async #decode(shard: number, entries: readonly Entry[]): Promise<{ place: Place; batch: RecordBatch }[]> {
    const found: { place: Place; batch: RecordBatch }[] = [];
    for (const [id, fields] of entries) {
      const text = fields?.[1] ?? "";
      const place = { shard, id, rows: Number(fields?.[3] ?? 0) };
      try {
        found.push({ place, batch: decodeBatch(text) });
      } catch (error) {
        // Put aside, not read for ever: what it held is a gap, and fetched.
        this.#options.log.error(
          `an entry of the stage cannot be read (${describeError(error)}); it is kept in ${this.#options.prefix}:unreadable`,
        );
        await this.#commands.xadd(`${this.#options.prefix}:unreadable`, "MAXLEN", "~", 1_000, "*", "b", text);
        await this.#acknowledge(shard, [place]);
      }
    }
    return found;
  }

  async #acknowledge(shard: number, places: readonly Place[]): Promise<void> {
    const rows = places.reduce((sum, place) => sum + place.rows, 0);
    const ids = places.map(({ id }) => id);
    const left = await this.#run("acknowledge batches", new AbortController().signal, () =>
      this.#commands.eval(ACK, 2, this.#stream(shard), this.#counter(shard), String(rows), ...ids),
    );
    this.#rowsByShard[shard] = Number(left);
  }

  /** Shows that their reader lives, while the database is away. */
  async #freshen(): Promise<void> {
    const byShard = new Map<number, string[]>();
    for (const { shard, id } of this.#held.values()) byShard.set(shard, [...(byShard.get(shard) ?? []), id]);
    for (const [shard, ids] of byShard)
      await this.#commands
        .call("XCLAIM", this.#stream(shard), GROUP, this.#consumer, "0", ...ids, "JUSTID")
        .catch((error: unknown) => this.#options.log.debug(describeError(error)));
  }

  async #run<T>(doing: string, signal: AbortSignal, command: () => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await untilAborted(command(), signal);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (!NOT_NOW.test(describeError(error))) throw this.#errorOf(doing, error);
        if (!this.#isAway)
          this.#options.log.warn(`Redis cannot ${doing} now (${describeError(error)}); waiting until it can`);
        this.#isAway = true;
        await this.#options.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  #errorOf(doing: string, error: unknown): TickwellError {
    return new TickwellError({ kind: "stage" }, `could not ${doing} in Redis: ${describeError(error)}`, {
      cause: error,
    });
  }

  /** Braces: what belongs together lies on one node. */
  #stream(shard: number): string {
    return `${this.#options.prefix}:{${shard}}:batches`;
  }

  #counter(shard: number): string {
    return `${this.#options.prefix}:{${shard}}:rows`;
  }
}
