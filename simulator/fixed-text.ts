// Integers of ticks, lots and notional as decimal text: with eight digits after the point as Binance spot writes it, with
// the grid's own as its futures do, or canonical as OKX does.
import { parseDecimal, type Decimal } from "../src/core/decimal.js";

/** Digits after the point in every price and quantity of Binance spot. */
export const WIRE_DECIMALS = 8;

/** Text of `value / 10^decimals` with eight digits after the point: `fixedText(1234, 2)` is `"12.34000000"`. */
export function fixedText(value: number | bigint, decimals: number): string {
  const digits = value.toString().padStart(decimals + 1, "0");
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}.${digits.slice(point).padEnd(WIRE_DECIMALS, "0")}`;
}

/** Text of `value / 10^decimals` with exactly so many digits after the point: `gridText(1230, 2)` is `"12.30"`. */
export function gridText(value: number | bigint, decimals: number): string {
  if (decimals === 0) return value.toString();
  const digits = value.toString().padStart(decimals + 1, "0");
  return `${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** Text of `value / 10^decimals` without zeros at its end: `shortText(1230, 2)` is `"12.3"`. */
export function shortText(value: number, decimals: number): string {
  if (decimals <= 0) return (value * 10 ** -decimals).toString();
  const text = gridText(value, decimals);
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end--;
  return text.slice(0, text.charCodeAt(end - 1) === 46 ? end - 1 : end);
}

/** The same value in the canonical form that travels through tickwell. */
export function canonicalText(value: number | bigint, decimals: number): Decimal {
  const decimal = parseDecimal(fixedText(value, decimals));
  if (decimal === undefined) throw new Error(`assertion: ${value} with ${decimals} decimals is no decimal`);
  return decimal;
}
