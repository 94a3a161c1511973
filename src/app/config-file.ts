// Config files -> the validated config. The only place that reads process.env. Nothing is returned unless everything is
// right: all mistakes of all files come in one error.
import { basename, extname } from "node:path";
import { checkDocument } from "./config-check.js";
import { crossCheck, type LoadedCollector } from "./config-cross-checks.js";
import { readConfigDocument, type ConfigDocument } from "./config-document.js";
import type { Environment } from "./config-expand.js";
import { configError, type ConfigFault } from "./config-fault.js";
import { COLLECTOR_NAME, COLLECTOR_NAME_TITLE } from "./config-fields.js";
import { allowedKeys, JSON_SCHEMAS, type ConfigFileKind } from "./config-json-schema.js";
import { resolveCollector, resolveInstance } from "./config-resolve.js";
import { collectorSchema, instanceSchema, type CollectorFile, type InstanceFile } from "./config-schema.js";
import {
  DEFAULT_CONFIG_PATH,
  fileFault,
  findSources,
  readDotenv,
  readText,
  type ConfigSources,
} from "./config-sources.js";
import type { CollectorConfig, ConfigFiles, TickwellConfig } from "./config-types.js";

export interface LoadOptions {
  /** Stands in for the process's environment. */
  readonly env?: Environment;
}

/** Everything there is to say about a configuration, right or wrong. */
export interface ConfigInspection {
  readonly files: ConfigFiles;
  /** All mistakes; `config` is of use only when there are none. */
  readonly faults: readonly ConfigFault[];
  readonly config: TickwellConfig;
  /** The same in the files' own spelling, defaults filled in. */
  readonly written: { readonly instance: InstanceFile; readonly collectors: readonly CollectorFile[] };
}

/**
 * Reads and checks a configuration.
 * @param path a folder that holds tickwell.yml and collector/*.yml, or single files, or several of these
 * @throws TickwellError `config` with all mistakes of all files, each with file, line and key
 */
export async function loadConfig(
  path: string | readonly string[] = DEFAULT_CONFIG_PATH,
  options: LoadOptions = {},
): Promise<TickwellConfig> {
  const { config, faults } = await inspectConfig(path, options);
  if (faults.length > 0) throw configError(faults);
  return config;
}

/**
 * Reads and checks one collector's file.
 * @throws TickwellError `config` with all its mistakes
 */
export async function loadCollectorConfig(file: string, options: LoadOptions = {}): Promise<CollectorConfig> {
  const sources = [{ file, kind: "collector" as const }];
  const { config, faults } = await inspectSources({ sources, notRead: [], faults: [] }, options);
  const [collector] = config.collectors;
  if (faults.length > 0 || !collector) throw configError(faults);
  return collector;
}

/** Reads and checks a configuration; mistakes are returned, not thrown. */
export async function inspectConfig(
  path: string | readonly string[] = DEFAULT_CONFIG_PATH,
  options: LoadOptions = {},
): Promise<ConfigInspection> {
  return inspectSources(await findSources(typeof path === "string" ? [path] : path), options);
}

async function inspectSources(
  { sources, notRead, faults: sourceFaults }: ConfigSources,
  { env = process.env }: LoadOptions,
): Promise<ConfigInspection> {
  const dotenv = await readDotenv(sources);
  const faults = [...sourceFaults, ...dotenv.faults];
  const instances: string[] = [];
  const collectorFiles: string[] = [];
  const collectors: { collector: LoadedCollector; written: CollectorFile }[] = [];
  let instance = instanceSchema.parse({});

  for (const source of sources) {
    const { file } = source;
    const text = await readText(file);
    if (typeof text !== "string") {
      faults.push(text);
      continue;
    }
    const document = readConfigDocument(file, text, { ...dotenv.variablesFor(source), ...env });
    const kind = source.kind ?? kindOf(document);
    if (kind === "collector") {
      collectorFiles.push(file);
      const loaded = readCollector(file, document, faults);
      if (loaded) collectors.push(loaded);
      continue;
    }
    const [first] = instances;
    if (first !== undefined)
      faults.push(fileFault(file, `a second instance file beside ${first}; keep one of them`));
    instances.push(file);
    const checked = checkDocument(file, document, { kind, schema: instanceSchema });
    if (checked.ok) instance = checked.values;
    else faults.push(...checked.faults);
  }

  faults.push(...crossCheck(collectors.map(({ collector }) => collector)));
  const files = { instance: instances[0], collectors: collectorFiles, env: dotenv.files, notRead };
  return {
    files,
    faults,
    config: {
      instance: resolveInstance(instance),
      collectors: collectors.map(({ collector }) => collector.config),
      files,
    },
    written: { instance, collectors: collectors.map(({ written }) => written) },
  };
}

function readCollector(
  file: string,
  document: ConfigDocument,
  faults: ConfigFault[],
): { collector: LoadedCollector; written: CollectorFile } | undefined {
  const checked = checkDocument(file, document, { kind: "collector", schema: collectorSchema });
  if (!checked.ok) {
    faults.push(...checked.faults);
    return undefined;
  }
  const config = resolveCollector(checked.values, basename(file, extname(file)));
  if (!COLLECTOR_NAME.test(config.name)) {
    const message = `is missing, and "${config.name}", from the file's name, cannot stand in; write name: with ${COLLECTOR_NAME_TITLE}`;
    const { line, column } = document.keyAt([]);
    faults.push({ file, line, column, key: "name", message });
    return undefined;
  }
  return { collector: { file, document, config }, written: { ...checked.values, name: config.name } };
}

/** What a file of any name is: its keys tell; a collector when they do not. */
function kindOf({ values }: ConfigDocument): ConfigFileKind {
  const keys = typeof values === "object" && values !== null ? Object.keys(values) : [];
  const has = (kind: ConfigFileKind) => keys.some((key) => allowedKeys(JSON_SCHEMAS[kind]).includes(key));
  return has("instance") && !has("collector") ? "instance" : "collector";
}
