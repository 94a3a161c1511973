// Exact sums of decimals and of their products, in bigint at the finest scale seen so far.
import { parseDecimal, type Decimal } from "../../core/decimal.js";

/** A decimal as an integer: `units` × 10^−`scale`. */
interface Scaled {
  readonly units: bigint;
  readonly scale: number;
}

export class DecimalSum {
  #units = 0n;
  #scale = 0;

  add(value: Decimal): void {
    this.#addScaled(toScaled(value));
  }

  subtract(value: Decimal): void {
    const { units, scale } = toScaled(value);
    this.#addScaled({ units: -units, scale });
  }

  /** Adds `a` × `b`. */
  addProduct(a: Decimal, b: Decimal): void {
    const left = toScaled(a);
    const right = toScaled(b);
    this.#addScaled({ units: left.units * right.units, scale: left.scale + right.scale });
  }

  /** @throws Error when the sum has more digits than a decimal of ours may have */
  toDecimal(): Decimal {
    const isBelowZero = this.#units < 0n;
    const digits = (isBelowZero ? -this.#units : this.#units).toString().padStart(this.#scale + 1, "0");
    const point = digits.length - this.#scale;
    const text = this.#scale === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
    const decimal = parseDecimal(isBelowZero ? `-${text}` : text);
    if (decimal === undefined)
      throw new Error(`a sum has ${text.length} characters: more than a decimal may`);
    return decimal;
  }

  #addScaled({ units, scale }: Scaled): void {
    if (scale === this.#scale) this.#units += units;
    else if (scale < this.#scale) this.#units += units * 10n ** BigInt(this.#scale - scale);
    else {
      this.#units = this.#units * 10n ** BigInt(scale - this.#scale) + units;
      this.#scale = scale;
    }
  }
}

function toScaled(value: Decimal): Scaled {
  const point = value.indexOf(".");
  if (point < 0) return { units: BigInt(value), scale: 0 };
  return { units: BigInt(value.slice(0, point) + value.slice(point + 1)), scale: value.length - point - 1 };
}
