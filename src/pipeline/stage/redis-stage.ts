// The stage in a Redis server: what was received outlives this process, and several processes share the writing.
//
// 1. Streams, one for each shard of the markets, so that the batches of a market stay in their order; one consumer group.
// 2. The bound is in rows, for all processes together: it is looked at, and the rows are counted beside each stream, in the
//    step that adds an entry. A full stage makes appenders wait; nothing unread is ever trimmed.
// 3. What is read belongs to its reader until it is acknowledged, and is then deleted. A reader keeps what it has fresh; what
//    nobody has kept fresh for a minute was a dead reader's, and is claimed by another. A read that cannot go on hands out
//    what it has; one that is aborted lets go of it.
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
const NEVER = new AbortController().signal;
/**
 * Its memory or its disk is full, it reads its file, or it is no master, or one without its replicas, at the moment: what was
 * asked can be asked again.
 */
const NOT_NOW =
  /\b(LOADING|OOM|MISCONF|NOREPLICAS|BUSY|MASTERDOWN|READONLY|UNBLOCKED|TRYAGAIN|CLUSTERDOWN)\b/;
/** From so many on, who appends looks what others have acknowledged meanwhile. */
const UNSETTLED_MAX = 1_000;

/** Rows of what is in the stream, for when their count was lost; in pieces, so that Redis need not hold all of it twice. */
const RECOUNT = `
local function recount()
  local rows, from = 0, '-'
  while true do
    local entries = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 100)
    for _, entry in ipairs(entries) do rows = rows + (tonumber(entry[2][4] or '') or 0) end
    if #entries < 100 then return rows end
    from = '(' .. entries[#entries][1]
  end
end`;
/** KEYS: the stream, the counts of all shards. ARGV: text, rows, the bound, which count is the stream's, from 1. */
const APPEND = `${RECOUNT}
local counts, own, held = redis.call('MGET', unpack(KEYS, 2)), tonumber(ARGV[4]), 0
if not counts[own] or redis.call('XLEN', KEYS[1]) == 0 then counts[own] = recount() end
for i, count in ipairs(counts) do
  counts[i] = tonumber(count or 0)
  held = held + counts[i]
end
if held > 0 and held + tonumber(ARGV[2]) > tonumber(ARGV[3]) then return {false, counts} end
local id = redis.call('XADD', KEYS[1], '*', 'b', ARGV[1], 'r', ARGV[2])
counts[own] = counts[own] + tonumber(ARGV[2])
redis.call('SET', KEYS[1 + own], counts[own])
return {id, counts}`;
/**
 * Deletes what it acknowledges. Only what was there is counted down: a Redis that came back empty has lost it, or somebody
 * else has acknowledged it. Begins with XACK, which a Redis that is full allows, and whatever follows it.
 * KEYS: the stream, its count. ARGV: id and rows of each entry.
 */
const ACK = `${RECOUNT}
local rows = 0
for i = 1, #ARGV, 2 do
  redis.call('XACK', KEYS[1], '${GROUP}', ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then rows = rows + tonumber(ARGV[i + 1]) end
end
local left = tonumber(redis.call('GET', KEYS[2]) or -1) - rows
if left < 0 or redis.call('XLEN', KEYS[1]) == 0 then left = recount() end
redis.call('SET', KEYS[2], left)
return left`;

/** Where an entry stands. */
interface Place {
  readonly shard: number;
  readonly id: string;
  readonly rows: number;
}

type Entry = readonly [id: string, fields: readonly string[] | null];

/** What becomes of a command that Redis refuses for the moment. */
type WhenRefused = "wait" | "throw";

/** What a read takes its entries with. */
interface Reading {
  readonly signal: AbortSignal;
  readonly whenRefused: WhenRefused;
  readonly take: (place: Place, batch: RecordBatch) => void;
}

