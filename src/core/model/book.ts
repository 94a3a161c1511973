// Order books: what a venue sends (updates), what is kept of them (snapshots, deltas), and when there was none.
import type { Decimal } from "../decimal.js";
import type { TimeRange } from "../range.js";

/** Price and quantity, as a venue wrote them; quantity 0 removes the level. */
export type WireLevel = readonly [price: string, qty: string];

/** Price and quantity in base units, canonical. */
export type BookLevel = readonly [price: Decimal, qty: Decimal];

/**
 * One message about a book, decoded and not yet believed. The ids are the venue's own and mean what its rules say:
 * Binance `U`, `u`, `pu`; OKX `seqId` as first and last, `prevSeqId` as previous.
 */
export interface BookUpdate {
  readonly nativeSymbol: string;
  /** True where the message is the whole book and not a change of it. */
  readonly isSnapshot: boolean;
  readonly firstId: number;
  readonly lastId: number;
  /** Undefined where the venue does not send it. */
  readonly previousId: number | undefined;
  /** The exchange's time, epoch ms; undefined where the message has none. */
  readonly timeMs: number | undefined;
  /** Signed CRC32 by the venue's rule; undefined where there is none, or where the venue sends a constant 0. */
  readonly checksum: number | undefined;
  readonly bids: readonly WireLevel[];
  readonly asks: readonly WireLevel[];
}

/** A book as REST answers it: the start of a synchronisation, or a witness to compare with. */
export interface BookPage {
  /** Binance `lastUpdateId`, OKX `seqId`; -1 where the venue has no book yet. */
  readonly sequence: number;
  /** The exchange's time, epoch ms; undefined where the answer has none. */
  readonly timeMs: number | undefined;
  /** Best first. */
  readonly bids: readonly WireLevel[];
  readonly asks: readonly WireLevel[];
  /** The path and parameters asked for, without host. */
  readonly request: string;
}

/** The best levels of a valid book at one sequence. */
export interface BookSnapshot {
  readonly kind: "book_snapshot";
  /** The exchange's time of the last change in it, epoch ms; ours where the venue sends none. */
  readonly timeMs: number;
  readonly sequence: number;
  /** Best first, quantities in base units. */
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
}

/** One change of a book, kept where the configuration asks for it. */
export interface BookDelta {
  readonly kind: "book_delta";
  readonly timeMs: number;
  readonly receivedMs: number;
  readonly firstId: number;
  readonly lastId: number;
  readonly isSnapshot: boolean;
  readonly bids: readonly BookLevel[];
  readonly asks: readonly BookLevel[];
}

export const BOOK_OUTAGE_REASONS = [
  "disconnected",
  "sequence_break",
  "checksum",
  "crossed",
  "stale",
  "malformed",
  "mismatch",
  "shallow",
  "shed",
  "rejected",
] as const;

/** Why there was no valid book. */
export type BookOutageReason = (typeof BOOK_OUTAGE_REASONS)[number];

/** A time without a valid book. The exchange keeps no past books, so it can be recorded and not repaired. */
export interface BookOutage extends TimeRange {
  readonly reason: BookOutageReason;
  /** For people: `delta U=108 does not continue u=105`. */
  readonly detail: string;
}
