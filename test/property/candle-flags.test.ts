// Flags against a plain second opinion, and independent of how a range was cut into pages and asked for.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CandleFeed } from "../../src/pipeline/feed/candle-feed.js";
import { flagCandles, type Neighbour } from "../../src/pipeline/gate/candle-flags.js";
import { BTC_USDT, minuteMs } from "../support/candles.js";
import { ListStage, MapExchange, toMinute } from "../unit/pipeline/feed/map-exchange.js";
import { rowAt } from "../unit/pipeline/gate/candidates.js";

const NOW_MS = minuteMs(1_000_000);
const VALIDATION = { onFailure: "skip_and_log", maxPriceJump: 3, maxVolumeSpike: 3 } as const;

/** Holes, standstills and jumps, all of them often. */
const minute = fc.record({
  isThere: fc.integer({ min: 0, max: 19 }).map((roll) => roll > 0),
  close: fc.constantFrom("100", "100", "100.1", "100.2", "99.9", "101", "103"),
  volume: fc.constantFrom("0", "1", "1.5", "2", "4", "9"),
});
const market = fc
  .array(minute, { minLength: 30, maxLength: 200 })
  .map((minutes) =>
    minutes.flatMap(({ isThere, close, volume }, i): Neighbour[] =>
      isThere ? [{ openTimeMs: minuteMs(i), close, volume }] : [],
    ),
  );

function middle(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const upper = sorted[half] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
}

/** What the header of the code promises, word for word and slowly. */
function opinion(all: readonly Neighbour[], index: number): number {
  const returnAt = (i: number): number | undefined => {
    const [a, b] = [all[i - 1], all[i]];
    if (!a || !b || b.openTimeMs - a.openTimeMs !== 60_000) return undefined;
    return Math.abs(Math.log(Number(b.close)) - Math.log(Number(a.close)));
  };
  const volumeAt = (i: number): number | undefined => Number(all[i]?.volume) || undefined;
  const around = Array.from({ length: index < 20 ? 61 : 60 }, (_, i) => (index < 20 ? i : index - 60 + i));
  const neighbours = around.filter((i) => i >= 0 && i < all.length && i !== index);
  const usual = (figure: (i: number) => number | undefined): number => {
    const figures = neighbours.map(figure).filter((each) => each !== undefined);
    return figures.length < 10 ? Infinity : middle(figures);
  };
  const isJump = (returnAt(index) ?? 0) > 3 * Math.max(usual(returnAt), 0.0002);
  const isSpike = (volumeAt(index) ?? 0) > 3 * usual(volumeAt);
  return (isJump ? 1 : 0) + (isSpike ? 2 : 0);
}

describe("flags of candles", () => {
  it("are those of a plain reading of the rule", () => {
    fc.assert(
      fc.property(market, (all) => {
        const flags = flagCandles(all, { ...VALIDATION, timeframe: "1m", before: [] });
        all.forEach(({ openTimeMs }, i) =>
          expect(flags.get(openTimeMs) ?? 0, String(i)).toBe(opinion(all, i)),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("are the same whether a range comes as one page or as many, side by side or in turn", async () => {
    const cut = fc.record({
      all: market,
      pageRows: fc.integer({ min: 1, max: 40 }),
      concurrency: fc.integer({ min: 1, max: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(cut, async ({ all, pageRows, concurrency }) => {
        // The first 20 are stored already; the rest is fetched.
        const stored = all.slice(0, 20);
        const startMs = stored.at(-1)?.openTimeMs ?? 0;
        const byMinute = new Map(all.map((each) => [toMinute(each.openTimeMs), each]));
        const exchange = new MapExchange(byMinute.keys(), pageRows);
        exchange.onAnswer = (page) => ({
          ...page,
          candidates: page.candidates.map(({ openTimeMs = NaN }) => {
            const { close = "1", volume = "1" } = byMinute.get(toMinute(openTimeMs)) ?? {};
            const change = { open: close, high: close, low: close, close, volume };
            return rowAt(toMinute(openTimeMs), change);
          }),
        });
        const stage = new ListStage();
        let lookedUp = 0;
        const feed = new CandleFeed({
          exchange,
          stage,
          exchangeClock: { nowMs: () => NOW_MS },
          concurrency,
          voidConfirmAfterMs: 60_000,
          recentCandles: async (_key, beforeMs, count) => {
            lookedUp++;
            return stored.filter(({ openTimeMs }) => openTimeMs < beforeMs).slice(-count);
          },
        });
        const range = { startMs: startMs + 60_000, endMs: minuteMs(200) };
        await feed.fetchRange(
          {
            market: { ...BTC_USDT, id: 5, exchange: "map", isSimulated: true },
            timeframe: "1m",
            range,
            openGaps: [],
            latestSeenMs: -Infinity,
            validation: VALIDATION,
          },
          new AbortController().signal,
        );
        const found = new Map(stage.batches.flatMap(({ flags }) => [...(flags ?? [])]));
        for (let i = stored.length; i < all.length; i++) {
          const openTimeMs = all[i]?.openTimeMs ?? NaN;
          expect(found.get(openTimeMs) ?? 0, String(i)).toBe(opinion(all, i));
        }
        expect(lookedUp).toBeLessThanOrEqual(1);
      }),
      { numRuns: 200 },
    );
  });
});