export class RedisStage implements Stage {
  readonly #options: Required<Pick<RedisStageOptions, "prefix" | "claimAfterMs">> & RedisStageOptions;
  readonly #consumer = `${process.pid}-${randomBytes(4).toString("hex")}`;
  readonly #commands: Redis;
  /** Blocking reads hold their connection. */
  readonly #reads: Redis;
  readonly #places = new WeakMap<StagedBatch, Place>();
  /** What this process has read and not acknowledged, by shard and id. */
  readonly #held = new Map<string, Place>();
  /** What this process has appended and nobody is known to have acknowledged, by sequence, ascending. */
  readonly #unsettled = new Map<number, Place>();
  readonly #rowsByShard = new Array<number>(SHARDS).fill(0);
  readonly #keepFresh: NodeJS.Timeout;
  #ready: Promise<void> | undefined;
  #appended = 0;
  #read = 0;
  #claimedMs = -Infinity;
  /** Above so many unsettled ones it looks which are settled. */
  #unsettledMax = UNSETTLED_MAX;
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

  /** Batches appended here that nobody is known to have acknowledged: those that are there, and a bounded number more. */
  get unsettled(): number {
    return this.#unsettled.size;
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
    await this.#forgetMany(signal);
    let text: string | undefined;
    for (;;) {
      // What is known here may be old, and spares a full Redis a batch it cannot take; Redis itself has the last word.
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
      text ??= encodeBatch(batch);
      const id = await this.#add({ shard, text, rows }, signal);
      if (id === undefined) continue;
      const sequence = ++this.#appended;
      this.#unsettled.set(sequence, { shard, id, rows });
      return sequence;
    }
  }

