import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import type { SeriesFigures, StoreFigures } from "../../../../src/store/operating-figures.js";
import { Figures } from "../../../../src/upkeep/metrics/figures.js";
import { addStoreMetrics } from "../../../../src/upkeep/metrics/store-metrics.js";
import { parseExposition, type ExposedSample } from "../../../support/exposition.js";
import { ManualClock } from "../../core/net/manual-clock.js";

const NOW_MS = Date.UTC(2024, 0, 1, 12);

const series = (marketId: number, values: Partial<SeriesFigures> = {}): SeriesFigures => ({
  marketId,
  exchange: "binance",
  market: `binance:M${marketId}/USDT`,
  dataType: "ohlcv",
  timeframe: "1m",
  expectedMs: 3_600_000,
  missingMs: 0,
  gaps: 0,
  oldestGapFoundMs: undefined,
  score: 100,
  checkedMs: NOW_MS,
  ...values,
});

function newFigures(read: (nowMs: number) => Promise<StoreFigures>): {
  figures: Figures;
  clock: ManualClock;
} {
  const clock = new ManualClock(NOW_MS);
  return {
    clock,
    figures: new Figures({ store: { figures: read }, stage: {}, clock, dataDir: "/nowhere/at/all" }),
  };
}

async function exposed(all: readonly SeriesFigures[]): Promise<ExposedSample[]> {
  const { figures } = newFigures(async (atMs) => ({
    atMs,
    series: all,
    tasks: { pending: 1, running: 0, completed: 2, failed: 3 },
    databaseBytes: 1,
  }));
  await figures.measure();
  const registry = new Registry();
  addStoreMetrics(registry, figures);
  return parseExposition(await registry.metrics());
}

const named = (samples: readonly ExposedSample[], name: string): ExposedSample[] =>
  samples.filter((sample) => sample.name === name);

describe("metrics of the store", () => {
  it("names twenty series at most, the worst, however many there are", async () => {
    const all = Array.from({ length: 300 }, (_, i) =>
      series(i, { missingMs: i * 60_000, gaps: 1, score: 100 - i / 10 }),
    );
    const samples = await exposed(all);
    const missing = named(samples, "tickwell_market_missing_seconds");
    expect(missing).toHaveLength(20);
    expect(missing[0]).toEqual({
      name: "tickwell_market_missing_seconds",
      labels: { market: "binance:M299/USDT", data_type: "ohlcv", timeframe: "1m" },
      value: 299 * 60,
    });
    const scores = named(samples, "tickwell_market_quality_score");
    expect(scores).toHaveLength(20);
    expect(scores[0]?.value).toBeCloseTo(100 - 29.9);
    expect(named(samples, "tickwell_missing_seconds")).toEqual([
      {
        name: "tickwell_missing_seconds",
        labels: { exchange: "binance", data_type: "ohlcv" },
        value: ((299 * 300) / 2) * 60,
      },
    ]);
  });

  it("sums by exchange and data type, and takes the oldest gap and the lowest score of each", async () => {
    const samples = await exposed([
      series(1, { gaps: 2, missingMs: 1_800_000, oldestGapFoundMs: NOW_MS - 90_000, score: 50 }),
      series(2, { gaps: 1, missingMs: 0, oldestGapFoundMs: NOW_MS - 30_000, score: undefined }),
      series(3, {
        exchange: "okx",
        market: "okx:M3/USDT",
        dataType: "trades",
        timeframe: "",
        score: undefined,
      }),
    ]);
    const values = (name: string): unknown[] =>
      named(samples, name).map(({ labels, value }) => [labels.exchange, labels.data_type, value]);
    expect(values("tickwell_gaps")).toEqual([
      ["binance", "ohlcv", 3],
      ["okx", "trades", 0],
    ]);
    expect(values("tickwell_oldest_gap_age_seconds")).toEqual([
      ["binance", "ohlcv", 90],
      ["okx", "trades", 0],
    ]);
    expect(values("tickwell_verified_ratio")).toEqual([
      ["binance", "ohlcv", 0.75],
      ["okx", "trades", 1],
    ]);
    // A series without a score is no perfect one.
    expect(values("tickwell_quality_score_min")).toEqual([["binance", "ohlcv", 50]]);
    expect(values("tickwell_quality_score_avg")).toEqual([["binance", "ohlcv", 50]]);
    expect(named(samples, "tickwell_disk_free_bytes")).toEqual([]);
  });
});

describe("Figures", () => {
  it("spends a twentieth of its time on measuring, however often it is asked to", async () => {
    let measured = 0;
    const { figures, clock } = newFigures(async (atMs) => {
      measured++;
      await clock.advance(1_000);
      return {
        atMs,
        series: [],
        tasks: { pending: 0, running: 0, completed: 0, failed: 0 },
        databaseBytes: 0,
      };
    });
    await figures.measure();
    await clock.advance(18_000);
    await figures.measure();
    expect(measured).toBe(1);
    await clock.advance(1_000);
    await figures.measure();
    expect(measured).toBe(2);
    expect(figures.tookMs).toBe(1_000);
  });

  it("keeps what it knew when the database does not answer", async () => {
    let isAway = false;
    const { figures, clock } = newFigures(async (atMs) => {
      if (isAway) throw new Error("away");
      return {
        atMs,
        series: [series(7)],
        tasks: { pending: 0, running: 0, completed: 0, failed: 0 },
        databaseBytes: 5,
      };
    });
    expect(figures.exchangeOf(7)).toBeUndefined();
    await figures.measure();
    isAway = true;
    await clock.advance(60_000);
    await expect(figures.measure()).rejects.toThrow("away");
    expect(figures.isReachable).toBe(false);
    expect(figures.store?.databaseBytes).toBe(5);
    expect(figures.exchangeOf(7)).toBe("binance");
  });
});
