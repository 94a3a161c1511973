// The OpenAPI 3.1 document, made from the contract.
import { z } from "zod";
import {
  API_PREFIX,
  problemSchema,
  ROUTES,
  streamMessageSchema,
  streamRequestSchema,
  type RouteContract,
} from "./contract.js";

type Json = Record<string, unknown>;

const FORMATS = {
  csv: "text/csv",
  ndjson: "application/x-ndjson",
  markdown: "text/markdown",
} as const;

const PROBLEMS = {
  400: "A parameter is wrong; `parameter` names it.",
  401: "A token is needed.",
  403: "Not from here, or not allowed.",
  404: "There is no such market or task, or nothing is stored of the market that was asked for; `nearest` has those that may have been meant.",
  414: "A part of the path is longer than any of ours.",
  429: "Too many requests from this address.",
  503: "The database does not answer; ask again.",
} as const;

/** @param version the program's */
export function openApiDocument(version: string): Json {
  const paths: Record<string, Json> = {};
  const components = new Components();
  for (const [name, route] of Object.entries<RouteContract>(ROUTES))
    paths[API_PREFIX + route.path] = {
      ...paths[API_PREFIX + route.path],
      [route.method.toLowerCase()]: operation(name, route, components),
    };
  const problem = components.add(problemSchema);
  // Not of a route: the messages of the WebSocket, for whoever makes a client.
  components.add(streamRequestSchema);
  components.add(streamMessageSchema);
  paths["/healthz"] = probe("The process is alive", false);
  paths["/readyz"] = probe("The database answers and data can be asked for", true);
  return {
    openapi: "3.1.0",
    info: {
      title: "tickwell",
      version,
      description:
        "Candles, trades, order books, and what is known of their completeness. Prices and quantities are decimal text; times are ISO-8601 in UTC. The stream at /api/v1/stream is a WebSocket: StreamRequest in, StreamMessage out.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{}, { bearer: [] }],
    paths,
    components: {
      schemas: components.schemas,
      responses: Object.fromEntries(
        Object.entries(PROBLEMS).map(([status, description]) => [
          `Problem${status}`,
          { description, content: { "application/problem+json": { schema: problem } } },
        ]),
      ),
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}

function operation(name: string, route: RouteContract, components: Components): Json {
  const content: Json = { "application/json": { schema: components.add(route.answer) } };
  for (const format of route.formats ?? []) content[FORMATS[format]] = { schema: { type: "string" } };
  const statuses = [400, 401, 403, 404, 429, 503] as const;
  return {
    operationId: name,
    summary: route.summary,
    ...(route.writes === true ? { security: [{ bearer: [] }] } : {}),
    parameters: [...parametersOf(route.params, "path"), ...parametersOf(route.query, "query")],
    responses: {
      200: { description: "The answer", content },
      ...(route.method === "GET" ? { 304: { description: "As the caller knows it" } } : {}),
      ...(route.params === undefined ? {} : { 414: { $ref: "#/components/responses/Problem414" } }),
      ...Object.fromEntries(
        statuses.map((status) => [status, { $ref: `#/components/responses/Problem${status}` }]),
      ),
      ...(route.writes === true
        ? {
            409: {
              description: "Not in a state that allows it",
              content: { "application/problem+json": { schema: components.add(problemSchema) } },
            },
          }
        : {}),
    },
  };
}

function parametersOf(schema: z.ZodType | undefined, place: "path" | "query"): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([name, property]) => {
    const { description, examples, ...rest } = property as Json & {
      description?: string;
      examples?: unknown[];
    };
    const isNeeded = required.includes(name) && !("default" in rest);
    return {
      name,
      in: place,
      required: place === "path" || isNeeded,
      ...(description === undefined ? {} : { description }),
      schema: rest,
      ...(examples?.[0] === undefined ? {} : { example: examples[0] }),
    };
  });
}

function probe(summary: string, mayFail: boolean): Json {
  const answer = {
    content: {
      "application/json": {
        schema: { type: "object", properties: { status: { type: "string" } }, required: ["status"] },
      },
    },
  };
  return {
    get: {
      summary,
      security: [{}],
      responses: {
        200: { description: "Yes", ...answer },
        ...(mayFail ? { 503: { description: "No", ...answer } } : {}),
      },
    },
  };
}

/** Named schemas, each once, with references between them. */
class Components {
  readonly schemas: Record<string, Json> = {};

  /** @returns a reference where the schema has a name, the schema itself otherwise */
  add(schema: z.ZodType): Json {
    const {
      $schema: _,
      $defs,
      ...root
    } = z.toJSONSchema(schema, { io: "output" }) as Json & {
      $defs?: Record<string, Json>;
    };
    for (const [name, definition] of Object.entries($defs ?? {})) this.schemas[name] ??= cleaned(definition);
    const id = schema.meta()?.id;
    const own = cleaned(root);
    if (id === undefined) return own;
    this.schemas[id] ??= own;
    return { $ref: `#/components/schemas/${id}` };
  }
}

/** `#/$defs/Candle` → `#/components/schemas/Candle`; without the ids, which would be base URIs. */
function cleaned(schema: Json): Json {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, item]: [string, unknown]) => {
        if (key === "id" && typeof item === "string") return [];
        if (key === "$ref" && typeof item === "string")
          return [[key, item.replace("#/$defs/", "#/components/schemas/")]];
        return [[key, walk(item)]];
      }),
    );
  };
  return walk(schema) as Json;
}
