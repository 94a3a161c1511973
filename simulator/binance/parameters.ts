// Reads the query of a request the way Binance does: every mistake has its own code.
import { isTimeframe, type Timeframe } from "../../src/core/timeframe.js";
import { ApiError, invalidSymbol, notValid } from "./api-error.js";

/** From this value on, a time is read as microseconds. */
const MICROSECONDS_FROM = 1e14;
const SYMBOL_RANGE = "^[\\w\\-._&&[^a-z]]{1,50}$";
const INTEGER_RANGE = "^[0-9]{1,20}$";

export class Parameters {
  readonly #query: URLSearchParams;

  /**
   * @param known what the endpoint takes
   * @throws ApiError for anything else, and for the same parameter twice
   */
  constructor(query: URLSearchParams, known: readonly string[]) {
    this.#query = query;
    const sent = [...query.keys()];
    const read = sent.filter((name) => known.includes(name));
    if (read.length < sent.length) {
      throw new ApiError(
        -1104,
        `Not all sent parameters were read; read '${read.length}' parameter(s) but was sent '${sent.length}'.`,
      );
    }
    const twice = sent.find((name, i) => sent.indexOf(name) !== i);
    if (twice !== undefined) throw new ApiError(-1101, `Duplicate values for parameter '${twice}' detected.`);
  }

  has(name: string): boolean {
    return this.#query.has(name);
  }

  text(name: string): string | undefined {
    const value = this.#query.get(name);
    if (value === "") throw new ApiError(-1105, `Parameter '${name}' was empty.`);
    return value ?? undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value !== undefined) return value;
    throw new ApiError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);
  }

  /** A whole number of at least 0. */
  integer(name: string): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (!/^\d{1,20}$/.test(value)) throw illegal(name, INTEGER_RANGE);
    return Number(value);
  }

  /** Rows wanted: Binance cuts what is above its maximum, and refuses 0. */
  limit({ fallback, max }: { fallback: number; max: number }): number {
    const value = this.integer("limit") ?? fallback;
    if (value === 0) throw notValid("limit");
    return Math.min(value, max);
  }

  /** Epoch milliseconds; sixteen digits are microseconds. */
  timeMs(name: string): number | undefined {
    const value = this.integer(name);
    return value !== undefined && value >= MICROSECONDS_FROM ? Math.floor(value / 1_000) : value;
  }

  symbol(): string {
    return checkedSymbol(this.required("symbol"), "symbol");
  }

  /** `symbol`, or the JSON list `symbols`, or undefined when neither was sent. */
  symbols(): readonly string[] | undefined {
    const symbol = this.text("symbol");
    const list = this.text("symbols");
    if (symbol !== undefined && list !== undefined) {
      throw new ApiError(-1128, "Combination of optional parameters invalid.");
    }
    if (symbol !== undefined) return [checkedSymbol(symbol, "symbol")];
    if (list === undefined) return undefined;
    const parsed = parseJson(list);
    if (!Array.isArray(parsed) || parsed.length === 0)
      throw illegal("symbols", `^\\[("[A-Z0-9\\-._]{1,50}"(,…)*)\\]$`);
    return parsed.map((each: unknown) => {
      if (typeof each !== "string") throw illegal("symbols", SYMBOL_RANGE);
      return checkedSymbol(each, "symbols");
    });
  }

  /** Case-sensitive, as with Binance. */
  timeframe(name: string): Timeframe {
    const value = this.required(name);
    if (!isTimeframe(value)) throw new ApiError(-1120, "Invalid interval.");
    return value;
  }
}

function checkedSymbol(text: string, parameter: string): string {
  if (/[a-z]|\s/.test(text) || text.length > 50) throw illegal(parameter, SYMBOL_RANGE);
  if (!/^[\p{L}\p{N}\-._]+$/u.test(text)) throw invalidSymbol();
  return text;
}

function illegal(parameter: string, range: string): ApiError {
  return new ApiError(
    -1100,
    `Illegal characters found in parameter '${parameter}'; legal range is '${range}'.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
