// Exact decimals as text. In: whatever an exchange or a file wrote. Out: canonical text, which travels unchanged from
// the wire to a `numeric` column. No double is ever made of a price or a quantity on that way.

/** Canonical decimal text: optional minus, no exponent, no leading or trailing zeros, no "-0". */
export type Decimal = string & { readonly __brand: "Decimal" };

const ZERO = 48;
const NINE = 57;
const MINUS = 45;
const POINT = 46;

/** Digits a decimal may have; PostgreSQL's numeric takes 131,072, but no market has more than some thirty. */
export const DECIMAL_CHARS_MAX = 64;

/**
 * Reads decimal text such as `"0.01634790"` into its canonical form `"0.0163479"`.
 * @returns undefined for anything else: empty text, an exponent, NaN, a sign without digits, spaces, more than
 *   {@link DECIMAL_CHARS_MAX} characters.
 */
export function parseDecimal(text: string): Decimal | undefined {
  const length = text.length;
  if (length === 0 || length > DECIMAL_CHARS_MAX) return undefined;
  const isNegative = text.charCodeAt(0) === MINUS;
  const first = isNegative ? 1 : 0;
  let point = -1;
  for (let i = first; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === POINT) {
      if (point >= 0) return undefined;
      point = i;
    } else if (code < ZERO || code > NINE) return undefined;
  }
  // A digit is needed on both sides of a point: ".5" and "5." are not what any exchange promises.
  if (first === length || point === first || point === length - 1) return undefined;

  let end = length;
  if (point >= 0) {
    while (text.charCodeAt(end - 1) === ZERO) end--;
    if (end - 1 === point) end = point;
  }
  const integerEnd = point >= 0 ? Math.min(point, end) : end;
  let start = first;
  while (start < integerEnd - 1 && text.charCodeAt(start) === ZERO) start++;
  if (!isNegative) return (start === 0 && end === length ? text : text.slice(start, end)) as Decimal;
  const magnitude = text.slice(start, end);
  return (magnitude === "0" ? "0" : "-" + magnitude) as Decimal;
}

/**
 * Compares two canonical decimals exactly.
 * @returns a negative number when `a < b`, 0 when equal, a positive number when `a > b`.
 */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a === b) return 0;
  const aNegative = a.charCodeAt(0) === MINUS;
  const bNegative = b.charCodeAt(0) === MINUS;
  if (aNegative !== bNegative) return aNegative ? -1 : 1;
  const sign = aNegative ? -1 : 1;
  const aInteger = integerDigits(a);
  const bInteger = integerDigits(b);
  if (aInteger !== bInteger) return aInteger < bInteger ? -sign : sign;
  // With as many integer digits on both sides and no trailing zeros, the order of the texts is that of the numbers.
  return a < b ? -sign : sign;
}

/** True for a value below zero. */
export function isNegative(value: Decimal): boolean {
  return value.charCodeAt(0) === MINUS;
}

/** True for a value above zero. */
export function isPositive(value: Decimal): boolean {
  return value !== "0" && value.charCodeAt(0) !== MINUS;
}

function integerDigits(value: Decimal): number {
  const point = value.indexOf(".");
  return point < 0 ? value.length : point;
}

/**
 * Writes an exponent out, digit for digit: `"1.912e-05"` → `"0.00001912"`. Exchanges send none; files written by pandas
 * and spreadsheets do.
 * @returns the text as it is when it holds no exponent, is no number, or would grow beyond {@link DECIMAL_CHARS_MAX}
 */
export function expandExponent(text: string): string {
  if (text.length > DECIMAL_CHARS_MAX || !/[eE]/.test(text)) return text;
  const match = /^(-?)(\d+)(?:\.(\d*))?[eE]([+-]?\d{1,4})$/.exec(text);
  if (!match) return text;
  const [, sign = "", integer = "", fraction = "", exponent = ""] = match;
  const digits = integer + fraction;
  if (/^0+$/.test(digits)) return "0";
  const point = integer.length + Number(exponent);
  const zeros = point <= 0 ? -point : Math.max(point - digits.length, 0);
  if (digits.length + zeros > DECIMAL_CHARS_MAX) return text;
  if (point <= 0) return `${sign}0.${"0".repeat(zeros)}${digits}`;
  if (point >= digits.length) return `${sign}${digits}${"0".repeat(zeros)}`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
