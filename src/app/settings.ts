// The configuration as commands need it: whole where there is one, the defaults where a command can do without.
import { existsSync } from "node:fs";
import { didYouMean } from "../core/nearest-name.js";
import type { MarketName } from "../core/model/market.js";
import type { Store } from "../store/store.js";
import { openStore } from "../store/open-store.js";
import { systemClock } from "../core/clock.js";
import { createLog, type Log } from "../core/log.js";
import { EXCHANGES, isExchangeName } from "../exchanges/registry.js";
import { usageError } from "./arguments.js";
import type { CommandContext, GlobalOptions } from "./command-context.js";
import { loadConfig } from "./config-file.js";
import { secretsOf } from "./config-secrets.js";
import { resolveCollector } from "./config-resolve.js";
import { collectorSchema } from "./config-schema.js";
import { DEFAULT_CONFIG_PATH } from "./config-sources.js";
import type { CollectorConfig, TickwellConfig } from "./config-types.js";

/** Reads the config named by `-c`, or `./configs`; without either, the defaults hold. */
export async function loadSettings(options: GlobalOptions): Promise<TickwellConfig> {
  const isNamed = options.config !== undefined && options.config.length > 0;
  if (isNamed) return loadConfig(options.config);
  return loadConfig(existsSync(DEFAULT_CONFIG_PATH) ? DEFAULT_CONFIG_PATH : []);
}

/**
 * The collector that names this market, or else this exchange; the defaults if the config knows neither.
 * @throws TickwellError `config` for an exchange there is no adapter for
 */
export function collectorFor(
  { collectors }: TickwellConfig,
  { exchange, symbol }: MarketName,
): CollectorConfig {
  const ofExchange = collectors.filter((collector) => collector.exchange.name === exchange);
  if (!isExchangeName(exchange)) {
    throw usageError(
      `market: found exchange "${exchange}"${didYouMean(exchange, EXCHANGES)} known: ${EXCHANGES.join(" ")}`,
    );
  }
  return (
    ofExchange.find((collector) => collector.symbols.some((each) => each.symbol === symbol)) ??
    ofExchange[0] ??
    resolveCollector(collectorSchema.parse({ exchange, symbols: [{ symbol: "BTC/USDT" }] }), exchange)
  );
}

/** The log a long-running command writes: as the config says, unless the command line says otherwise. */
export function logFor({ instance }: TickwellConfig, options: GlobalOptions, context: CommandContext): Log {
  if (options.logLevel !== undefined) return context.log;
  const { level, format } = instance.log;
  const isTerminal = process.stderr.isTTY;
  return createLog({
    level,
    isPretty: format === "auto" ? isTerminal : format === "pretty",
    hasColor: isTerminal && options.color,
    secrets: secretsOf(instance),
  });
}

/** Opens the store, runs `work`, closes the store, whatever happens. */
export async function withStore<T>(
  context: CommandContext,
  options: GlobalOptions,
  { url, role }: { url: string; role: "owner" | "reader" },
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { log, signal } = context;
  const store = await openStore(url, { dataDir: options.dataDir, role, clock: systemClock, log, signal });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
