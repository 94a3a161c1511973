// Candles: as an exchange or file wrote them (candidates), and as the gate let them through.
import type { Decimal } from "../decimal.js";

/** One closed OHLCV bar, checked and canonical. Its market and timeframe are those of the batch it travels in. */
export interface Candle {
  readonly kind: "candle";
  /** Inclusive start in epoch milliseconds, on the timeframe's grid. */
  readonly openTimeMs: number;
  readonly open: Decimal;
  readonly high: Decimal;
  readonly low: Decimal;
  readonly close: Decimal;
  /** In base units. */
  readonly volume: Decimal;
  /** In quote units; undefined where the source does not tell. */
  readonly quoteVolume: Decimal | undefined;
  /** Undefined where the source does not tell. */
  readonly tradeCount: number | undefined;
}

/**
 * A row as its source wrote it, fields picked out but not yet believed. A field that is missing or of the wrong type is
 * undefined; the gate says so and keeps `raw`.
 */
export interface CandleCandidate {
  readonly openTimeMs: number | undefined;
  readonly open: string | undefined;
  readonly high: string | undefined;
  readonly low: string | undefined;
  readonly close: string | undefined;
  readonly volume: string | undefined;
  /** null where the source has no such field; undefined where it should have and does not. */
  readonly quoteVolume: string | undefined | null;
  /** null where the source has no such field; undefined where it should have and does not. */
  readonly tradeCount: number | undefined | null;
  /** False where the venue itself says that the candle is still forming; undefined where it does not say. */
  readonly isClosed?: boolean | undefined;
  /** The row itself, kept with a rejection. */
  readonly raw: unknown;
}

/** Where a candle came from; stored with it. `ws` is the venue's own closed candle from its live stream. */
export type CandleSource = "rest" | "ws" | "import";
