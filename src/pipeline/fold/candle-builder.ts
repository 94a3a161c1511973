// Candles out of trades, exactly: prices are compared as text, quantities and notionals summed as integers. In: trades
// in ascending order of their ids. Out: one candle for every span that has trades.
import assert from "node:assert/strict";
import { compareDecimals, type Decimal } from "../../core/decimal.js";
import type { Candle } from "../../core/model/candle.js";
import type { Trade } from "../../core/model/trade.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../core/timeframe.js";
import { DecimalSum } from "./decimal-sum.js";

/** Candles being built at once; two years of minutes. Who feeds more takes what is done in between. */
const OPEN_CANDLES_MAX = 1_051_200;

/**
 * Folds trades into candles of one timeframe.
 *
 * Open and close follow the ids and not the times: an exchange numbers trades in the order in which they happened, and
 * its times may step back. A span without trades gives no candle; whether it is flat or void is the caller's to know.
 */
export class CandleBuilder {
  readonly #timeframe: Timeframe;
  readonly #open = new Map<number, CandleSum>();
  #lastId = -Infinity;
  #takenToMs = -Infinity;

  constructor(timeframe: Timeframe) {
    this.#timeframe = timeframe;
  }

  /**
   * Counts a trade; its id must be above that of the one before.
   * @returns false, and counts nothing, when its candle has been taken already
   */
  add(trade: Trade): boolean {
    assert(trade.id > this.#lastId, `trade ${trade.id} comes after trade ${this.#lastId}`);
    this.#lastId = trade.id;
    const openTimeMs = floorToTimeframe(trade.timeMs, this.#timeframe);
    if (openTimeMs < this.#takenToMs) return false;
    let sum = this.#open.get(openTimeMs);
    if (!sum) {
      assert(this.#open.size < OPEN_CANDLES_MAX, `${OPEN_CANDLES_MAX} candles are being built: take them`);
      this.#open.set(openTimeMs, (sum = new CandleSum(trade.price)));
    }
    sum.add(trade);
    return true;
  }

  /** The candles that end by `untilMs` (epoch ms), ascending; they are handed over once. Without a time, all. */
  take(untilMs = Infinity): Candle[] {
    const lengthMs = timeframeMs(this.#timeframe);
    const candles: Candle[] = [];
    // Also spans without trades are over: whoever asked has taken them for empty.
    if (untilMs !== Infinity)
      this.#takenToMs = Math.max(this.#takenToMs, floorToTimeframe(untilMs, this.#timeframe));
    for (const [openTimeMs, sum] of this.#open) {
      if (openTimeMs + lengthMs > untilMs) continue;
      candles.push(sum.candle(openTimeMs));
      this.#open.delete(openTimeMs);
      this.#takenToMs = Math.max(this.#takenToMs, openTimeMs + lengthMs);
    }
    return candles.sort((a, b) => a.openTimeMs - b.openTimeMs);
  }
}

/** The candles of these trades, ascending; the trades must ascend by id. The last candle may still be forming. */
export function buildCandles(trades: Iterable<Trade>, timeframe: Timeframe): Candle[] {
  const builder = new CandleBuilder(timeframe);
  for (const trade of trades) builder.add(trade);
  return builder.take();
}

/** One candle being built. */
class CandleSum {
  readonly #open: Decimal;
  #high: Decimal;
  #low: Decimal;
  #close: Decimal;
  readonly #volume = new DecimalSum();
  readonly #quoteVolume = new DecimalSum();
  #fills = 0;

  constructor(price: Decimal) {
    this.#open = this.#high = this.#low = this.#close = price;
  }

  add({ price, qty, firstFillId, lastFillId }: Trade): void {
    if (compareDecimals(price, this.#high) > 0) this.#high = price;
    if (compareDecimals(price, this.#low) < 0) this.#low = price;
    this.#close = price;
    this.#volume.add(qty);
    this.#quoteVolume.addProduct(price, qty);
    this.#fills += lastFillId - firstFillId + 1;
  }

  candle(openTimeMs: number): Candle {
    return {
      kind: "candle",
      openTimeMs,
      open: this.#open,
      high: this.#high,
      low: this.#low,
      close: this.#close,
      volume: this.#volume.toDecimal(),
      quoteVolume: this.#quoteVolume.toDecimal(),
      tradeCount: this.#fills,
    };
  }
}
