// The store's contract: what the pipeline writes, what upkeep asks, what users read. One implementation: PostgreSQL,
// embedded or external.
import type { BanMemory } from "../core/net/ban-memory.js";
import type { GapReason } from "../core/model/candle-batch.js";
import type { RecordBatch } from "../core/model/record-batch.js";
import type { MarketInfo } from "../core/model/market.js";
import type { TimeRange } from "../core/range.js";
import type { SeriesKey } from "./series-key.js";
import type { Timeframe } from "../core/timeframe.js";
import type { AlertRecords } from "./alert-records.js";
import type { ApiRecords } from "./api/api-records.js";
import type { Capabilities } from "./capabilities.js";
import type { ErrorRecords } from "./error-records.js";
import type { LiveRecords } from "./live-records.js";
import type { StoreFigures } from "./operating-figures.js";
import type { QualityRecords } from "./quality-records.js";
import type { TaskQueue } from "./task-queue.js";
import type { DueVoid, DueVoidsRequest, VoidAnswer } from "./void-records.js";

export interface StoredMarket extends MarketInfo {
  readonly id: number;
  readonly exchange: string;
  readonly isSimulated: boolean;
}

export type { SeriesKey };
export type { StoredTrade } from "./live-records.js";

/** A series and how much of what it should hold is proven. Times in epoch ms, counts in candles. */
export interface SeriesState extends SeriesKey {
  readonly market: string;
  readonly expected: readonly TimeRange[];
  readonly expectedCandles: number;
  readonly coveredCandles: number;
  readonly voidCandles: number;
  /** Holes in what is expected: neither covered nor void. */
  readonly gaps: number;
  /** Proven without a hole up to here; undefined when nothing is expected. */
  readonly completeToMs: number | undefined;
  /** The open time of the last stored candle; undefined when there is none. */
  readonly latestCoveredMs: number | undefined;
  /** Up to where a collector has followed the series; undefined for what was only imported or backfilled. */
  readonly collectedToMs: number | undefined;
}

/** A gap or a void of one series, as users list them. */
export interface Absence extends TimeRange {
  readonly market: string;
  readonly timeframe: Timeframe;
  /** Candles that would fit in. */
  readonly candles: number;
}

export interface Gap extends Absence {
  /** Undefined when nobody has looked yet. */
  readonly reason: GapReason | undefined;
  readonly detail: string | undefined;
  readonly foundMs: number | undefined;
  readonly asked: number;
  readonly nextAskMs: number | undefined;
}

export interface Void extends Absence {
  readonly provenMs: number;
  readonly proof: unknown;
}

/** Why a void is no longer believed. */
export interface VoidDoubt {
  /** For people: what was found there. */
  readonly detail: string;
  /** When, by the exchange's clock, epoch ms; the gap may be asked for from then on. */
  readonly atMs: number;
}

/** How the gaps of a series have fared since it began. */
export interface GapHistory extends SeriesKey {
  readonly market: string;
  readonly found: number;
  readonly repairedGaps: number;
  readonly repairedCandles: number;
  readonly voidGaps: number;
  readonly voidCandles: number;
  readonly revisions: number;
}

/** Narrows what is listed; everything when empty. */
export interface SeriesFilter {
  readonly marketId?: number;
  readonly timeframe?: Timeframe;
  readonly range?: TimeRange;
}

/** A stored candle, decimals as text. */
export interface StoredCandle {
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quoteVolume: string | null;
  readonly tradeCount: number | null;
  readonly source: string;
  readonly revision: number;
}

/** What one commit did. */
export interface CommitResult {
  /** New candles. */
  readonly inserted: number;
  /** New trades, and new snapshots and deltas of books. */
  readonly live: number;
  /** Stored candles whose values the source has changed since. */
  readonly revised: number;
  /** Rows of a file that contradict what the exchange itself has sent; kept in quarantine. */
  readonly refused: number;
}

/** An entry of the log that is not closed. */
export interface OpenGap extends TimeRange {
  readonly id: number;
  readonly reason: GapReason;
  readonly detail: string;
  readonly foundMs: number;
  readonly lastAskedMs: number | undefined;
  readonly nextAskMs: number | undefined;
  /** How often the exchange has been asked for it. */
  readonly asked: number;
}

/** One way in which ledger and rows disagree. */
export interface AuditFinding {
  readonly market: string;
  readonly timeframe: Timeframe;
  readonly finding:
    | "overlap"
    | "missing_rows"
    | "uncovered_rows"
    | "rows_in_void"
    | "off_grid"
    | "wrong_count"
    | "unexpected_coverage";
  readonly detail: string;
}

/** How long things are kept, ms; for ever when undefined. */
export interface RetentionPeriods {
  readonly candlesMs: number | undefined;
  readonly tradesMs: number | undefined;
  /** Snapshots of order books. */
  readonly booksMs: number | undefined;
  /** Changes of order books. */
  readonly bookDeltasMs: number | undefined;
  readonly qualityMs: number;
  readonly errorsMs: number;
  readonly tasksMs: number;
}

/** How many rows were dropped for their age. */
export interface RetentionOutcome {
  readonly candles: number;
  readonly trades: number;
  readonly books: number;
  readonly bookDeltas: number;
  readonly qualitySummaries: number;
  readonly errors: number;
  readonly tasks: number;
}

