// Times without an order book, in the log of gaps, inside a transaction the caller has begun. What one collector lacked another may
// have held: a gap is what is left beside coverage, whichever of the two came first.
import type { PoolClient } from "pg";
import type { BookOutage } from "../core/model/book.js";
import { subtractRanges, type TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { recordLiveGaps, storedDetail } from "./live-series.js";

type Client = Pick<PoolClient, "query">;

export interface MarketOutage extends BookOutage {
  readonly marketId: number;
  /** When it was found out, our clock, epoch ms. */
  readonly foundMs: number;
}

export interface MarketRange extends TimeRange {
  readonly marketId: number;
}

/** Enters outages as far as nothing is covered; one that goes on where one of the same kind ended makes that one longer. */
export async function recordOutages(client: Client, outages: readonly MarketOutage[]): Promise<void> {
  if (outages.length === 0) return;
  const covered = await coverageWithin(client, outages);
  const uncovered = outages.flatMap((outage) => {
    const held = covered.filter(({ marketId }) => marketId === outage.marketId);
    return subtractRanges([outage], held).map((part) => ({ ...outage, ...part }));
  });
  const joined = joinTouching(uncovered);
  // Batches are delivered more than once: what is within one on record is that one.
  const { rows } = await client.query<{ at: number }>(
    `UPDATE gap_log g SET end_time = greatest(g.end_time, o.end_time)
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::text[])
       WITH ORDINALITY AS o (market_id, start_time, end_time, reason, detail, at)
     WHERE g.market_id = o.market_id AND g.data_type = 'orderbook' AND g.closed_at IS NULL
       AND g.reason = o.reason AND g.detail = o.detail
       AND g.end_time >= o.start_time AND g.start_time <= o.start_time
       AND (g.end_time = o.start_time OR g.end_time >= o.end_time)
     RETURNING o.at::int AS at`,
    [
      ...columnsOf(joined),
      joined.map(({ reason }) => reason),
      joined.map(({ detail }) => storedDetail(detail)),
    ],
  );
  const known = new Set(rows.map(({ at }) => at));
  await recordLiveGaps(
    client,
    "orderbook",
    joined.filter((_, i) => !known.has(i + 1)).map((outage) => ({ ...outage, nextAskMs: undefined })),
  );
}

/** Takes out of the open gaps what is covered now. */
export async function trimOutages(
  client: Client,
  claims: readonly MarketRange[],
  atMs: number,
): Promise<void> {
  if (claims.length === 0) return;
  const { rows } = await client.query<{
    id: number;
    market_id: number;
    start_time: number;
    end_time: number;
  }>(
    `SELECT DISTINCT g.id, g.market_id, g.start_time, g.end_time
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS c (market_id, start_time, end_time)
     JOIN gap_log g ON g.market_id = c.market_id AND g.data_type = 'orderbook' AND g.closed_at IS NULL
      AND g.end_time > c.start_time AND g.start_time < c.end_time`,
    columnsOf(claims),
  );
  for (const { id, market_id, start_time, end_time } of rows) {
    const own = claims.filter(({ marketId }) => marketId === market_id);
    const [first, ...others] = subtractRanges([{ startMs: start_time, endMs: end_time }], own);
    if (first === undefined) {
      await client.query("UPDATE gap_log SET closed_at = $2 WHERE id = $1", [id, formatTime(atMs)]);
      continue;
    }
    await client.query(
      `INSERT INTO gap_log (market_id, data_type, timeframe, start_time, end_time, reason, detail, found_at, asked)
       SELECT market_id, data_type, timeframe, o.start_time, o.end_time, reason, detail, found_at, 0
       FROM gap_log, unnest($2::timestamptz[], $3::timestamptz[]) AS o (start_time, end_time) WHERE id = $1`,
      [id, others.map(({ startMs }) => formatTime(startMs)), others.map(({ endMs }) => formatTime(endMs))],
    );
    await client.query("UPDATE gap_log SET start_time = $2, end_time = $3 WHERE id = $1", [
      id,
      formatTime(first.startMs),
      formatTime(first.endMs),
    ]);
  }
}

async function coverageWithin(client: Client, ranges: readonly MarketRange[]): Promise<MarketRange[]> {
  const { rows } = await client.query<{ market_id: number; start_time: number; end_time: number }>(
    `SELECT DISTINCT c.market_id, c.start_time, c.end_time
     FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[]) AS r (market_id, start_time, end_time)
     JOIN coverage c ON c.market_id = r.market_id AND c.data_type = 'orderbook' AND c.timeframe = ''
      AND c.start_time < r.end_time AND c.end_time > r.start_time`,
    columnsOf(ranges),
  );
  return rows.map((row) => ({ marketId: row.market_id, startMs: row.start_time, endMs: row.end_time }));
}

/** Ranges as the columns of an `unnest($1::int[], $2::timestamptz[], $3::timestamptz[])`. */
export function columnsOf(ranges: readonly MarketRange[]): [number[], string[], string[]] {
  return [
    ranges.map(({ marketId }) => marketId),
    ranges.map(({ startMs }) => formatTime(startMs)),
    ranges.map(({ endMs }) => formatTime(endMs)),
  ];
}

/** An outage that goes on comes in pieces, and a piece more than once. */
function joinTouching(outages: readonly MarketOutage[]): MarketOutage[] {
  const joined: MarketOutage[] = [];
  for (const outage of [...outages].sort((a, b) => a.marketId - b.marketId || a.startMs - b.startMs)) {
    const last = joined.at(-1);
    const goesOn =
      last?.marketId === outage.marketId &&
      last.endMs >= outage.startMs &&
      last.reason === outage.reason &&
      last.detail === outage.detail;
    if (last && goesOn) joined[joined.length - 1] = { ...last, endMs: Math.max(last.endMs, outage.endMs) };
    else joined.push(outage);
  }
  return joined;
}
