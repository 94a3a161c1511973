// Decimals against integers of any size: text is scaled by a power of ten and read as a BigInt.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareDecimals, isNegative, isPositive, parseDecimal } from "../../src/core/decimal.js";
import { decimal } from "../support/candles.js";

const SCALE = 40;
const digits = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: min, maxLength: max });
/** Decimal text as sloppy as it may be: leading and trailing zeros, "-0". */
const sloppyText = fc
  .tuple(fc.boolean(), digits(1, 22), fc.option(digits(1, 22), { nil: undefined }))
  .map(([isMinus, integer, fraction]) => (isMinus ? "-" : "") + integer + (fraction ? `.${fraction}` : ""));
/** Close neighbours, so that comparisons are decided by late digits. */
const nearText = fc
  .tuple(
    fc.constantFrom("", "-"),
    fc.constantFrom("9", "10", "010"),
    fc.constantFrom("", ".0", ".09", ".1", ".10", ".11"),
  )
  .map((parts) => parts.join(""));
const text = fc.oneof(sloppyText, nearText);

function scaled(value: string): bigint {
  const [, minus, integer = "", fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value) ?? [];
  const magnitude = BigInt(integer + fraction.padEnd(SCALE, "0"));
  return minus ? -magnitude : magnitude;
}

describe("decimals", () => {
  it("keep their value when they are made canonical", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(scaled(decimal(value))).toBe(scaled(value));
      }),
    );
  });

  it("have one canonical text for each value", () => {
    const zeros = fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 }));
    fc.assert(
      fc.property(sloppyText, zeros, (value, [before, after]) => {
        const padded =
          value.replace(/^(-?)/, `$1${"0".repeat(before)}`) + (value.includes(".") ? "0".repeat(after) : "");
        expect(decimal(padded)).toBe(decimal(value));
        expect(decimal(decimal(value))).toBe(decimal(value));
        expect(decimal(value)).toMatch(/^(0|-?(0\.\d*[1-9]|[1-9]\d*(\.\d*[1-9])?))$/);
      }),
    );
  });

  it("compare as exact integers do", () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        const difference = scaled(a) - scaled(b);
        const expected = difference < 0n ? -1 : difference > 0n ? 1 : 0;
        expect(Math.sign(compareDecimals(decimal(a), decimal(b)))).toBe(expected);
      }),
      { numRuns: 1_000 },
    );
  });

  it("have the sign of their value", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(isPositive(decimal(value))).toBe(scaled(value) > 0n);
        expect(isNegative(decimal(value))).toBe(scaled(value) < 0n);
      }),
    );
  });

  it("are read from nothing but digits, one minus in front and one point between digits", () => {
    const nearly = fc.string({ unit: fc.constantFrom(..."019.-+e ٣"), maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(nearly, fc.string({ unit: "binary" })), (value) => {
        expect(parseDecimal(value) !== undefined).toBe(
          /^-?[0-9]+(\.[0-9]+)?$/.test(value) && !value.endsWith("\n"),
        );
      }),
      { numRuns: 1_000 },
    );
  });
});
