// Exchanges and their markets.
import { formatMarketName } from "../../core/model/market.js";
import { formatTime } from "../../core/time.js";
import type { StoredMarket } from "../../store/store.js";
import type { ExchangeInfo, Market } from "../contract.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { derivedTimeframes } from "../derived-timeframes.js";
import { document } from "../reply.js";
import { pageSize, type Route } from "./call.js";

export const exchanges: Route<"exchanges"> = async ({ store, directory, clock }) => {
  const markets = await directory.all();
  const nowMs = clock.nowMs();
  const { bans } = await store.api.databaseState({ sinceMs: nowMs, nowMs });
  const names = [...new Set(markets.map(({ exchange }) => exchange))].sort();
  const data = names.map((name): ExchangeInfo => {
    const own = markets.filter(({ exchange }) => exchange === name);
    // A ban is of a host, whose name holds that of the exchange: api.binance.com, fapi.binance.com, www.okx.com.
    const ban = bans.find(({ host }) => host.includes(name.replace(/usdm$/, "")));
    return {
      name,
      markets: own.length,
      active_markets: own.filter(({ isActive }) => isActive).length,
      is_simulated: own.some(({ isSimulated }) => isSimulated),
      ban: ban ? { host: ban.host, until: formatTime(ban.untilMs), reason: ban.reason } : null,
    };
  });
  return document({ data, next_cursor: null });
};

export const markets: Route<"markets"> = async ({ directory, board, query }) => {
  const limit = pageSize(query.limit);
  const chosen = query.market === undefined ? await directory.all() : await directory.findAll(query.market);
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, ["string"] as const)[0];
  const rest = chosen
    .filter(({ exchange }) => query.exchange === undefined || exchange === query.exchange)
    .map((market) => ({ market, name: formatMarketName(market) }))
    .sort((a, b) => compare(a.name, b.name))
    .filter(({ name }) => after === undefined || compare(name, after) > 0);
  const page = rest.slice(0, limit);
  const data = await Promise.all(
    page.map(async ({ market, name }): Promise<Market> => {
      const series = await board.series(market.id);
      return {
        market: name,
        ...describe(market),
        series,
        derived_timeframes: derivedTimeframes(series),
        summary: query.include === "summary" ? await board.summary(market.id) : null,
      };
    }),
  );
  const last = page.at(-1);
  return document({ data, next_cursor: last && rest.length > limit ? encodeCursor([last.name]) : null });
};

function describe(
  market: StoredMarket,
): Omit<Market, "market" | "series" | "derived_timeframes" | "summary"> {
  return {
    exchange: market.exchange,
    symbol: market.symbol,
    native_symbol: market.nativeSymbol,
    base_asset: market.baseAsset,
    quote_asset: market.quoteAsset,
    market_type: market.marketType,
    is_active: market.isActive,
    is_simulated: market.isSimulated,
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
