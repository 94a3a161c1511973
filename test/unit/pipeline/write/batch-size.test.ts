import { describe, expect, it } from "vitest";
import { BatchSize } from "../../../../src/pipeline/write/batch-size.js";

/** Commits full batches of what `costOf` says they take, until the size stays. */
function settleAt(costOf: (rows: number) => number, from = new BatchSize(20_000)): number {
  for (let i = 0; i < 100; i++) from.note(from.rows, costOf(from.rows));
  return from.rows;
}

describe("the size of a transaction", () => {
  it("is as large as may be while commits are short", () => {
    expect(settleAt((rows) => rows / 200)).toBe(20_000);
  });

  it("settles where a commit takes from a quarter to a whole second", () => {
    for (const rowsPerMs of [1, 3, 7, 13]) {
      const rows = settleAt((each) => each / rowsPerMs);
      expect([rowsPerMs, rows / rowsPerMs >= 250 && rows / rowsPerMs <= 1_000]).toEqual([rowsPerMs, true]);
    }
  });

  it("is 500 rows at least, however slow the database is, and grows again when it is quick", () => {
    const size = new BatchSize(20_000);
    expect(settleAt(() => 60_000, size)).toBe(500);
    expect(settleAt(() => 10, size)).toBe(20_000);
  });

  it("does not grow by commits that were not full", () => {
    const size = new BatchSize(20_000);
    size.note(20_000, 5_000);
    const before = size.rows;
    for (let i = 0; i < 100; i++) size.note(100, 5);
    expect([before, size.rows]).toEqual([10_000, 10_000]);
  });

  it("never exceeds a maximum below its minimum", () => {
    expect(settleAt(() => 60_000, new BatchSize(10))).toBe(10);
  });
});
