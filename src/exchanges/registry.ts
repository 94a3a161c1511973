// The venues by name.
import { systemClock } from "../core/clock.js";
import { TickwellError } from "../core/fault.js";
import { silentLog } from "../core/log.js";
import { didYouMean } from "../core/nearest-name.js";
import { transientBanMemory } from "../core/net/ban-memory.js";
import { systemRandom } from "../core/random.js";
import { createBinance } from "./binance/index.js";
import { createBinanceUsdm } from "./binance/usdm.js";
import type { Exchange, ExchangeOptions } from "./exchange.js";
import { createOkx } from "./okx/index.js";

const FACTORIES = {
  binance: createBinance,
  binanceusdm: createBinanceUsdm,
  okx: createOkx,
} as const satisfies Record<string, (options: ExchangeOptions) => Exchange>;

export type ExchangeName = keyof typeof FACTORIES;

/** The exchanges that can be asked, by ccxt's ids. */
export const EXCHANGES = Object.keys(FACTORIES) as readonly ExchangeName[];

/** What a request is given unless the caller says otherwise. */
export const REQUEST_DEFAULTS = {
  timeoutMs: 10_000, // Binance's own backend gives up after 10 s
  rateLimitShare: 0.5, // the rest is for whatever else runs on this IP
  retry: { attempts: 5, baseDelayMs: 500, maxDelayMs: 60_000 }, // rides out some ten seconds; longer is a cycle's matter
} as const;

export function isExchangeName(name: string): name is ExchangeName {
  return Object.hasOwn(FACTORIES, name);
}

/** For a name that is none of {@link EXCHANGES}: suggests one that is near. */
export function unknownExchange(name: string): TickwellError {
  return new TickwellError(
    { kind: "config" },
    `unknown exchange "${name}"${didYouMean(name, EXCHANGES)} known: ${EXCHANGES.join(", ")}`,
  );
}

/**
 * A venue by its ccxt id. What is left out of `options` is the machine's own clock and chance, a ban memory that ends
 * with the process, silence, and {@link REQUEST_DEFAULTS}.
 * @throws TickwellError `config` for an unknown name
 */
export function createExchange(name: string, options: Partial<ExchangeOptions> = {}): Exchange {
  if (!isExchangeName(name)) throw unknownExchange(name);
  return FACTORIES[name]({
    ...REQUEST_DEFAULTS,
    clock: systemClock,
    random: systemRandom,
    bans: transientBanMemory(),
    log: silentLog,
    ...options,
  });
}
