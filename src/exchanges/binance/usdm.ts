// Binance USDⓈ-M futures: linear perpetuals. What differs from spot is marked; the rest is the same protocol.
import { TickwellError } from "../../core/fault.js";
import type { Exchange, ExchangeOptions } from "../exchange.js";
import { USDM_DEPTH } from "./book-page.js";
import { USDM_BOOK_RULES } from "./book-rules.js";
import { decodeContractInfo } from "./decode.js";
import { USDM_STREAMS } from "./stream.js";
import { createBinanceVenue } from "./venue.js";

/** @throws TickwellError `config` for a `restUrl` that is no address, a `rateLimitShare` outside (0, 1], or raw trades */
export function createBinanceUsdm(options: ExchangeOptions): Exchange {
  if (options.trades === "raw") {
    throw new TickwellError(
      { kind: "config" },
      "binanceusdm: raw trades cannot be repaired without an API key, and no stream of them is documented; leave exchange.trades at aggregated",
    );
  }
  return createBinanceVenue(
    {
      id: "binanceusdm",
      // Unlike spot: no open mirror, so that some places are refused.
      restUrl: "https://fapi.binance.com",
      pathPrefix: "/fapi/v1",
      // Unlike spot: less than half.
      weightLimit: 2_400,
      // Unlike spot: pages of up to 1,500, but those above 1,000 cost twice as much.
      candlePageRowsMax: 1_000,
      weights: { time: 1, exchangeInfo: 1, aggTrades: 20, historicalTrades: undefined, klines: klinesWeight },
      // Unlike spot: by time only less than an hour; and nothing older than a day or two, which it refuses (−4166).
      tradeWindowMs: 3_600_000,
      hasMicroseconds: false,
      decodeMarkets: decodeContractInfo,
      depth: USDM_DEPTH,
      bookRules: USDM_BOOK_RULES,
      streams: USDM_STREAMS,
    },
    options,
  );
}

/** Unlike spot: by the rows asked for. */
function klinesWeight(limit: number): number {
  if (limit < 100) return 1;
  if (limit < 500) return 2;
  return limit <= 1_000 ? 5 : 10;
}
