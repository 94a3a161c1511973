// From whatever pg throws to a TickwellError of kind `database`, by its SQLSTATE.
import { TickwellError } from "../core/fault.js";

/** SQLSTATE codes and classes after which the same statement may succeed later, and what to tell the user. */
const TRANSIENT: readonly (readonly [RegExp, string])[] = [
  [/^08/, "the connection broke"],
  [/^57P0[123]$/, "the server is stopping or starting"],
  [/^(57014|57P05|25P0[34])$/, "the server cut it short (a statement or session timeout, or a cancel)"],
  [/^53100$/, "the database's disk is full: free some space and it goes on by itself"],
  [/^53[023]00$/, "the server is out of resources"],
  [/^40(001|P01)$/, "it collided with another transaction"],
  [/^55000$/, "the database accepts no connections at the moment"],
  [/^55P03$/, "a lock could not be had in time"],
  [/^58030$/, "the server could not read or write a file: check its disk"],
  [/^25006$/, "the database is read-only at the moment (a standby, or its disk was mounted read-only)"],
];

/** Errors of the socket, which carry no SQLSTATE. */
const SOCKET_CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOENT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EAI_AGAIN",
]);
const SOCKET_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable/i;

/**
 * Wraps what pg threw.
 * @param doing what was being done, for the message: "store 5,000 candles"
 */
export function databaseError(error: unknown, doing: string): TickwellError {
  if (error instanceof TickwellError) return error;
  const code = errorCode(error);
  const text =
    error instanceof AggregateError
      ? error.errors.map(String).join("; ")
      : error instanceof Error
        ? error.message
        : String(error);
  const isSocket =
    (code !== undefined && SOCKET_CODES.has(code)) || (code === undefined && SOCKET_MESSAGES.test(text));
  const known = code === undefined ? undefined : TRANSIENT.find(([pattern]) => pattern.test(code))?.[1];
  const explained = isSocket ? "the database cannot be reached" : known;
  return new TickwellError(
    { kind: "database", code, isTransient: explained !== undefined },
    `could not ${doing}: ${explained === undefined ? text : `${explained} (${text})`}`,
    { cause: error },
  );
}

/** The SQLSTATE or socket code of what pg threw, if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
