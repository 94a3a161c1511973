// GET /fapi/v1/exchangeInfo: linear perpetuals, with the day they were listed and the day they end.
import { gridText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { listedMarkets, type Endpoint } from "./endpoint.js";
import { limit } from "./exchange-info.js";

/** The end of a perpetual that has none: 2100-12-25. */
const NEVER_MS = 4_133_404_800_000;

export const futuresExchangeInfo: Endpoint = {
  path: "/fapi/v1/exchangeInfo",
  parameters: [],
  weight: () => 1,
  answer: (_parameters, venue) => ({
    timezone: "UTC",
    serverTime: venue.nowMs,
    futuresType: "U_MARGINED",
    rateLimits: [
      limit("REQUEST_WEIGHT", "MINUTE", 1, venue.weightPerMinute),
      limit("ORDERS", "MINUTE", 1, 1_200),
      limit("ORDERS", "SECOND", 10, 300),
    ],
    exchangeFilters: [],
    assets: [{ asset: "USDT", marginAvailable: true, autoAssetExchange: "-10000" }],
    symbols: listedMarkets(venue).map((market) => writeContract(market, venue.nowMs)),
  }),
};

function writeContract(market: SimulatedMarket, nowMs: number): object {
  const { priceDecimals, qtyDecimals, listedMs, suspendedMs } = market.spec;
  const lot = gridText(1, qtyDecimals);
  return {
    symbol: market.nativeSymbol,
    pair: market.nativeSymbol,
    contractType: "PERPETUAL",
    deliveryDate: suspendedMs ?? NEVER_MS,
    onboardDate: listedMs,
    status: market.isTradingAt(nowMs) ? "TRADING" : "CLOSE",
    baseAsset: market.baseAsset,
    quoteAsset: market.quoteAsset,
    marginAsset: market.settleAsset ?? market.quoteAsset,
    // Neither the tick nor the lot, as with Binance.
    pricePrecision: priceDecimals + 1,
    quantityPrecision: qtyDecimals,
    baseAssetPrecision: 8,
    quotePrecision: 8,
    underlyingType: "COIN",
    underlyingSubType: [],
    triggerProtect: "0.0500",
    liquidationFee: "0.012500",
    marketTakeBound: "0.05",
    maxMoveOrderLimit: 10_000,
    filters: [
      {
        filterType: "PRICE_FILTER",
        minPrice: gridText(1, priceDecimals),
        maxPrice: "4529764",
        tickSize: gridText(1, priceDecimals),
      },
      { filterType: "LOT_SIZE", minQty: lot, maxQty: "1000000", stepSize: lot },
      { filterType: "MARKET_LOT_SIZE", minQty: lot, maxQty: "120000", stepSize: lot },
      { filterType: "MAX_NUM_ORDERS", limit: 200 },
      { filterType: "MIN_NOTIONAL", notional: "5" },
    ],
    orderTypes: ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
    timeInForce: ["GTC", "IOC", "FOK", "GTX"],
  };
}
