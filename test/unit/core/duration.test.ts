import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, formatSize, parseDuration, parseSize } from "../../../src/core/duration.js";

describe("parseDuration", () => {
  it.each([
    ["500ms", 500],
    ["60s", 60_000],
    ["10m", 600_000],
    ["24h", 86_400_000],
    ["7d", 604_800_000],
    ["0s", 0],
    ["1.5h", 5_400_000],
    [" 5s ", 5_000],
    ["1.50s", 1_500],
    // In doubles these come out as 1000.9999999999999, 491999.99999999994 and 252000.00000000003.
    ["1.001s", 1_001],
    ["8.2m", 492_000],
    ["0.07h", 252_000],
  ])("reads %s", (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs);
  });

  it.each([
    "",
    "5",
    "s",
    "5 s",
    "-5s",
    "+5s",
    "5S",
    "5min",
    "5w",
    "1h30m",
    ".5s",
    "5.s",
    "1e3s",
    "0.5ms",
    "1.0005s",
  ])("does not take %j for a duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("refuses what no whole number of milliseconds can hold exactly", () => {
    expect(parseDuration("9007199254740991ms")).toBe(9_007_199_254_740_991);
    expect(parseDuration("9007199254740992ms")).toBeUndefined();
    expect(parseDuration(`${"9".repeat(400)}d`)).toBeUndefined();
  });

  it("takes every number of milliseconds written in seconds, exactly", () => {
    fc.assert(
      fc.property(fc.nat(), (durationMs) => {
        const text = `${Math.floor(durationMs / 1_000)}.${String(durationMs % 1_000).padStart(3, "0")}s`;
        expect(parseDuration(text)).toBe(durationMs);
      }),
    );
  });
});

describe("parseSize", () => {
  it.each([
    ["0B", 0],
    ["512B", 512],
    ["1KB", 1_024],
    ["64MB", 67_108_864],
    ["1.5GB", 1_610_612_736],
  ])("reads %s", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "64", "64mb", "64 MB", "-1MB", "1TB", "0.5B", "0.1KB", "99999999999GB"])(
    "does not take %j for a size",
    (text) => {
      expect(parseSize(text)).toBeUndefined();
    },
  );
});

describe("formatDuration", () => {
  it.each([
    [0, "0 ms"],
    [849.6, "850 ms"],
    [999, "999 ms"],
    [999.6, "1 s"],
    [12_400, "12 s"],
    [59_600, "1 min"],
    [200_000, "3 min 20 s"],
    [3_599_600, "1 h"],
    [3_630_000, "1 h"],
    [7_200_000, "2 h"],
    [86_399_000, "23 h 59 min"],
    [273_600_000, "3 d 4 h"],
  ])("says %d ms as %s", (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });
});

describe("formatSize", () => {
  it.each([
    [0, "0 B"],
    [1_023, "1023 B"],
    [1_024, "1.0 KB"],
    [12_900_000, "12.3 MB"],
    [3 * 1_024 ** 3, "3.0 GB"],
  ])("says %d bytes as %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
