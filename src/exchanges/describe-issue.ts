// The first complaint of a schema, in words.
import type { z } from "zod";

/** Where and what: `$.symbols[3].status: expected string`. */
export function describeIssue(error: z.ZodError, root: string): { path: string; text: string } {
  const issue = error.issues[0];
  const path = (issue?.path ?? []).reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : `${text}.${String(key)}`),
    root,
  );
  return { path, text: `${path}: ${issue?.message ?? "unreadable"}` };
}
