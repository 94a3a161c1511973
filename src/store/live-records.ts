// What is asked of stored trades and order books. Times in epoch ms; decimals as text, digit for digit.
import type { Pool } from "pg";
import { TickwellError } from "../core/fault.js";
import type { LiveTally } from "../core/model/live-tally.js";
import { formatMarketName } from "../core/model/market.js";
import type { TradeNumbering } from "../core/model/trade.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import type { Database } from "./database.js";
import { databaseError } from "./database-error.js";
import { auditLiveSeries, type LiveAuditFinding } from "./live-audit.js";
import {
  measureLiveQuality,
  storeLiveSummaries,
  type LiveMeasurement,
  type LiveQualityRequest,
  type LiveSummary,
} from "./live-quality.js";
import type { LiveDataType } from "./live-series.js";
import { TALLY_COLUMNS } from "./live-tallies.js";
import { timeOfMicroseconds } from "./microseconds.js";

/** The end of what is proven of a market's trades. */
export interface LastTrade {
  readonly lastId: number;
  /** Up to here the time is proven. */
  readonly endMs: number;
}

/** A hole in a market's trades, and the ids it lies between as far as they are known. */
export interface MissingTradeRange extends TimeRange {
  readonly afterId: number | undefined;
  readonly beforeId: number | undefined;
}

export interface StoredTrade {
  readonly timeMs: number;
  /** Microseconds beyond `timeMs`, 0 to 999. */
  readonly microsecond: number;
  readonly id: number;
  readonly fills: number;
  readonly side: "buy" | "sell";
  readonly price: string;
  readonly qty: string;
}

export interface StoredBook {
  readonly timeMs: number;
  readonly sequence: number;
  readonly isValid: boolean;
  /** Price and quantity, best first. */
  readonly bids: readonly (readonly [string, string])[];
  readonly asks: readonly (readonly [string, string])[];
}

/** A time without a valid book. */
export interface StoredOutage extends TimeRange {
  readonly reason: string;
  readonly detail: string;
}

/** Counts of a market's stream over a range. */
export interface LiveTotals extends LiveTally {
  readonly stored: number;
  /** Records by lag, in the order of LAG_BUCKETS_MS and one beyond. */
  readonly lagCounts: readonly number[];
}

/** All methods reject with a TickwellError of kind `database`. */
export interface LiveRecords {
  /** Undefined for a market without proven trades. */
  lastTrade(marketId: number): Promise<LastTrade | undefined>;
  /** Up to where a market's order book has been followed, valid or not; undefined for one that never was. */
  bookFollowedTo(marketId: number): Promise<number | undefined>;
  /**
   * Says by which number the trades of these markets are counted, before any is stored.
   * @throws TickwellError `config` for a market whose stored trades are counted in another way
   */
  countTradesBy(marketIds: readonly number[], numbering: TradeNumbering): Promise<void>;
  /** Declares that a market's trades of this range should be held. */
  expectTrades(marketId: number, range: TimeRange): Promise<void>;
  /**
   * As {@link expectTrades}, and that they are followed from the end of the range on: what lies between it and the first trade that
   * comes in should be held as well. A market that was followed before goes on from where it had arrived.
   */
  expectTradesAndFollow(marketId: number, range: TimeRange): Promise<void>;
  /** What of `range` is expected and neither stored nor void; all that is expected without a range. */
  missingTrades(marketId: number, range?: TimeRange): Promise<MissingTradeRange[]>;
  /** In the order of time and id, a few thousand at a time. */
  readTrades(marketId: number, range: TimeRange, signal: AbortSignal): AsyncIterable<readonly StoredTrade[]>;
  readBooks(marketId: number, range: TimeRange, signal: AbortSignal): AsyncIterable<readonly StoredBook[]>;
  /** Times without a valid book that overlap the range, in order. */
  outages(marketId: number, range: TimeRange): Promise<StoredOutage[]>;
  totals(marketId: number, dataType: LiveDataType, range: TimeRange): Promise<LiveTotals>;
  /** What a quality check finds of every series. */
  measure(request: LiveQualityRequest): Promise<LiveMeasurement[]>;
  /** Stores the summaries of checks. */
  putSummaries(summaries: readonly LiveSummary[]): Promise<void>;
  /** Compares ledger and rows in full; empty when they agree. */
  audit(): Promise<LiveAuditFinding[]>;
}

