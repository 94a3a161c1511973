// Random streams of trades that drop, repeat, reorder and hold what is refused, brought through the tracker, a writer that is
// killed and cut off, and the repair by REST, into a real database: every good trade is stored once, and what is expected of
// the market is covered, void or a gap.
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Clock } from "../../../src/core/clock.js";
import { TickwellError } from "../../../src/core/fault.js";
import { silentLog } from "../../../src/core/log.js";
import type { RecordBatch, TradeBatch } from "../../../src/core/model/record-batch.js";
import type { TradeCandidate } from "../../../src/core/model/trade.js";
import { TradeTracker } from "../../../src/pipeline/feed/live/trade-tracker.js";
import { MemoryStage } from "../../../src/pipeline/stage/memory-stage.js";
import type { StagedBatch } from "../../../src/pipeline/stage/stage.js";
import { Writer } from "../../../src/pipeline/write/writer.js";
import { openStore } from "../../../src/store/open-store.js";
import type { Store, StoredMarket } from "../../../src/store/store.js";
import { TradeRepair } from "../../../src/upkeep/trade-repair.js";
import { BTC_USDT } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { testSeed } from "../../support/seed.js";

const START_MS = Date.UTC(2024, 0, 10, 12);
const FIRST_ID = 1_000;
/** Each takes a third of a second. */
const RUNS = 15;
const never = new AbortController().signal;
/** Waits for nothing: the pauses between attempts are tested elsewhere. */
const clock: Clock = { nowMs: () => Date.now(), sleep: () => Promise.resolve() };

/** What becomes of a trade on its way through the stream. */
const FATES = ["sent", "dropped", "repeated", "late"] as const;
/** Refused by our gate, or only by a constraint of the database. */
const KINDS = ["good", "refused_by_gate", "refused_by_database"] as const;
/** What befalls the writer at a commit. */
const BLOWS = ["none", "killed_before", "killed_after", "away", "connection_cut"] as const;

interface Planned {
  readonly stepMs: number;
  readonly microsecond: number;
  readonly fate: (typeof FATES)[number];
  readonly kind: (typeof KINDS)[number];
  readonly isTaken: boolean;
  readonly endsSession: boolean;
}

interface Plan {
  readonly trades: readonly Planned[];
  readonly blows: readonly (typeof BLOWS)[number][];
  /** Whether another reader takes over in another order. */
  readonly isShuffled: boolean;
  readonly rowsMax: number;
}

const weighted = <T>(values: readonly T[], first: number) =>
  fc.oneof(...values.map((value, i) => ({ weight: i === 0 ? first : 1, arbitrary: fc.constant(value) })));

const planOf = (kinds: readonly Planned["kind"][]): fc.Arbitrary<Plan> =>
  fc.record({
    trades: fc.array(
      fc.record({
        stepMs: fc.constantFrom(0, 0, 1, 40, 3_000),
        microsecond: fc.integer({ min: 0, max: 999 }),
        fate: weighted(FATES, 8),
        kind: weighted(kinds, 12),
        isTaken: fc.boolean(),
        endsSession: weighted([false, true], 20),
      }),
      { minLength: 10, maxLength: 70 },
    ),
    blows: fc.array(weighted(BLOWS, 4), { minLength: 5, maxLength: 20 }),
    isShuffled: fc.boolean(),
    rowsMax: fc.integer({ min: 1, max: 40 }),
  });

let database: TestDatabase;
let store: Store;
/** The writer's own, whose connections are cut. */
let writing: Store;
let marketNumber = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  const url = new URL(database.url);
  url.searchParams.set("application_name", "writing");
  writing = await openStore(url.href);
  await database.sql("ALTER TABLE trades ADD CONSTRAINT too_dear CHECK (price < 500)");
});
afterAll(async () => {
  await writing.close();
  await database.drop();
});

const PRICES = { good: "100", refused_by_gate: "0", refused_by_database: "900" } as const;

/** A market's true trades, and what was planned for each. */
function truthOf({ trades }: Plan) {
  let timeMs = START_MS;
  return trades.map((planned, i) => {
    timeMs += planned.stepMs;
    const id = FIRST_ID + i;
    const price = PRICES[planned.kind];
    return {
      planned,
      candidate: {
        id,
        firstFillId: id,
        lastFillId: id,
        timeMs,
        microsecond: planned.microsecond,
        price,
        qty: "1",
        side: "buy" as const,
        raw: { id, price },
      } satisfies TradeCandidate & { id: number; timeMs: number },
    };
  });
}

