// Adds what was counted on live streams to the minute it was counted in.
import type { PoolClient } from "pg";
import { LAG_BUCKETS_MS, type LiveTally } from "../core/model/live-tally.js";
import { formatTime } from "../core/time.js";
import type { LiveDataType } from "./live-series.js";

const MINUTE_MS = 60_000;

/** The column of each count. */
export const TALLY_COLUMNS = {
  received: "received",
  duplicates: "duplicates",
  outOfOrder: "out_of_order",
  missingIds: "missing_ids",
  sequenceBreaks: "sequence_breaks",
  checksumFailures: "checksum_failures",
  resyncs: "resyncs",
  builtDifferences: "built_differences",
  malformed: "malformed",
  shed: "shed",
} as const satisfies Record<keyof LiveTally, string>;

const KEYS = Object.keys(TALLY_COLUMNS) as readonly (keyof LiveTally)[];

/** What one market's batches have counted in one minute. */
export interface MinuteTally {
  readonly marketId: number;
  /** When the records were received, our clock, epoch ms. */
  readonly atMs: number;
  readonly tally: LiveTally;
  /** Records stored. */
  readonly stored: number;
  /** How long each took from the exchange's clock to the store, ms. */
  readonly lagsMs: readonly number[];
}

export async function addTallies(
  client: Pick<PoolClient, "query">,
  dataType: LiveDataType,
  tallies: readonly MinuteTally[],
): Promise<void> {
  const sums = new Map<
    string,
    { marketId: number; minuteMs: number; counts: number[]; stored: number; lags: number[] }
  >();
  for (const { marketId, atMs, tally, stored, lagsMs } of tallies) {
    if (stored === 0 && lagsMs.length === 0 && KEYS.every((key) => tally[key] === 0)) continue;
    const minuteMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
    const key = `${marketId} ${minuteMs}`;
    let sum = sums.get(key);
    if (!sum) {
      const lags = new Array<number>(LAG_BUCKETS_MS.length + 1).fill(0);
      sums.set(key, (sum = { marketId, minuteMs, counts: KEYS.map(() => 0), stored: 0, lags }));
    }
    KEYS.forEach((each, i) => (sum.counts[i] = (sum.counts[i] ?? 0) + tally[each]));
    sum.stored += stored;
    for (const lagMs of lagsMs) {
      const bucket = bucketOf(lagMs);
      sum.lags[bucket] = (sum.lags[bucket] ?? 0) + 1;
    }
  }
  if (sums.size === 0) return;
  const rows = [...sums.values()].sort((a, b) => a.marketId - b.marketId || a.minuteMs - b.minuteMs);
  const columns = KEYS.map((key) => TALLY_COLUMNS[key]);
  const added = ["stored", ...columns]
    .map((column) => `${column} = l.${column} + EXCLUDED.${column}`)
    .join(", ");
  await client.query(
    `INSERT INTO live_minutes AS l (market_id, data_type, minute, stored, lag_counts, ${columns.join(", ")})
     SELECT t.market_id, $1, t.minute, t.stored, string_to_array(t.lags, ',')::bigint[], ${columns.map((c) => `t.${c}`).join(", ")}
     FROM unnest($2::int[], $3::timestamptz[], $4::bigint[], $5::text[], ${columns.map((_, i) => `$${i + 6}::bigint[]`).join(", ")})
       AS t (market_id, minute, stored, lags, ${columns.join(", ")})
     ON CONFLICT (market_id, data_type, minute) DO UPDATE SET
       ${added}, lag_counts = add_counts(l.lag_counts, EXCLUDED.lag_counts)`,
    [
      dataType,
      rows.map(({ marketId }) => marketId),
      rows.map(({ minuteMs }) => formatTime(minuteMs)),
      rows.map(({ stored }) => stored),
      rows.map(({ lags }) => lags.join(",")),
      ...KEYS.map((_, i) => rows.map(({ counts }) => counts[i] ?? 0)),
    ],
  );
}

/** The first bucket whose bound a lag does not exceed; clocks that differ make lags below zero, which count as none. */
function bucketOf(lagMs: number): number {
  const at = LAG_BUCKETS_MS.findIndex((boundMs) => lagMs <= boundMs);
  return at < 0 ? LAG_BUCKETS_MS.length : at;
}
