// Range algebra against the plainest model there is: sets of whole numbers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  intersectRanges,
  mergeRanges,
  subtractRanges,
  totalMs,
  type TimeRange,
} from "../../src/core/range.js";

/** Also empty and inverted ranges, which hold nothing. */
const ranges = fc.array(
  fc
    .tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: -2, max: 9 }))
    .map(([startMs, length]): TimeRange => ({ startMs, endMs: startMs + length })),
  { maxLength: 12 },
);

function members(of: readonly TimeRange[]): Set<number> {
  const set = new Set<number>();
  for (const { startMs, endMs } of of) for (let i = startMs; i < endMs; i++) set.add(i);
  return set;
}

/** The one way to write a set as ranges: ascending, none empty, none touching another. */
function expectToBe(actual: readonly TimeRange[], expected: Iterable<number>): void {
  const sorted = [...expected].sort((a, b) => a - b);
  const written: { startMs: number; endMs: number }[] = [];
  for (const i of sorted) {
    const last = written.at(-1);
    if (last?.endMs === i) last.endMs++;
    else written.push({ startMs: i, endMs: i + 1 });
  }
  expect(actual).toEqual(written);
}

describe("ranges", () => {
  it("merge into the union", () => {
    fc.assert(fc.property(ranges, (a) => expectToBe(mergeRanges(a), members(a))));
  });

  it("subtract as sets do", () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const without = members(b);
        expectToBe(
          subtractRanges(a, b),
          [...members(a)].filter((i) => !without.has(i)),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("intersect as sets do", () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const other = members(b);
        expectToBe(
          intersectRanges(a, b),
          [...members(a)].filter((i) => other.has(i)),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("have the length of their union once merged", () => {
    fc.assert(
      fc.property(ranges, (a) => {
        expect(totalMs(mergeRanges(a))).toBe(members(a).size);
      }),
    );
  });

  it("are not changed by what is done with them", () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const before = JSON.stringify([a, b]);
        mergeRanges(a);
        subtractRanges(a, b);
        intersectRanges(a, b);
        expect(JSON.stringify([a, b])).toBe(before);
      }),
    );
  });

  it("may reach to infinity", () => {
    const whole = { startMs: -Infinity, endMs: Infinity };
    expect(intersectRanges([{ startMs: 3, endMs: 7 }], [whole])).toEqual([{ startMs: 3, endMs: 7 }]);
    expect(subtractRanges([{ startMs: 3, endMs: 7 }], [whole])).toEqual([]);
    expect(intersectRanges([{ startMs: 3, endMs: 7 }], [{ startMs: -Infinity, endMs: -Infinity }])).toEqual(
      [],
    );
  });
});
