// Trades: as an exchange wrote them (candidates), and as the gate let them through.
import type { Decimal } from "../decimal.js";

/** One fill, or several of one taker order at one price that the venue reports together. */
export interface Trade {
  readonly kind: "trade";
  /** The venue's id of this record; ascending with time within a market. */
  readonly id: number;
  /** Ids of the first and the last fill in it; both equal to `id` where the venue reports every fill by itself. */
  readonly firstFillId: number;
  readonly lastFillId: number;
  /** The exchange's time in epoch milliseconds. */
  readonly timeMs: number;
  readonly price: Decimal;
  /** In base units, also where the venue counts contracts. */
  readonly qty: Decimal;
  /** The taker's side, not the resting one's. */
  readonly side: "buy" | "sell";
}

/** A trade as its source wrote it. A field that is missing or of the wrong type is undefined; the gate says so. */
export interface TradeCandidate {
  readonly id: number | undefined;
  readonly firstFillId: number | undefined;
  readonly lastFillId: number | undefined;
  readonly timeMs: number | undefined;
  readonly price: string | undefined;
  /** In base units: the venue's adapter has multiplied contracts by their size, exactly. */
  readonly qty: string | undefined;
  readonly side: "buy" | "sell" | undefined;
  /** The row itself, kept with a rejection. */
  readonly raw: unknown;
}
