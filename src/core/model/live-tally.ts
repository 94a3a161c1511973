// What happened on one market's live stream since the last tally: counted where it happens, stored with the rows, summed
// by the quality checks.

/** Upper bounds of the lag histogram's buckets, ms, from exchange time to stored; the last bucket is what is beyond. */
export const LAG_BUCKETS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 300, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 30_000, 60_000,
  300_000,
] as const;

/** Counts of one market and data type. All are increments. */
export interface LiveTally {
  /** Records received, duplicates and refused ones included. */
  readonly received: number;
  /** Records with an id seen before. */
  readonly duplicates: number;
  /** Records whose time or id lies before that of an earlier one, without being duplicates. */
  readonly outOfOrder: number;
  /** Ids found missing (trades). */
  readonly missingIds: number;
  /** Deltas that did not continue the book. */
  readonly sequenceBreaks: number;
  readonly checksumFailures: number;
  /** Books brought back from a new snapshot. */
  readonly resyncs: number;
  /** Candles built from trades that differ from the venue's. */
  readonly builtDifferences: number;
  /** Messages that could not be read. */
  readonly malformed: number;
  /** Records dropped because the store was away and memory bounded. */
  readonly shed: number;
}

export const NO_TALLY: LiveTally = {
  received: 0,
  duplicates: 0,
  outOfOrder: 0,
  missingIds: 0,
  sequenceBreaks: 0,
  checksumFailures: 0,
  resyncs: 0,
  builtDifferences: 0,
  malformed: 0,
  shed: 0,
};
