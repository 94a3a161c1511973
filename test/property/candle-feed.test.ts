// Whatever the exchange has and wherever it fails, a run speaks for each minute of its range once.
import fc from "fast-check";
import { expect, it } from "vitest";
import { CandleFeed } from "../../src/pipeline/feed/candle-feed.js";
import { BTC_USDT, minuteMs } from "../support/candles.js";
import { ListStage, malformed, MapExchange, toMinute } from "../unit/pipeline/feed/map-exchange.js";

const NOW_MS = minuteMs(1_000_000);
const stretches = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { maxLength: 8 });

it("a feed speaks for each minute once and hands on every candle it could fetch", async () => {
  const scene = fc.record({
    stretches,
    from: fc.nat({ max: 30 }),
    length: fc.nat({ max: 150 }),
    pageRows: fc.integer({ min: 1, max: 12 }),
    concurrency: fc.integer({ min: 1, max: 4 }),
    poisoned: fc.uniqueArray(fc.nat({ max: 200 }), { maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(scene, async ({ stretches, from, length, pageRows, concurrency, poisoned }) => {
      const minutes: number[] = [];
      let at = 0;
      for (const [isFilled, size] of stretches) {
        if (isFilled) for (let i = 0; i < size; i++) minutes.push(at + i);
        at += size;
      }
      const exchange = new MapExchange(minutes, pageRows);
      exchange.onAnswer = (page, { fromMs }) => {
        const spansTo = toMinute(page.provenToMs);
        const isPoisoned = poisoned.some((minute) => minute >= toMinute(fromMs) && minute < spansTo);
        if (isPoisoned && spansTo - toMinute(fromMs) <= pageRows) throw malformed();
        return page;
      };
      const stage = new ListStage();
      const feed = new CandleFeed({
        exchange,
        stage,
        exchangeClock: { nowMs: () => NOW_MS },
        concurrency,
        voidConfirmAfterMs: 60_000,
      });
      const range = { startMs: minuteMs(from), endMs: minuteMs(from + length) };
      const market = { ...BTC_USDT, id: 5, exchange: "map", isSimulated: true };
      const outcome = await feed.fetchRange(
        { market, timeframe: "1m", range, openGaps: [], latestSeenMs: -Infinity },
        new AbortController().signal,
      );

      const wanted = Array.from({ length }, (_, i) => from + i);
      const counts = [...stage.spokenFor()].sort(([a], [b]) => a - b);
      expect(counts).toEqual(wanted.map((minute) => [minute, 1]));
      const failed = new Set<number>();
      for (const { range: each } of outcome.failures)
        for (let minute = toMinute(each.startMs); minute < toMinute(each.endMs); minute++) failed.add(minute);
      const had = new Set(minutes);
      expect(stage.candleMinutes).toEqual(wanted.filter((minute) => had.has(minute) && !failed.has(minute)));
    }),
    { numRuns: 200 },
  );
});
