import { describe, expect, it } from "vitest";
import { checkRows, type CheckedChunk } from "../../../../src/app/candle-files/row-check.js";
import { PLAIN_COLUMNS, toFileRow, type FileRow } from "../../../../src/app/candle-files/file-row.js";
import { MINUTE_MS, minuteMs } from "../../../support/candles.js";
import { TIMING } from "./file-of.js";

const NOW_MS = minuteMs(1_440);

/** Rows in the file's order: `minute` or `minute high` or words for the time. */
function rowsOf(...specs: readonly (number | string)[]): FileRow[] {
  return specs.map((spec, i) => {
    const [time = "", high = "2"] = String(spec).split(" ");
    const timeText = /^\d{1,4}$/.test(time) ? String(minuteMs(Number(time))) : time;
    const fields = [timeText, "1", high, "1", "1.5", "5"];
    return toFileRow(fields, PLAIN_COLUMNS, fields.join(","), TIMING, { line: i + 2 });
  });
}
const check = (rows: readonly FileRow[], previousTimeMs?: number): CheckedChunk =>
  checkRows(rows, { timeframe: "1m", nowMs: NOW_MS, previousTimeMs });
const minutes = (from: number, to: number) => ({ startMs: minuteMs(from), endMs: minuteMs(to) });

describe("checkRows", () => {
  it("takes rows in any order", () => {
    const { candles, refused, extent } = check(rowsOf(3, 1, 0, 2));
    expect(candles.map((candle) => candle.openTimeMs)).toEqual([0, 1, 2, 3].map(minuteMs));
    expect(refused).toEqual([]);
    expect(extent).toEqual(minutes(0, 4));
  });

  it("says on which line a refused row stands, in the file's order", () => {
    const { refused } = check(rowsOf("5 0.5", 4, "3 0.5"));
    expect(refused.map(({ line, rejection }) => [line, rejection.rule])).toEqual([
      [2, "candle.high_below_low"],
      [4, "candle.high_below_low"],
    ]);
  });

  it("points at the later of two equal lines", () => {
    const { candles, refused } = check(rowsOf(1, 0, 1));
    expect(candles).toHaveLength(2);
    expect(refused.map(({ line, rejection }) => [line, rejection.rule])).toEqual([[4, "candle.duplicate"]]);
  });

  it("counts a refused row's minute to the extent, and marks it as spoiled", () => {
    const { extent, spoiled } = check(rowsOf(0, 1, "4 0.5"));
    expect(extent).toEqual(minutes(0, 5));
    expect(spoiled).toEqual([{ ...minutes(4, 5), rule: "candle.high_below_low" }]);
  });

  it.each(["52000-01-01", "2031-01-01", "1970-01-01", "2023-06-01T00:00:30Z", "0000-garbage"])(
    "does not let a row of %s widen the extent",
    (time) => {
      const { extent, refused } = check(rowsOf(0, 1, time));
      expect(refused).toHaveLength(1);
      expect(extent).toEqual(minutes(0, 2));
    },
  );

  it("marks what lies between the neighbours of a row whose time cannot be read", () => {
    expect(check(rowsOf(0, "garbage", 2)).spoiled).toEqual([{ ...minutes(1, 2), rule: "candle.malformed" }]);
    expect(check(rowsOf(7, "garbage", 4)).spoiled).toEqual([{ ...minutes(5, 7), rule: "candle.malformed" }]);
    expect(check(rowsOf("garbage", 2), minuteMs(0)).spoiled).toEqual([
      { ...minutes(1, 2), rule: "candle.malformed" },
    ]);
    expect(check(rowsOf("garbage", 2)).spoiled).toEqual([]);
  });

  it("refuses microseconds beside the grid instead of cutting them off", () => {
    const { refused } = check(rowsOf("1704067200000001", 1));
    expect(refused.map(({ rejection }) => rejection.rule)).toEqual(["candle.off_grid"]);
  });

  it("tells rows that are no candles from candles with impossible values", () => {
    expect(check(rowsOf("0 0.5", "1 abc", "garbage", "2031-01-01", "2024-01-01T00:00:30Z")).readable).toBe(1);
  });

  it("remembers the time of the last row that has one", () => {
    expect(check(rowsOf(3, 2, "garbage")).lastTimeMs).toBe(minuteMs(2));
    expect(check(rowsOf(3)).extent?.endMs).toBe(minuteMs(3) + MINUTE_MS);
  });
});
