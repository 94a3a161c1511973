// What every stage promises, by number, and what a stage in Redis promises beyond.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Redis } from "ioredis";
import { systemClock, type Clock } from "../../../src/core/clock.js";
import { silentLog } from "../../../src/core/log.js";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import { rowsOf, type RecordBatch } from "../../../src/core/model/record-batch.js";
import { encodeBatch } from "../../../src/pipeline/stage/batch-codec.js";
import { MemoryStage } from "../../../src/pipeline/stage/memory-stage.js";
import { RedisStage } from "../../../src/pipeline/stage/redis-stage.js";
import type { Stage, StagedBatch } from "../../../src/pipeline/stage/stage.js";
import { batchOf, candlesBetween, decimal, minuteMs } from "../../support/candles.js";
import { requireBuilt } from "../../support/package-folder.js";
import { hasRedis, startRedis, type RedisServer } from "../../support/redis-server.js";
import { until } from "../../support/until.js";

const never = new AbortController().signal;
const ALL = { rowsMax: 1_000_000, ageMs: 50 };
let redis: RedisServer;
/** Looks at what is in Redis, and does what happens to it. */
let client: Redis;
let prefixNumber = 0;
const open: Stage[] = [];

beforeAll(async () => {
  if (!hasRedis) return;
  redis = await startRedis();
  client = new Redis(redis.url);
  client.on("error", () => undefined);
});
afterEach(async () => {
  for (const stage of open.splice(0)) await stage.close();
});
afterAll(async () => {
  client?.disconnect();
  await redis?.remove();
});

interface Opened {
  readonly stage: RedisStage;
  readonly prefix: string;
}

function openRedis(
  rowsMax = 1_000,
  prefix = `t${++prefixNumber}`,
  claimAfterMs = 60_000,
  clock: Clock = systemClock,
): Opened {
  const stage = new RedisStage({ url: redis.url, rowsMax, clock, log: silentLog, prefix, claimAfterMs });
  open.push(stage);
  return { stage, prefix };
}

const KINDS: readonly (readonly [string, (rowsMax: number) => Stage])[] = [
  ["memory", (rowsMax) => new MemoryStage({ rowsMax, clock: systemClock })],
  ...(hasRedis ? [["redis", (rowsMax: number) => openRedis(rowsMax).stage] as const] : []),
];
if (!hasRedis) console.error("skipped: the stage in Redis (redis-server is not installed)");

const rowsRead = (read: readonly StagedBatch[]): number[] => read.map(({ batch }) => rowsOf(batch));
const streamOf = (prefix: string, shard: number): string => `${prefix}:{${shard}}:batches`;
/** Of a version that is none. */
const UNREADABLE = ["b", '{"v":99}', "r", "0"] as const;
const SHARDS = Array.from({ length: 8 }, (_, shard) => shard);

/** Until a reader has taken what is in the shard. */
const untilTaken = (prefix: string, shard: number): Promise<void> =>
  until(async () => {
    const [pending] = (await client.xpending(streamOf(prefix, shard), "writers")) as [number];
    return pending > 0;
  });

/** Rows of all entries that are there. */
async function rowsIn(prefix: string): Promise<number> {
  const entries = (
    await Promise.all(SHARDS.map((shard) => client.xrange(streamOf(prefix, shard), "-", "+")))
  ).flat();
  return entries.reduce((sum, [, fields]) => sum + Number(fields[3]), 0);
}

async function rowsCounted(prefix: string): Promise<number> {
  const counts = await client.mget(SHARDS.map((shard) => `${prefix}:{${shard}}:rows`));
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
}

const candles = (marketId: number, rows: number): RecordBatch =>
  batchOf(marketId, candlesBetween(0, rows), { flags: new Map([[minuteMs(0), 3]]) });
