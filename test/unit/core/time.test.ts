import { describe, expect, it } from "vitest";
import {
  formatMillisecond,
  formatMinute,
  formatSecond,
  formatTime,
  parseTime,
} from "../../../src/core/time.js";

describe("parseTime", () => {
  it.each([
    ["2024-02-29", Date.UTC(2024, 1, 29)],
    ["2024-02-29T13:47", Date.UTC(2024, 1, 29, 13, 47)],
    ["2024-02-29 13:47:05", Date.UTC(2024, 1, 29, 13, 47, 5)],
    ["2024-02-29T13:47:05.25Z", Date.UTC(2024, 1, 29, 13, 47, 5, 250)],
    ["2024-02-29T13:47:05.123456789Z", Date.UTC(2024, 1, 29, 13, 47, 5, 123)],
    ["2024-02-29T13:47:05.999999Z", Date.UTC(2024, 1, 29, 13, 47, 5, 999)],
    ["2024-03-01T00:30+05:30", Date.UTC(2024, 1, 29, 19, 0)],
    ["2024-02-29T20:00:00-0500", Date.UTC(2024, 2, 1, 1, 0)],
    ["1709214425000", 1_709_214_425_000],
    ["1970-01-01", 0],
    ["1969-12-31T23:59:59Z", -1_000],
    ["2024-12-31T24:00:00Z", Date.UTC(2025, 0, 1)],
  ])("reads %s", (text, timeMs) => {
    expect(parseTime(text)).toBe(timeMs);
  });

  it.each([
    "2023-02-29",
    "2023-02-30T00:00:00Z",
    "2024-04-31",
    "2024-13-01",
    "2024-00-10",
    "2024-01-00",
    "2024-01-32",
    "2024-01-01T25:00",
    "2024-01-01T24:30",
    "2024-01-01T23:60",
    "2024-01-01T23:59:60",
    "2024-01-01T00:00:00+25:00",
    "2024-01-01T00:00:00+00:60",
    "2024-1-1",
    "24-01-01",
    "2024-01-01T",
    "2024-01-01T5",
    "2024-01-01T00:00:00.Z",
    "2024-01-01T00:00:00,5Z",
    "2024-01-01 00:00 UTC",
    " 2024-01-01",
    "2024-01-01\n",
    "01/02/2024",
    "yesterday",
    "",
    "1709214425",
    "-1709214425000",
    "1709214425000.5",
    "1e12",
    "170921442500000",
  ])("does not take %j for a time", (text) => {
    expect(parseTime(text)).toBeUndefined();
  });
});

describe("formatting a time", () => {
  it("writes milliseconds only where there are any", () => {
    expect(formatTime(Date.UTC(2024, 0, 1))).toBe("2024-01-01T00:00:00Z");
    expect(formatTime(Date.UTC(2024, 0, 1, 0, 0, 0, 7))).toBe("2024-01-01T00:00:00.007Z");
  });

  it("is read back as the same time", () => {
    for (const timeMs of [0, -1, 951_827_696_789, Date.UTC(2099, 11, 31, 23, 59, 59, 999)])
      expect(parseTime(formatTime(timeMs))).toBe(timeMs);
  });

  it("writes seconds for people only where there are any", () => {
    expect(formatMinute(Date.UTC(2024, 0, 1))).toBe("2024-01-01 00:00");
    expect(formatMinute(Date.UTC(2024, 0, 1, 10, 0))).toBe("2024-01-01 10:00");
    expect(formatMinute(Date.UTC(2024, 0, 1, 10, 0, 30))).toBe("2024-01-01 10:00:30");
    expect(formatMinute(Date.UTC(2024, 0, 1, 10, 0, 0, 500))).toBe("2024-01-01 10:00:00.500");
  });

  it("writes every time to the second, or the millisecond, where they stand in one column", () => {
    expect(formatSecond(Date.UTC(2024, 0, 1))).toBe("2024-01-01 00:00:00");
    expect(formatSecond(Date.UTC(2024, 0, 1, 10, 0, 30, 999))).toBe("2024-01-01 10:00:30");
    expect(formatMillisecond(Date.UTC(2024, 0, 1))).toBe("2024-01-01 00:00:00.000");
    expect(formatMillisecond(Date.UTC(2024, 0, 1, 0, 0, 0, 246))).toBe("2024-01-01 00:00:00.246");
  });
});
