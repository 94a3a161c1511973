import { describe, expect, it } from "vitest";
import {
  compareDecimals,
  DECIMAL_CHARS_MAX,
  isNegative,
  isPositive,
  parseDecimal,
} from "../../../src/core/decimal.js";
import { decimal } from "../../support/candles.js";

describe("parseDecimal", () => {
  it.each([
    ["0.01634790", "0.0163479"],
    ["100.00000000", "100"],
    ["100", "100"],
    ["1000", "1000"],
    ["007.50", "7.5"],
    ["000", "0"],
    ["0.0", "0"],
    ["00.100", "0.1"],
    ["-0", "0"],
    ["-0.000", "0"],
    ["-00.50", "-0.5"],
    ["-12.0", "-12"],
    ["92233720368.54775807", "92233720368.54775807"],
  ])("writes %s canonically as %s", (text, canonical) => {
    expect(parseDecimal(text)).toBe(canonical);
  });

  it("leaves more digits than a double holds as they are", () => {
    expect(parseDecimal("0.1000000000000000055511151231257827")).toBe("0.1000000000000000055511151231257827");
  });

  it.each([
    "",
    "-",
    "+1",
    ".5",
    "5.",
    "-.5",
    ".",
    "-.",
    "1e3",
    "1E-7",
    "NaN",
    "Infinity",
    "-Infinity",
    " 1",
    "1 ",
    "1,5",
    "1.2.3",
    "--1",
    "1-",
    "0x10",
    "١٢",
    "１",
    "1\n",
    "1_000",
    "null",
  ])("refuses %j", (text) => {
    expect(parseDecimal(text)).toBeUndefined();
  });

  it("takes text of the greatest length and refuses one character more", () => {
    expect(parseDecimal("1".repeat(DECIMAL_CHARS_MAX))).toBe("1".repeat(DECIMAL_CHARS_MAX));
    expect(parseDecimal("1".repeat(DECIMAL_CHARS_MAX + 1))).toBeUndefined();
  });
});

describe("compareDecimals", () => {
  it.each([
    ["9.5", "10"],
    ["1", "1.5"],
    ["1.45", "1.5"],
    ["0", "0.00000001"],
    ["-10", "-9.5"],
    ["-1.5", "-1"],
    ["-0.1", "0"],
    ["-1000", "1"],
    ["99999999999999999999", "100000000000000000000"],
    ["0.30000000000000004", "0.30000000000000005"],
  ])("puts %s before %s", (less, more) => {
    expect(compareDecimals(decimal(less), decimal(more))).toBeLessThan(0);
    expect(compareDecimals(decimal(more), decimal(less))).toBeGreaterThan(0);
  });

  it("finds equal what differs only in its writing", () => {
    expect(compareDecimals(decimal("01.50"), decimal("1.5"))).toBe(0);
    expect(compareDecimals(decimal("-0.0"), decimal("0"))).toBe(0);
  });
});

it("zero is neither positive nor negative, however it is written", () => {
  for (const text of ["0", "0.00", "-0", "-0.0"])
    expect([isPositive(decimal(text)), isNegative(decimal(text))]).toEqual([false, false]);
  expect([isPositive(decimal("0.01")), isNegative(decimal("0.01"))]).toEqual([true, false]);
  expect([isPositive(decimal("-0.01")), isNegative(decimal("-0.01"))]).toEqual([false, true]);
});