const PAGE_ROWS = 5_000;

export class PostgresLiveRecords implements LiveRecords {
  readonly #database: Database;
  readonly #pool: Pool;

  constructor(database: Database, pool: Pool) {
    this.#database = database;
    this.#pool = pool;
  }

  lastTrade(marketId: number): Promise<LastTrade | undefined> {
    return this.#database.attempt("read the last trade", async (pool) => {
      const { rows } = await pool.query<{ last_id: number; end_time: number }>(
        `SELECT last_id, end_time FROM coverage
         WHERE market_id = $1 AND data_type = 'trades' AND timeframe = '' AND last_id IS NOT NULL
         ORDER BY start_time DESC LIMIT 1`,
        [marketId],
      );
      const [row] = rows;
      return row && { lastId: row.last_id, endMs: row.end_time };
    });
  }

  bookFollowedTo(marketId: number): Promise<number | undefined> {
    return this.#database.attempt("read the end of an order book", async (pool) => {
      const { rows } = await pool.query<{ collected_to: number | null }>(
        "SELECT collected_to FROM series WHERE market_id = $1 AND data_type = 'orderbook' AND timeframe = ''",
        [marketId],
      );
      return rows[0]?.collected_to ?? undefined;
    });
  }

  async countTradesBy(marketIds: readonly number[], numbering: TradeNumbering): Promise<void> {
    const others = await this.#database.attempt("settle how trades are counted", async (pool) => {
      const { rows } = await pool.query<{ exchange: string; symbol: string }>(
        `WITH settled AS (
           INSERT INTO series AS s (market_id, data_type, trade_numbering)
           SELECT id, 'trades', $2 FROM unnest($1::int[]) AS m (id) ORDER BY id
           ON CONFLICT (market_id, data_type, timeframe)
           DO UPDATE SET trade_numbering = coalesce(s.trade_numbering, EXCLUDED.trade_numbering)
           RETURNING market_id, trade_numbering
         )
         SELECT e.name AS exchange, m.symbol FROM settled s JOIN markets m ON m.id = s.market_id JOIN exchanges e ON e.id = m.exchange_id
         WHERE s.trade_numbering <> $2 ORDER BY m.symbol`,
        [marketIds, numbering],
      );
      return rows;
    });
    const [first] = others;
    if (first === undefined) return;
    const [stored, asked] = numbering === "fill" ? ["aggregated", "raw"] : ["raw", "aggregated"];
    const more = others.length > 1 ? ` (and ${others.length - 1} more)` : "";
    throw new TickwellError(
      { kind: "config" },
      `${formatMarketName(first)}${more}: ${stored} trades are stored, and ${asked} ones are asked for, which are counted by other ids; set exchange.trades: ${stored}, or keep ${asked} trades in another database`,
    );
  }

  expectTrades(marketId: number, { startMs, endMs }: TimeRange): Promise<void> {
    return this.#database.attempt("declare expected trades", async (pool) => {
      await pool.query(
        `INSERT INTO series AS s (market_id, data_type, expected) VALUES ($1, 'trades', tstzmultirange(tstzrange($2, $3)))
         ON CONFLICT (market_id, data_type, timeframe) DO UPDATE SET expected = s.expected + EXCLUDED.expected`,
        [marketId, formatTime(startMs), formatTime(endMs)],
      );
    });
  }

  expectTradesAndFollow(marketId: number, { startMs, endMs }: TimeRange): Promise<void> {
    return this.#database.attempt("declare trades that are followed", async (pool) => {
      await pool.query(
        `INSERT INTO series AS s (market_id, data_type, expected, collected_to)
         VALUES ($1, 'trades', tstzmultirange(tstzrange($2, $3)), $3)
         ON CONFLICT (market_id, data_type, timeframe) DO UPDATE SET
           expected = s.expected + EXCLUDED.expected, collected_to = coalesce(s.collected_to, EXCLUDED.collected_to)`,
        [marketId, formatTime(startMs), formatTime(endMs)],
      );
    });
  }

  missingTrades(marketId: number, range?: TimeRange): Promise<MissingTradeRange[]> {
    return this.#database.attempt("read missing trades", async (pool) => {
      const { rows } = await pool.query<{
        start_time: number;
        end_time: number;
        after_id: number | null;
        before_id: number | null;
      }>(
        `SELECT lower(hole) AS start_time, upper(hole) AS end_time,
                (SELECT c.last_id FROM coverage c WHERE c.market_id = s.market_id AND c.data_type = 'trades' AND c.timeframe = ''
                   AND c.end_time <= lower(hole) AND c.last_id IS NOT NULL ORDER BY c.start_time DESC LIMIT 1) AS after_id,
                (SELECT c.first_id FROM coverage c WHERE c.market_id = s.market_id AND c.data_type = 'trades' AND c.timeframe = ''
                   AND c.start_time >= upper(hole) AND c.first_id IS NOT NULL ORDER BY c.start_time LIMIT 1) AS before_id
         FROM series s
         CROSS JOIN LATERAL (
           SELECT coalesce(range_agg(tstzrange(c.start_time, c.end_time)), '{}') AS ranges FROM coverage c
           WHERE c.market_id = s.market_id AND c.data_type = 'trades' AND c.timeframe = ''
         ) proven
         CROSS JOIN LATERAL unnest(s.expected * tstzmultirange(tstzrange($2, $3)) - proven.ranges) AS hole
         WHERE s.market_id = $1 AND s.data_type = 'trades' AND s.timeframe = '' ORDER BY hole`,
        [marketId, range ? formatTime(range.startMs) : null, range ? formatTime(range.endMs) : null],
      );
      return rows.map((row) => ({
        startMs: row.start_time,
        endMs: row.end_time,
        afterId: row.after_id ?? undefined,
        beforeId: row.before_id ?? undefined,
      }));
    });
  }

  async *readTrades(
    marketId: number,
    range: TimeRange,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoredTrade[]> {
    let after = { us: (range.startMs - 1) * 1_000 + 999, id: Number.MAX_SAFE_INTEGER };
    while (true) {
      signal.throwIfAborted();
      const page = await this.#tradePage(marketId, range, after);
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (!last || page.length < PAGE_ROWS) return;
      after = { us: last.timeMs * 1_000 + last.microsecond, id: last.id };
    }
  }

  async *readBooks(
    marketId: number,
    range: TimeRange,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoredBook[]> {
    let fromMs = range.startMs;
    while (true) {
      signal.throwIfAborted();
      const page = await this.#bookPage(marketId, { startMs: fromMs, endMs: range.endMs });
      if (page.length > 0) yield page;
      const last = page.at(-1);
      if (!last || page.length < PAGE_ROWS) return;
      fromMs = last.timeMs + 1;
    }
  }

  outages(marketId: number, { startMs, endMs }: TimeRange): Promise<StoredOutage[]> {
    return this.#database.attempt("read times without a book", async (pool) => {
      const { rows } = await pool.query<{
        start_time: number;
        end_time: number;
        reason: string;
        detail: string;
      }>(
        `SELECT start_time, end_time, reason, detail FROM gap_log
         WHERE market_id = $1 AND data_type = 'orderbook' AND timeframe = '' AND closed_at IS NULL AND start_time < $3 AND end_time > $2 ORDER BY start_time`,
        [marketId, formatTime(startMs), formatTime(endMs)],
      );
      return rows.map((row) => ({
        startMs: row.start_time,
        endMs: row.end_time,
        reason: row.reason,
        detail: row.detail,
      }));
    });
  }

  totals(marketId: number, dataType: LiveDataType, { startMs, endMs }: TimeRange): Promise<LiveTotals> {
    const keys = Object.keys(TALLY_COLUMNS) as (keyof LiveTally)[];
    const sums = keys.map((key) => `coalesce(sum(${TALLY_COLUMNS[key]}), 0)::float8 AS "${key}"`).join(", ");
    return this.#database.attempt("read counts of live streams", async (pool) => {
      const values = [marketId, dataType, formatTime(startMs), formatTime(endMs)];
      const where =
        "market_id = $1 AND data_type = $2 AND minute >= date_trunc('minute', $3::timestamptz) AND minute < $4";
      const { rows } = await pool.query<Record<keyof LiveTally | "stored", number>>(
        `SELECT coalesce(sum(stored), 0)::float8 AS stored, ${sums} FROM live_minutes WHERE ${where}`,
        values,
      );
      const lags = await pool.query<{ count: number }>(
        `SELECT sum(n)::float8 AS count FROM live_minutes, unnest(lag_counts) WITH ORDINALITY AS u (n, i) WHERE ${where} GROUP BY i ORDER BY i`,
        values,
      );
      const [row] = rows;
      if (!row) throw new Error("a sum has no row");
      return { ...row, lagCounts: lags.rows.map(({ count }) => count) };
    });
  }

  measure(request: LiveQualityRequest): Promise<LiveMeasurement[]> {
    return measureLiveQuality(this.#database, request);
  }

  putSummaries(summaries: readonly LiveSummary[]): Promise<void> {
    return storeLiveSummaries(this.#database, summaries);
  }

  audit(): Promise<LiveAuditFinding[]> {
    return this.#database.attempt("audit trades and books", (pool) => auditLiveSeries(pool));
  }

  async #tradePage(
    marketId: number,
    range: TimeRange,
    after: { us: number; id: number },
  ): Promise<StoredTrade[]> {
    try {
      const { rows } = await this.#pool.query<{
        us: number;
        trade_id: number;
        fills: number;
        side: "buy" | "sell";
        price: string;
        quantity: string;
      }>(
        `SELECT (extract(epoch FROM ts) * 1000000)::bigint AS us, trade_id, fills, side, price, quantity FROM trades
         WHERE market_id = $1 AND (ts, trade_id) > ($2::timestamptz, $3::bigint) AND ts < $4
         ORDER BY ts, trade_id LIMIT ${PAGE_ROWS}`,
        [marketId, timeOfMicroseconds(after.us), after.id, formatTime(range.endMs)],
      );
      return rows.map((row) => ({
        timeMs: Math.floor(row.us / 1_000),
        microsecond: row.us % 1_000,
        id: row.trade_id,
        fills: row.fills,
        side: row.side,
        price: row.price,
        qty: row.quantity,
      }));
    } catch (error) {
      throw databaseError(error, "read trades");
    }
  }

  async #bookPage(marketId: number, { startMs, endMs }: TimeRange): Promise<StoredBook[]> {
    try {
      const { rows } = await this.#pool.query<{
        ts: number;
        sequence: number;
        is_valid: boolean;
        bids: string;
        asks: string;
      }>(
        `SELECT ts, sequence, is_valid, bids::text, asks::text FROM orderbook_snapshots
         WHERE market_id = $1 AND ts >= $2 AND ts < $3 ORDER BY ts LIMIT ${PAGE_ROWS}`,
        [marketId, formatTime(startMs), formatTime(endMs)],
      );
      return rows.map((row) => ({
        timeMs: row.ts,
        sequence: row.sequence,
        isValid: row.is_valid,
        bids: levelsOf(row.bids),
        asks: levelsOf(row.asks),
      }));
    } catch (error) {
      throw databaseError(error, "read order books");
    }
  }
}

/** `{{100.5,1},{100,2}}` */
function levelsOf(text: string): [string, string][] {
  if (text === "{}") return [];
  return text
    .slice(2, -2)
    .split("},{")
    .map((level) => {
      const comma = level.indexOf(",");
      return [level.slice(0, comma), level.slice(comma + 1)];
    });
}