  async read(limits: ReadLimits, signal: AbortSignal): Promise<readonly StagedBatch[]> {
    await this.#prepare(signal);
    const taken: StagedBatch[] = [];
    try {
      await this.#collect(taken, limits, signal);
    } catch (error) {
      if (signal.aborted || taken.length === 0) {
        for (const each of taken) this.#letGo(each);
        throw error;
      }
      // What is here can be stored. If it was more than a moment's trouble, the next read tells.
      this.#options.log.debug(describeError(error));
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
      await this.#acknowledge(shard, places, { signal: NEVER, whenRefused: "wait" });
      for (const { id } of places) this.#held.delete(`${shard} ${id}`);
    }
    const gone = new Set([...byShard].flatMap(([shard, places]) => places.map(({ id }) => `${shard} ${id}`)));
    for (const [sequence, { shard, id }] of this.#unsettled)
      if (gone.has(`${shard} ${id}`)) this.#unsettled.delete(sequence);
  }

  /** Also what another process has acknowledged, and what a Redis that came back empty has lost. */
  async settled(sequence: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const [oldest] = this.#unsettled;
      if (oldest === undefined || oldest[0] > sequence) return;
      await this.#forgetGone(oldest[1].shard, signal);
      if (this.#unsettled.has(oldest[0])) await this.#options.clock.sleep(LOOK_EVERY_MS, signal);
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
      // Redis takes no name with a space in it.
      connectionName: `tickwell-${what}-${this.#consumer}`,
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
      this.#commands.mget(this.#counters()),
    );
    counts.forEach((count, shard) => (this.#rowsByShard[shard] = Math.max(0, Number(count ?? 0))));
  }

  /** A batch larger than the whole stage may pass when it is alone. */
  #isFullFor(rows: number): boolean {
    const { rows: held, rowsMax } = this.load;
    return held > 0 && held + rows > rowsMax;
  }

  /** @returns the entry's id; undefined when the stage is full */
  async #add(
    { shard, text, rows }: { shard: number; text: string; rows: number },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const keys = [this.#stream(shard), ...this.#counters()];
    const values = [text, rows, this.#options.rowsMax, shard + 1].map(String);
    const [id, counts] = (await this.#run("append a batch", signal, () =>
      this.#commands.eval(APPEND, keys.length, ...keys, ...values),
    )) as [string | null, number[]];
    counts.forEach((count, each) => (this.#rowsByShard[each] = count));
    return id ?? undefined;
  }

  /** Takes what comes until a limit is reached. */
  async #collect(taken: StagedBatch[], { rowsMax, ageMs }: ReadLimits, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    let rows = 0;
    let firstMs = Infinity;
    const take = (place: Place, batch: RecordBatch): void => {
      const staged: StagedBatch = { sequence: ++this.#read, batch };
      this.#places.set(staged, place);
      this.#held.set(`${place.shard} ${place.id}`, place);
      taken.push(staged);
      rows += place.rows;
    };
    while (rows < rowsMax) {
      const before = taken.length;
      // Also where the clock was set back.
      if (before > 0) firstMs = Math.min(firstMs, clock.nowMs());
      const leftMs = before === 0 ? BLOCK_MS : firstMs + ageMs - clock.nowMs();
      if (leftMs <= 0) return;
      // Who has something must not wait with it for a Redis that refuses more.
      const reading: Reading = { signal, take, whenRefused: before === 0 ? "wait" : "throw" };
      await this.#claim(reading);
      await this.#readNew(this.#isEnded ? 0 : Math.min(leftMs, BLOCK_MS), reading);
      if (taken.length === before && (before > 0 || this.#isEnded)) return;
    }
  }

  /** Makes it nobody's: it is claimed once it has not been kept fresh for long enough. */
  #letGo(staged: StagedBatch): void {
    const place = this.#places.get(staged);
    if (place) this.#held.delete(`${place.shard} ${place.id}`);
  }

  async #readNew(blockMs: number, reading: Reading): Promise<void> {
    const { signal, whenRefused } = reading;
    const streams = Array.from({ length: SHARDS }, (_, shard) => this.#stream(shard));
    const onlyNew = streams.map(() => ">");
    const block = blockMs > 0 ? (["BLOCK", String(Math.ceil(blockMs))] as const) : ([] as const);
    const ask = (): Promise<unknown> =>
      this.#reads.call(
        "XREADGROUP",
        ...["GROUP", GROUP, this.#consumer, "COUNT", String(ENTRIES_MAX), ...block, "STREAMS"],
        ...streams,
        ...onlyNew,
      );
    let answer: unknown;
    try {
      answer = await this.#run("read batches", signal, ask, whenRefused);
    } catch (error) {
      if (!describeError(error).includes("NOGROUP")) throw error;
      // Redis has come back empty.
      this.#ready = undefined;
      await this.#prepare(signal);
      return;
    }
    if (!Array.isArray(answer)) return;
    for (const [stream, entries] of answer as [string, Entry[]][])
      await this.#takeEntries(streams.indexOf(stream), entries, reading);
  }

  /** What dead readers have left, now and then. */
  async #claim(reading: Reading): Promise<void> {
    const { clock, claimAfterMs } = this.#options;
    const { signal, whenRefused } = reading;
    const sinceMs = clock.nowMs() - this.#claimedMs;
    // Below zero the clock was set back.
    if (sinceMs >= 0 && sinceMs < claimAfterMs / 2) return;
    this.#claimedMs = clock.nowMs();
    const limits = [String(claimAfterMs), "0", "COUNT", String(ENTRIES_MAX)];
    for (let shard = 0; shard < SHARDS; shard++) {
      const ask = (): Promise<unknown> =>
        this.#commands.call("XAUTOCLAIM", this.#stream(shard), GROUP, this.#consumer, ...limits);
      const answer = await this.#run("claim batches", signal, ask, whenRefused).catch((error: unknown) => {
        if (describeError(error).includes("NOGROUP")) return undefined;
        throw error;
      });
      if (!Array.isArray(answer)) continue;
      const entries = (answer[1] as Entry[]).filter(([id]) => !this.#held.has(`${shard} ${id}`));
      await this.#takeEntries(shard, entries, reading);
    }
  }

  async #takeEntries(shard: number, entries: readonly Entry[], { signal, take }: Reading): Promise<void> {
    for (const [id, fields] of entries) {
      const text = fields?.[1] ?? "";
      const place = { shard, id, rows: Number(fields?.[3] ?? 0) };
      let batch: RecordBatch;
      try {
        batch = decodeBatch(text);
      } catch (error) {
        await this.#putAside(place, { text, why: describeError(error) }, signal);
        continue;
      }
      take(place, batch);
    }
  }

  /** Out of the way, so that it is not read for ever: what it held is a gap, and fetched. */
  async #putAside(
    place: Place,
    { text, why }: { text: string; why: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { log, prefix } = this.#options;
    const aside = `${prefix}:unreadable`;
    const add = (): Promise<unknown> => this.#commands.xadd(aside, "MAXLEN", "~", 1_000, "*", "b", text);
    try {
      await this.#run("put an entry aside", signal, add, "throw");
      await this.#acknowledge(place.shard, [place], { signal, whenRefused: "throw" });
      log.error(`an entry of the stage cannot be read (${why}); it is kept in ${aside}`);
    } catch (error) {
      signal.throwIfAborted();
      // It must not keep others from being read. Nobody holds it, and who claims it tries again.
      log.warn(
        `an entry of the stage can neither be read (${why}) nor be put aside now (${describeError(error)}); it stays where it is, and is tried again`,
      );
    }
  }

  async #acknowledge(
    shard: number,
    places: readonly Place[],
    { signal, whenRefused }: { signal: AbortSignal; whenRefused: WhenRefused },
  ): Promise<void> {
    const entries = places.flatMap(({ id, rows }) => [id, String(rows)]);
    const acknowledge = (): Promise<unknown> =>
      this.#commands.eval(ACK, 2, this.#stream(shard), this.#counter(shard), ...entries);
    this.#rowsByShard[shard] = Number(
      await this.#run("acknowledge batches", signal, acknowledge, whenRefused),
    );
  }

