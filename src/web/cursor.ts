// Where a page ended, as text that a caller hands back: an array of numbers and short texts, not to be read by others.
import { ApiProblem } from "./problem.js";

export type CursorPart = number | string;

export function encodeCursor(parts: readonly CursorPart[]): string {
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/**
 * @param shape the types of the parts, in order
 * @throws ApiProblem 400 for a text that no answer of this route has given
 */
export function decodeCursor<Shape extends readonly ("number" | "string")[]>(
  text: string,
  shape: Shape,
): { [At in keyof Shape]: Shape[At] extends "number" ? number : string } {
  const parts = partsOf(text);
  if (parts === undefined || parts.length !== shape.length || !parts.every((part, i) => fits(part, shape[i])))
    throw new ApiProblem(
      400,
      "cursor: it is not of this route; take next_cursor from an answer with the same parameters",
      { parameter: "cursor" },
    );
  return parts as { [At in keyof Shape]: Shape[At] extends "number" ? number : string };
}

function partsOf(text: string): unknown[] | undefined {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
    return Array.isArray(parts) ? parts : undefined;
  } catch {
    return undefined;
  }
}

/** Beyond these no time and no id lies; the database would say so less politely. */
const NUMBER_MAX = Date.parse("9999-01-01T00:00:00Z") * 1_000;

function fits(part: unknown, type: "number" | "string" | undefined): boolean {
  if (type === "number")
    return typeof part === "number" && Number.isSafeInteger(part) && part >= 0 && part <= NUMBER_MAX;
  return typeof part === "string" && /^[\w./:-]{0,100}$/.test(part);
}
