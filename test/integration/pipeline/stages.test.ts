// What every stage promises, by number, and what a stage in Redis promises beyond.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Redis } from "ioredis";
import { systemClock } from "../../../src/core/clock.js";
import { silentLog } from "../../../src/core/log.js";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import type { RecordBatch } from "../../../src/core/model/record-batch.js";
import { MemoryStage } from "../../../src/pipeline/stage/memory-stage.js";
import { RedisStage } from "../../../src/pipeline/stage/redis-stage.js";
import type { Stage } from "../../../src/pipeline/stage/stage.js";
import { batchOf, candlesBetween, decimal, minuteMs } from "../../support/candles.js";
import { requireBuilt } from "../../support/package-folder.js";
import { hasRedis, startRedis, type RedisServer } from "../../support/redis-server.js";
import { until } from "../../support/until.js";

const never = new AbortController().signal;
const ALL = { rowsMax: 1_000_000, ageMs: 50 };
let redis: RedisServer;
let prefixNumber = 0;
const open: Stage[] = [];

beforeAll(async () => {
  if (hasRedis) redis = await startRedis();
});
afterEach(async () => {
  for (const stage of open.splice(0)) await stage.close();
});
afterAll(() => redis?.remove());

interface Opened {
  readonly stage: Stage;
  readonly prefix: string;
}

function openRedis(rowsMax = 1_000, prefix = `t${++prefixNumber}`, claimAfterMs = 60_000): Opened {
  const stage = new RedisStage({
    url: redis.url,
    rowsMax,
    clock: systemClock,
    log: silentLog,
    prefix,
    claimAfterMs,
  });
  open.push(stage);
  return { stage, prefix };
}

const KINDS: readonly (readonly [string, (rowsMax: number) => Stage])[] = [
  ["memory", (rowsMax) => new MemoryStage({ rowsMax, clock: systemClock })],
  ...(hasRedis ? [["redis", (rowsMax: number) => openRedis(rowsMax).stage] as const] : []),
];
if (!hasRedis) console.error("skipped: the stage in Redis (redis-server is not installed)");

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
    const client = new Redis(redis.url);
    await client.xadd(`${prefix}:{3}:batches`, "*", "b", '{"v":99}', "r", "0");
    const read = await stage.read(ALL, never);
    expect(read).toHaveLength(1);
    await stage.ack(read);
    expect(await client.xlen(`${prefix}:unreadable`)).toBe(1);
    expect(await client.xlen(`${prefix}:{3}:batches`)).toBe(0);
    client.disconnect();
  });
});
