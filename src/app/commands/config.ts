// `tickwell config check | show | schema`: is the configuration right, what does it come to, what may be written.
import type { Command } from "commander";
import { stringify } from "yaml";
import { formatDuration } from "../../core/duration.js";
import { formatMarketName } from "../../core/model/market.js";
import { formatTime } from "../../core/time.js";
import { EXIT, type CommandContext } from "../command-context.js";
import { configError, type ConfigFault } from "../config-fault.js";
import { inspectConfig, type ConfigInspection } from "../config-file.js";
import { editorSchema, type ConfigFileKind } from "../config-json-schema.js";
import { maskText } from "../../core/mask-text.js";
import { maskSecrets } from "../config-secrets.js";
import type { HistorySince, TickwellConfig } from "../config-types.js";
import { unavailableSettings } from "../unavailable.js";

/** The program's options that matter here. */
interface GlobalOptions {
  readonly config?: string | readonly string[];
  readonly json?: boolean;
}

/** Adds `config` and its three subcommands to the program. */
export function addConfigCommand(program: Command, context: CommandContext): void {
  const config = program.command("config").description("check, show and describe the configuration");

  config
    .command("check")
    .description("check all config files and print what they come to")
    .action(async (_options: unknown, command: Command) => {
      await checkConfig(command.optsWithGlobals<GlobalOptions>(), context);
    });

  config
    .command("show")
    .description("print the whole configuration, defaults filled in, secrets masked")
    .action(async (_options: unknown, command: Command) => {
      await showConfig(command.optsWithGlobals<GlobalOptions>(), context);
    });

  config
    .command("schema")
    .description("print the JSON Schema of a config file, for editors")
    .argument("[kind]", "instance (tickwell.yml) or collector (collector/*.yml)", parseKind, "collector")
    .action((kind: ConfigFileKind) => {
      context.stdout(formatSchema(kind));
    });
}

/** The text of a schema file as it is shipped beside the configs. */
export function formatSchema(kind: ConfigFileKind): string {
  return `${JSON.stringify(editorSchema(kind), undefined, 2)}\n`;
}

function parseKind(text: string): ConfigFileKind {
  if (text === "instance" || text === "collector") return text;
  const message = `found ${JSON.stringify(text)}; expected instance (tickwell.yml) or collector (collector/*.yml)`;
  throw configError([{ file: "config schema", line: undefined, column: undefined, key: "", message }]);
}

async function checkConfig(options: GlobalOptions, context: CommandContext): Promise<void> {
  const inspection = await inspectConfig(options.config);
  const { faults, files, config } = inspection;
  if (options.json === true) {
    const result = {
      ok: faults.length === 0,
      files,
      faults,
      plan: faults.length === 0 ? planOf(config) : undefined,
      unavailable: faults.length === 0 ? unavailableSettings(config) : [],
    };
    context.stdout(`${JSON.stringify(result)}\n`);
  } else {
    context.stdout(describeFiles(inspection));
    if (faults.length === 0) context.stdout(`\n${describePlan(config)}`);
  }
  if (faults.length > 0) throw configError(faults);
  const unavailable = unavailableSettings(config);
  for (const sentence of unavailable) context.stderr(`start would refuse: ${sentence}\n`);
  if (unavailable.length > 0) context.setExitStatus(EXIT.usage);
}

async function showConfig(options: GlobalOptions, context: CommandContext): Promise<void> {
  const { faults, written } = await inspectConfig(options.config);
  if (faults.length > 0) throw configError(faults);
  const collectors = written.collectors.map(({ name, ...collector }) => ({ name, ...collector }));
  const shown = maskSecrets({ instance: written.instance, collectors });
  context.stdout(options.json === true ? `${JSON.stringify(shown)}\n` : stringify(shown));
}

function describeFiles({ files, faults }: ConfigInspection): string {
  const read = [...(files.instance === undefined ? [] : [files.instance]), ...files.collectors];
  const lines = read.map((file) => `${file}: ${describeFile(file, faults)}`);
  if (files.instance === undefined && read.length > 0)
    lines.push("no tickwell.yml: every instance setting is its default");
  for (const file of files.env) lines.push(`${file}: read for variables`);
  for (const file of files.notRead)
    lines.push(`${file}: not read, it is neither tickwell.yml nor in collector/`);
  return lines.map((line) => `${line}\n`).join("");
}

function describeFile(file: string, faults: readonly ConfigFault[]): string {
  const count = faults.filter((fault) => fault.file === file).length;
  return count === 0 ? "ok" : count === 1 ? "1 mistake" : `${count} mistakes`;
}

/** What would be done, in short: for scripts. */
function planOf({ instance, collectors }: TickwellConfig) {
  return {
    storage: maskText(instance.storage.url),
    stage: instance.stage.kind,
    collectors: collectors.map(({ name, exchange, symbols, mode }) => ({
      name,
      markets: symbols.map(({ symbol, timeframes, channels }) => ({
        market: formatMarketName({ exchange: exchange.name, symbol }),
        timeframes,
        channels,
      })),
      since: describeSince(mode.history.since),
      live: mode.live,
    })),
  };
}

/** What would be done, in short: for people. */
function describePlan(config: TickwellConfig): string {
  const { storage, stage, collectors } = planOf(config);
  const lines = [`storage ${storage}, stage ${stage}`];
  if (collectors.length === 0) lines.push("no collectors: there is nothing to collect");
  for (const { name, markets, since, live } of collectors) {
    lines.push(
      `${name}: ${since === undefined ? "no history" : `history since ${since}`}, ${live ? "then live" : "not live"}`,
    );
    for (const { market, timeframes, channels } of markets) {
      const words = channels.map((channel) =>
        channel === "candles" ? `candles ${timeframes.join(" ")}` : channel,
      );
      lines.push(`  ${market}  ${words.join(", ")}`);
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

function describeSince(since: HistorySince | undefined): string | undefined {
  if (since === undefined) return undefined;
  return since.kind === "at"
    ? formatTime(since.timeMs)
    : `${formatDuration(since.durationMs)} before the start`;
}
