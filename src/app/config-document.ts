// One YAML file, read: text in; out come plain values with variables put in, the place of each in the text, and what is
// wrong with it. Knows nothing of what the keys mean.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parse,
  parseDocument,
  Scalar,
  type Document,
  type Node,
  type YAMLError,
} from "yaml";
import { expandVariables, hasVariables, type Environment } from "./config-expand.js";
import { formatKeyPath, type ConfigFault, type KeyPath } from "./config-fault.js";

/** Where a value stands and how it is written. */
export interface Place {
  readonly line: number;
  readonly column: number;
  /** The scalar as the file has it, before variables are put in; undefined for maps and lists. */
  readonly source: string | undefined;
  /** The value came through `${…}`, so it may be a secret whatever its key. */
  readonly isExpanded: boolean;
}

export interface ConfigDocument {
  /** Plain values; a key without a value (`alerts:`) is left out, as if it were not written. */
  readonly values: unknown;
  readonly faults: readonly ConfigFault[];
  /** The place of a value, or undefined where the file has none. */
  valueAt(path: KeyPath): Place | undefined;
  /** The place of a key, or of the nearest key around it; the file's beginning at last. */
  keyAt(path: KeyPath): Place;
  /** The value is known to be wrong already, so what follows from that is not worth saying. */
  isFaulty(path: KeyPath): boolean;
}

/** Aliases make a small file unfold into a huge one; no honest config comes near. */
const NODES_MAX = 100_000;
const DEPTH_MAX = 50;
const FILE_START: Place = { line: 1, column: 1, source: undefined, isExpanded: false };
const BROKEN = Symbol("broken");
const ROOT = JSON.stringify([]);

/** Reads one file's text. Never throws: whatever is wrong is in `faults`. */
export function readConfigDocument(file: string, text: string, environment: Environment): ConfigDocument {
  return new Reader(file, text, environment).read(text);
}

class Reader {
  readonly #file: string;
  readonly #environment: Environment;
  readonly #lines = new LineCounter();
  readonly #document: Document.Parsed;
  readonly #faults: ConfigFault[] = [];
  readonly #faulty = new Set<string>();
  readonly #values = new Map<string, Place>();
  readonly #keys = new Map<string, Place>();
  #nodes = 0;
  #isTooBig = false;

