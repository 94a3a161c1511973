// Exact products of decimal text: contracts times contract size.
import type { Decimal } from "./decimal.js";
import { fromScaled, toScaled } from "./scaled-decimal.js";

/** The exact product of two canonical decimals; undefined when it has more digits than a decimal may have. */
export function multiplyDecimals(a: Decimal, b: Decimal): Decimal | undefined {
  const [left, right] = [toScaled(a), toScaled(b)];
  return fromScaled({ units: left.units * right.units, scale: left.scale + right.scale });
}
