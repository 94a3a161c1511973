// Binance spot: the venue contract over the market-data mirrors, which need no key.
import type { Exchange, ExchangeOptions } from "../exchange.js";
import { SPOT_DEPTH } from "./book-page.js";
import { SPOT_BOOK_RULES } from "./book-rules.js";
import { decodeExchangeInfo } from "./decode.js";
import { MAIN_REST_URL, OPEN_REST_URL } from "./hosts.js";
import { SPOT_STREAMS } from "./stream.js";
import { createBinanceVenue } from "./venue.js";

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createBinance(options: ExchangeOptions): Exchange {
  return createBinanceVenue(
    {
      id: "binance",
      restUrl: options.trades === "raw" ? MAIN_REST_URL : OPEN_REST_URL,
      pathPrefix: "/api/v3",
      weightLimit: 6_000,
      candlePageRowsMax: 1_000,
      // The weight of klines is the same for one row and for all.
      weights: { time: 1, exchangeInfo: 20, aggTrades: 4, historicalTrades: 25, klines: () => 2 },
      tradeWindowMs: undefined,
      hasMicroseconds: true,
      decodeMarkets: decodeExchangeInfo,
      depth: SPOT_DEPTH,
      bookRules: SPOT_BOOK_RULES,
      streams: SPOT_STREAMS,
    },
    options,
  );
}
