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
  /** Microseconds beyond `timeMs`, 0 to 999; 0 where the venue tells milliseconds only. */
  readonly microsecond: number;
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
  /** Microseconds beyond `timeMs`; absent where the venue tells milliseconds only. */
  readonly microsecond?: number | undefined;
  readonly price: string | undefined;
  /** In base units: the venue's adapter has multiplied contracts by their size, exactly. */
  readonly qty: string | undefined;
  readonly side: "buy" | "sell" | undefined;
  /** The row itself, kept with a rejection. */
  readonly raw: unknown;
}

/** How finely trades are told: each fill by itself, or the fills of one taker order at one price together. */
export type TradeGrain = "aggregated" | "raw";

/**
 * By which number a venue counts trades without holes: its records (Binance's aggregate trades: `id`), or its fills
 * (Binance's raw trades; OKX, whose `trades` channel sums several fills up under the last one's id). Trades that are counted in
 * different ways cannot stand in one market: their ids say nothing of each other.
 */
export type TradeNumbering = "record" | "fill";

/** The numbers a trade takes in its venue's count without holes, both inclusive. */
export function continuityOf(trade: Trade, numbering: TradeNumbering): { firstId: number; lastId: number } {
  return numbering === "record"
    ? { firstId: trade.id, lastId: trade.id }
    : { firstId: trade.firstFillId, lastId: trade.lastFillId };
}
