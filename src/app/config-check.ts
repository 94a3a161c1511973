// One document against its schema: what zod finds wrong becomes faults with file, line, key, what was found, what is
// allowed, and the nearest thing that would have been right.
import type { z } from "zod";
import type { ConfigDocument, Place } from "./config-document.js";
import { formatKeyPath, type ConfigFault, type KeyPath } from "./config-fault.js";
import {
  allowedKeys,
  describeExpected,
  homesOf,
  JSON_SCHEMAS,
  schemaAt,
  type ConfigFileKind,
  type JsonSchema,
} from "./config-json-schema.js";
import { nearestName } from "../core/nearest-name.js";
import { maskText } from "../core/mask-text.js";
import { isSecretKey } from "./config-secrets.js";

type Issue = z.core.$ZodIssue;

/** A checked document: its values with defaults filled in, or what is wrong with it. */
export type CheckedDocument<T> =
  { readonly ok: true; readonly values: T } | { readonly ok: false; readonly faults: readonly ConfigFault[] };

/** Checks a document; faults of reading it come first. */
export function checkDocument<T>(
  file: string,
  document: ConfigDocument,
  { kind, schema }: { kind: ConfigFileKind; schema: z.ZodType<T> },
): CheckedDocument<T> {
  const result = schema.safeParse(document.values);
  if (result.success && document.faults.length === 0) return { ok: true, values: result.data };
  const checker = new Checker(file, document, kind);
  const found = (result.error?.issues ?? []).flatMap((issue) => checker.faultsOf(issue, []));
  return { ok: false, faults: withoutRepeats([...document.faults, ...found]).sort(byPosition) };
}

/** A value may break several rules of its schema; it is said once what is allowed. */
function withoutRepeats(faults: readonly ConfigFault[]): ConfigFault[] {
  const byText = new Map(
    faults.map((fault) => [`${fault.line}:${fault.column} ${fault.key} ${fault.message}`, fault]),
  );
  return [...byText.values()];
}

function byPosition(a: ConfigFault, b: ConfigFault): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** What zod says of a custom check that was given no words of its own. */
const WORDLESS = "Invalid input";
/** Longer found texts are cut. */
const FOUND_CHARS_MAX = 60;

class Checker {
  readonly #file: string;
  readonly #document: ConfigDocument;
  readonly #kind: ConfigFileKind;

  constructor(file: string, document: ConfigDocument, kind: ConfigFileKind) {
    this.#file = file;
    this.#document = document;
    this.#kind = kind;
  }

