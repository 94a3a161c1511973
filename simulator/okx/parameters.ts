// Reads the query of a request the way OKX does: what it does not know it ignores, and most mistakes are 51000.
import { OkxError, parameterError } from "./okx-error.js";

export class Parameters {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  /** An empty parameter is none. */
  text(name: string): string | undefined {
    const value = this.#query.get(name);
    return value === null || value === "" ? undefined : value;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new OkxError("50014", `Parameter ${name} can not be empty.`, 400);
    return value;
  }

  /** A whole number of at least 0. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,16}$/.test(value)) throw parameterError(name);
    return Number(value);
  }

  /** Rows wanted; what is above the maximum is cut, and 0 is refused. */
  limit({ fallback, max }: { fallback: number; max: number }, name = "limit"): number {
    const value = this.integer(name) ?? fallback;
    if (value === 0) throw parameterError(name);
    return Math.min(value, max);
  }
}
