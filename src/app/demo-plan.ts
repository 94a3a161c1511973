// The demo's script: which markets there are and what goes wrong with them, at times that fit the duration.
import { formatTime } from "../core/time.js";
import type { ExchangeName } from "../exchanges/registry.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";

/** By exchange. */
export const DEMO_MARKETS = {
  binance: ["BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT", "XRP/USDT", "DOGE/USDT"],
  okx: ["BTC/USDT", "ETH/USDT", "BTC/USDT:USDT"],
} as const satisfies Partial<Record<ExchangeName, readonly string[]>>;

/** Those whose trades and order books are followed as well. */
export const DEMO_LIVE_MARKETS: Readonly<Record<string, readonly string[]>> = {
  binance: ["BTC/USDT", "ETH/USDT"],
  okx: ["BTC/USDT", "BTC/USDT:USDT"],
};

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * @param startMs simulated time at which the demo begins, on a minute; a week of history lies before it
 * @param liveMs simulated time the demo lasts
 */
export function demoFaults({ startMs, liveMs }: { startMs: number; liveMs: number }): FaultPlanInput {
  const at = (agoMs: number): string => formatTime(startMs - agoMs);
  const live = (share: number): string =>
    formatTime(startMs + Math.floor((liveMs * share) / MINUTE_MS) * MINUTE_MS);
  return {
    faults: [
      // What the exchange never had: no answer will ever hold it.
      { kind: "outage", from: at(50 * HOUR_MS), to: at(50 * HOUR_MS - 47 * MINUTE_MS) },
      // What it leaves out of its first answer and has when asked again.
      { kind: "late", symbols: ["ETH/USDT"], from: at(30 * HOUR_MS), to: at(30 * HOUR_MS - 20 * MINUTE_MS) },
      { kind: "late", symbols: ["SOL/USDT"], from: at(77 * HOUR_MS), to: at(77 * HOUR_MS - 3 * MINUTE_MS) },
      // Rows that cannot be right: kept in quarantine, asked for again.
      {
        kind: "lying_rows",
        how: "high_below_low",
        symbols: ["XRP/USDT"],
        from: at(20 * HOUR_MS),
        to: at(20 * HOUR_MS - 4 * MINUTE_MS),
      },
      {
        kind: "lying_rows",
        how: "nan",
        symbols: ["DOGE/USDT"],
        from: at(100 * HOUR_MS),
        to: at(100 * HOUR_MS - MINUTE_MS),
      },
      // Answers that fail; the request is repeated.
      { kind: "http_429", endpoint: "klines", nth: 9, retry_after: 2 },
      { kind: "http_5xx", endpoint: "klines", nth: 17, count: 2 },
      { kind: "truncated", endpoint: "klines", nth: 25 },
      { kind: "wrong_json", endpoint: "klines", nth: 33, body: "html" },
      { kind: "disconnect", endpoint: "klines", nth: 41 },
      // OKX refuses with HTTP 200.
      { kind: "code_200", exchange: "okx", endpoint: "history-candles", nth: 20, code: "50011" },
      // What really happened and looks odd: flagged, and half a point off the score.
      {
        kind: "price_jump",
        symbols: ["SOL/USDT"],
        from: at(9 * HOUR_MS),
        to: at(9 * HOUR_MS - MINUTE_MS),
        factor: 1.2,
      },
      // A closed candle that the exchange corrects afterwards.
      { kind: "revised", symbols: ["BTC/USDT"], from: live(0.7), to: live(0.8) },
      // Streams that leave something out, and one that breaks.
      { kind: "ws_drop", channel: "trades", probability: 0.01 },
      { kind: "ws_drop", channel: "orderbook", probability: 0.0005 },
      { kind: "ws_duplicate", channel: "trades", probability: 0.01 },
      { kind: "ws_disconnect", clock_from: live(0.3), nth: 1, count: 2 },
      // The exchange cannot be reached at all for a while.
      { kind: "disconnect", clock_from: live(0.4), clock_to: live(0.6) },
    ],
  };
}
