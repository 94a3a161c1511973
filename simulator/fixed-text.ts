// Integers of ticks, lots and notional as the decimal text that Binance writes: always eight digits after the point.
import { parseDecimal, type Decimal } from "../src/core/decimal.js";

/** Digits after the point in every price and quantity on the wire. */
export const WIRE_DECIMALS = 8;

/** Text of `value / 10^decimals` with eight digits after the point: `fixedText(1234, 2)` is `"12.34000000"`. */
export function fixedText(value: number | bigint, decimals: number): string {
  const digits = value.toString().padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}.${digits.slice(point).padEnd(WIRE_DECIMALS, "0")}`;
}

/** The same value in the canonical form that travels through tickwell. */
export function canonicalText(value: number | bigint, decimals: number): Decimal {
  const decimal = parseDecimal(fixedText(value, decimals));
  if (decimal === undefined) throw new Error(`assertion: ${value} with ${decimals} decimals is no decimal`);
  return decimal;
}
