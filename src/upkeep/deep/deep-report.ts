// What a deep check finds: minutes looked at from three sides, and where the sides differ.
import type { TimeRange } from "../../core/range.js";
import type { IdGap } from "../../pipeline/gate/trade-gate.js";
import type { CandleValues } from "./candle-values.js";

export const DEEP_CLASSES = [
  "revision", // the exchange has changed the candle since it was stored
  "late_trade", // the exchange counts a trade in the minute beside that of the trade's time
  "our_loss", // the exchange has what we lack, or we hold what the exchange never showed
  "source_fault", // the exchange lacks trades of its own, or contradicts itself
] as const;

/** Why two witnesses of one minute differ. */
export type DeepClass = (typeof DEEP_CLASSES)[number];

/** What the store claims of a minute. */
export type MinuteState = "stored" | "void" | "gap";

/** What follows from a difference: ask for the candle again, or first take back that the minute is void. */
export type DeepRepair = "none" | "refetch" | "reopen_void";

export interface DeepDifference {
  readonly class: DeepClass;
  readonly openTimeMs: number;
  readonly state: MinuteState;
  /** What was found, with values. */
  readonly detail: string;
  readonly repair: DeepRepair;
  /** Undefined where a witness has no candle or could not be asked. */
  readonly candles: {
    readonly stored: CandleValues | undefined;
    readonly venue: CandleValues | undefined;
    readonly archive: CandleValues | undefined;
    readonly rebuilt: CandleValues | undefined;
  };
  /** The first and last fill in the minute; undefined where there are none or they could not be asked for. */
  readonly fillIds: { readonly first: number; readonly last: number } | undefined;
  /** Fills missing at the source in and beside the minute. */
  readonly missingIds: readonly IdGap[];
  /** Trades that the exchange counts in another minute than their time says. */
  readonly movedIds: readonly number[];
}

export interface DeepReport {
  readonly market: string;
  readonly timeframe: "1m";
  readonly range: TimeRange;
  /** Minutes looked at, in order of time. */
  readonly samples: readonly number[];
  readonly byState: Readonly<Record<MinuteState, number>>;
  /** Minutes of which every witness says the same. */
  readonly agreements: number;
  /** Minutes whose trades the exchange does not keep any more: only candles were compared. */
  readonly withoutTrades: number;
  /** Minutes that an archive file spoke about. */
  readonly withArchive: number;
  readonly differences: readonly DeepDifference[];
  readonly counts: Readonly<Record<DeepClass, number>>;
  /** Minutes and files that could not be asked for, in words. */
  readonly failures: readonly string[];
  /** Stored minutes and gaps to be asked for again, merged. */
  readonly refetch: readonly TimeRange[];
  /** Voids that are none, merged: each is to be reopened and then asked for again. */
  readonly reopen: readonly TimeRange[];
}