/** Values: text, numbers, booleans, null; `numeric` stays text digit for digit; times are ISO-8601 with Z. */
export interface QueryResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * All methods reject with a TickwellError of kind `database`; `query` with `bad_request` where the statement is at fault,
 * and those that take a signal with its reason.
 */
export interface Store {
  /** For psql, pandas, Grafana. */
  readonly connectionString: string;
  readonly serverVersion: string;
  /** What the server offers beyond plain PostgreSQL, as found when the store was opened. */
  readonly capabilities: Capabilities;
  /** Bans survive the process here. */
  readonly bans: BanMemory;
  /** Failed requests. */
  readonly errors: ErrorRecords;
  /** Troubles the user is told of. */
  readonly alerts: AlertRecords;
  /** What quality checks found. */
  readonly quality: QualityRecords;
  /** Trades and order books. */
  readonly live: LiveRecords;
  /** Backfill tasks. */
  readonly tasks: TaskQueue;
  /** What the HTTP API reads. */
  readonly api: ApiRecords;
  /** Enters or updates markets as their exchange lists them. */
  putMarkets(
    exchange: string,
    markets: readonly MarketInfo[],
    options: { isSimulated: boolean },
  ): Promise<StoredMarket[]>;
  listMarkets(): Promise<StoredMarket[]>;
  /** Declares that a series should hold `range`: from now on what is missing there is a gap. */
  expect(key: SeriesKey, range: TimeRange): Promise<void>;
  /**
   * Declares that a series is collected up to `range.endMs`: it should hold `range`, and everything since it was followed
   * the last time, however long ago that was.
   * @returns up to where it had been followed before, epoch ms; undefined the first time
   */
  follow(key: SeriesKey, range: TimeRange): Promise<number | undefined>;
  /**
   * Rows, coverage, gaps, rejections and counts of these batches in one transaction; at least once is enough, for what is
   * repeated changes nothing but counts.
   * @param nowMs our clock, by which the lag of live records is measured; none is without it
   */
  commit(batches: readonly RecordBatch[], nowMs?: number): Promise<CommitResult>;
  /** What of `range` is expected and neither covered nor void. */
  missing(key: SeriesKey, range: TimeRange): Promise<TimeRange[]>;
  openGaps(key: SeriesKey): Promise<OpenGap[]>;
  gaps(filter: SeriesFilter): Promise<Gap[]>;
  voids(filter: SeriesFilter): Promise<Void[]>;
  /**
   * Takes back that `range` is void, as far as it is, and records a gap there: for when data turn up in it after all.
   * @returns what was void and is a gap now
   */
  reopenVoid(key: SeriesKey, range: TimeRange, doubt: VoidDoubt): Promise<TimeRange[]>;
  /** Voids of these series that the exchange should be asked about again, those due longest first. */
  dueVoids(request: DueVoidsRequest): Promise<DueVoid[]>;
  /** Adds an answer to the proofs of these voids; one that has changed meanwhile is left as it is. */
  confirmVoids(key: SeriesKey, voids: readonly TimeRange[], answer: VoidAnswer): Promise<void>;
  /** Open times (epoch ms) of candles that bear a flag, latest first. */
  flaggedOpenTimes(key: SeriesKey, range: TimeRange, limit: number): Promise<number[]>;
  seriesStates(filter: SeriesFilter): Promise<SeriesState[]>;
  gapHistory(): Promise<GapHistory[]>;
  /** Records in quarantine, by series and rule. */
  quarantineCounts(): Promise<
    readonly { market: string; timeframe: string; rule: string; records: number }[]
  >;
  /** Compares ledger and rows in full; empty when they agree. */
  audit(filter: SeriesFilter): Promise<AuditFinding[]>;
  /** Stored candles of a range in order, a few thousand at a time. */
  readCandles(key: SeriesKey, range: TimeRange, signal: AbortSignal): AsyncIterable<readonly StoredCandle[]>;
  /**
   * The last `count` stored candles before `beforeMs`, ascending, without those whose own figures contradict each other:
   * what newer ones are measured by.
   */
  recentCandles(key: SeriesKey, beforeMs: number, count: number): Promise<StoredCandle[]>;
  /**
   * Brings `ohlcv_5m` to `ohlcv_1d` up to date after a backfill or an import, where the database keeps them as rows; call it
   * once at the end. What a killed process has left is made up for by the next call, whoever makes it.
   * @returns the ranges of minutes that were looked at; none where these are plain views
   */
  refreshAggregates(signal: AbortSignal): Promise<TimeRange[]>;
  /**
   * Drops what is older than `periods`, counted from `nowMs`; candles, trades and books only when their age is given, never those
   * of `critical_events`, and never the candles of the last four days. What is dropped leaves what is expected and covered, and is
   * entered in `retention_log`. Whoever declares what a series should hold must leave it out, or it is fetched again.
   */
  applyRetention(periods: RetentionPeriods, nowMs: number, signal?: AbortSignal): Promise<RetentionOutcome>;
  /** What those who operate the program watch. @param nowMs our clock */
  figures(nowMs: number): Promise<StoreFigures>;
  /** One statement, read-only by the database's own means. */
  query(sql: string, signal: AbortSignal): Promise<QueryResult>;
  /** As {@link query}, a few thousand rows at a time; at least one page, which has the columns. */
  queryPages(sql: string, signal: AbortSignal, onPage: (page: QueryResult) => void): Promise<void>;
  /**
   * Called when the database cannot be reached: starts the embedded server again if it has died; waits for nobody
   * where the server is not ours.
   */
  revive(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