const trades: RecordBatch = {
  kind: "trades",
  marketId: 4,
  evidence: "ws_sequence",
  trades: [
    {
      kind: "trade",
      id: 1,
      firstFillId: 1,
      lastFillId: 2,
      timeMs: minuteMs(0),
      microsecond: 7,
      price: decimal("1.5"),
      qty: decimal("2"),
      side: "sell",
    },
  ],
  runs: [{ startMs: 1, endMs: 2, firstId: 1, lastId: 1 }],
  voids: [],
  missing: [],
  rejected: [],
  tally: NO_TALLY,
  receivedMs: 5,
};
const book: RecordBatch = {
  kind: "book",
  marketId: 5,
  snapshots: [
    { kind: "book_snapshot", timeMs: 1, sequence: 2, bids: [[decimal("1"), decimal("2")]], asks: [] },
  ],
  deltas: [],
  valid: [{ startMs: 1, endMs: 2 }],
  outages: [],
  rejected: [],
  tally: NO_TALLY,
  receivedMs: 5,
};

describe.each(KINDS)("a stage in %s", (_kind, openStage) => {
  it("S01 gives every kind of batch back unchanged", async () => {
    const stage = openStage(1_000);
    for (const each of [candles(3, 2), trades, book]) await stage.append(each, never);
    const read = await stage.read(ALL, never);
    expect(read.map(({ batch }) => batch).sort((a, b) => a.marketId - b.marketId)).toEqual([
      candles(3, 2),
      trades,
      book,
    ]);
  });

  it("S02 keeps the batches of a market in their order", async () => {
    const stage = openStage(10_000);
    for (let rows = 1; rows <= 20; rows++) await stage.append(candles(3, rows), never);
    const read = await stage.read(ALL, never);
    expect(read.map(({ batch }) => (batch.kind === "candles" ? batch.candles.length : 0))).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  it("S03 makes appenders wait while it is full, and lets them go on as soon as there is room", async () => {
    const stage = openStage(10);
    await stage.append(candles(3, 10), never);
    let isThere = false;
    const waiting = stage.append(candles(3, 5), never).then(() => (isThere = true));
    await systemClock.sleep(150);
    expect(isThere).toBe(false);
    await stage.ack(await stage.read(ALL, never));
    await waiting;
    expect(stage.load).toEqual({ rows: 5, rowsMax: 10 });
  });

  it("S04 lets a batch pass that is larger than the whole stage, when it is alone", async () => {
    const stage = openStage(10);
    await stage.append(candles(3, 50), never);
    expect(await stage.read(ALL, never)).toHaveLength(1);
  });

  it("S05 settles what has been acknowledged, and nothing before", async () => {
    const stage = openStage(1_000);
    const sequence = await stage.append(candles(3, 5), never);
    let isSettled = false;
    const settled = stage.settled(sequence, never).then(() => (isSettled = true));
    const read = await stage.read(ALL, never);
    await systemClock.sleep(150);
    expect(isSettled).toBe(false);
    await stage.ack(read);
    await settled;
  });

  it("S06 gives what is left after its end, then nothing, and takes no more", async () => {
    const stage = openStage(1_000);
    await stage.append(candles(3, 5), never);
    stage.end();
    const read = await stage.read(ALL, never);
    expect(read).toHaveLength(1);
    await stage.ack(read);
    expect(await stage.read(ALL, never)).toEqual([]);
    await expect(stage.append(candles(3, 5), never)).rejects.toThrow("the stage has ended");
  });

  it("S07 ends a wait with the signal's own reason", async () => {
    const stage = openStage(10);
    const stop = new AbortController();
    const reading = stage.read(ALL, stop.signal);
    stop.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
  });
});

describe.runIf(hasRedis)("a stage in Redis", () => {
  it("gives what a killed reader had taken to another, once", async () => {
    const { stage, prefix } = openRedis(1_000, undefined, 300);
    for (let rows = 1; rows <= 5; rows++) await stage.append(candles(3, rows), never);
    const script = join(requireBuilt(), "test/support/redis-reader.js");
    const reader = spawn(process.execPath, [script, redis.url, prefix], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    reader.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await until(() => said.includes("took 5"));
    reader.kill("SIGKILL");
    const rows: number[] = [];
    await until(async () => {
      const read = await stage.read({ rowsMax: 1_000, ageMs: 10 }, never);
      rows.push(...read.map(({ batch }) => (batch.kind === "candles" ? batch.candles.length : 0)));
      await stage.ack(read);
      return rows.length >= 5;
    });
    expect(rows).toEqual([1, 2, 3, 4, 5]);
    stage.end();
    expect(await stage.read(ALL, never)).toEqual([]);
  });

  it("leaves to a living reader what it holds, however long the database is away", async () => {
    const { stage, prefix } = openRedis(1_000, undefined, 300);
    await stage.append(candles(3, 5), never);
    const held = await stage.read(ALL, never);
    expect(held).toHaveLength(1);
    const { stage: other } = openRedis(1_000, prefix, 300);
    await systemClock.sleep(1_000);
    other.end();
    expect(await other.read(ALL, never)).toEqual([]);
    await stage.ack(held);
  });

  it("keeps what it holds when Redis is killed and comes back with its file", async () => {
    const { stage } = openRedis();
    await stage.append(candles(3, 5), never);
    await redis.kill();
    const appending = stage.append(candles(3, 7), never);
    await redis.restart({ isEmpty: false });
    await appending;
    const read = await stage.read(ALL, never);
    expect(read.map(({ batch }) => (batch.kind === "candles" ? batch.candles.length : 0))).toEqual([5, 7]);
    await stage.ack(read);
  });

  it("goes on when Redis comes back empty, and nobody waits for what is gone", async () => {
    const { stage } = openRedis();
    const sequence = await stage.append(candles(3, 5), never);
    await redis.kill();
    await redis.restart({ isEmpty: true });
    await stage.settled(sequence, never);
    await stage.append(candles(3, 7), never);
    const read = await stage.read(ALL, never);
    expect(read.map(({ batch }) => (batch.kind === "candles" ? batch.candles.length : 0))).toEqual([7]);
    await stage.ack(read);
    expect(stage.load.rows).toBe(0);
  });

  it("tells how many bytes it takes in Redis", async () => {
    const { stage } = openRedis(10_000);
    await stage.append(candles(3, 5), never);
    const few = (await stage.bytes?.(never)) ?? 0;
    for (let shard = 0; shard < 8; shard++) await stage.append(candles(shard, 500), never);
    // A staged candle is at least fifty characters.
    expect(await stage.bytes?.(never)).toBeGreaterThan(few + 8 * 500 * 50);
  });

  it("puts an entry aside that nobody can read", async () => {
    const { stage, prefix } = openRedis();
    await stage.append(candles(3, 5), never);
    await client.xadd(streamOf(prefix, 3), "*", ...UNREADABLE);
    const read = await stage.read(ALL, never);
    expect(read).toHaveLength(1);
    await stage.ack(read);
    expect(await client.xlen(`${prefix}:unreadable`)).toBe(1);
    expect(await client.xlen(streamOf(prefix, 3))).toBe(0);
  });

  it("leaves an entry that nobody can read where it is while Redis is full, and puts it aside later", async () => {
    const { stage, prefix } = openRedis(1_000, undefined, 300);
    await stage.append(candles(3, 5), never);
    await client.xadd(streamOf(prefix, 3), "*", ...UNREADABLE);
    await stage.append(candles(3, 7), never);
    await client.config("SET", "maxmemory", "1");
    try {
      const read = await stage.read(ALL, never);
      expect(rowsRead(read)).toEqual([5, 7]);
      await stage.ack(read);
    } finally {
      await client.config("SET", "maxmemory", "0");
    }
    stage.end();
    await until(async () => {
      expect(await stage.read(ALL, never)).toEqual([]);
      return (await client.xlen(streamOf(prefix, 3))) === 0;
    });
    expect(await client.xlen(`${prefix}:unreadable`)).toBe(1);
  });

  it.each([
    ["cannot save (MISCONF)", () => redis.stopSaving(), () => redis.saveAgain()],
    [
      "lacks replicas (NOREPLICAS)",
      () => client.config("SET", "min-replicas-to-write", "1"),
      () => client.config("SET", "min-replicas-to-write", "0"),
    ],
  ])("waits for a Redis that %s", async (_what, begin, end) => {
    const { stage } = openRedis();
    await stage.append(candles(3, 5), never);
    const read = await stage.read(ALL, never);
    await begin();
    let done = 0;
    const waiting = [stage.append(candles(3, 7), never), stage.ack(read), stage.read(ALL, never)];
    try {
      for (const each of waiting)
        each.then(
          () => done++,
          () => done++,
        );
      await systemClock.sleep(700);
      expect(done).toBe(0);
    } finally {
      await end();
    }
    await Promise.all(waiting);
  });

  it("waits for a Redis that breaks off what it was waiting with, as one does that is made a replica", async () => {
    const { stage } = openRedis();
    const reading = stage.read(ALL, never);
    await until(async () => {
      const connections = String(await client.client("LIST"));
      const blocked = /^id=(\d+) .*name=tickwell-reads-\S+ .*cmd=xreadgroup/m.exec(connections)?.[1];
      return blocked !== undefined && (await client.client("UNBLOCK", blocked, "ERROR")) === 1;
    });
    await stage.append(candles(3, 5), never);
    expect(rowsRead(await reading)).toEqual([5]);
  });

  it("hands out what it has taken when it cannot read on", async () => {
    const { stage, prefix } = openRedis();
    await stage.append(candles(3, 5), never);
    const reading = stage.read({ rowsMax: 1_000_000, ageMs: 60_000 }, never);
    await untilTaken(prefix, 3);
    await client
      .multi()
      .xadd(streamOf(prefix, 4), "*", "b", encodeBatch(candles(4, 7)), "r", "7")
      .config("SET", "min-replicas-to-write", "1")
      .exec();
    try {
      expect(rowsRead(await reading)).toEqual([5, 7]);
    } finally {
      await client.config("SET", "min-replicas-to-write", "0");
    }
    await stage.ack(await reading);
    expect(await client.xlen(streamOf(prefix, 3))).toBe(0);
  });

  it("hands out what it has taken when the next command fails, and tells at the next read what is wrong", async () => {
    const { stage, prefix } = openRedis();
    await stage.append(candles(3, 5), never);
    const reading = stage.read({ rowsMax: 1_000_000, ageMs: 60_000 }, never);
    await untilTaken(prefix, 3);
    await client
      .multi()
      .xadd(streamOf(prefix, 4), "*", "b", encodeBatch(candles(4, 7)), "r", "7")
      .set(streamOf(prefix, 5), "no stream")
      .exec();
    expect(rowsRead(await reading)).toEqual([5, 7]);
    await expect(stage.read(ALL, never)).rejects.toThrow("could not read batches in Redis: WRONGTYPE");
  });

  it("gives back what it has taken when the read is aborted", async () => {
    const { stage, prefix } = openRedis(1_000, undefined, 300);
    await stage.append(candles(3, 5), never);
    const stop = new AbortController();
    const reading = stage.read({ rowsMax: 1_000_000, ageMs: 60_000 }, stop.signal);
    await untilTaken(prefix, 3);
    stop.abort(new Error("enough"));
    await expect(reading).rejects.toThrow("enough");
    const { stage: other } = openRedis(1_000, prefix, 300);
    expect(rowsRead(await other.read(ALL, AbortSignal.timeout(10_000)))).toEqual([5]);
  });

  it("looks for what dead readers have left also when the clock is set back by an hour", async () => {
    let setBackMs = 0;
    const clock: Clock = {
      nowMs: () => systemClock.nowMs() - setBackMs,
      sleep: (...wait) => systemClock.sleep(...wait),
    };
    const { stage, prefix } = openRedis(1_000, undefined, 300, clock);
    stage.end();
    expect(await stage.read(ALL, never)).toEqual([]);
    const { stage: dead } = openRedis(1_000, prefix, 300);
    await dead.append(candles(3, 5), never);
    await dead.read(ALL, never);
    await dead.close();
    setBackMs = 3_600_000;
    await until(async () => (await stage.read(ALL, never)).length === 1, { timeoutMs: 10_000 });
  });

  it("holds its bound however many processes append at once", async () => {
    const { stage: one, prefix } = openRedis(100);
    const { stage: another } = openRedis(100, prefix);
    const appending = Array.from({ length: 16 }, (_, i) =>
      (i % 2 === 0 ? one : another).append(candles(i, 20), never),
    );
    await systemClock.sleep(300);
    expect(await rowsIn(prefix)).toBe(100);
    expect(await rowsCounted(prefix)).toBe(100);
    const { stage: reader } = openRedis(100, prefix);
    let read = 0;
    while (read < 16) {
      const staged = await reader.read({ rowsMax: 60, ageMs: 10 }, never);
      expect(await rowsIn(prefix)).toBeLessThanOrEqual(100);
      read += staged.length;
      await reader.ack(staged);
    }
    await Promise.all(appending);
    expect(await rowsCounted(prefix)).toBe(0);
  });

  it("does not count down for what a Redis that came back empty has lost", async () => {
    const { stage, prefix } = openRedis(10_000);
    await stage.append(candles(3, 500), never);
    const lost = await stage.read(ALL, never);
    await client.flushall();
    for (let i = 0; i < 4; i++) await stage.append(candles(3, 100), never);
    await stage.ack(lost);
    expect(await rowsCounted(prefix)).toBe(400);
    expect(stage.load.rows).toBe(400);
  });

  it("does not count down twice for what two readers have acknowledged", async () => {
    const { stage, prefix } = openRedis(10_000, undefined, 300);
    for (let i = 0; i < 3; i++) await stage.append(candles(3, 100), never);
    const read = await stage.read(ALL, never);
    await stage.ack(read.slice(0, 1));
    await stage.ack(read.slice(0, 2));
    expect(await rowsCounted(prefix)).toBe(100);
  });

  it.each(["append", "ack"])("counts anew where its count was lost, at the next %s", async (next) => {
    const { stage, prefix } = openRedis(100_000);
    for (let i = 0; i < 250; i++) await stage.append(candles(3, 2), never);
    const read = await stage.read({ rowsMax: 1, ageMs: 10 }, never);
    await client.del(`${prefix}:{3}:rows`);
    if (next === "append") await stage.append(candles(3, 2), never);
    else await stage.ack(read.slice(0, 1));
    expect(await rowsCounted(prefix)).toBe(await rowsIn(prefix));
  });

  it("forgets what it has appended when another process has acknowledged it", async () => {
    const { stage, prefix } = openRedis(1_000_000);
    const { stage: other } = openRedis(1_000_000, prefix);
    let most = 0;
    for (let round = 0; round < 6; round++) {
      await Promise.all(Array.from({ length: 500 }, (_, i) => stage.append(candles(i, 1), never)));
      most = Math.max(most, stage.unsettled);
      let read = 0;
      while (read < 500) {
        const staged = await other.read(ALL, never);
        read += staged.length;
        await other.ack(staged);
      }
    }
    expect(most).toBeLessThanOrEqual(1_500);
    await client.config("RESETSTAT");
    await stage.settled(stage.lastSequence, never);
    const looks = /cmdstat_xrange:calls=(\d+)/.exec(await client.info("commandstats"))?.[1];
    expect(Number(looks)).toBeLessThanOrEqual(8);
    expect(stage.unsettled).toBe(0);
  });

  it("does not take a batch for settled that stands between acknowledged ones", async () => {
    const { stage, prefix } = openRedis();
    for (let rows = 1; rows <= 4; rows++) await stage.append(candles(3, rows), never);
    const { stage: other } = openRedis(1_000, prefix);
    await other.append(candles(3, 9), never);
    await stage.append(candles(3, 5), never);
    const read = await other.read(ALL, never);
    await other.ack(read.filter(({ batch }) => ![3, 9].includes(rowsOf(batch))));
    await stage.settled(2, never);
    await expect(stage.settled(3, AbortSignal.timeout(300))).rejects.toThrow();
    expect(stage.unsettled).toBe(3);
    await other.ack(read.filter(({ batch }) => rowsOf(batch) === 3));
    await stage.settled(5, never);
    expect(stage.unsettled).toBe(0);
  });
});
