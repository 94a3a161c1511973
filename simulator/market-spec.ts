// What a simulated market is: its names, its grid of prices and quantities, how busy it is, and since when it trades.
import type { VenueName } from "./venue-name.js";

/** A simulated market. Prices are integer ticks, quantities integer lots; both grids are powers of ten. */
export interface MarketSpec {
  /** ccxt's unified symbol: `BTC/USDT`, or `BTC/USDT:USDT` for a linear perpetual. */
  readonly symbol: string;
  /** Digits after the point of a price: the tick is 10^-priceDecimals. */
  readonly priceDecimals: number;
  /** Digits after the point of a quantity in base units: the lot is 10^-qtyDecimals. */
  readonly qtyDecimals: number;
  /** One contract is 10^-contractDecimals base units; undefined where the venue counts base units. */
  readonly contractDecimals?: number;
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
  /** Levels a side of the order book at most; default 100. Fewer make streams cheaper. */
  readonly bookLevels?: number;
  /** How often the order book changes, in ms, a divisor of a minute; default 100. */
  readonly bookStepMs?: number;
}

const MINUTE_MS = 60_000;
/** Notional of one trade; keeps the sum of a minute's notional exact in a double. */
const NOTIONAL_MAX = 2 ** 44;
/** A price wanders at most to e^2.5 times its base. */
const PRICE_RISE_MAX = 13;
/** No trade is larger than so many typical ones. */
const LOTS_RISE_MAX = 13;
const BOOK_LEVELS_MAX = 5_000;
const BOOK_STEP_MS_MIN = 10;

/** The assets of a unified symbol; `settle` is undefined for spot. */
export function assetsOf(symbol: string): {
  readonly base: string;
  readonly quote: string;
  readonly settle: string | undefined;
} {
  const [pair = "", settle] = symbol.split(":");
  const [base = "", quote = ""] = pair.split("/");
  return { base, quote, settle };
}

/** What a venue calls a market: `BTCUSDT` on Binance, `BTC-USDT` or `BTC-USDT-SWAP` on OKX. */
export function nativeSymbolOf(symbol: string, venue: VenueName = "binance"): string {
  const { base, quote, settle } = assetsOf(symbol);
  if (venue !== "okx") return base + quote;
  return settle === undefined ? `${base}-${quote}` : `${base}-${quote}-SWAP`;
}

/** Refuses a market the simulator could not compute exactly. */
export function checkMarketSpec(spec: MarketSpec): void {
  const wrong = (found: string, expected: string): never => {
    throw new RangeError(`simulated market ${spec.symbol}: found ${found}, expected ${expected}`);
  };
  if (!/^[^/:]+\/[^/:]+(:[^/:]+)?$/.test(spec.symbol)) {
    wrong(`symbol ${JSON.stringify(spec.symbol)}`, "BASE/QUOTE, such as BTC/USDT, or BTC/USDT:USDT");
  }
  if (spec.contractDecimals !== undefined && spec.contractDecimals > spec.qtyDecimals) {
    wrong(`contractDecimals ${spec.contractDecimals}`, `at most qtyDecimals, ${spec.qtyDecimals}`);
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
  const { bookLevels = 1, bookStepMs = MINUTE_MS } = spec;
  if (!Number.isSafeInteger(bookLevels) || bookLevels < 1 || bookLevels > BOOK_LEVELS_MAX) {
    wrong(`bookLevels ${bookLevels}`, `1 to ${BOOK_LEVELS_MAX}`);
  }
  if (bookStepMs < BOOK_STEP_MS_MIN || MINUTE_MS % bookStepMs !== 0) {
    wrong(`bookStepMs ${bookStepMs}`, `a divisor of ${MINUTE_MS} of at least ${BOOK_STEP_MS_MIN}`);
  }
  for (const timeMs of [spec.listedMs, spec.suspendedMs ?? 0]) {
    if (!Number.isSafeInteger(timeMs) || timeMs % MINUTE_MS !== 0) wrong(`time ${timeMs}`, "a full minute");
  }
}