type Truth = ReturnType<typeof truthOf>;

/** The stream's batches, session by session; what a session that is cut off has not handed on is lost with it. */
async function follow(
  truth: Truth,
  marketId: number,
  deliver: (batches: RecordBatch[]) => Promise<void>,
): Promise<void> {
  const sent = truth
    .flatMap((each, i) => {
      if (each.planned.fate === "dropped") return [];
      if (each.planned.fate === "repeated")
        return [
          { ...each, at: i },
          { ...each, at: i + 3.5 },
        ];
      return [{ ...each, at: each.planned.fate === "late" ? i + 2.5 : i }];
    })
    .sort((a, b) => a.at - b.at);
  const open = async () => {
    const position = await store.live.lastTrade(marketId);
    return new TradeTracker({ marketId, numbering: "record", position, heldMax: 1_000 });
  };
  let tracker = await open();
  let batches: RecordBatch[] = [];
  let nowMs = START_MS;
  for (const { candidate, planned } of sent) {
    nowMs = Math.max(nowMs, candidate.timeMs);
    tracker.add([candidate], { receivedMs: nowMs, exchangeNowMs: nowMs });
    const batch = planned.isTaken ? tracker.take(nowMs) : undefined;
    if (batch) batches.push(batch);
    if (!planned.endsSession) continue;
    await deliver(batches);
    batches = [];
    tracker = await open();
  }
  const last = tracker.finish();
  if (last) batches.push(last);
  await deliver(batches);
}

/** Brings batches into the store by writers that are killed and cut off; what was not acknowledged is delivered again. */
async function write(
  batches: readonly RecordBatch[],
  { blows, isShuffled, rowsMax }: Pick<Plan, "blows" | "isShuffled" | "rowsMax">,
): Promise<void> {
  const coming = [...blows];
  let left = [...batches];
  for (let life = 0; left.length > 0; life++) {
    if (life > blows.length) throw new Error("more lives than deaths");
    const stage = new MemoryStage({ rowsMax: 1_000_000, clock });
    for (const batch of left) await stage.append(batch, never);
    stage.end();
    const death = new AbortController();
    const acked = new Set<RecordBatch>();
    const commit: Store["commit"] = async (part, nowMs) => {
      const blow = coming.shift() ?? "none";
      if (blow === "killed_before") death.abort(new Error("killed"));
      death.signal.throwIfAborted();
      if (blow === "away")
        throw new TickwellError({ kind: "database", code: "08006", isTransient: true }, "away");
      const committing = writing.commit(part, nowMs);
      if (blow === "connection_cut") {
        committing.catch(() => undefined);
        await database.sql(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'writing'",
        );
      }
      const result = await committing;
      if (blow === "killed_after") death.abort(new Error("killed"));
      death.signal.throwIfAborted();
      return result;
    };
    const ack = stage.ack.bind(stage);
    stage.ack = (staged: readonly StagedBatch[]) => {
      for (const { batch } of staged) acked.add(batch);
      return ack(staged);
    };
    const writer = new Writer({
      stage,
      store: { commit, revive: () => Promise.resolve() },
      clock,
      log: silentLog,
      batchRowsMax: rowsMax,
      batchAgeMs: 0,
    });
    try {
      await writer.run(death.signal);
    } catch (error) {
      if (!death.signal.aborted) throw error;
    }
    left = left.filter((batch) => !acked.has(batch));
    // Another reader takes over in an order of its own.
    if (isShuffled) left.reverse();
  }
}

/** Has everything that is missing fetched by REST, which tells milliseconds only. */
async function repairAll(truth: Truth, market: StoredMarket, plan: Plan): Promise<void> {
  const fetched: TradeBatch[] = [];
  const repair = new TradeRepair({
    exchange: {
      id: "binance",
      traits: { candlePageRowsMax: 1_000, timeframes: ["1m"], tradeNumbering: "record" },
      fetchTrades: ({ fromMs, toMs }) =>
        Promise.resolve({
          candidates: truth
            .map(({ candidate }) => ({ ...candidate, microsecond: 0 }))
            .filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs),
          next: undefined,
          request: "/trades",
        }),
    },
    stage: {
      append: (batch) => Promise.resolve(fetched.push(batch as TradeBatch)),
      settled: () => Promise.resolve(),
    },
    clock,
    log: silentLog,
    exchangeNowMs: () => Date.now(),
  });
  for (const gap of await store.live.missingTrades(market.id)) await repair.repair(market, gap, never);
  await write(fetched, plan);
}

