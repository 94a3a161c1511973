// OKX's streams on the simulator's port: /ws/v5/public and /ws/v5/business.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { StreamVenue } from "../ws/gateway.js";
import type { OkxPath } from "./stream-channels.js";
import { OkxSession } from "./stream-session.js";

const ATTEMPTS = { max: 3, windowMs: 1_000 };
const NO_LIMIT = { max: Infinity, windowMs: 1 };
const PATHS: ReadonlyMap<string, OkxPath> = new Map([
  ["/ws/v5/public", "public"],
  ["/ws/v5/business", "business"],
]);

export function okxStreams(options: {
  markets: readonly SimulatedMarket[];
  injector: FaultInjector;
  checksums: boolean;
  isLimited: boolean;
  nowMs: () => number;
}): StreamVenue {
  return {
    name: "okx",
    attempts: options.isLimited ? ATTEMPTS : NO_LIMIT,
    lifetimeMs: Infinity,
    isCompressed: true,
    nowMs: options.nowMs,
    pathOf: ({ pathname }) => (PATHS.has(pathname) ? pathname : undefined),
    openSession(url, connection) {
      const path = PATHS.get(url.pathname);
      if (path === undefined) throw new Error(`assertion: ${url.pathname} was to be checked before`);
      return new OkxSession({ ...options, connection, path });
    },
  };
}
