// What a config may say already and this version does not do: said before anything starts, not left out in silence.
import type { TickwellConfig } from "./config-types.js";
import { hasStreams } from "./has-streams.js";

/** One sentence for each such setting: the key, what was found, and what to set instead. */
export function unavailableSettings({ collectors }: TickwellConfig): readonly string[] {
  const sentences: string[] = [];
  for (const { name, exchange, symbols } of collectors) {
    if (hasStreams(exchange)) continue;
    for (const { symbol, channels } of symbols) {
      const live = channels.filter((channel) => channel !== "candles").join(", ");
      if (live !== "")
        sentences.push(
          `${name}: ${symbol}: channels: ${live} need streams, and exchange.rest_url names another host without its streams; set exchange.ws_url too`,
        );
    }
  }
  return sentences;
}
