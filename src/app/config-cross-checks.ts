// What only shows when all files are seen together: names given twice, and data that two collectors would both fetch.
import type { ConfigDocument } from "./config-document.js";
import { formatKeyPath, type ConfigFault, type KeyPath } from "./config-fault.js";
import type { CollectorConfig } from "./config-types.js";

/** A collector with the file it came from. */
export interface LoadedCollector {
  readonly file: string;
  readonly document: ConfigDocument;
  readonly config: CollectorConfig;
}

interface Claim {
  readonly file: string;
  readonly line: number;
}

/** Faults between collectors; the later one of two is blamed, in the order given. */
export function crossCheck(collectors: readonly LoadedCollector[]): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const claims = new Map<string, Claim>();

  function claim(what: string, { file, document }: LoadedCollector, path: KeyPath, remedy: string): void {
    const { line, column } = document.valueAt(path) ?? document.keyAt(path);
    const first = claims.get(what);
    if (first) {
      const message = `${what} is given twice, first in ${first.file}:${first.line}; ${remedy}`;
      faults.push({ file, line, column, key: formatKeyPath(path), message });
    } else {
      claims.set(what, { file, line });
    }
  }

  for (const collector of collectors) {
    const { name, exchange, symbols } = collector.config;
    claim(`the collector name ${name}`, collector, ["name"], "give each collector a name of its own");
    symbols.forEach(({ symbol, timeframes, channels }, at) => {
      const market = `${exchange.name}:${symbol}`;
      // Two collectors of the same data would fetch it twice and correct each other forever.
      const remedy = "let one collector have it";
      channels.forEach((channel, channelAt) => {
        if (channel === "candles") return;
        claim(`${market} ${channel}`, collector, ["symbols", at, "channels", channelAt], remedy);
      });
      if (!channels.includes("candles")) return;
      timeframes.forEach((timeframe, timeframeAt) => {
        claim(`${market} ${timeframe}`, collector, ["symbols", at, "timeframes", timeframeAt], remedy);
      });
    });
  }
  return faults;
}
