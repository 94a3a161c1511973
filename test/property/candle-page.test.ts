// A page accounts for every candle it speaks for, exactly once: covered, void, or missing.
import fc from "fast-check";
import { expect, it } from "vitest";
import { readPage, type PageContext } from "../../src/pipeline/feed/candle-page.js";
import type { OpenGap } from "../../src/store/store.js";
import { minuteMs } from "../support/candles.js";
import { rowAt } from "../unit/pipeline/gate/candidates.js";

const NOW_MS = minuteMs(100);
const reason = fc.constantFrom("absent", "absent", "rejected", "fetch_failed", "not_collected");
const gap = fc
  .tuple(
    fc.integer({ min: -4, max: 20 }),
    fc.integer({ min: 1, max: 8 }),
    reason,
    fc.nat({ max: 120 }),
    fc.nat({ max: 4 }),
  )
  .map(([start, length, why, askedAgo, asked]): OpenGap => ({
    id: 1,
    startMs: minuteMs(start),
    endMs: minuteMs(start + length),
    reason: why,
    detail: "/first",
    foundMs: NOW_MS - 10_000_000,
    lastAskedMs: asked === 0 ? undefined : NOW_MS - askedAgo * 1_000,
    nextAskMs: undefined,
    asked,
  }));
const row = fc
  .tuple(
    fc.integer({ min: -2, max: 22 }),
    fc.constantFrom(
      {},
      {},
      {},
      { low: "0" },
      { openTimeMs: undefined },
      { openTimeMs: NaN },
      { close: "100.25" },
      { openTimeMs: minuteMs(4) + 7 },
    ),
  )
  .map(([minute, change]) => rowAt(minute, change));
const rows = fc.array(row, { maxLength: 25 });
/** Mostly in order, as pages are. */
const candidates = fc.oneof(
  rows,
  rows.map((each) => each.toSorted((a, b) => (a.openTimeMs ?? 0) - (b.openTimeMs ?? 0))),
);
const scene = fc.record({
  candidates,
  startMinute: fc.integer({ min: 0, max: 8 }),
  length: fc.integer({ min: 1, max: 12 }),
  provenMinutes: fc.integer({ min: 1, max: 14 }),
  openGaps: fc.array(gap, { maxLength: 6 }),
  latestSeenMs: fc.oneof(fc.constant(-Infinity), fc.integer({ min: -2, max: 30 }).map(minuteMs)),
  isActive: fc.boolean(),
  nowMinute: fc.integer({ min: 5, max: 40 }),
});

it("covered, void and missing divide what the page speaks for", () => {
  fc.assert(
    fc.property(scene, ({ candidates, startMinute, length, provenMinutes, nowMinute, ...rest }) => {
      const asked = { startMs: minuteMs(startMinute), endMs: minuteMs(startMinute + length) };
      const provenToMs = asked.startMs + provenMinutes * 60_000;
      const context: PageContext = {
        ...rest,
        asked,
        marketId: 1,
        timeframe: "1m",
        exchangeNowMs: minuteMs(nowMinute),
        nowMs: NOW_MS,
        voidConfirmAfterMs: 60_000,
      };
      const batch = readPage({ candidates, provenToMs, request: "/second" }, context);

      const spokenFor = new Map<number, number>();
      const speakFor = (timeMs: number): unknown => spokenFor.set(timeMs, (spokenFor.get(timeMs) ?? 0) + 1);
      const isAsked = (timeMs: number): boolean => timeMs >= asked.startMs && timeMs < asked.endMs;
      for (const { openTimeMs } of batch.candles)
        if (isAsked(openTimeMs) && openTimeMs < provenToMs) speakFor(openTimeMs);
      for (const { startMs, endMs } of [...batch.voids, ...batch.missing])
        for (let timeMs = startMs; timeMs < endMs; timeMs += 60_000) speakFor(timeMs);
      const expected: [number, number][] = [];
      for (let timeMs = asked.startMs; timeMs < Math.min(provenToMs, asked.endMs); timeMs += 60_000)
        expected.push([timeMs, 1]);
      expect([...spokenFor].sort(([a], [b]) => a - b)).toEqual(expected);

      // Whatever is claimed void was absent before, long enough ago, and is over.
      for (const { startMs, endMs } of batch.voids)
        for (let timeMs = startMs; timeMs < endMs; timeMs += 60_000) {
          const witness = rest.openGaps.some(
            (each) =>
              each.reason === "absent" &&
              each.startMs <= timeMs &&
              each.endMs > timeMs &&
              (each.lastAskedMs ?? Infinity) <= NOW_MS - 60_000,
          );
          const latest = Math.max(rest.latestSeenMs, batch.candles.at(-1)?.openTimeMs ?? -Infinity);
          expect(witness).toBe(true);
          expect(timeMs + 60_000).toBeLessThanOrEqual(context.exchangeNowMs);
          expect(rest.isActive && timeMs >= latest).toBe(false);
          expect(candidates.some((each) => each.openTimeMs === undefined)).toBe(false);
        }
    }),
    { numRuns: 1_000 },
  );
});
