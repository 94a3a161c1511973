// From what a user wrote to a market of an exchange: the unified symbol, the exchange's own, or a near miss with the
// names that were probably meant.
import { distance } from "fastest-levenshtein";
import { TickwellError } from "../core/fault.js";
import { didYouMean } from "../core/nearest-name.js";
import { parseMarketName, type MarketInfo, type MarketName } from "../core/model/market.js";
import { isTimeframe, TIMEFRAMES, type Timeframe } from "../core/timeframe.js";

const SUGGESTIONS_MAX = 3;

/** `binance:BTC/USDT` → its parts. @throws TickwellError `config` */
export function readMarketName(text: string): MarketName {
  const name = parseMarketName(text);
  if (name) return name;
  throw new TickwellError(
    { kind: "config" },
    `market: found "${text}", expected <exchange>:<symbol> such as binance:BTC/USDT`,
  );
}

/** @throws TickwellError `config` naming the nearest timeframe */
export function readTimeframe(text: string): Timeframe {
  if (isTimeframe(text)) return text;
  throw new TickwellError(
    { kind: "config" },
    `timeframe: found "${text}"${didYouMean(text, TIMEFRAMES)} known: ${TIMEFRAMES.join(" ")}`,
  );
}

/**
 * Finds a market by its unified symbol (`BTC/USDT`), the exchange's own (`BTCUSDT`), or one with other separators
 * (`BTC-USDT`).
 * @throws TickwellError `config` naming the nearest markets
 */
export function findMarket<M extends MarketInfo>(exchange: string, markets: readonly M[], symbol: string): M {
  const wanted = symbol.toUpperCase();
  const found =
    markets.find((market) => market.symbol === symbol && market.isActive) ??
    markets.find((market) => market.symbol === symbol) ??
    markets.find((market) => market.nativeSymbol === symbol) ??
    markets.find(
      (market) => market.symbol.toUpperCase() === wanted || market.nativeSymbol.toUpperCase() === wanted,
    ) ??
    markets.find((market) => market.symbol.toUpperCase() === wanted.replace(/[-_]/, "/"));
  if (found) return found;
  const nearest = markets
    .map((market) => ({
      symbol: market.symbol,
      steps: Math.min(distance(market.symbol, wanted), distance(market.nativeSymbol, wanted)),
    }))
    .sort((a, b) => a.steps - b.steps)
    .slice(0, SUGGESTIONS_MAX)
    .map((market) => `${exchange}:${market.symbol}`);
  throw new TickwellError(
    { kind: "config" },
    `${exchange} has no market "${symbol}"${nearest.length > 0 ? `; did you mean ${nearest.join(", ")}?` : ""}`,
  );
}
