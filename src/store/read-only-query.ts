// One read-only statement of the user's, by PostgreSQL's own means: the extended protocol takes a single statement, the
// transaction is read-only, a superuser session first becomes a role that may only read, and a cursor takes nothing but
// queries. Without the last, a DO block would take the superuser's role back and COPY to a program. The cursor also hands
// out any number of rows a page at a time.
import type { PoolClient, QueryArrayConfig, QueryArrayResult } from "pg";
import { TickwellError } from "../core/fault.js";
import { errorCode } from "./database-error.js";
import type { QueryResult } from "./store.js";

const OID = {
  bool: 16,
  int8: 20,
  int2: 21,
  int4: 23,
  json: 114,
  float4: 700,
  float8: 701,
  timestamptz: 1184,
  jsonb: 3802,
} as const;
/** The SQLSTATE classes that are the statement's own fault: syntax, names, types, values, rights, read-only, a `$1`. */
const STATEMENT_FAULT = /^(42|22|25006|0A|21|2201|P0|08P01)/;
const SYNTAX_ERROR = "42601";

const CURSOR = "DECLARE tickwell_query NO SCROLL CURSOR FOR\n";
/** Rows of a page: some hundred kilobytes. */
const PAGE_ROWS = 5_000;
/** A cursor does not take these two; what begins so cannot be anything else, and cannot change anything. */
const TELLS_ONLY = /^\s*(EXPLAIN|SHOW)\b/i;

/**
 * Runs one statement and hands out its rows, page by page; at least one page, which has the columns.
 * @throws TickwellError `bad_request` when the statement itself is at fault, with the position of the mistake; the signal's
 *   reason between two pages
 */
export async function queryReadOnly(
  client: PoolClient,
  sql: string,
  onPage: (page: QueryResult) => void,
  signal: AbortSignal,
): Promise<void> {
  await client.query("BEGIN TRANSACTION READ ONLY");
  try {
    await client.query(
      `SELECT CASE WHEN rolsuper THEN set_config('role', 'pg_read_all_data', true) END FROM pg_roles WHERE rolname = current_user`,
    );
    if (TELLS_ONLY.test(sql)) return onPage(await run(client, sql));
    // All rows are wanted, not the first ones soon.
    await client.query("SET LOCAL cursor_tuple_fraction = 1");
    await run(client, CURSOR + sql);
    for (;;) {
      const page = await run(client, `FETCH ${PAGE_ROWS} FROM tickwell_query`);
      signal.throwIfAborted();
      onPage(page);
      if (page.rows.length < PAGE_ROWS) return;
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined || !STATEMENT_FAULT.test(code)) throw error;
    throw new TickwellError(
      { kind: "bad_request", code },
      `the query was refused: ${describeMistake(error, sql)}${code === SYNTAX_ERROR ? "; what can be run is SELECT, WITH, VALUES, TABLE, EXPLAIN and SHOW" : ""}`,
      { cause: error },
    );
  } finally {
    // Fails when the connection is gone, which the statement's own error has said already.
    await client.query("ROLLBACK").catch(() => undefined);
    // The session is used again: nothing of the statement's, such as an advisory lock, may stay in it.
    await client.query("DISCARD ALL").catch(() => undefined);
  }
}

async function run(client: PoolClient, text: string): Promise<QueryResult> {
  const statement: QueryArrayConfig & { queryMode: "extended" } = {
    text,
    rowMode: "array",
    queryMode: "extended",
    types: { getTypeParser: parserOf },
  };
  const result: QueryArrayResult<unknown[]> = await client.query<unknown[]>(statement);
  return { columns: result.fields.map((field) => field.name), rows: result.rows };
}

function parserOf(oid: number): (text: string) => unknown {
  switch (oid) {
    case OID.bool:
      return (text) => text === "t";
    case OID.int2:
    case OID.int4:
      return Number;
    case OID.int8:
      return (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text);
    case OID.float4:
    case OID.float8:
      return (text) => (Number.isFinite(Number(text)) ? Number(text) : text);
    case OID.json:
    case OID.jsonb:
      return (text) => JSON.parse(text) as unknown;
    case OID.timestamptz:
      return isoTime;
    default:
      return (text) => text;
  }
}

/** The session speaks UTC: `2024-01-01 00:00:00+00` → `2024-01-01T00:00:00Z`; infinity stays what it is. */
function isoTime(text: string): string {
  return text.endsWith("+00") ? text.replace(" ", "T").replace(/\+00$/, "Z") : text;
}

function describeMistake(error: unknown, sql: string): string {
  if (!(error instanceof Error)) return String(error);
  const offset = TELLS_ONLY.test(sql) ? 0 : CURSOR.length;
  const position = "position" in error ? Number(error.position) - offset : NaN;
  const hint = "hint" in error && typeof error.hint === "string" ? ` (${error.hint})` : "";
  if (!Number.isInteger(position)) return error.message + hint;
  const before = sql.slice(0, position - 1);
  const line = before.split("\n").length;
  const column = position - 1 - before.lastIndexOf("\n");
  return `${error.message}, at line ${line}, column ${column}${hint}`;
}
