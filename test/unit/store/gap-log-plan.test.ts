import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GapReason, MissingRange } from "../../../src/core/model/candle-batch.js";
import { mergeRanges, subtractRanges, type TimeRange } from "../../../src/core/range.js";
import { planGapLog, type GapEntry } from "../../../src/store/gap-log-plan.js";
import type { OpenGap } from "../../../src/store/store.js";

const range = (startMs: number, endMs: number): TimeRange => ({ startMs, endMs });

function entry(startMs: number, endMs: number, change: Partial<OpenGap> = {}): OpenGap {
  return {
    id: startMs + 1,
    startMs,
    endMs,
    reason: "absent",
    detail: "",
    foundMs: 0,
    lastAskedMs: 1,
    nextAskMs: 2,
    asked: 1,
    ...change,
  };
}

function missing(startMs: number, endMs: number, reason: GapReason = "absent"): MissingRange {
  return { startMs, endMs, reason, detail: "again", nextAskMs: 99 };
}

const summary = (put: readonly GapEntry[]): unknown[] =>
  [...put]
    .sort((a, b) => a.startMs - b.startMs)
    .map(({ startMs, endMs, reason, asked }) => [startMs, endMs, reason, asked]);

describe("planGapLog", () => {
  it("does not let an answer about one minute count for the rest of a long gap", () => {
    const failed = entry(0, 100, { reason: "fetch_failed" });
    const plan = planGapLog([failed], { missing: [missing(40, 41)], proven: [], atMs: 50 });
    expect(plan.removed).toEqual([failed.id]);
    expect(summary(plan.put)).toEqual([
      [0, 40, "fetch_failed", 1],
      [40, 41, "absent", 2],
      [41, 100, "fetch_failed", 1],
    ]);
    expect(plan.put.find((each) => each.startMs === 41)?.lastAskedMs).toBe(1);
  });

  it("counts an entry asked about in full as asked once more and leaves it whole", () => {
    const plan = planGapLog([entry(5, 8)], { missing: [missing(5, 8)], proven: [], atMs: 50 });
    expect(plan.removed).toEqual([]);
    expect(plan.put).toMatchObject([
      { id: 6, startMs: 5, endMs: 8, asked: 2, lastAskedMs: 50, nextAskMs: 99 },
    ]);
  });

  it("leaves an entry whole when what was not asked about is proven by now", () => {
    const plan = planGapLog([entry(5, 8)], { missing: [missing(7, 8)], proven: [range(5, 7)], atMs: 50 });
    expect(summary(plan.put)).toEqual([[5, 8, "absent", 2]]);
    expect(plan.removed).toEqual([]);
  });

  it("enters nothing that is proven", () => {
    expect(planGapLog([], { missing: [missing(0, 10)], proven: [range(0, 10)], atMs: 50 })).toEqual({
      removed: [],
      put: [],
    });
  });

  it("lets a failure that lasts grow instead of entering it anew each cycle", () => {
    const failed = entry(0, 10, { reason: "fetch_failed" });
    const plan = planGapLog([failed], { missing: [missing(0, 11, "fetch_failed")], proven: [], atMs: 50 });
    expect(summary(plan.put)).toEqual([[0, 11, "fetch_failed", 2]]);
    expect(plan.put[0]?.id).toBe(failed.id);
  });

  it("treats every minute by what was said about that minute", () => {
    // A minute is a millisecond here; each list is cut from one permutation of cells, so that ranges are disjoint.
    const cells = fc.array(
      fc.record({
        open: fc.constantFrom(undefined, "absent", "fetch_failed"),
        said: fc.constantFrom(undefined, "absent", "rejected"),
        isProven: fc.boolean(),
      }),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(cells, (minutes) => {
        const runs = <T>(
          of: (cell: (typeof minutes)[number]) => T | undefined,
        ): { from: number; to: number; value: T }[] => {
          const found: { from: number; to: number; value: T }[] = [];
          minutes.forEach((cell, at) => {
            const value = of(cell);
            const last = found.at(-1);
            if (value === undefined) return;
            if (last?.to === at && last.value === value) last.to = at + 1;
            else found.push({ from: at, to: at + 1, value });
          });
          return found;
        };
        const open = runs((cell) => cell.open as GapReason | undefined).map(({ from, to, value }) =>
          entry(from, to, { reason: value }),
        );
        const said = runs((cell) => cell.said as GapReason | undefined).map(({ from, to, value }) =>
          missing(from, to, value),
        );
        const proven = runs((cell) => (cell.isProven ? true : undefined)).map(({ from, to }) =>
          range(from, to),
        );
        const { removed, put } = planGapLog(open, { missing: said, proven, atMs: 50 });

        const replaced = new Set([...removed, ...put.flatMap((each) => each.id ?? [])]);
        const after: GapEntry[] = [...open.filter((each) => !replaced.has(each.id)), ...put];
        expect(mergeRanges(after).reduce((sum, each) => sum + each.endMs - each.startMs, 0)).toBe(
          after.reduce((sum, each) => sum + each.endMs - each.startMs, 0),
        );
        minutes.forEach((cell, at) => {
          const found = after.find((each) => each.startMs <= at && each.endMs > at);
          if (cell.isProven) {
            if (cell.open === undefined) expect(found).toBeUndefined();
            return;
          }
          if (cell.said !== undefined) {
            expect([found?.reason, found?.asked, found?.lastAskedMs]).toEqual([
              cell.said,
              cell.open === undefined ? 1 : 2,
              50,
            ]);
          } else {
            expect([found?.reason, found?.asked]).toEqual(
              cell.open === undefined ? [undefined, undefined] : [cell.open, 1],
            );
          }
        });
        expect(subtractRanges(open, after)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
