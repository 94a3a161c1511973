import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RollingMedian } from "../../../../src/pipeline/gate/rolling-median.js";

function plainMedian(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  const middle = sorted.length % 2 === 1 ? [Math.floor(half)] : [half - 1, half];
  return middle.reduce((sum, at) => sum + (sorted[at] ?? NaN), 0) / middle.length;
}

describe("a rolling median", () => {
  it("is that of the sorted window at every step", () => {
    const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 12 }), (all, size) => {
        const rolling = new RollingMedian(size);
        all.forEach((value, i) => {
          if (i >= size) rolling.remove(all[i - size] ?? NaN);
          rolling.add(value);
          const window = all.slice(Math.max(0, i + 1 - size), i + 1);
          expect(rolling.size).toBe(window.length);
          expect(rolling.median()).toBe(plainMedian(window));
        });
      }),
    );
  });

  it("of nothing is no number", () => {
    expect(new RollingMedian(3).median()).toBeNaN();
    const emptied = new RollingMedian(3);
    emptied.add(5);
    emptied.remove(5);
    expect(emptied.median()).toBeNaN();
  });

  it("stops whoever puts in too much or takes out what is not there", () => {
    const rolling = new RollingMedian(1);
    rolling.add(1);
    expect(() => rolling.add(2)).toThrow("broken invariant");
    expect(() => rolling.remove(2)).toThrow("broken invariant");
  });
});
