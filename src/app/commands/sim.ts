// `tickwell sim`: the simulated exchange by itself, for other people's clients and for trying things out. Runs until it
// is stopped.
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import type { Command } from "commander";
import { parseFaultPlan, FaultPlanError, type FaultPlan } from "../../../simulator/fault-plan.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { systemClock } from "../../core/clock.js";
import { TickwellError } from "../../core/fault.js";
import { readInteger, usageError } from "../arguments.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";

const SIMULATED = ["binance"] as const;
const DEFAULT_PORT = "7378";

interface SimOptions extends GlobalOptions {
  readonly exchange: string;
  readonly port: string;
  readonly seed: string;
  readonly faults?: string;
}

/** Adds `sim` to the program. */
export function addSimCommand(program: Command, context: CommandContext): void {
  program
    .command("sim")
    .description("run the simulated exchange by itself: Binance spot's REST protocol, offline")
    .option("--exchange <names>", `which exchange: ${SIMULATED.join(", ")}`, SIMULATED[0])
    .option("--port <port>", "where it listens on 127.0.0.1; 0 takes a free one", DEFAULT_PORT)
    .option("--seed <number>", "another seed is another market", "1")
    .option("--faults <file>", "a JSON plan of what goes wrong (docs/simulator.md)")
    .action(async (_options: unknown, command: Command) => {
      await runSim(command.optsWithGlobals<SimOptions>(), context);
    });
}

async function runSim(options: SimOptions, { stdout, stderr, signal }: CommandContext): Promise<void> {
  checkExchange(options.exchange);
  const port = readInteger("--port", options.port, { min: 0, max: 65_535 });
  const seed = readInteger("--seed", options.seed, { min: 0, max: 2 ** 31 - 1 });
  const faults = options.faults === undefined ? undefined : await readPlan(options.faults, signal);
  const exchange = await start({ port, seed, faults });
  try {
    if (options.json === true) stdout(`${JSON.stringify({ url: exchange.url, seed })}\n`);
    else stdout(describe(exchange, faults));
    stderr("Runs until Ctrl-C.\n");
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    await exchange.close();
  }
}

function checkExchange(names: string): void {
  const other = names.split(",").find((name) => !(SIMULATED as readonly string[]).includes(name.trim()));
  if (other === undefined) return;
  throw usageError(
    `--exchange: found "${other}", expected ${SIMULATED.join(", ")}; no other exchange is simulated yet`,
  );
}

async function readPlan(file: string, signal: AbortSignal): Promise<FaultPlan> {
  const text = await readFile(file, { encoding: "utf8", signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new TickwellError(
      { kind: "config" },
      `--faults: ${file} cannot be read; expected a JSON file such as {"faults": []}`,
      {
        cause: error,
      },
    );
  });
  try {
    return parseFaultPlan(JSON.parse(text) as unknown);
  } catch (error) {
    if (error instanceof FaultPlanError || error instanceof SyntaxError) {
      throw new TickwellError({ kind: "config" }, `--faults ${file}: ${error.message}`);
    }
    throw error;
  }
}

async function start({
  port,
  seed,
  faults,
}: {
  port: number;
  seed: number;
  faults: FaultPlan | undefined;
}): Promise<SimulatedExchange> {
  try {
    return await startSimulatedExchange({ port, seed, clock: systemClock, ...(faults ? { faults } : {}) });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const words =
      code === "EADDRINUSE" ? "is in use" : code === "EACCES" ? "may not be opened by this user" : undefined;
    if (words === undefined) throw error;
    throw new TickwellError(
      { kind: "config" },
      `sim: port ${port} on 127.0.0.1 ${words}; choose another one with --port, or --port 0 for any free one`,
      { cause: error },
    );
  }
}

function describe({ url, seed, symbols }: SimulatedExchange, faults: FaultPlan | undefined): string {
  const planned = faults?.faults.length ?? 0;
  return `Simulated Binance spot at ${url}
  seed ${seed}, ${symbols.length} markets since 2020, ${planned === 0 ? "no faults" : `${planned} planned ${planned === 1 ? "fault" : "faults"}`}

Ask it:
  curl '${url}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5'
  curl '${url}/sim/truth?symbol=BTCUSDT&interval=1m&startTime=2024-01-01T00:00:00Z&endTime=2024-01-01T00:05:00Z'

Collect from it, in a collector's config:
  exchange: { name: binance, rest_url: "${url}" }

With ccxt:
  const exchange = new ccxt.binance({ options: { fetchMarkets: { types: ["spot"] } } });
  exchange.urls.api.public = "${url}/api/v3";

What struck so far: ${url}/sim/faults, what was asked: ${url}/sim/requests
`;
}
