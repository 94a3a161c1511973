// What travels from the gate through the stage to the store, whatever the kind: rows of one market together with what
// they prove, so that both are committed in one transaction or not at all.
import type { TimeRange } from "../range.js";
import type { BookDelta, BookOutage, BookSnapshot } from "./book.js";
import type { CandleBatch, MissingRange, Rejection } from "./candle-batch.js";
import type { LiveTally } from "./live-tally.js";
import type { Trade } from "./trade.js";

/**
 * A run of trades without a hole: between `startMs` and `endMs` there are these and no others.
 *
 * Ids are those by which the venue counts without holes (see {@link continuityOf}). The range may be empty: trades that
 * share the last millisecond of the run before only carry its last id further. The commit compares `firstId` with the
 * last id of the coverage that ends at `startMs`: where they do not chain, the boundary millisecond is uncovered again
 * and becomes a gap.
 */
export interface TradeRun extends TimeRange {
  readonly firstId: number;
  readonly lastId: number;
}

/** Trades that are missing between two that are known: ids `[firstId, lastId]`, inclusive. */
export interface MissingTrades extends MissingRange {
  readonly firstId: number;
  readonly lastId: number;
}

/** Checked trades of one market. */
export interface TradeBatch {
  readonly kind: "trades";
  readonly marketId: number;
  readonly evidence: "ws_sequence" | "rest_page" | "import";
  /** Ascending by id, each once. */
  readonly trades: readonly Trade[];
  /** Ascending; what is proven complete by this batch. */
  readonly runs: readonly TradeRun[];
  /** Ranges in which the exchange itself has no trade, also after asking by id: proven, kept as void. */
  readonly voids: readonly TimeRange[];
  readonly missing: readonly MissingTrades[];
  readonly rejected: readonly Rejection[];
  readonly tally: LiveTally;
  /** When the last of it was received, our clock, epoch ms. */
  readonly receivedMs: number;
}

/** Order-book records of one market. */
export interface BookBatch {
  readonly kind: "book";
  readonly marketId: number;
  readonly snapshots: readonly BookSnapshot[];
  /** Empty unless deltas are kept. */
  readonly deltas: readonly BookDelta[];
  /** Times with a valid, continuous book. */
  readonly valid: readonly TimeRange[];
  /** Times without one. */
  readonly outages: readonly BookOutage[];
  readonly rejected: readonly Rejection[];
  readonly tally: LiveTally;
  readonly receivedMs: number;
}

export type RecordBatch = CandleBatch | TradeBatch | BookBatch;

/** What a batch weighs in queues: its rows, and what stands in their place; at least 1. */
export function rowsOf(batch: RecordBatch): number {
  switch (batch.kind) {
    case "candles":
      return atLeastOne(
        batch.candles.length + batch.rejected.length + batch.voids.length + batch.missing.length,
      );
    case "trades":
      return atLeastOne(batch.trades.length + batch.rejected.length + batch.missing.length);
    case "book":
      // A snapshot of twenty levels takes the place of several trades.
      return atLeastOne(4 * batch.snapshots.length + batch.deltas.length + batch.rejected.length);
  }
}

function atLeastOne(rows: number): number {
  return Math.max(1, rows);
}
