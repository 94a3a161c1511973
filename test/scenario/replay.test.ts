// A session is captured while it is followed through faults, and replayed into an empty database: the same rows, the same claims,
// the same gaps.
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { scaledClock, systemClock } from "../../src/core/clock.js";
import { silentLog } from "../../src/core/log.js";
import { seededRandom } from "../../src/core/random.js";
import { createExchange, type ExchangeName } from "../../src/exchanges/registry.js";
import type { CaptureEvent } from "../../src/pipeline/capture/capture-event.js";
import { readCaptures, type CaptureEnd } from "../../src/pipeline/capture/capture-reader.js";
import { CaptureWriter } from "../../src/pipeline/capture/capture-writer.js";
import { replayCapture } from "../../src/pipeline/capture/replay.js";
import { Pipeline } from "../../src/pipeline/pipeline.js";
import { LiveFollower } from "../../src/upkeep/live-follower.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import type { MarketSpec } from "../../simulator/market-spec.js";
import { startSimulatedExchange } from "../../simulator/simulated-exchange.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { testSeed } from "../support/seed.js";
import { until } from "../support/until.js";

const START_MS = Date.UTC(2024, 0, 10, 12);
const FACTOR = 30;
const never = new AbortController().signal;

let folder: string;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-capture-"));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await rm(folder, { recursive: true, force: true });
});

function spec(symbol: string, more: Partial<MarketSpec> = {}): MarketSpec {
  return {
    symbol,
    priceDecimals: 2,
    qtyDecimals: 4,
    baseTicks: 240_000,
    typicalLots: 6_000,
    aggregatesPerMinute: 40,
    volatility: 0.0004,
    listedMs: Date.UTC(2024, 0, 1),
    bookLevels: 30,
    ...more,
  };
}

const FAULTS: FaultPlanInput["faults"] = [
  { kind: "ws_drop", probability: 0.02 },
  { kind: "ws_duplicate", probability: 0.02 },
  { kind: "ws_reorder", probability: 0.02 },
  { kind: "ws_corrupt", how: "cut", probability: 0.002 },
  { kind: "ws_corrupt", how: "wrong_types", probability: 0.002 },
  { kind: "ws_corrupt", how: "binary", probability: 0.001 },
  { kind: "ws_corrupt", how: "other_symbol", probability: 0.002 },
  { kind: "ws_disconnect", probability: 0.0005 },
  { kind: "ws_sequence_reset", how: "break", probability: 0.001 },
];

/** Follows a venue for some minutes of its time and captures it. @returns the database it was stored in */
async function captureLive(
  venue: ExchangeName,
  minutes: number,
  rotateSizeBytes: number,
): Promise<TestDatabase> {
  const seed = testSeed();
  const clock = scaledClock({ startMs: START_MS, factor: FACTOR });
  const simulated = await startSimulatedExchange({
    seed,
    clock,
    faults: { faults: FAULTS },
    venueMarkets: {
      binance: [spec("BTC/USDT"), spec("ETH/USDT", { aggregatesPerMinute: 6 })],
      okx: [
        spec("BTC/USDT"),
        spec("BTC/USDT:USDT", { qtyDecimals: 3, baseTicks: 40_000, typicalLots: 400, contractDecimals: 2 }),
      ],
    },
  });
  closers.push(() => simulated.close());
  const database = await createTestDatabase();
  closers.push(() => database.drop());
  const store = await database.openStore();
  const exchange = createExchange(venue, { restUrl: simulated.url, clock, rateLimitShare: 1 });
  const markets = await store.putMarkets(venue, await exchange.fetchMarkets(never), { isSimulated: true });
  const pipeline = new Pipeline({ store, clock, log: silentLog, stageRowsMax: 20_000 });
  const capture = new CaptureWriter({
    directory: folder,
    name: venue,
    startedMs: clock.nowMs(),
    rotateSizeBytes,
    log: silentLog,
  });
  const follower = new LiveFollower({
    exchange,
    wsUrl: simulated.url.replace("http", "ws"),
    markets: markets.map((market) => ({
      market,
      trades: true,
      book: { levels: 10, snapshotEveryMs: 1_000, keepsDeltas: true },
      timeframes: ["1m"],
      validation: { onFailure: "skip_and_log", maxPriceJump: 20, maxVolumeSpike: 50 },
    })),
    store,
    stage: pipeline.stage,
    clock,
    random: seededRandom(seed),
    log: silentLog,
    sweepEveryMs: 30_000,
    record: (event) => capture.write(event),
  });
  const stop = new AbortController();
  const running = follower.run(stop.signal, AbortSignal.timeout(60_000));
  running.catch(() => undefined);
  await until(() => clock.nowMs() >= START_MS + minutes * 60_000, { timeoutMs: 170_000 });
  stop.abort(new Error("stopped"));
  await running;
  await pipeline.close();
  await exchange.close();
  await capture.close();
  return database;
}

async function replay(
  files: readonly string[],
  onEnd?: (end: CaptureEnd) => void,
): Promise<{ database: TestDatabase; frames: number }> {
  const database = await createTestDatabase();
  closers.push(() => database.drop());
  const store = await database.openStore();
  const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 20_000 });
  const exchangeOf = (id: string) => createExchange(id);
  const report = await replayCapture(
    readCaptures(files, onEnd),
    { store, stage: pipeline.stage, exchangeOf, clock: systemClock },
    never,
  );
  await pipeline.close();
  return { database, frames: report.frames };
}

