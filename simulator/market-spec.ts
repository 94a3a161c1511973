// What a simulated market is: its names, its grid of prices and quantities, how busy it is, and since when it trades.

/** A simulated market. Prices are integer ticks, quantities integer lots; both grids are powers of ten. */
export interface MarketSpec {
  /** ccxt's unified symbol: `BTC/USDT`. */
  readonly symbol: string;
  /** Digits after the point of a price: the tick is 10^-priceDecimals. */
  readonly priceDecimals: number;
  /** Digits after the point of a quantity: the lot is 10^-qtyDecimals. */
  readonly qtyDecimals: number;
  /** Price around which the market wanders, in ticks. */
  readonly baseTicks: number;
  /** Typical quantity of an aggregate trade, in lots. */
  readonly typicalLots: number;
  /** Aggregate trades a minute on average, 0.1 to 200; below about 3 some minutes have none. */
  readonly aggregatesPerMinute: number;
  /** Relative price change a minute, as a standard deviation. */
  readonly volatility: number;
  /** When trading began, on a full minute. */
  readonly listedMs: number;
  /** When trading was suspended for good (status BREAK), on a full minute; undefined while it trades. */
  readonly suspendedMs?: number;
}

/** Where the history of the default markets begins. */
export const DEFAULT_LISTED_MS = Date.UTC(2020, 0, 1);

const MINUTE_MS = 60_000;
/** Notional of one trade; keeps the sum of a minute's notional exact in a double. */
const NOTIONAL_MAX = 2 ** 44;
/** A price wanders at most to e^2.5 times its base. */
const PRICE_RISE_MAX = 13;
/** No trade is larger than so many typical ones. */
const LOTS_RISE_MAX = 13;

/** The base and the quote asset of a unified spot symbol. */
export function assetsOf(symbol: string): { readonly base: string; readonly quote: string } {
  const [base = "", quote = ""] = symbol.split("/");
  return { base, quote };
}

/** `BTC/USDT` → `BTCUSDT` */
export function nativeSymbolOf(symbol: string): string {
  const { base, quote } = assetsOf(symbol);
  return base + quote;
}

/** Refuses a market the simulator could not compute exactly. */
export function checkMarketSpec(spec: MarketSpec): void {
  const wrong = (found: string, expected: string): never => {
    throw new RangeError(`simulated market ${spec.symbol}: found ${found}, expected ${expected}`);
  };
  const { base, quote } = assetsOf(spec.symbol);
  if (base === "" || quote === "" || spec.symbol.split("/").length !== 2) {
    wrong(`symbol ${JSON.stringify(spec.symbol)}`, "BASE/QUOTE, such as BTC/USDT");
  }
  if (spec.priceDecimals + spec.qtyDecimals > 8) {
    wrong(
      `${spec.priceDecimals} + ${spec.qtyDecimals} decimals`,
      "at most 8 together, so that notional is exact",
    );
  }
  if (spec.aggregatesPerMinute < 0.1 || spec.aggregatesPerMinute > 200) {
    wrong(`aggregatesPerMinute ${spec.aggregatesPerMinute}`, "0.1 to 200");
  }
  if (spec.baseTicks < 1 || spec.typicalLots < 1)
    wrong("baseTicks or typicalLots below 1", "positive integers");
  if (spec.baseTicks * PRICE_RISE_MAX * spec.typicalLots * LOTS_RISE_MAX > NOTIONAL_MAX) {
    wrong(
      `baseTicks ${spec.baseTicks} × typicalLots ${spec.typicalLots}`,
      `a product of at most ${NOTIONAL_MAX / PRICE_RISE_MAX / LOTS_RISE_MAX}`,
    );
  }
  for (const timeMs of [spec.listedMs, spec.suspendedMs ?? 0]) {
    if (!Number.isSafeInteger(timeMs) || timeMs % MINUTE_MS !== 0) wrong(`time ${timeMs}`, "a full minute");
  }
}

/**
 * The markets of a simulated exchange that was not told which: the usual ones, a slow one with minutes without trades
 * (QKC/BTC), one suspended in 2022 (LUNA/USDT), and one listed in 2024 in the middle of a day (WIF/USDT).
 */
export function defaultMarkets(listedMs: number = DEFAULT_LISTED_MS): readonly MarketSpec[] {
  const market = (
    symbol: string,
    [priceDecimals, qtyDecimals]: readonly [number, number],
    [baseTicks, typicalLots]: readonly [number, number],
    [aggregatesPerMinute, volatility]: readonly [number, number],
  ): MarketSpec => ({
    symbol,
    priceDecimals,
    qtyDecimals,
    baseTicks,
    typicalLots,
    aggregatesPerMinute,
    volatility,
    listedMs,
  });
  const luna = market("LUNA/USDT", [4, 2], [600_000, 900], [4, 0.0006]);
  const wif = market("WIF/USDT", [4, 2], [21_000, 9_000], [5, 0.0008]);
  return [
    market("BTC/USDT", [2, 5], [4_200_000, 4_000], [9, 0.0003]),
    market("ETH/USDT", [2, 4], [240_000, 6_000], [8, 0.00035]),
    market("SOL/USDT", [2, 3], [11_000, 8_000], [7, 0.0005]),
    market("BNB/USDT", [2, 3], [41_000, 900], [5, 0.0003]),
    market("XRP/USDT", [4, 1], [6_200, 9_000], [6, 0.0004]),
    market("DOGE/USDT", [5, 0], [9_500, 4_000], [6, 0.0005]),
    market("ADA/USDT", [4, 1], [4_800, 7_000], [4, 0.0004]),
    market("SHIB/USDT", [8, 0], [1_800, 9_000_000], [5, 0.0005]),
    market("LTC/USDT", [2, 3], [8_600, 2_500], [4, 0.0004]),
    market("QKC/BTC", [8, 0], [45, 40_000], [0.8, 0.0006]),
    {
      ...luna,
      listedMs: Math.max(listedMs, Date.UTC(2020, 7, 21, 4)),
      suspendedMs: Date.UTC(2022, 4, 13, 0, 40),
    },
    { ...wif, listedMs: Math.max(listedMs, Date.UTC(2024, 2, 5, 10, 7)) },
  ].filter((spec) => spec.suspendedMs === undefined || spec.suspendedMs > spec.listedMs);
}
