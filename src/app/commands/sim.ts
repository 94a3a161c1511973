// `tickwell sim`: the simulated exchanges by themselves, for other people's clients and for trying things out. Runs until it
// is stopped.
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import type { Command } from "commander";
import { parseFaultPlan, FaultPlanError, type FaultPlan } from "../../../simulator/fault-plan.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import type { SimulatedVenue } from "../../../simulator/simulated-venue.js";
import { isVenueName, VENUE_NAMES, type VenueName } from "../../../simulator/venue-name.js";
import { systemClock } from "../../core/clock.js";
import { TickwellError } from "../../core/fault.js";
import { readInteger, usageError } from "../arguments.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";

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
    .description(
      "run the simulated exchanges by themselves: the REST and WebSocket protocols of Binance and OKX, offline",
    )
    .option("--exchange <names>", "which exchanges, with commas between", VENUE_NAMES.join(","))
    .option("--port <port>", "where it listens on 127.0.0.1; 0 takes a free one", DEFAULT_PORT)
    .option("--seed <number>", "another seed is another market", "1")
    .option("--faults <file>", "a JSON plan of what goes wrong (docs/simulator.md)")
    .action(async (_options: unknown, command: Command) => {
      await runSim(command.optsWithGlobals<SimOptions>(), context);
    });
}

async function runSim(options: SimOptions, { stdout, stderr, signal }: CommandContext): Promise<void> {
  const exchanges = readExchanges(options.exchange);
  const port = readInteger("--port", options.port, { min: 0, max: 65_535 });
  const seed = readInteger("--seed", options.seed, { min: 0, max: 2 ** 31 - 1 });
  const faults = options.faults === undefined ? undefined : await readPlan(options.faults, signal);
  const exchange = await start({ exchanges, port, seed, faults });
  try {
    if (options.json === true) stdout(`${JSON.stringify({ url: exchange.url, seed })}\n`);
    else stdout(describe(exchange, faults));
    stderr("Runs until Ctrl-C.\n");
    if (!signal.aborted) await once(signal, "abort");
  } finally {
    await exchange.close();
  }
}

function readExchanges(text: string): readonly VenueName[] {
  return text.split(",").map((part) => {
    const name = part.trim();
    if (isVenueName(name)) return name;
    throw usageError(
      `--exchange: found "${name}", expected some of ${VENUE_NAMES.join(", ")}; no other exchange is simulated`,
    );
  });
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
  exchanges,
  port,
  seed,
  faults,
}: {
  exchanges: readonly VenueName[];
  port: number;
  seed: number;
  faults: FaultPlan | undefined;
}): Promise<SimulatedExchange> {
  try {
    return await startSimulatedExchange({
      exchanges,
      port,
      seed,
      clock: systemClock,
      ...(faults ? { faults } : {}),
    });
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

/** What each venue is called, what to ask it first, and how ccxt is pointed at it. */
const ABOUT = {
  binance: {
    title: "Binance spot",
    path: "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5",
    ccxt: (url) =>
      `new ccxt.binance({ options: { fetchMarkets: { types: ["spot"] } } }); exchange.urls.api.public = "${url}/api/v3"`,
  },
  binanceusdm: {
    title: "Binance USDⓈ-M futures",
    path: "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=5",
    ccxt: (url) => `new ccxt.binanceusdm(); exchange.urls.api.fapiPublic = "${url}/fapi/v1"`,
  },
  okx: {
    title: "OKX",
    path: "/api/v5/market/candles?instId=BTC-USDT&bar=1m&limit=5",
    ccxt: (url) => `new ccxt.okx(); exchange.urls.api.rest = "${url}"`,
  },
} as const satisfies Record<VenueName, { title: string; path: string; ccxt: (url: string) => string }>;

function describe(exchange: SimulatedExchange, faults: FaultPlan | undefined): string {
  const { url, seed, exchanges } = exchange;
  const planned = faults?.faults.length ?? 0;
  const titles = exchanges.map((name) => ABOUT[name].title).join(", ");
  return `Simulated at ${url}: ${titles}
  seed ${seed}, markets since 2020, ${planned === 0 ? "no faults" : `${planned} planned ${planned === 1 ? "fault" : "faults"}`}

${exchanges.map((name) => describeVenue(exchange.venue(name), url)).join("\n")}
What is right: curl '${url}/sim/truth?exchange=${exchanges[0] ?? ""}&symbol=${encodeURIComponent(exchange.symbols[0] ?? "")}&interval=1m&startTime=2024-01-01T00:00:00Z&endTime=2024-01-01T00:05:00Z'
What struck so far: ${url}/sim/faults, what was asked: ${url}/sim/requests
`;
}

function describeVenue({ name, symbols }: SimulatedVenue, url: string): string {
  const { title, path, ccxt } = ABOUT[name];
  return `${title}, ${symbols.length} markets
  curl '${url}${path}'
  in a collector's config: exchange: { name: ${name}, rest_url: "${url}", ws_url: "${url.replace("http", "ws")}" }
  with ccxt: const exchange = ${ccxt(url)};
`;
}
