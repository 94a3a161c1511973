// What is done with candles that break a rule, and from where on a candle is remarkable.

/** See `validation` in the configuration; thresholds are per market. */
export interface Validation {
  readonly onFailure: OnFailure;
  /** Times the usual return around it. */
  readonly maxPriceJump: number;
  /** Times the usual volume before it. */
  readonly maxVolumeSpike: number;
}

/**
 * - `skip_and_log`: the row is kept in quarantine, its candle stays missing and is asked for again later.
 * - `retry`: the page is asked for again at once; what is then still wrong goes the way of `skip_and_log`.
 * - `store_and_flag`: a row whose own figures contradict each other is stored, flagged, and kept in quarantine as well;
 *   what cannot be stored goes the way of `skip_and_log`.
 * - `halt`: as `skip_and_log`, and then the fetching ends with an error of kind `validation`.
 */
export type OnFailure = "skip_and_log" | "retry" | "store_and_flag" | "halt";

/** For callers without a configuration; the same figures as its defaults. */
export const DEFAULT_VALIDATION: Validation = {
  onFailure: "skip_and_log",
  maxPriceJump: 20,
  maxVolumeSpike: 50,
};
