// The one taxonomy of failed operations. A failed operation throws a TickwellError holding a Fault; bad data is a
// verdict of the gate and never comes here; a broken invariant is an assertion.

/** Why an operation failed. Times are milliseconds. */
export type Fault =
  | { readonly kind: "network" }
  | { readonly kind: "timeout"; readonly timeoutMs: number }
  | { readonly kind: "rate_limit"; readonly retryAfterMs: number | undefined }
  | { readonly kind: "ip_ban"; readonly untilMs: number }
  | { readonly kind: "geo_blocked" }
  | { readonly kind: "maintenance" }
  | { readonly kind: "exchange"; readonly code: string | undefined }
  | { readonly kind: "bad_request"; readonly code: string | undefined }
  | { readonly kind: "bad_symbol"; readonly code: string | undefined }
  | { readonly kind: "auth"; readonly code: string | undefined }
  | { readonly kind: "malformed_payload"; readonly path: string; readonly sample: string }
  | { readonly kind: "validation" }
  | { readonly kind: "database"; readonly code: string | undefined; readonly isTransient: boolean }
  | { readonly kind: "stage" }
  | { readonly kind: "config" }
  | { readonly kind: "internal" };

export type FaultKind = Fault["kind"];

/** The error every failed operation throws. The message names subject, found, expected and remedy. */
export class TickwellError extends Error {
  override readonly name = "TickwellError";
  readonly fault: Fault;

  constructor(fault: Fault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

/**
 * The class of anything that was thrown.
 * @returns the fault of a {@link TickwellError}; `internal` for everything else.
 */
export function classifyError(error: unknown): Fault {
  return error instanceof TickwellError ? error.fault : { kind: "internal" };
}

/** The text of anything that was thrown, with its causes. */
export function describeError(error: unknown): string {
  return describe(error, new Set());
}

function describe(error: unknown, told: Set<unknown>): string {
  if (!(error instanceof Error)) return String(error);
  if (told.has(error)) return "…";
  told.add(error);
  const words = wordsOf(error, told);
  if (error.cause === undefined) return words;
  const cause = describe(error.cause, told);
  // Who wraps an error often says its words already.
  return words.includes(cause) ? words : `${words} (${cause})`;
}

function wordsOf(error: Error, told: Set<unknown>): string {
  if (error.message !== "") return error.message;
  // Node says nothing of its own when it was refused by every address of a name.
  if (error instanceof AggregateError && error.errors.length > 0)
    return error.errors.map((each) => describe(each, told)).join("; ");
  return error.name;
}
