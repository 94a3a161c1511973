// The venues that publish bulk files, by name.
import { systemClock } from "../core/clock.js";
import { systemRandom } from "../core/random.js";
import type { CandleArchive } from "./archive.js";
import { BinanceArchive, type BinanceArchiveOptions } from "./binance/archive.js";
import { REQUEST_DEFAULTS } from "./registry.js";

/** Folder of each exchange at data.binance.vision. */
const BINANCE_FOLDERS = { binance: "spot", binanceusdm: "futures/um" } as const;

/** The archive of an exchange, by ccxt's id; undefined where there is none. */
export function createArchive(
  exchange: string,
  options: Partial<Omit<BinanceArchiveOptions, "folder">> = {},
): CandleArchive | undefined {
  if (exchange !== "binance" && exchange !== "binanceusdm") return undefined;
  return new BinanceArchive({
    timeoutMs: 60_000, // a day's file has some 100 kB; a slow line gets it in a minute
    retry: REQUEST_DEFAULTS.retry,
    clock: systemClock,
    random: systemRandom,
    folder: BINANCE_FOLDERS[exchange],
    ...options,
  });
}
