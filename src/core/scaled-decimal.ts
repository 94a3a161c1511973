// Decimals as integers, for exact sums and products.
import { parseDecimal, type Decimal } from "./decimal.js";

/** `units` × 10^−`scale`. */
export interface ScaledDecimal {
  readonly units: bigint;
  readonly scale: number;
}

/** `-1.25` → −125 at scale 2. */
export function toScaled(value: Decimal): ScaledDecimal {
  const point = value.indexOf(".");
  if (point < 0) return { units: BigInt(value), scale: 0 };
  return { units: BigInt(value.slice(0, point) + value.slice(point + 1)), scale: value.length - point - 1 };
}

/** Undefined when it has more digits than a decimal may have. */
export function fromScaled({ units, scale }: ScaledDecimal): Decimal | undefined {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  return parseDecimal(
    scale === 0 ? sign + digits : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`,
  );
}