  /** Before it remembers twice as many batches as are there, or a thousand: others acknowledge them, and do not tell. */
  async #forgetMany(signal: AbortSignal): Promise<void> {
    if (this.#unsettled.size < this.#unsettledMax) return;
    // Not by several appenders at once.
    this.#unsettledMax = Infinity;
    try {
      for (let shard = 0; shard < SHARDS; shard++) await this.#forgetGone(shard, signal);
    } finally {
      this.#unsettledMax = Math.max(2 * this.#unsettled.size, UNSETTLED_MAX);
    }
  }

  /** Forgets what this process has appended and is no longer in the stream, up to the first that is. */
  async #forgetGone(shard: number, signal: AbortSignal): Promise<void> {
    const mine = [...this.#unsettled].filter(([, place]) => place.shard === shard);
    let next = 0;
    for (let oldest = mine[0]; oldest !== undefined; oldest = mine[next]) {
      const { id } = oldest[1];
      const entries = await this.#run("look for a batch", signal, () =>
        this.#commands.xrange(this.#stream(shard), id, "+", "COUNT", 1),
      );
      const thereFrom = entries[0]?.[0];
      if (thereFrom === id) return;
      // In a Redis that came back empty, ids may begin anew: only what lies between the two is known to be gone.
      const isGone = (each: string): boolean =>
        !isBefore(each, id) && (thereFrom === undefined || isBefore(each, thereFrom));
      for (let each = mine[next]; each !== undefined && isGone(each[1].id); each = mine[++next])
        this.#unsettled.delete(each[0]);
    }
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

  async #run<T>(
    doing: string,
    signal: AbortSignal,
    command: () => Promise<T>,
    whenRefused: WhenRefused = "wait",
  ): Promise<T> {
    let isRefused = false;
    for (;;) {
      signal.throwIfAborted();
      try {
        const answer = await untilAborted(command(), signal);
        if (isRefused && this.#isAway) {
          this.#options.log.info(`Redis can ${doing} again`);
          this.#isAway = false;
        }
        return answer;
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (whenRefused === "throw" || !NOT_NOW.test(describeError(error))) throw this.#errorOf(doing, error);
        if (!this.#isAway)
          this.#options.log.warn(`Redis cannot ${doing} now (${describeError(error)}); waiting until it can`);
        this.#isAway = true;
        isRefused = true;
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

  #counters(): string[] {
    return Array.from({ length: SHARDS }, (_, shard) => this.#counter(shard));
  }
}

/** Ids are `<ms>-<number>`. */
function isBefore(id: string, other: string): boolean {
  const [ms = 0, number = 0] = id.split("-").map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split("-").map(Number);
  return ms < otherMs || (ms === otherMs && number < otherNumber);
}
