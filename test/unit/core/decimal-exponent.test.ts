import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expandExponent, parseDecimal } from "../../../src/core/decimal.js";

describe("expandExponent", () => {
  it.each([
    ["1.912e-05", "0.00001912"],
    ["1E-7", "0.0000001"],
    ["-2.5e-3", "-0.0025"],
    ["1e5", "100000"],
    ["1.5e+1", "15"],
    ["1.2345e2", "123.45"],
    ["0e-8", "0"],
    ["0.000e+12", "0"],
    ["12.e1", "120"],
  ])("writes %s out as %s", (text, expanded) => {
    expect(expandExponent(text)).toBe(expanded);
  });

  it.each(["46319.0", "0.00001912", "", "abc", "e5", "1e", "1e5.5", "--1e5", "1e5e5", "Infinity", "0x1e5"])(
    "leaves %j as it is",
    (text) => {
      expect(expandExponent(text)).toBe(text);
    },
  );

  it("leaves a number alone that would not be a decimal of this world", () => {
    expect(expandExponent("1e9999")).toBe("1e9999");
    expect(expandExponent("1e-9999")).toBe("1e-9999");
    expect(expandExponent(`${"1".repeat(100)}e1`)).toBe(`${"1".repeat(100)}e1`);
  });

  it("keeps every digit, wherever the point lands", () => {
    const digits = fc.stringMatching(/^[1-9]\d{0,16}$/);
    fc.assert(
      fc.property(
        digits,
        fc.stringMatching(/^\d{0,8}$/),
        fc.integer({ min: -20, max: 20 }),
        (a, b, power) => {
          const text = `${a}.${b}e${power}`;
          // As a fraction of integers: value = a b × 10^(power − |b|).
          const scale = 60;
          const expected = BigInt(a + b) * 10n ** BigInt(scale + power - b.length);
          const [integer = "", fraction = ""] = (parseDecimal(expandExponent(text)) ?? "").split(".");
          expect(BigInt(integer + fraction.padEnd(scale, "0"))).toBe(expected);
        },
      ),
    );
  });
});
