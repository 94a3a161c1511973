// The command line: every command and the options all of them know.
import { Command, CommanderError } from "commander";
import type { CommandContext } from "./command-context.js";
import { addBackfillCommand } from "./commands/backfill.js";
import { addConfigCommand } from "./commands/config.js";
import { addDemoCommand } from "./commands/demo.js";
import { addDoctorCommand } from "./commands/doctor.js";
import { addErrorsCommand } from "./commands/errors.js";
import { addExportCommand } from "./commands/export.js";
import { addGapsCommand } from "./commands/gaps.js";
import { addImportCommand } from "./commands/import.js";
import { addMigrateCommand } from "./commands/migrate.js";
import { addQualityCommand } from "./commands/quality.js";
import { addQueryCommand } from "./commands/query.js";
import { addReplayCommand } from "./commands/replay.js";
import { addSimCommand } from "./commands/sim.js";
import { addStartCommand } from "./commands/start.js";
import { addStatusCommand } from "./commands/status.js";
import { addTasksCommand } from "./commands/tasks.js";
import { LOG_LEVELS } from "../core/log.js";
import { usageError } from "./arguments.js";
import { VERSION } from "./version.js";

const COMMANDS = [
  addDemoCommand,
  addStartCommand,
  addBackfillCommand,
  addGapsCommand,
  addTasksCommand,
  addQualityCommand,
  addErrorsCommand,
  addImportCommand,
  addExportCommand,
  addQueryCommand,
  addStatusCommand,
  addDoctorCommand,
  addMigrateCommand,
  addConfigCommand,
  addSimCommand,
  addReplayCommand,
] as const;

/** The program, ready to parse. It throws instead of exiting: CommanderError for help and bad usage. */
export function createProgram(context: CommandContext): Command {
  const program = new Command("tickwell")
    .description(
      "Collects crypto market data and proves that it is complete: nothing is ever silently missing.",
    )
    .version(VERSION)
    .option(
      "-c, --config <path>",
      "a folder of configs or a single file; may be repeated (default: ./configs)",
      collect,
    )
    .option("--data-dir <path>", "where the embedded database lives", "./data")
    .option("--log-level <level>", LOG_LEVELS.join(", "), readLogLevel)
    .option("--json", "results as JSON on stdout")
    .option("--no-color", "no colours")
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError("(see tickwell --help)")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: context.stdout, writeErr: context.stderr });
  for (const add of COMMANDS) add(program, context);
  // Options and output are inherited only by commands made after they were set; exitOverride not at all.
  for (const command of program.commands) inherit(command, program);
  return program;
}

function inherit(command: Command, parent: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
}

/** True for what commander throws after it has printed help or the version. */
export function isHelp(error: unknown): boolean {
  return error instanceof CommanderError && error.exitCode === 0;
}

function collect(path: string, paths: readonly string[] = []): readonly string[] {
  return [...paths, path];
}

function readLogLevel(text: string): string {
  if ((LOG_LEVELS as readonly string[]).includes(text)) return text;
  throw usageError(`--log-level: found "${text}", expected one of ${LOG_LEVELS.join(", ")}`);
}
