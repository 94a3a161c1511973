// The connections a collector will open, in words: how its streams are spread over them, and within which limits.
import type { MarketInfo } from "../core/model/market.js";
import { formatDuration } from "../core/duration.js";
import type { LiveChannel, LiveDialect } from "../exchanges/live.js";
import { planConnections } from "../pipeline/feed/live/connection-plan.js";
import type { CollectorConfig } from "./config-types.js";
import { formatCount } from "./table.js";

/** The streams of a collector: by market its candles, trades and book. Symbols the exchange does not list have none. */
export function channelsOf(config: CollectorConfig, listed: readonly MarketInfo[]): LiveChannel[] {
  return config.symbols.flatMap(({ symbol, timeframes, channels }) => {
    const market = listed.find((each) => each.symbol === symbol);
    if (market === undefined) return [];
    const { nativeSymbol, contractSize } = market;
    const candles = channels.includes("candles") ? timeframes : [];
    return [
      ...candles.map((timeframe): LiveChannel => ({
        kind: "candles",
        nativeSymbol,
        timeframe,
        contractSize,
      })),
      ...(channels.includes("trades") ? [{ kind: "trades" as const, nativeSymbol, contractSize }] : []),
      ...(channels.includes("book") ? [{ kind: "book" as const, nativeSymbol, contractSize }] : []),
    ];
  });
}

/** `2 connections: /stream with 1,024 and 376 of at most 1,024 streams; opened within 300 attempts in 5 min` */
export function describePlan(dialect: LiveDialect, channels: readonly LiveChannel[]): string {
  const { topicsPerConnection, connects, lifetimeMs } = dialect.limits;
  const planned = planConnections(dialect, channels);
  const byPath = new Map<string, number[]>();
  for (const { path, channels: own } of planned) byPath.set(path, [...(byPath.get(path) ?? []), own.length]);
  const paths = [...byPath].map(([path, counts]) => {
    const shown = counts.length <= PATH_COUNTS_MAX ? counts.map(formatCount).join(", ") : spanOf(counts);
    return `${path.split("?")[0] ?? path} with ${shown} of at most ${formatCount(topicsPerConnection)} streams`;
  });
  const renewed =
    lifetimeMs === undefined ? "" : `, renewed before they are ${formatDuration(lifetimeMs)} old`;
  return `${planned.length} ${planned.length === 1 ? "connection" : "connections"}: ${paths.join("; ")}; at most ${formatCount(connects.count)} attempts in ${formatDuration(connects.perMs)}${renewed}`;
}

const PATH_COUNTS_MAX = 4;

function spanOf(counts: readonly number[]): string {
  return `${formatCount(Math.min(...counts))} to ${formatCount(Math.max(...counts))} on ${counts.length}`;
}
