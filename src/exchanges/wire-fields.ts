// Fields of parsed JSON that nobody has believed yet, read by one look each.

/** A JSON object's fields; undefined for anything else. */
export type WireObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): WireObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as WireObject)
    : undefined;
}

export function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function asInteger(value: unknown): number | undefined {
  return Number.isSafeInteger(value) ? (value as number) : undefined;
}

/**
 * True for a list whose first level is a price and a quantity as text: what one server writes is alike, and the book looks at
 * every text by itself. For streams, where each look counts.
 */
export function looksLikeLevels(value: unknown): value is readonly (readonly [string, string])[] {
  if (!Array.isArray(value)) return false;
  const first: unknown = value[0];
  return (
    first === undefined ||
    (Array.isArray(first) && typeof first[0] === "string" && typeof first[1] === "string")
  );
}

/** True for a list of levels whose price and quantity are text; what else stands in a level does not matter. */
export function isLevels(value: unknown): value is readonly (readonly [string, string])[] {
  if (!Array.isArray(value)) return false;
  for (let i = 0; i < value.length; i++) {
    const level: unknown = value[i];
    if (!Array.isArray(level) || typeof level[0] !== "string" || typeof level[1] !== "string") return false;
  }
  return true;
}
