// Binance's streams on the simulator's port. Spot: /stream and /ws. USDⓈ-M: the same under /public and /market; the two
// legacy paths are its own where spot is not served, and say nothing.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { StreamVenue } from "../ws/gateway.js";
import { BinanceSession, FUTURES_RULES, SPOT_RULES } from "./stream-session.js";

const DAY_MS = 86_400_000;
const ATTEMPTS = { max: 300, windowMs: 300_000 };
const PATH = /^(?:\/(public|market))?(\/stream|\/ws)(?:\/(.*))?$/;

export function binanceStreams(options: {
  name: "binance" | "binanceusdm";
  markets: readonly SimulatedMarket[];
  injector: FaultInjector;
  nowMs: () => number;
}): StreamVenue {
  const { name, markets, injector, nowMs } = options;
  const isSpot = name === "binance";
  return {
    name,
    attempts: ATTEMPTS,
    lifetimeMs: DAY_MS,
    isCompressed: false,
    nowMs,
    pathOf(url) {
      const [path, category = "", form = ""] = PATH.exec(url.pathname) ?? [];
      if (path === undefined || (isSpot && category !== "")) return undefined;
      return category === "" ? form : `/${category}${form}`;
    },
    openSession(url, connection) {
      const [, category, form, rest = ""] = PATH.exec(url.pathname) ?? [];
      const isCombined = form === "/stream";
      const named = isCombined ? (url.searchParams.get("streams") ?? "") : decoded(rest);
      const session = new BinanceSession({
        connection,
        markets,
        injector,
        isSpot,
        isCombined,
        rules: isSpot ? SPOT_RULES : FUTURES_RULES,
        category: isSpot ? "any" : category === "public" || category === "market" ? category : undefined,
        inMicroseconds: isSpot && url.searchParams.get("timeUnit")?.toUpperCase() === "MICROSECOND",
        streams: named.split("/").filter((each) => each !== ""),
      });
      session.start();
      return session;
    },
  };
}

/** Symbols may be of any script; text that is no encoding of one is the name of a stream that does not exist. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
