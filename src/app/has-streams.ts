// Whether a collector may follow streams.
import type { ExchangeConfig } from "./config-types.js";

/** False where only the REST host is another one: streams of the public host beside it would be two exchanges in one market. */
export function hasStreams({ restUrl, wsUrl }: Pick<ExchangeConfig, "restUrl" | "wsUrl">): boolean {
  return restUrl === undefined || wsUrl !== undefined;
}
