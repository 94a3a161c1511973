import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../../src/core/random.js";
import { planSamples } from "../../../../src/upkeep/deep/sample-plan.js";
import { MINUTE_MS, minuteMs } from "../../../support/candles.js";

const span = (from: number, to: number) => ({ startMs: minuteMs(from), endMs: minuteMs(to) });
const within = (openTimeMs: number, { startMs, endMs }: { startMs: number; endMs: number }): boolean =>
  openTimeMs >= startMs && openTimeMs < endMs;

describe("planSamples", () => {
  it("draws a quarter each from the last hour, voids and flagged minutes", () => {
    const voids = [span(100, 300)];
    const flagged = Array.from({ length: 50 }, (_, i) => minuteMs(1_000 + 2 * i));
    const plan = planSamples({
      count: 40,
      expected: [span(0, 100_000)],
      voids,
      flagged,
      random: seededRandom(1),
    });
    expect(plan).toHaveLength(40);
    expect(plan.filter((at) => within(at, span(99_940, 100_000))).length).toBeGreaterThanOrEqual(10);
    expect(plan.filter((at) => within(at, span(100, 300))).length).toBeGreaterThanOrEqual(10);
    expect(plan.filter((at) => flagged.includes(at)).length).toBeGreaterThanOrEqual(10);
  });

  it("draws all from the rest where there is nothing of the kind", () => {
    const plan = planSamples({
      count: 8,
      expected: [span(0, 10_000)],
      voids: [],
      flagged: [],
      random: seededRandom(1),
    });
    expect(plan).toHaveLength(8);
  });

  it("is the same for the same seed and another for another", () => {
    const plan = (seed: number) =>
      planSamples({
        count: 20,
        expected: [span(0, 10_000)],
        voids: [],
        flagged: [],
        random: seededRandom(seed),
      });
    expect(plan(7)).toEqual(plan(7));
    expect(plan(7)).not.toEqual(plan(8));
  });

  it("gives full minutes of what is expected, in order, each once, as many as there are", () => {
    const range = fc
      .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 100 }))
      .map(([from, length]) => span(from, from + length));
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 4 }),
        fc.array(range, { maxLength: 3 }),
        fc.array(fc.integer({ min: 0, max: 400 }).map(minuteMs), { maxLength: 5 }),
        fc.integer({ min: 0, max: 60 }),
        fc.integer(),
        (expected, voids, flagged, count, seed) => {
          const plan = planSamples({ count, expected, voids, flagged, random: seededRandom(seed) });
          const minutes = Array.from({ length: 500 }, (_, i) => minuteMs(i)).filter((at) =>
            expected.some((each) => within(at, each)),
          );
          expect(plan).toEqual([...new Set(plan)].sort((a, b) => a - b));
          expect(plan.every((at) => at % MINUTE_MS === 0 && minutes.includes(at))).toBe(true);
          expect(plan.length).toBeLessThanOrEqual(count);
          if (minutes.length <= count) expect(plan).toEqual(minutes);
        },
      ),
    );
  });
});
