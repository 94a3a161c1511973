// JSON Schema of the config files: for editors (`tickwell config schema`), and for error messages, which take from it
// what is allowed at a place.
import { z } from "zod";
import type { KeyPath } from "./config-fault.js";
import { collectorSchema, instanceSchema } from "./config-schema.js";

export type ConfigFileKind = "instance" | "collector";

/** The part of JSON Schema that zod produces for our files. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly pattern?: string;
  readonly [keyword: string]: unknown;
}

function schemaOf(kind: ConfigFileKind): JsonSchema {
  const schema = kind === "instance" ? instanceSchema : collectorSchema;
  return z.toJSONSchema(schema, { io: "input" }) as JsonSchema;
}

/** What the files hold once variables are put in, by kind of file. */
export const JSON_SCHEMAS: Readonly<Record<ConfigFileKind, JsonSchema>> = {
  instance: schemaOf("instance"),
  collector: schemaOf("collector"),
};

/** The schema for editors: as the files are written, so `${VAR}` may stand for any value and a section may be empty. */
export function editorSchema(kind: ConfigFileKind): JsonSchema {
  return asWritten(JSON_SCHEMAS[kind]);
}

const VARIABLE: JsonSchema = { type: "string", pattern: "\\$\\{" };

function asWritten(schema: JsonSchema): JsonSchema {
  const { type, properties, required = [], items, anyOf, title, description, ...rest } = schema;
  const outer = {
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
  };
  if (properties) {
    const written = Object.entries(properties).map(([key, property]) => {
      const value = asWritten(property);
      return [key, required.includes(key) ? value : orEmpty(value)] as const;
    });
    return {
      ...outer,
      type: "object",
      ...rest,
      properties: Object.fromEntries(written),
      ...(required.length > 0 ? { required } : {}),
    };
  }
  if (items) return { ...outer, ...rest, type: "array", items: asWritten(items) };
  if (anyOf) return { ...outer, ...rest, anyOf: [...anyOf.map(asWritten), VARIABLE] };
  const isFree = type === "string" && !("pattern" in rest) && !("enum" in rest) && !("minLength" in rest);
  if (isFree) return schema;
  const { default: byDefault, ...own } = rest;
  const value = { ...(type === undefined ? {} : { type }), ...own };
  return { ...outer, ...(byDefault === undefined ? {} : { default: byDefault }), anyOf: [value, VARIABLE] };
}

/** A key without a value is read as absent. */
function orEmpty(schema: JsonSchema): JsonSchema {
  if (schema.anyOf) return { ...schema, anyOf: [...schema.anyOf, { type: "null" }] };
  return typeof schema.type === "string" ? { ...schema, type: [schema.type, "null"] } : schema;
}

/** The schema of what may stand at a place; undefined when nothing may. */
export function schemaAt(schema: JsonSchema, path: KeyPath): JsonSchema | undefined {
  const [part, ...rest] = path;
  if (part === undefined) return schema;
  for (const branch of schema.anyOf ?? [schema]) {
    const properties = branch.properties ?? {};
    const next =
      typeof part === "number"
        ? branch.items
        : Object.hasOwn(properties, part)
          ? properties[part]
          : undefined;
    const found = next && schemaAt(next, rest);
    if (found) return found;
  }
  return undefined;
}

/** The keys a map at this place may have; empty when it is no map. */
export function allowedKeys(schema: JsonSchema | undefined): readonly string[] {
  return (schema?.anyOf ?? [schema]).flatMap((branch) => Object.keys(branch?.properties ?? {}));
}

/** Where a key is at home: the paths of all maps that have it. */
export function homesOf(schema: JsonSchema, key: string, path: readonly string[] = []): readonly string[] {
  return (schema.anyOf ?? [schema]).flatMap((branch) =>
    Object.entries(branch.properties ?? {}).flatMap(([name, property]) => [
      ...(name === key ? [[...path, name].join(".")] : []),
      ...homesOf(property, key, [...path, name]),
    ]),
  );
}

/** What is allowed, as words that complete "expected …". */
export function describeExpected(schema: JsonSchema): string {
  if (schema.title !== undefined && !schema.properties) return schema.title;
  if (schema.enum) return anyOfWords(schema.enum.map(String));
  if (schema.anyOf) return anyOfWords(schema.anyOf.map(describeExpected));
  switch (schema.type) {
    case "boolean":
      return "true or false";
    case "integer":
    case "number":
      return describeNumber(schema);
    case "array":
      return `a list of at least one: ${schema.items ? describeExpected(schema.items) : "value"}`;
    case "object":
      return `a map of ${Object.keys(schema.properties ?? {}).join(", ")}`;
    default:
      return "a text";
  }
}

function describeNumber({ type, minimum, maximum, exclusiveMinimum }: JsonSchema): string {
  const least =
    exclusiveMinimum !== undefined
      ? ` above ${exclusiveMinimum}`
      : minimum !== undefined
        ? ` from ${minimum}`
        : "";
  const most =
    maximum === undefined ? "" : minimum !== undefined ? ` to ${maximum}` : ` and at most ${maximum}`;
  return `a ${type === "integer" ? "whole number" : "number"}${least}${most}`;
}

function anyOfWords(words: readonly string[]): string {
  const last = words.at(-1) ?? "nothing";
  return words.length < 2 ? last : `${words.slice(0, -1).join(", ")} or ${last}`;
}
