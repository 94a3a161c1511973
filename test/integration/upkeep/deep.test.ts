// The deep check against a simulated exchange that misbehaves, with a real database and the real adapter between them.
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/random.js";
import type { TimeRange } from "../../../src/core/range.js";
import { CandleFeed } from "../../../src/pipeline/feed/candle-feed.js";
import { DeepChecker } from "../../../src/upkeep/deep/deep-checker.js";
import { repairDeepFindings } from "../../../src/upkeep/deep/deep-repair.js";
import type { DeepReport } from "../../../src/upkeep/deep/deep-report.js";
import { openWorld, type ScenarioWorld } from "../../support/scenario-world.js";

const MINUTE_MS = 60_000;
const FROM_MS = Date.UTC(2024, 0, 1, 10);
const RANGE = { startMs: FROM_MS, endMs: FROM_MS + 60 * MINUTE_MS };
const NOW_MS = FROM_MS + 24 * 60 * MINUTE_MS;
const SYMBOL = "BTC/USDT";
/** Minutes of the range that the faults strike. */
const STRUCK = { from: FROM_MS + 20 * MINUTE_MS, to: FROM_MS + 23 * MINUTE_MS };
const STRUCK_RANGE = { startMs: STRUCK.from, endMs: STRUCK.to };

async function check(world: ScenarioWorld, range: TimeRange, samples: number): Promise<DeepReport> {
  const { store } = await world.process();
  const checker = new DeepChecker({ store, exchange: await world.venue(), random: seededRandom(3) });
  return checker.check({ market: await marketOf(world), range, samples }, world.signal);
}

async function marketOf(world: ScenarioWorld) {
  const { store } = await world.process();
  const market = (await store.listMarkets()).find((each) => each.symbol === SYMBOL);
  if (!market) throw new Error(`${SYMBOL} is not stored`);
  return market;
}

async function repair(world: ScenarioWorld, report: DeepReport) {
  const { store, pipeline } = await world.process();
  const nowMs = (): number => world.clock.nowMs();
  const feed = new CandleFeed({
    exchange: await world.venue(),
    stage: pipeline.stage,
    exchangeClock: { nowMs },
    concurrency: 1,
    voidConfirmAfterMs: 30_000,
  });
  return repairDeepFindings(
    { store, feed, stage: pipeline.stage, nowMs },
    { market: await marketOf(world), report },
    world.signal,
  );
}

describe("the deep check", () => {
  it("agrees with everything on an exchange that behaves", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    await world.backfill(SYMBOL, "1m", RANGE);
    const report = await check(world, { startMs: 0, endMs: NOW_MS }, 30);
    expect(report).toMatchObject({
      market: `binance:${SYMBOL}`,
      agreements: 30,
      withoutTrades: 0,
      withArchive: 0,
      byState: { stored: 30, void: 0, gap: 0 },
      differences: [],
      failures: [],
      refetch: [],
      reopen: [],
    });
    expect(new Set(report.samples).size).toBe(30);
  });

  it("finds a candle that the exchange has changed, and brings the change in as a revision", async () => {
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "revised", ...STRUCK, answers: 1 }] });
    await world.backfill(SYMBOL, "1m", RANGE);
    const report = await check(world, STRUCK_RANGE, 3);
    expect(report.counts).toEqual({ revision: 3, late_trade: 0, our_loss: 0, source_fault: 0 });
    expect(report.refetch).toEqual([STRUCK_RANGE]);
    const [difference] = report.differences;
    expect(difference?.candles.venue).toEqual(difference?.candles.rebuilt);
    expect(difference?.candles.venue).not.toEqual(difference?.candles.stored);

    expect(await repair(world, report)).toEqual({ reopenedVoids: 0, refetchedCandles: 3, failures: [] });
    await world.expectTruth(SYMBOL, "1m", RANGE);
    const revisions = await world.database.sql("SELECT 1 FROM candle_revisions");
    expect(revisions).toHaveLength(3);
    expect((await check(world, STRUCK_RANGE, 3)).agreements).toBe(3);
  });

  it("finds a void that is none, reopens it and fills it", async () => {
    // Left out of the first answer, of the second, and of the wider question that is to witness the void.
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "late", ...STRUCK, answers: 3 }] });
    await world.backfill(SYMBOL, "1m", RANGE);
    const key = await world.seriesKey(SYMBOL, "1m");
    const { store } = await world.process();
    expect(await store.voids(key)).toMatchObject([STRUCK_RANGE]);

    const report = await check(world, STRUCK_RANGE, 3);
    expect(report.counts).toEqual({ revision: 0, late_trade: 0, our_loss: 3, source_fault: 0 });
    expect(report).toMatchObject({ byState: { void: 3 }, reopen: [STRUCK_RANGE], refetch: [] });

    expect(await repair(world, report)).toEqual({ reopenedVoids: 1, refetchedCandles: 3, failures: [] });
    expect(await store.voids(key)).toEqual([]);
    expect(await store.gaps(key)).toEqual([]);
    await world.expectTruth(SYMBOL, "1m", RANGE);
  });

  it("names the fills that the exchange's own trades lack", async () => {
    const world = await openWorld({
      nowMs: NOW_MS,
      faults: [{ kind: "trade_missing", ...STRUCK, probability: 0.2 }],
    });
    await world.backfill(SYMBOL, "1m", RANGE);
    const report = await check(world, RANGE, 60);
    expect(report.counts).toEqual({ revision: 0, late_trade: 0, our_loss: 0, source_fault: 3 });
    for (const { openTimeMs, missingIds, detail } of report.differences) {
      const inside = world.exchange.truth.trades(SYMBOL, openTimeMs, openTimeMs + MINUTE_MS);
      expect(missingIds.length).toBeGreaterThan(0);
      const isMissing = (id: number): boolean =>
        missingIds.some((gap) => id >= gap.firstMissingId && id <= gap.lastMissingId);
      expect(inside.some(({ id }) => isMissing(id))).toBe(true);
      expect(detail).toContain(`${missingIds[0]?.firstMissingId}`);
    }
    expect(report.refetch).toEqual([]);
  });

  it.each(["after", "before"] as const)("finds trades counted in the minute %s", async (counted) => {
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "late_trade", ...STRUCK, counted }] });
    await world.backfill(SYMBOL, "1m", RANGE);
    const report = await check(world, RANGE, 60);
    const { late_trade: late, ...others } = report.counts;
    expect(others).toEqual({ revision: 0, our_loss: 0, source_fault: 0 });
    // Each of the three minutes lacks a trade, and the minute beside the last of them has one too many.
    expect(late).toBe(4);
    for (const { movedIds } of report.differences) expect(movedIds.length).toBeGreaterThan(0);
    expect(report.agreements).toBe(56);
  });

  it("looks at known gaps too, and says that they could be filled", async () => {
    const world = await openWorld({ nowMs: NOW_MS });
    await world.backfill(SYMBOL, "1m", RANGE);
    const { store } = await world.process();
    await store.expect(await world.seriesKey(SYMBOL, "1m"), { ...RANGE, endMs: RANGE.endMs + 2 * MINUTE_MS });
    const report = await check(world, { startMs: RANGE.endMs, endMs: RANGE.endMs + 2 * MINUTE_MS }, 5);
    expect(report).toMatchObject({ byState: { gap: 2 }, counts: { our_loss: 2 } });
    await repair(world, report);
    expect(await store.gaps({})).toEqual([]);
  });
});

