// Markets as users name them (`binance:BTC/USDT`) and as exchanges list them.

import type { Decimal } from "../decimal.js";

export type MarketType = "spot" | "swap";

/** A market as its exchange lists it. */
export interface MarketInfo {
  /** ccxt's unified symbol: `BTC/USDT`, `BTC/USDT:USDT`. */
  readonly symbol: string;
  /** What the exchange calls it: `BTCUSDT`. */
  readonly nativeSymbol: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
  readonly marketType: MarketType;
  /** False when the exchange has suspended or delisted it. */
  readonly isActive: boolean;
  /** When trading began, epoch ms; undefined where the exchange does not tell. */
  readonly listedMs?: number | undefined;
  /** Base units of one contract; undefined where quantities are in base units. */
  readonly contractSize?: Decimal | undefined;
}

/** A market's two names, as in `binance:BTC/USDT`. */
export interface MarketName {
  readonly exchange: string;
  readonly symbol: string;
}

/** `binance:BTC/USDT` → its parts; undefined when the text is not of that form. */
export function parseMarketName(text: string): MarketName | undefined {
  const colon = text.indexOf(":");
  if (colon <= 0 || colon === text.length - 1) return undefined;
  return { exchange: text.slice(0, colon), symbol: text.slice(colon + 1) };
}

export function formatMarketName({ exchange, symbol }: MarketName): string {
  return `${exchange}:${symbol}`;
}
