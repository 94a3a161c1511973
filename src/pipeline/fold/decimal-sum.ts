// Exact sums of decimals and of their products, in bigint at the finest scale seen so far.
import type { Decimal } from "../../core/decimal.js";
import { fromScaled, toScaled, type ScaledDecimal } from "../../core/scaled-decimal.js";

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
    const units = this.#units;
    const decimal = fromScaled({ units, scale: this.#scale });
    if (decimal === undefined)
      throw new Error(`a sum of ${units} at scale ${this.#scale} has more digits than a decimal may`);
    return decimal;
  }

  #addScaled({ units, scale }: ScaledDecimal): void {
    if (scale === this.#scale) this.#units += units;
    else if (scale < this.#scale) this.#units += units * 10n ** BigInt(this.#scale - scale);
    else {
      this.#units = this.#units * 10n ** BigInt(scale - this.#scale) + units;
      this.#scale = scale;
    }
  }
}