describe("reopenVoid", () => {
  it("takes back a part of a void and keeps the proof of the rest", async () => {
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "outage", ...STRUCK }] });
    await world.backfill(SYMBOL, "1m", RANGE);
    const key = await world.seriesKey(SYMBOL, "1m");
    const { store } = await world.process();
    const [before] = await store.voids(key);
    expect(before).toMatchObject(STRUCK_RANGE);
    const middle = { startMs: STRUCK.from + MINUTE_MS, endMs: STRUCK.from + 2 * MINUTE_MS };

    const doubt = { detail: "trades were found", atMs: NOW_MS };
    expect(await store.reopenVoid(key, middle, doubt)).toEqual([middle]);
    expect(await store.voids(key)).toMatchObject([
      { startMs: STRUCK.from, endMs: middle.startMs, proof: before?.proof, provenMs: before?.provenMs },
      { startMs: middle.endMs, endMs: STRUCK.to, proof: before?.proof, provenMs: before?.provenMs },
    ]);
    expect(await store.gaps(key)).toMatchObject([
      { ...middle, reason: "rejected", detail: "trades were found", foundMs: NOW_MS, nextAskMs: NOW_MS },
    ]);
    expect(await store.audit({})).toEqual([]);

    // The exchange still has nothing there: asked twice again, it is void again.
    await world.backfill(SYMBOL, "1m", RANGE);
    expect(await store.gaps(key)).toEqual([]);
    expect(await store.audit({})).toEqual([]);
  });

  it("leaves stored candles alone, also within the range", async () => {
    const world = await openWorld({ nowMs: NOW_MS, faults: [{ kind: "outage", ...STRUCK }] });
    await world.backfill(SYMBOL, "1m", RANGE);
    const key = await world.seriesKey(SYMBOL, "1m");
    const { store } = await world.process();
    const doubt = { detail: "d", atMs: NOW_MS };
    expect(await store.reopenVoid(key, { startMs: RANGE.startMs, endMs: STRUCK.from }, doubt)).toEqual([]);
    expect(await store.reopenVoid(key, RANGE, doubt)).toEqual([STRUCK_RANGE]);
    expect(await store.reopenVoid(key, RANGE, doubt)).toEqual([]);
    expect(await store.voids(key)).toEqual([]);
    expect(await store.gaps(key)).toMatchObject([STRUCK_RANGE]);
    expect(await store.audit({})).toEqual([]);
  });
});