async function storedIds(marketId: number): Promise<number[]> {
  const rows = await database.sql<{ id: number }>(
    "SELECT trade_id::int AS id FROM trades WHERE market_id = $1 ORDER BY 1",
    [marketId],
  );
  return rows.map(({ id }) => id);
}

/** Ids that coverage claims. */
async function claimedIds(marketId: number): Promise<number[]> {
  const rows = await database.sql<{ id: number }>(
    `SELECT generate_series(first_id, last_id)::int AS id FROM coverage
     WHERE market_id = $1 AND data_type = 'trades' AND first_id IS NOT NULL ORDER BY 1`,
    [marketId],
  );
  return rows.map(({ id }) => id);
}

/** Lengths in ms, added up by this test and not by the store. */
async function expectPartition(marketId: number): Promise<void> {
  const [row] = await database.sql<{ expected: number; covered: number }>(
    `SELECT (SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r)) * 1000), 0)::float8 FROM unnest(expected) r) AS expected,
            (SELECT coalesce(sum(extract(epoch FROM end_time - start_time) * 1000), 0)::float8 FROM coverage c
             WHERE c.market_id = s.market_id AND c.data_type = 'trades') AS covered
     FROM series s WHERE market_id = $1 AND data_type = 'trades'`,
    [marketId],
  );
  const holes = await store.live.missingTrades(marketId);
  const missing = holes.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
  expect((row?.covered ?? 0) + missing).toBe(row?.expected ?? 0);
  const findings = await store.live.audit();
  expect(findings.filter(({ market }) => market === `binance:R${marketNumber}/USDT`)).toEqual([]);
}

async function newMarket(): Promise<StoredMarket> {
  const [market] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol: `R${++marketNumber}/USDT` }], {
    isSimulated: true,
  });
  if (!market) throw new Error("no market");
  return market;
}

async function runPlan(plan: Plan): Promise<{
  marketId: number;
  goodIds: number[];
  badIds: number[];
  /** The highest id the stream has brought: what came after it and was lost with its session, nobody can know of. */
  lastId: number;
}> {
  const market = await newMarket();
  const truth = truthOf(plan);
  const delivered = new Set<number>();
  await follow(truth, market.id, async (batches) => {
    for (const batch of batches)
      if (batch.kind === "trades") for (const trade of batch.trades) delivered.add(trade.id);
    await write(batches, plan);
  });
  const idsOf = (isGood: boolean): number[] =>
    truth.filter(({ planned }) => (planned.kind === "good") === isGood).map(({ candidate }) => candidate.id);
  const goodIds = idsOf(true);
  // What the stream has brought is stored before anything is repaired.
  expect(await storedIds(market.id)).toEqual(goodIds.filter((id) => delivered.has(id)));
  await expectPartition(market.id);
  for (let round = 0; round < 3; round++) await repairAll(truth, market, plan);
  await expectPartition(market.id);
  return { marketId: market.id, goodIds, badIds: idsOf(false), lastId: Math.max(...delivered) };
}

it("stores every good trade once and claims none that was refused, whatever befalls stream, writer and database", async () => {
  const seed = testSeed();
  await fc.assert(
    fc.asyncProperty(planOf(KINDS), async (plan) => {
      const { marketId, goodIds, badIds, lastId } = await runPlan(plan);
      const stored = await storedIds(marketId);
      const first = (await claimedIds(marketId))[0] ?? Infinity;
      expect(new Set(stored).size).toBe(stored.length);
      expect(stored.filter((id) => id >= first)).toEqual(goodIds.filter((id) => id >= first && id <= lastId));
      expect((await claimedIds(marketId)).filter((id) => badIds.includes(id))).toEqual([]);
    }),
    { numRuns: RUNS, seed },
  );
});

it("ends with every trade covered and no gap where nothing is refused", async () => {
  const seed = testSeed();
  await fc.assert(
    fc.asyncProperty(planOf(["good"]), async (plan) => {
      const { marketId, goodIds } = await runPlan(plan);
      const claimed = await claimedIds(marketId);
      expect(await store.live.missingTrades(marketId)).toEqual([]);
      const first = claimed[0];
      const last = claimed.at(-1);
      if (first === undefined || last === undefined) return;
      expect(claimed).toEqual(goodIds.filter((id) => id >= first && id <= last));
      expect((await storedIds(marketId)).filter((id) => id >= first && id <= last)).toEqual(claimed);
    }),
    { numRuns: RUNS, seed },
  );
});
