// Binance spot by REST: the venue contract over the market-data mirror, which needs no key.
import type { Exchange, ExchangeOptions } from "../exchange.js";
import { decodeExchangeInfo } from "./decode.js";
import { createBinanceVenue } from "./venue.js";

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createBinance(options: ExchangeOptions): Exchange {
  return createBinanceVenue(
    {
      id: "binance",
      // No key, no accounts, and not bound to a place as api.binance.com is.
      restUrl: "https://data-api.binance.vision",
      pathPrefix: "/api/v3",
      weightLimit: 6_000,
      candlePageRowsMax: 1_000,
      // The weight of klines is the same for one row and for all.
      weights: { time: 1, exchangeInfo: 20, aggTrades: 4, klines: () => 2 },
      tradeWindowMs: undefined,
      decodeMarkets: decodeExchangeInfo,
    },
    options,
  );
}
