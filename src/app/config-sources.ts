// Which files a configuration is made of: paths as the user gave them in, files to read out. Reads folders and texts,
// knows nothing of what is in them.
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import { parse as parseDotenv } from "dotenv";
import type { ConfigFault } from "./config-fault.js";

/** The folder that is read when nothing else is said. */
export const DEFAULT_CONFIG_PATH = "configs";

/** A file to read; `kind` undefined: its keys have to tell. */
export interface ConfigSource {
  readonly file: string;
  readonly kind: "instance" | "collector" | undefined;
}

export interface ConfigSources {
  readonly sources: readonly ConfigSource[];
  readonly notRead: readonly string[];
  readonly faults: readonly ConfigFault[];
}

/** What a person who has nothing yet can type to have something. */
const FIRST_COLLECTOR = "exchange: binance, then symbols: with a line - symbol: BTC/USDT beneath it";

/** Finds the files of all given folders and files, each once, in a fixed order. */
export async function findSources(paths: readonly string[]): Promise<ConfigSources> {
  const sources = new Map<string, ConfigSource>();
  const notRead: string[] = [];
  const faults: ConfigFault[] = [];
  for (const path of paths) {
    const found = await findSourcesOf(path);
    for (const source of found.sources) if (!sources.has(source.file)) sources.set(source.file, source);
    notRead.push(...found.notRead);
    faults.push(...found.faults);
  }
  return { sources: [...sources.values()], notRead: notRead.filter((file) => !sources.has(file)), faults };
}

async function findSourcesOf(path: string): Promise<ConfigSources> {
  try {
    if (!(await stat(path)).isDirectory()) {
      const kind = isInstanceName(basename(path)) ? "instance" : undefined;
      return { sources: [{ file: join(path), kind }], notRead: [], faults: [] };
    }
    const files = await listYaml(path);
    const collectors = await listYaml(join(path, "collector")).catch((error: unknown) => {
      if (hasCode(error, "ENOENT")) return [];
      throw error;
    });
    const sources = [
      ...files
        .filter((file) => isInstanceName(basename(file)))
        .map((file) => ({ file, kind: "instance" as const })),
      ...collectors.map((file) => ({ file, kind: "collector" as const })),
    ];
    const notRead = files.filter((file) => !isInstanceName(basename(file)));
    const faults = sources.length > 0 ? [] : [fileFault(path, describeEmptyFolder(path, notRead))];
    return { sources, notRead, faults };
  } catch (error) {
    const said = hasCode(error, "ENOENT") ? describeMissing(path) : describeUnreadable(error);
    return { sources: [], notRead: [], faults: [fileFault(path, said)] };
  }
}

/** YAML files of a folder, by name; hidden ones are other programs' business. */
async function listYaml(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => isYaml(name) && !name.startsWith("."))
    .sort()
    .map((name) => join(folder, name));
}

function isYaml(name: string): boolean {
  return [".yml", ".yaml"].includes(extname(name));
}

function isInstanceName(name: string): boolean {
  return name === "tickwell.yml" || name === "tickwell.yaml";
}

function describeMissing(path: string): string {
  if (isYaml(path))
    return `no such file; create it, or name another with --config. A collector needs ${FIRST_COLLECTOR}`;
  const file = join(path, "collector", "binance_btcusdt_1m.yml");
  return `no such folder; create it with a collector in ${file} (${FIRST_COLLECTOR}), or name another with --config`;
}

function describeEmptyFolder(path: string, notRead: readonly string[]): string {
  const seen = notRead.length === 0 ? "" : `; ${notRead.map((file) => basename(file)).join(", ")} is neither`;
  const file = join(path, "collector", "binance_btcusdt_1m.yml");
  return `holds neither tickwell.yml nor collector/*.yml${seen}. Create ${file} (${FIRST_COLLECTOR}), or name another folder with --config`;
}

/** A file's text, or the fault that keeps it from being read. */
export async function readText(file: string): Promise<string | ConfigFault> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return fileFault(file, hasCode(error, "ENOENT") ? describeMissing(file) : describeUnreadable(error));
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return fileFault(file, "is not UTF-8 text; save it as UTF-8");
  }
}

/** The variables of the `.env` files that lie beside the sources, and what kept one from being read. */
export interface DotenvFiles {
  readonly files: readonly string[];
  readonly faults: readonly ConfigFault[];
  /** Variables as a source sees them: those of its own folder win over those of the folder around `collector/`. */
  variablesFor(source: ConfigSource): Readonly<Record<string, string>>;
}

/** Reads each folder's `.env` once. */
export async function readDotenv(sources: readonly ConfigSource[]): Promise<DotenvFiles> {
  const variables = new Map<string, Readonly<Record<string, string>>>();
  const files: string[] = [];
  const faults: ConfigFault[] = [];
  for (const folder of new Set(sources.flatMap(dotenvFolders))) {
    const file = join(folder, ".env");
    if (!(await isFile(file))) continue;
    const text = await readText(file);
    if (typeof text === "string") {
      variables.set(folder, parseDotenv(text));
      files.push(file);
    } else {
      faults.push(text);
    }
  }
  return {
    files,
    faults,
    variablesFor: (source) =>
      Object.assign({}, ...dotenvFolders(source).map((folder) => variables.get(folder))) as Record<
        string,
        string
      >,
  };
}

/** The folders whose `.env` counts for a file, the outermost first. */
function dotenvFolders({ file }: ConfigSource): readonly string[] {
  const folder = dirname(file);
  return basename(folder) === "collector" ? [dirname(folder), folder] : [folder];
}

async function isFile(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** A fault of a file as a whole. */
export function fileFault(file: string, message: string): ConfigFault {
  return { file, line: undefined, column: undefined, key: "", message };
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function describeUnreadable(error: unknown): string {
  if (hasCode(error, "EACCES")) return "cannot be read: permission denied; let this user read it";
  if (hasCode(error, "EISDIR")) return "is a folder; expected a file";
  if (hasCode(error, "ENOTDIR")) return "has a file where a folder is expected";
  return `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}
