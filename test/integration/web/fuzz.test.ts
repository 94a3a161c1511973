// Every operation of the served OpenAPI document, with what its schemas allow and with what they do not: whatever comes, the
// answer is one the document names, a problem where it is none, and never a fault of the server's.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApiWorld, recordingLog, type ApiWorld } from "../../support/api-world.js";
import { minuteMs } from "../../support/candles.js";
import { testSeed } from "../../support/seed.js";

interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly required: boolean;
  readonly schema: Schema;
  readonly example?: string;
}

interface Schema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly anyOf?: readonly Schema[];
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: readonly Parameter[];
  readonly responses: Record<string, unknown>;
}

const RUNS = 60;
const log = recordingLog();
let world: ApiWorld;
let url: string;
let operations: { readonly method: string; readonly path: string; readonly operation: Operation }[] = [];
beforeAll(async () => {
  world = await createApiWorld();
  const server = await world.startApi({ writeToken: "write-0123456789abcdef", log: log.log });
  url = server.url;
  const document = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
});
afterAll(() => world.close());

/** What means something here, so that the routes' own work is reached. */
const MEANINGFUL: Record<string, readonly string[]> = {
  market: ["binance:BTC/USDT", "okx:ETH/USDT"],
  // As often as all the others, which are not stored.
  timeframe: Array<string>(12).fill("1m"),
  from: ["2024-01-01", String(minuteMs(100)), "0"],
  to: ["2024-01-01T10:00:00Z", "2030-01-01"],
  at: ["2024-01-01T09:41:00Z"],
  id: ["1", "2"],
  limit: ["1", "3", "all"],
  exchange: ["binance"],
};

function allowed({ name, schema, example }: Parameter): fc.Arbitrary<string> {
  const known = [
    ...(MEANINGFUL[name] ?? []),
    ...(example === undefined ? [] : [example]),
    ...valuesOf(schema),
  ];
  return known.length === 0 ? fc.string({ maxLength: 20 }) : fc.constantFrom(...known);
}

function valuesOf(schema: Schema): readonly string[] {
  return [
    ...(schema.enum ?? []),
    ...(schema.const === undefined ? [] : [schema.const]),
    ...(schema.anyOf ?? []).flatMap(valuesOf),
  ];
}

const nasty = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.constantFrom(
    "",
    "\0",
    "'",
    "'; DROP TABLE ohlcv; --",
    "-1",
    "1e309",
    "NaN",
    "null",
    "[]",
    "9".repeat(30),
    "99999999999999",
    "253402300799999",
    "9999-12-31T23:59:59Z",
    "0000-01-01",
    "-000001-01-01",
    "../../etc/passwd",
    "%s%n",
    "\u202e",
    "\ud800",
    "W10",
    Buffer.from("[1e400]").toString("base64url"),
    Buffer.from('[-1,"x"]').toString("base64url"),
    Buffer.from("[9007199254740991,9007199254740991]").toString("base64url"),
    Buffer.from('[99999999999,"ohlcv","1m",0]').toString("base64url"),
    Buffer.from('[1,"ohlcv","1m",253370764800001]').toString("base64url"),
    Buffer.from('[{"a":1},[]]').toString("base64url"),
    "a".repeat(2_000),
  ),
);

function requestOf(parameters: readonly Parameter[], share: number): fc.Arbitrary<Map<string, string>> {
  return fc
    .tuple(
      ...parameters.map((parameter) =>
        fc.tuple(
          fc.constant(parameter),
          fc.oneof(
            { weight: share, arbitrary: allowed(parameter) },
            { weight: 10 - share, arbitrary: nasty },
          ),
          fc.boolean(),
        ),
      ),
    )
    .map(
      (chosen) =>
        new Map(
          chosen
            .filter(
              ([{ required, in: place }, , isGiven]) =>
                isGiven || (required && share > 5) || place === "path",
            )
            .map(([{ name }, value]) => [name, value]),
        ),
    );
}

async function check({ method, path, operation }: (typeof operations)[number], values: Map<string, string>) {
  const encode = (text: string): string => encodeURIComponent(text.toWellFormed());
  const query = (operation.parameters ?? [])
    .filter(({ in: place, name }) => place === "query" && values.has(name))
    .map(({ name }) => `${name}=${encode(values.get(name) ?? "")}`);
  const target = path.replace(/\{(\w+)\}/g, (_, name: string) => encode(values.get(name) ?? "x"));
  const response = await fetch(`${url}${target}?${query.join("&")}`, {
    method,
    headers: { authorization: "Bearer write-0123456789abcdef" },
  });
  const body = await response.text();
  expect(response.status, `${target}?${query.join("&")}: ${body}`).toBeLessThan(500);
  expect(Object.keys(operation.responses), `${target}: ${response.status}`).toContain(
    String(response.status),
  );
  if (response.status < 400) return true;
  expect(response.headers.get("content-type")).toMatch(/^application\/problem\+json/);
  expect(JSON.parse(body)).toMatchObject({ status: response.status });
  return false;
}

describe("every operation of the OpenAPI document", () => {
  it("answers what it describes, to input that is allowed and to input that is not", async () => {
    const seed = testSeed();
    expect(operations.length).toBeGreaterThan(15);
    for (const each of operations) {
      const parameters = each.operation.parameters ?? [];
      let answered = 0;
      // Mostly allowed: what is asked of the database; mostly not: what must not get so far.
      for (const share of [9, 3])
        await fc.assert(
          fc.asyncProperty(requestOf(parameters, share), async (values) => {
            if (await check(each, values)) answered++;
          }),
          { numRuns: RUNS, seed },
        );
      // A fuzz that only ever hears 400 has tried nothing. A task can be retried once, if at all.
      if (each.method === "GET") expect(answered, each.path).toBeGreaterThan(5);
    }
    expect(log.lines.filter((line) => !line.includes("status 40"))).toEqual([]);
  });
});