const captured = async (): Promise<string[]> =>
  (await readdir(folder)).sort().map((name) => join(folder, name));

/** Everything that is stored, in words that do not depend on when it was. */
async function contents(database: TestDatabase): Promise<Record<string, unknown>> {
  const name =
    "(SELECT e.name || ':' || m.symbol FROM markets m JOIN exchanges e ON e.id = m.exchange_id WHERE m.id = t.market_id)";
  const tables = {
    trades: "ts, trade_id, fills, side, price, quantity",
    orderbook_snapshots: "ts, sequence, is_valid, bids, asks",
    orderbook_deltas: "ts, first_id, last_id, is_snapshot, bids, asks, received_at",
    ohlcv:
      "timeframe, open_time, open, high, low, close, volume, quote_volume, trade_count, source, flags, revision",
    coverage: "data_type, timeframe, start_time, end_time, evidence, records, first_id, last_id",
    gap_log: "data_type, timeframe, start_time, end_time, reason, detail",
    series: "data_type, timeframe, expected, collected_to",
    quarantine: "data_type, timeframe, rule, raw, occurrences",
    live_minutes:
      "data_type, minute, received, stored, duplicates, out_of_order, missing_ids, sequence_breaks, checksum_failures, resyncs, malformed",
  };
  const found: Record<string, unknown> = {};
  for (const [table, columns] of Object.entries(tables))
    found[table] = await database.sql(
      `SELECT ${name} AS market, ${columns} FROM ${table} t ORDER BY ${"1, 2, 3, 4, 5"}`,
    );
  return found;
}

describe.each(["binance", "okx"] as const)("%s, captured and replayed", (venue) => {
  it("gives the same rows, claims and gaps as the live run", async () => {
    const live = await captureLive(venue, 6, 50_000);
    const files = await captured();
    expect(files.length).toBeGreaterThan(1);
    const ends: CaptureEnd[] = [];
    const { database, frames } = await replay(files, (end) => ends.push(end));
    expect(frames).toBeGreaterThan(1_000);
    expect(ends.map(({ isCutOff }) => isCutOff)).toEqual(files.map(() => false));
    const [replayed, happened] = [await contents(database), await contents(live)];
    for (const table of Object.keys(happened)) {
      expect({ table, rows: replayed[table] }).toEqual({ table, rows: happened[table] });
      const least = table === "quarantine" || table === "gap_log" ? 1 : 2;
      expect((happened[table] as unknown[]).length, table).toBeGreaterThanOrEqual(least);
    }
    // What is repeated changes nothing but counts.
    const stored = await database.sql("SELECT count(*)::int AS n FROM trades");
    expect(stored).toEqual(await live.sql("SELECT count(*)::int AS n FROM trades"));
  });
});

describe("a capture that was cut off", () => {
  it("is read to its last whole line, wherever the cut is", async () => {
    const writer = new CaptureWriter({
      directory: folder,
      name: "binance",
      startedMs: START_MS,
      rotateSizeBytes: 1e9,
      log: silentLog,
    });
    const events = Array.from({ length: 40 }, (_, i): CaptureEvent => ({
      kind: "frame",
      connection: 1,
      path: "/stream",
      text: `{"price":"${(i * 7919) % 1_000}.5","ü":"€"}`,
      atMs: START_MS + i,
      exchangeMs: START_MS + i,
    }));
    for (const event of events) writer.write(event);
    await writer.close();
    const [file = ""] = await captured();
    const bytes = await readFile(file);
    let most = 0;
    for (let length = 0; length <= bytes.length; length++) {
      const cut = join(folder, "cut.ndjson.gz");
      await writeFile(cut, bytes.subarray(0, length));
      const read: CaptureEvent[] = [];
      let end: CaptureEnd | undefined;
      for await (const event of readCaptures([cut], (each) => (end = each))) read.push(event);
      expect(read).toEqual(events.slice(0, read.length));
      expect(read.length).toBeGreaterThanOrEqual(most);
      most = read.length;
      if (read.length < events.length) expect(end?.isCutOff).toBe(true);
      if (length === bytes.length) expect(end).toMatchObject({ events: 40, isCutOff: false });
    }
    expect(most).toBe(events.length);
  });

  it("is refused where an earlier part of its session is missing, and where it is no capture", async () => {
    const writer = new CaptureWriter({
      directory: folder,
      name: "okx",
      startedMs: START_MS,
      rotateSizeBytes: 1,
      log: silentLog,
    });
    const event: CaptureEvent = { kind: "flush", atMs: START_MS, exchangeMs: START_MS };
    for (let i = 0; i < 3; i++) {
      writer.write(event);
      await systemClock.sleep(50);
    }
    await writer.close();
    const files = await captured();
    expect(files.length).toBeGreaterThan(1);
    const readAll = async (chosen: readonly string[]): Promise<number> => {
      let count = 0;
      for await (const _ of readCaptures(chosen)) count++;
      return count;
    };
    expect(await readAll(files)).toBe(3);
    await expect(readAll(files.slice(1))).rejects.toThrow(
      "is part 2 of okx-20240110T120000Z, and part 1 is not among the files",
    );
    const other = join(folder, "other.txt");
    await writeFile(other, '{"kind":"flush"}\n');
    await expect(readAll([other])).rejects.toThrow("other.txt cannot be replayed: it is not compressed");
  });
});
