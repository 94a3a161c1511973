import { describe, expect, it } from "vitest";
import { readRetryAfter } from "../../../../src/core/net/retry-after.js";

const NOW_MS = Date.UTC(2026, 0, 5, 12);
const DAY_MS = 86_400_000;
const read = (header: string | undefined) => readRetryAfter(header, { receivedMs: NOW_MS, maxMs: DAY_MS });

describe("readRetryAfter", () => {
  it.each([
    ["120", 120_000],
    ["1.5", 1_500],
    ["120 ", 120_000],
    [" 120", 120_000],
    ["+120", 120_000],
    ["99999999999999999999", DAY_MS],
  ])("reads the seconds of %j", (header, afterMs) => {
    expect(read(header)).toBe(afterMs);
  });

  it.each([
    ["Mon, 05 Jan 2026 12:00:07 GMT", 7_000],
    ["Monday, 05-Jan-26 12:00:07 GMT", 7_000],
    ["2026-01-05T12:00:07Z", 7_000],
    ["Thu, 01 Jan 2099 00:00:00 GMT", DAY_MS],
  ])("reads the date %j", (header, afterMs) => {
    expect(read(header)).toBe(afterMs);
  });

  it.each(["0", "0.2", "+0", "Mon, 05 Jan 2026 11:59:00 GMT"])(
    "takes %j for a second, since whole seconds are told: it never means at once",
    (header) => {
      expect(read(header)).toBe(1_000);
    },
  );

  it.each([
    ["30, 120", 120_000],
    ["120,30", 120_000],
    ["0, 0", 1_000],
  ])("takes the longest of %j, which a gateway and an exchange have told", (header, afterMs) => {
    expect(read(header)).toBe(afterMs);
  });

  it.each([undefined, "", "-5", "soon", "1 minute", "120, soon", "5-", "1:2"])(
    "reads nothing from %j",
    (header) => {
      expect(read(header)).toBeUndefined();
    },
  );
});