  faultsOf(issue: Issue, base: KeyPath): readonly ConfigFault[] {
    const path = [...base, ...(issue.path as KeyPath)];
    if (this.#document.isFaulty(path)) return [];
    switch (issue.code) {
      case "unrecognized_keys":
        return issue.keys.map((key) => this.#unknownKey(path, key));
      case "invalid_union": {
        const value = valueAt(this.#document.values, path);
        const branch = issue.errors.find((issues) => isAboutInside(issues, value));
        return branch ? branch.flatMap((inner) => this.faultsOf(inner, path)) : [this.#wrongValue(path)];
      }
      default:
        if (issue.code === "custom" && issue.message !== WORDLESS) return [this.#fault(path, issue.message)];
        return [this.#wrongValue(path)];
    }
  }

  #unknownKey(path: KeyPath, key: string): ConfigFault {
    const schema = JSON_SCHEMAS[this.#kind];
    const allowed = allowedKeys(schemaAt(schema, path));
    const hint = this.#hint(key, allowed);
    const message = `unknown key${hint}${hint.endsWith("?") ? "" : ";"} allowed: ${allowed.join(", ")}`;
    return this.#fault([...path, key], message, this.#document.keyAt([...path, key]));
  }

  #hint(key: string, allowed: readonly string[]): string {
    if (key === "<<") return "; merge keys are not read, write the values out";
    const [home] = homesOf(JSON_SCHEMAS[this.#kind], key);
    const near = nearestName(key, allowed);
    if (near !== undefined) return `; did you mean ${near}?`;
    if (home !== undefined) return `; did you mean ${home}?`;
    const other = this.#kind === "collector" ? "instance" : "collector";
    if (!allowedKeys(JSON_SCHEMAS[other]).includes(key)) return "";
    return other === "instance" ? "; it belongs in tickwell.yml" : "; it belongs in a file under collector/";
  }

  #wrongValue(path: KeyPath): ConfigFault {
    const schema = schemaAt(JSON_SCHEMAS[this.#kind], path);
    const expected = schema ? describeExpected(schema) : "nothing";
    const value = valueAt(this.#document.values, path);
    if (value === undefined) return this.#fault(path, `is missing; expected ${expected}`);
    const names = (schema?.anyOf ?? [schema]).flatMap((branch) => branch?.enum ?? []).map(String);
    const isExpanded = this.#document.valueAt(path)?.isExpanded === true;
    const near = typeof value === "string" && !isExpanded ? nearestName(value, names) : undefined;
    const hint =
      near !== undefined
        ? `; did you mean ${near}?`
        : isQuotingEnough(schema, value)
          ? "; put it in quotes"
          : "";
    return this.#fault(path, `found ${this.#describeFound(path, value)}; expected ${expected}${hint}`);
  }

  #describeFound(path: KeyPath, value: unknown): string {
    const kind = describeKind(value);
    if (!isScalarValue(value)) return kind;
    if (path.some((part) => typeof part === "string" && isSecretKey(part))) return `${kind} (not shown)`;
    const place = this.#document.valueAt(path);
    const text = cut(maskText(place?.source ?? String(value)));
    // A variable may hold a secret that ended up under the wrong key: its name is shown, its value is not.
    if (place?.isExpanded === true) return `${kind} from ${text}`;
    if (typeof value !== "string") return text;
    return path.at(-1) === "url" ? describeServerUrl(value) : JSON.stringify(cut(maskText(value)));
  }

  #fault(path: KeyPath, message: string, place?: Place): ConfigFault {
    const { line, column } = place ?? this.#document.valueAt(path) ?? this.#document.keyAt(path);
    return { file: this.#file, line, column, key: formatKeyPath(path), message };
  }
}

/** True for the branch of a union that the value was meant for: its kind fits, something about it does not. */
function isAboutInside(issues: readonly Issue[], value: unknown): boolean {
  if (issues.some((issue) => issue.code === "invalid_type" && issue.path.length === 0)) return false;
  return (
    typeof value !== "object" ||
    issues.every((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys")
  );
}

/** True for a number that would be right as a text: a token of digits. */
function isQuotingEnough(schema: JsonSchema | undefined, value: unknown): boolean {
  if (schema?.type !== "string" || schema.enum !== undefined || !isScalarValue(value)) return false;
  return typeof value !== "string" && new RegExp(schema.pattern ?? "").test(String(value));
}

function isScalarValue(value: unknown): value is string | number | boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function describeKind(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  switch (typeof value) {
    case "string":
      return value === "" ? "an empty text" : "a text";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    default:
      return value === null ? "nothing" : "a map";
  }
}

/** A server's URL that is none: it may hold a password anywhere, so only what can be none is shown. */
function describeServerUrl(value: string): string {
  if (/^\w+$/.test(value)) return JSON.stringify(cut(value));
  const [scheme] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(value) ?? [];
  return scheme === undefined
    ? "a text (not shown)"
    : `a URL that begins with ${scheme} (the rest is not shown)`;
}

function cut(text: string): string {
  return text.length > FOUND_CHARS_MAX ? `${text.slice(0, FOUND_CHARS_MAX)}…` : text;
}

function valueAt(values: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, part)
        ? (value as Record<string | number, unknown>)[part]
        : undefined,
    values,
  );
}
