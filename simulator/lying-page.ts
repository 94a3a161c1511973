// What `lying_page` does to the rows of an answer. That a page is of another market or of another time is done by asking
// for that page instead, by the venue; here is what can be done to any page of rows.
import type { PageLie } from "./fault-plan.js";

/** Rows of `too_many`. */
const TOO_MANY = 10_000;
/** Names of prices and quantities in the venues' rows of trades. */
const DECIMAL_KEYS = new Set(["p", "q", "nq", "price", "qty", "quoteQty", "px", "sz"]);
/** Time comes first in a row of candles, and what comes after the volumes is no quantity. */
const DECIMAL_COLUMNS = new Set([1, 2, 3, 4, 5]);

export function spoilPage(rows: readonly unknown[], how: PageLie): unknown[] {
  switch (how) {
    case "other_symbol":
    case "same_page":
      return [...rows];
    case "backwards":
      return [...rows].reverse();
    case "empty":
      return [];
    case "too_many":
      return rows.length === 0
        ? []
        : Array.from({ length: TOO_MANY }, (_, i): unknown => rows[i % rows.length]);
    case "exponent":
      return rows.map((row) => mapDecimals(row, exponentText));
    case "nan":
      return rows.map((row) => mapDecimals(row, () => "NaN"));
  }
}

function mapDecimals(row: unknown, change: (text: string) => string): unknown {
  if (Array.isArray(row)) {
    return row.map((value: unknown, i): unknown =>
      typeof value === "string" && DECIMAL_COLUMNS.has(i) ? change(value) : value,
    );
  }
  if (typeof row !== "object" || row === null) return row;
  return Object.fromEntries(
    Object.entries(row).map(([key, value]: [string, unknown]) => [
      key,
      typeof value === "string" && DECIMAL_KEYS.has(key) ? change(value) : value,
    ]),
  );
}

/** The same value with an exponent: `42000.5` is `4.20005e4`. */
function exponentText(text: string): string {
  const [whole = "", fraction = ""] = text.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return "0e0";
  const exponent = digits.length - fraction.length - 1;
  const rest = digits.slice(1).replace(/0+$/, "");
  return `${digits[0] ?? "0"}${rest === "" ? "" : `.${rest}`}e${exponent}`;
}
