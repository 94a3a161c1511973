// The API, as pages ask it: a path and its parameters in, an answer of the contract out, or what the server says is wrong.
import type { Problem } from "../../src/web/contract.js";

export type * from "../../src/web/contract.js";

/** A page of rows. */
export interface Page<Row> {
  readonly data: readonly Row[];
  readonly next_cursor: string | null;
}

const TIMEOUT_MS = 20_000;
const TOKEN_KEY = "tickwell.token";

/** The bearer token of this browser; undefined where none is needed. */
export function token(): string | undefined {
  return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
}

export function rememberToken(value: string): void {
  if (value === "") sessionStorage.removeItem(TOKEN_KEY);
  else sessionStorage.setItem(TOKEN_KEY, value);
}

/** What the server answered instead, in its own words. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type Parameters = Readonly<Record<string, string | number | undefined>>;

export function pathOf(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) query.set(name, String(value));
  const text = query.toString();
  return `api/v1${path}${text === "" ? "" : `?${text}`}`;
}

/** @throws ApiProblem; TypeError when the server cannot be reached; the signal's reason */
export async function ask<Answer>(
  path: string,
  parameters: Parameters = {},
  { signal, method = "GET" }: { signal?: AbortSignal; method?: "GET" | "POST" } = {},
): Promise<Answer> {
  const bearer = token();
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(pathOf(path, parameters), {
    method,
    headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  if (response.ok) return (await response.json()) as Answer;
  const problem = (await response.json().catch(() => undefined)) as Problem | undefined;
  throw new ApiProblem(response.status, problem?.detail ?? `the server answered ${response.status}`);
}

/** All pages of a list, up to `rowsMax`. */
export async function askAll<Row>(
  path: string,
  parameters: Parameters,
  signal: AbortSignal,
  rowsMax = 5_000,
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const page: Page<Row> = await ask(path, { limit: 1_000, ...parameters, cursor }, { signal });
    rows.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && rows.length < rowsMax);
  return rows;
}
