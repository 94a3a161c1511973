// Exact products of decimal text: contracts times contract size.
import { parseDecimal, type Decimal } from "./decimal.js";

/** The exact product of two canonical decimals; undefined when it has more digits than a decimal may have. */
export function multiplyDecimals(a: Decimal, b: Decimal): Decimal | undefined {
  const [left, right] = [scaled(a), scaled(b)];
  const digits = left.digits * right.digits;
  const places = left.places + right.places;
  const sign = digits < 0n ? "-" : "";
  const text = String(digits < 0n ? -digits : digits).padStart(places + 1, "0");
  const point = text.length - places;
  return parseDecimal(places === 0 ? sign + text : `${sign}${text.slice(0, point)}.${text.slice(point)}`);
}

/** `-1.25` → −125 with 2 places. */
function scaled(value: Decimal): { digits: bigint; places: number } {
  const point = value.indexOf(".");
  if (point < 0) return { digits: BigInt(value), places: 0 };
  return { digits: BigInt(value.slice(0, point) + value.slice(point + 1)), places: value.length - point - 1 };
}
