// The values of a candle apart from where they came from, and how two witnesses are compared: digit for digit.
import { parseDecimal, type Decimal } from "../../core/decimal.js";
import type { Candle } from "../../core/model/candle.js";
import { DecimalSum } from "../../pipeline/fold/decimal-sum.js";
import type { StoredCandle } from "../../store/store.js";

/** What a candle says; undefined where its source does not tell. */
export type CandleValues = Omit<Candle, "kind" | "openTimeMs">;

const EXACT_FIELDS = ["open", "high", "low", "close", "volume"] as const;

export function valuesOf({ open, high, low, close, volume, quoteVolume, tradeCount }: Candle): CandleValues {
  return { open, high, low, close, volume, quoteVolume, tradeCount };
}

export function storedValues(candle: StoredCandle): CandleValues {
  const { quoteVolume } = candle;
  return {
    open: toDecimal(candle.open),
    high: toDecimal(candle.high),
    low: toDecimal(candle.low),
    close: toDecimal(candle.close),
    volume: toDecimal(candle.volume),
    quoteVolume: quoteVolume === null ? undefined : toDecimal(quoteVolume),
    tradeCount: candle.tradeCount ?? undefined,
  };
}

/** Where two candles differ, as `close 100.5, not 100.4`; empty when they agree in all that both tell. */
export function differencesOf(a: CandleValues, b: CandleValues): string[] {
  const differences: string[] = EXACT_FIELDS.filter((field) => a[field] !== b[field]).map(
    (field) => `${field} ${a[field]}, not ${b[field]}`,
  );
  if (a.quoteVolume !== undefined && b.quoteVolume !== undefined && a.quoteVolume !== b.quoteVolume)
    differences.push(`quote volume ${a.quoteVolume}, not ${b.quoteVolume}`);
  if (a.tradeCount !== undefined && b.tradeCount !== undefined && a.tradeCount !== b.tradeCount)
    differences.push(`trade count ${a.tradeCount}, not ${b.tradeCount}`);
  return differences;
}

/**
 * Where a venue's candle differs from what its trades add up to. Without trades it should be absent, or flat and empty.
 * A venue cuts notionals off at its own number of decimals, trade by trade: the exact sum may be above its own by less
 * than one of its last units a fill.
 */
export function differencesFromTrades(
  venue: CandleValues | undefined,
  rebuilt: CandleValues | undefined,
): string[] {
  if (venue === undefined) return rebuilt === undefined ? [] : ["there is no candle, and there are trades"];
  if (rebuilt === undefined) return isEmpty(venue) ? [] : [`volume ${venue.volume}, and there are no trades`];
  const { quoteVolume } = venue;
  const isRounded =
    quoteVolume !== undefined &&
    rebuilt.quoteVolume !== undefined &&
    isWithinRounding(quoteVolume, rebuilt.quoteVolume, rebuilt.tradeCount ?? 0);
  return differencesOf(isRounded ? { ...venue, quoteVolume: rebuilt.quoteVolume } : venue, rebuilt);
}

function isEmpty({ open, high, low, close, volume, tradeCount }: CandleValues): boolean {
  return volume === "0" && (tradeCount ?? 0) === 0 && open === close && high === low && open === high;
}

/** Venues write notionals with eight decimals where the product of price and quantity has more. */
const QUOTE_DECIMALS = 8;

function isWithinRounding(given: Decimal, exact: Decimal, fills: number): boolean {
  const decimals = exact.length - (exact.includes(".") ? exact.indexOf(".") + 1 : exact.length);
  if (decimals <= QUOTE_DECIMALS) return false;
  const distance = new DecimalSum();
  distance.add(exact);
  distance.subtract(given);
  const units = new DecimalSum();
  units.addProduct(distance.toDecimal(), toDecimal(`1${"0".repeat(QUOTE_DECIMALS)}`));
  // The distance in the venue's last units; a count is what it is compared with, so a double does.
  return Math.abs(Number(units.toDecimal())) <= fills;
}

/** @throws Error for text that is no decimal: the store holds nothing else */
function toDecimal(text: string): Decimal {
  const decimal = parseDecimal(text);
  if (decimal === undefined) throw new Error(`"${text}" is stored as a decimal and is none`);
  return decimal;
}
