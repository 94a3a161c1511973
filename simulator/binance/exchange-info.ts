// GET /api/v3/ping, /time and /exchangeInfo; ping and time are the same on /fapi/v1.
import { fixedText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { ApiError } from "./api-error.js";
import { findMarket, listedMarkets, type Endpoint, type Venue } from "./endpoint.js";
import type { Parameters } from "./parameters.js";

export const pingAt = (root: string): Endpoint => ({
  path: `${root}/ping`,
  parameters: [],
  weight: () => 1,
  answer: () => ({}),
});

export const timeAt = (root: string): Endpoint => ({
  path: `${root}/time`,
  parameters: [],
  weight: () => 1,
  answer: (_parameters, venue) => ({ serverTime: venue.nowMs }),
});

export const exchangeInfo: Endpoint = {
  path: "/api/v3/exchangeInfo",
  parameters: ["symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"],
  weight: () => 20,
  answer: (parameters, venue) => ({
    timezone: "UTC",
    serverTime: venue.nowMs,
    rateLimits: [
      limit("REQUEST_WEIGHT", "MINUTE", 1, venue.weightPerMinute),
      limit("ORDERS", "SECOND", 10, 100),
      limit("ORDERS", "DAY", 1, 200_000),
      limit("RAW_REQUESTS", "MINUTE", 5, 300_000),
    ],
    exchangeFilters: [],
    symbols: wantedMarkets(parameters, venue).map((market) =>
      writeMarket(market, venue.nowMs, parameters.text("showPermissionSets") !== "false"),
    ),
  }),
};

export function limit(rateLimitType: string, interval: string, intervalNum: number, max: number): object {
  return { rateLimitType, interval, intervalNum, limit: max };
}

/** TRADING while it trades, BREAK once it is suspended. */
export function statusOf(market: SimulatedMarket, nowMs: number): "TRADING" | "BREAK" {
  return market.isTradingAt(nowMs) ? "TRADING" : "BREAK";
}

function wantedMarkets(parameters: Parameters, venue: Venue): readonly SimulatedMarket[] {
  const symbols = parameters.symbols();
  const status = parameters.text("symbolStatus");
  const permissions = parameters.text("permissions");
  if (symbols !== undefined) {
    if (status !== undefined || permissions !== undefined) {
      throw new ApiError(-1128, "Combination of optional parameters invalid.");
    }
    return symbols.map((symbol) => findMarket(venue, symbol));
  }
  if (status !== undefined && !["TRADING", "HALT", "BREAK"].includes(status)) {
    throw new ApiError(-1122, "Invalid symbolStatus.");
  }
  if (permissions !== undefined && !permissions.includes("SPOT")) return [];
  return listedMarkets(venue).filter(
    (market) => status === undefined || statusOf(market, venue.nowMs) === status,
  );
}

function writeMarket(market: SimulatedMarket, nowMs: number, hasPermissionSets: boolean): object {
  const { priceDecimals, qtyDecimals } = market.spec;
  const tick = fixedText(1, priceDecimals);
  const lot = fixedText(1, qtyDecimals);
  return {
    symbol: market.nativeSymbol,
    status: statusOf(market, nowMs),
    baseAsset: market.baseAsset,
    baseAssetPrecision: 8,
    quoteAsset: market.quoteAsset,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    baseCommissionPrecision: 8,
    quoteCommissionPrecision: 8,
    orderTypes: ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"],
    icebergAllowed: true,
    ocoAllowed: true,
    otoAllowed: true,
    quoteOrderQtyMarketAllowed: true,
    allowTrailingStop: true,
    cancelReplaceAllowed: true,
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: [
      { filterType: "PRICE_FILTER", minPrice: tick, maxPrice: "1000000.00000000", tickSize: tick },
      { filterType: "LOT_SIZE", minQty: lot, maxQty: "92141578.00000000", stepSize: lot },
      { filterType: "ICEBERG_PARTS", limit: 10 },
      {
        filterType: "MARKET_LOT_SIZE",
        minQty: "0.00000000",
        maxQty: "100000.00000000",
        stepSize: "0.00000000",
      },
      {
        filterType: "NOTIONAL",
        minNotional: market.quoteAsset === "BTC" ? "0.00010000" : "5.00000000",
        applyMinToMarket: true,
        maxNotional: "9000000.00000000",
        applyMaxToMarket: false,
        avgPriceMins: 5,
      },
      { filterType: "MAX_NUM_ORDERS", maxNumOrders: 200 },
      { filterType: "MAX_NUM_ALGO_ORDERS", maxNumAlgoOrders: 5 },
    ],
    permissions: [],
    ...(hasPermissionSets ? { permissionSets: [["SPOT"]] } : {}),
    defaultSelfTradePreventionMode: "EXPIRE_MAKER",
    allowedSelfTradePreventionModes: ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
  };
}
