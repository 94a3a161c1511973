// What a config may say already and this version does not do: said before anything starts, not left out in silence.
import type { TickwellConfig } from "./config-types.js";

/** One sentence for each such setting: the key, what was found, and what to set instead. */
export function unavailableSettings({ instance, collectors }: TickwellConfig): readonly string[] {
  const sentences: string[] = [];
  const refuse = (key: string, found: string, remedy: string): void => {
    sentences.push(`${key}: ${found} is not available in this version; ${remedy}`);
  };
  if (instance.stage.kind !== "memory") refuse("stage.kind", instance.stage.kind, "set it to memory");
  if (instance.capture.enabled) refuse("capture.enabled", "true", "set it to false");
  for (const { name, symbols } of collectors) {
    for (const { symbol, channels } of symbols) {
      const missing = channels.filter((channel) => channel !== "candles").join(", ");
      if (missing !== "") refuse(`${name}: ${symbol}: channels`, missing, "leave candles");
    }
  }
  return sentences;
}
