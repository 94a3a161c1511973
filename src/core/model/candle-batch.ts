// What travels from the gate through the stage to the store: candles together with what their page proves, so that both
// are committed in one transaction or not at all.
import type { TimeRange } from "../range.js";
import type { Timeframe } from "../timeframe.js";
import type { Candle, CandleSource } from "./candle.js";

/** What makes a range count as complete; the exchange's own word outranks a file's. */
export type Evidence = "rest_page" | "ws_sequence" | "import" | "exchange_void";

/** One question to the exchange and its answer, as evidence. */
export interface AskedOnce {
  readonly atMs: number;
  /** Path and parameters. */
  readonly request: string;
}

/** A range the exchange has twice answered to hold nothing. */
export interface VoidClaim extends TimeRange {
  readonly proof: { readonly asked: readonly AskedOnce[] };
}

export type GapReason = "absent" | "rejected" | "fetch_failed" | "not_collected";

/** A range that stays missing after this page, and why. */
export interface MissingRange extends TimeRange {
  readonly reason: GapReason;
  /** For people: the request without answer, the rule that refused the row. */
  readonly detail: string;
  /** Not to be asked for again before; epoch ms. */
  readonly nextAskMs: number;
}

/** A record the gate refused. */
export interface Rejection {
  /** `candle.high_below_low` and the like. */
  readonly rule: string;
  /** What was found and what would have been right. */
  readonly detail: string;
  readonly openTimeMs: number | undefined;
  /** The record as received, as JSON text. */
  readonly raw: string;
}

/** One checked page, or one closed candle of a live stream. */
export interface CandleBatch {
  readonly kind: "candles";
  readonly marketId: number;
  readonly timeframe: Timeframe;
  readonly source: CandleSource;
  readonly evidence: Exclude<Evidence, "exchange_void">;
  /** Ascending by open time, each once. Every run of neighbours among them becomes coverage. */
  readonly candles: readonly Candle[];
  /** Bits of {@link CANDLE_FLAGS} by open time, only for candles that have one; undefined when none has. */
  readonly flags?: ReadonlyMap<number, number> | undefined;
  readonly voids: readonly VoidClaim[];
  readonly missing: readonly MissingRange[];
  readonly rejected: readonly Rejection[];
  /** When the page was received, epoch ms. */
  readonly receivedMs: number;
}