  constructor(file: string, text: string, environment: Environment) {
    this.#file = file;
    this.#environment = environment;
    // Keys given twice are found below, with their whole path; merge keys (<<) would hide where a value comes from.
    this.#document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      uniqueKeys: false,
      merge: false,
      version: "1.2",
    });
  }

  read(text: string): ConfigDocument {
    const [error] = this.#document.errors;
    let values: unknown;
    if (error) {
      // One slip makes the parser stumble several times: only the first is worth reading.
      const place = this.#placeAt(error.pos[0]);
      this.#addFault([], place, describeSyntaxError(error, text.split("\n")[place.line - 1] ?? ""));
      this.#faulty.add(ROOT);
    } else {
      const read = this.#read(this.#document.contents, [], 0);
      values = read === BROKEN ? undefined : (read ?? {});
    }
    return {
      values,
      faults: this.#faults,
      valueAt: (path) => this.#values.get(JSON.stringify(path)),
      keyAt: (path) => {
        for (let length = path.length; length > 0; length -= 1) {
          const place = this.#keys.get(JSON.stringify(path.slice(0, length)));
          if (place) return place;
        }
        return FILE_START;
      },
      isFaulty: (path) => {
        for (let length = 0; length <= path.length; length += 1) {
          if (this.#faulty.has(JSON.stringify(path.slice(0, length)))) return true;
        }
        return false;
      },
    };
  }

  #read(node: Node | null, path: KeyPath, depth: number): unknown {
    this.#nodes += 1;
    if (this.#isTooBig) return BROKEN;
    if (this.#nodes > NODES_MAX || depth > DEPTH_MAX) {
      this.#isTooBig = true;
      return this.#fail(
        [],
        node,
        "holds far more than a config needs; does an alias (*) lead back to itself?",
      );
    }
    if (node === null) return null;
    const key = JSON.stringify(path);
    if (!this.#values.has(key)) this.#values.set(key, this.#placeOf(node));
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      // The alias is not named: a secret that begins with * looks like one.
      if (!target)
        return this.#fail(
          path,
          node,
          "an alias (*) without its anchor (&); a text that begins with * needs quotes",
        );
      return this.#read(target, path, depth + 1);
    }
    if (node.tag !== undefined && !node.tag.startsWith("tag:yaml.org,2002:")) {
      return this.#fail(
        path,
        node,
        "a tag (!) that means nothing here; a text that begins with ! needs quotes",
      );
    }
    if (isMap(node)) return this.#readMap(node.items, path, depth);
    if (isSeq(node)) {
      return node.items.map((item, at) => {
        const itemPath = [...path, at];
        this.#keys.set(JSON.stringify(itemPath), this.#placeOf(item as Node));
        const value = this.#read(item as Node | null, itemPath, depth + 1);
        return value === BROKEN ? undefined : value;
      });
    }
    return isScalar(node) ? this.#readScalar(node, path) : undefined;
  }

  #readMap(items: readonly { key: unknown; value: unknown }[], path: KeyPath, depth: number): unknown {
    const entries = new Map<string, unknown>();
    for (const item of items) {
      const keyNode = item.key as Node | null;
      if (!isScalar(keyNode)) {
        this.#addFault(
          path,
          this.#placeOf(keyNode),
          "found a map, a list or an alias as a key; expected a name",
        );
        continue;
      }
      const name = String(keyNode.value);
      const itemPath = [...path, name];
      const place = this.#placeOf(keyNode);
      const first = this.#keys.get(JSON.stringify(itemPath));
      if (entries.has(name)) {
        this.#addFault(itemPath, place, `given twice, first in line ${first?.line ?? 1}; keep one of them`);
        continue;
      }
      this.#keys.set(JSON.stringify(itemPath), place);
      const value = this.#read(item.value as Node | null, itemPath, depth + 1);
      entries.set(name, value);
    }
    // fromEntries makes own properties of every name, `__proto__` included. A key without a value is as good as absent.
    return Object.fromEntries([...entries].filter(([, value]) => value !== null && value !== BROKEN));
  }

  #readScalar(node: Scalar, path: KeyPath): unknown {
    const { value } = node;
    if (typeof value !== "string" || !hasVariables(value)) return value;
    const expansion = expandVariables(value, this.#environment);
    if (!expansion.ok) {
      for (const problem of expansion.problems) this.#fail(path, node, problem);
      return BROKEN;
    }
    this.#values.set(JSON.stringify(path), { ...this.#placeOf(node), isExpanded: true });
    const isPlain = node.type === Scalar.PLAIN && node.tag === undefined;
    return isPlain ? retype(expansion.text) : expansion.text;
  }

  #fail(path: KeyPath, node: Node | null, message: string): typeof BROKEN {
    this.#faulty.add(JSON.stringify(path));
    this.#addFault(path, node ? this.#placeOf(node) : undefined, message);
    return BROKEN;
  }

  #addFault(path: KeyPath, place: Place | undefined, message: string): void {
    const { line, column } = place ?? FILE_START;
    this.#faults.push({ file: this.#file, line, column, key: formatKeyPath(path), message });
  }

  #placeOf(node: Node | null): Place {
    const source = isScalar(node) && typeof node.source === "string" ? node.source : undefined;
    return { ...this.#placeAt(node?.range?.[0] ?? 0), source };
  }

  #placeAt(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col, source: undefined, isExpanded: false };
  }
}

/**
 * The value an unquoted scalar of this text has in YAML: `7377` a number, `true` a boolean, nothing a null. Texts that
 * would be more than a scalar (`a: b`, `[x]`, `# c`) stay text: a variable brings in a value, never structure.
 */
function retype(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  return /^[-+.~\w]+$/.test(trimmed) && !/^(-|---|\.\.\.)$/.test(trimmed)
    ? (parse(trimmed) as unknown)
    : trimmed;
}

/** The parser's words, without the piece of the file it quotes: that may be a secret. */
function describeSyntaxError(error: YAMLError, line: string): string {
  const said = error.message.replace(/:? *"[\s\S]*$/, "").replace(/: .*$/s, "");
  return `not valid YAML: ${said}; ${hintFor(error, line)}`;
}

function hintFor({ code }: YAMLError, line: string): string {
  if (code === "MULTIPLE_DOCS") return "a file holds one document: make the part after --- a file of its own";
  if (code === "TAB_AS_INDENT") return "indent with spaces";
  if (line.includes("${")) {
    return "inside [ ] and { }, and with a space in it, ${…} needs quotes; a number from a variable goes on a line of its own";
  }
  return 'check indentation and brackets; a text that holds ": " or " #", or begins with a special character, needs quotes';
}
