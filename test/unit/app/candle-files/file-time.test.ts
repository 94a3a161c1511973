import { describe, expect, it } from "vitest";
import { parseFileTime } from "../../../../src/app/candle-files/file-time.js";

const NEW_YEAR_MS = 1_704_067_200_000;

describe("parseFileTime", () => {
  it.each([
    "1704067200",
    "1704067200.0",
    "1.7040672e+09",
    "1704067200000",
    "1704067200000000",
    "1704067200000000000",
    "2024-01-01",
    "2024-01-01 00:00",
    "2024-01-01 00:00:00",
    "2024-01-01 00:00:00.000000",
    "2024-01-01T00:00:00Z",
    "2024-01-01 00:00:00 UTC",
    "2024-01-01 01:00:00+01:00",
    "2023-12-31T19:00:00-0500",
  ])("reads %s", (text) => {
    expect(parseFileTime(text)).toBe(NEW_YEAR_MS);
  });

  it.each([
    "1704067200000001",
    "1704067200000000001",
    "1704067200000.25",
    "1704067200.0000001",
    "2024-01-01T00:00:00.000001Z",
    "2024-01-01 00:00:00.000000001",
  ])("keeps %s off the grid", (text) => {
    expect(parseFileTime(text)).toBe(NEW_YEAR_MS + 1);
  });

  it.each([
    "",
    "-1",
    "0",
    "59",
    "20240101",
    "2008-12-31",
    "2024-02-30",
    "31/12/2023",
    "52000-01-01",
    "now",
    "1e400",
  ])("does not take %j for the time of a candle", (text) => {
    expect(parseFileTime(text)).toBeUndefined();
  });

  it("does not move a time onto the grid", () => {
    expect(parseFileTime("1704067199999001")).toBe(NEW_YEAR_MS - 1);
  });

  it("keeps whole milliseconds of seconds with a fraction", () => {
    expect(parseFileTime("1704067200.123")).toBe(NEW_YEAR_MS + 123);
  });
});
