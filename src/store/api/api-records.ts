// What the HTTP API asks of the store: read-only, on connections of its own, so that whoever asks for ten years takes
// nothing from the writer.
import type { Pool } from "pg";
import type { TimeRange } from "../../core/range.js";
import type { Timeframe } from "../../core/timeframe.js";
import { Database } from "../database.js";
import type { SeriesKey } from "../series-key.js";
import { derivedCandlePage, readDerivedState, type DerivedState } from "./derived-candles.js";
import { readDatabaseState, type DatabaseState } from "./database-state.js";
import { readGapLogEnd, readGapLogSince, type GapLogRow } from "./gap-events.js";
import {
  readAbsences,
  readCoverage,
  readRangeState,
  type AbsenceRow,
  type CoverageRow,
  type LedgerFilter,
  type LedgerKey,
  type LedgerPosition,
  type RangeState,
} from "./ledger-pages.js";
import {
  readHoles,
  readLags,
  readLastCloses,
  readLastGapEvents,
  readMarketTasks,
  readScores,
  type GapEvent,
  type MarketScore,
  type MarketTasks,
  type SeriesHoles,
  type SeriesPrice,
} from "./market-summaries.js";
import {
  readChangedTasks,
  readChecks,
  readErrors,
  readLastTaskChange,
  readNewChecks,
  readLatestChecks,
  readQualityDays,
  readTask,
  readTasks,
  type ErrorRow,
  type QualityDayRow,
  type QualityFilter,
  type QualityRow,
  type RecordPosition,
  type TaskRow,
} from "./record-pages.js";
import { bookPage, candlePage, tradePage, type RowPage, type RowPageRequest } from "./row-pages.js";

/** All methods reject with a TickwellError of kind `database`. Times are epoch ms. */
export interface ApiRecords {
  candlePage(timeframe: Timeframe, request: RowPageRequest): Promise<RowPage>;
  /** Longer candles, made of minutes. */
  derivedCandlePage(timeframe: Timeframe, request: RowPageRequest): Promise<RowPage>;
  derivedState(series: SeriesKey, range: TimeRange): Promise<DerivedState>;
  tradePage(request: RowPageRequest): Promise<RowPage>;
  /** @param depth levels a side; undefined for all that are stored */
  bookPage(depth: number | undefined, request: RowPageRequest): Promise<RowPage>;
  rangeState(key: LedgerKey, range: TimeRange): Promise<RangeState>;
  absences(
    filter: LedgerFilter & { readonly kind: "gap" | "void" | "all" },
    page: { after: LedgerPosition | undefined; limit: number },
  ): Promise<AbsenceRow[]>;
  coverage(
    filter: LedgerFilter,
    page: { after: LedgerPosition | undefined; limit: number },
  ): Promise<CoverageRow[]>;
  holes(marketIds: readonly number[] | undefined, window: TimeRange): Promise<SeriesHoles[]>;
  lastCloses(series: readonly SeriesKey[]): Promise<Map<number, SeriesPrice>>;
  scores(marketIds: readonly number[] | undefined): Promise<Map<number, MarketScore>>;
  lags(marketIds: readonly number[], sinceMs: number): Promise<Map<number, readonly number[]>>;
  marketTasks(marketIds: readonly number[] | undefined): Promise<Map<number, MarketTasks>>;
  lastGapEvents(): Promise<Map<number, GapEvent>>;
  latestChecks(filter: QualityFilter, page: { offset: number; limit: number }): Promise<QualityRow[]>;
  checks(
    filter: QualityFilter & { readonly range: TimeRange },
    page: { after: RecordPosition | undefined; limit: number },
  ): Promise<QualityRow[]>;
  qualityDays(request: { marketIds: readonly number[]; range: TimeRange }): Promise<QualityDayRow[]>;
  tasks(
    filter: { readonly marketId: number | undefined; readonly statuses: readonly string[] | undefined },
    page: { beforeId: number | undefined; limit: number },
  ): Promise<TaskRow[]>;
  task(id: number): Promise<TaskRow | undefined>;
  lastTaskChange(): Promise<number>;
  changedTasks(sinceMs: number, limit: number): Promise<TaskRow[]>;
  newChecks(request: { afterId: number | undefined; limit: number }): Promise<QualityRow[]>;
  errors(
    filter: {
      readonly exchange: string | undefined;
      readonly kind: string | undefined;
      readonly range: TimeRange;
    },
    page: { after: RecordPosition | undefined; limit: number },
  ): Promise<ErrorRow[]>;
  gapLogEnd(openMax: number): Promise<{ lastId: number; openIds: number[] }>;
  gapLogSince(request: { lastId: number; openIds: readonly number[]; limit: number }): Promise<GapLogRow[]>;
  databaseState(window: { sinceMs: number; nowMs: number }): Promise<DatabaseState>;
  /** Rejects when the database does not answer. */
  ping(): Promise<void>;
}

export class PostgresApiRecords implements ApiRecords {
  readonly #database: Database;
  readonly #hasTimescale: boolean;

  constructor(pool: Pool, { hasTimescale }: { hasTimescale: boolean }) {
    this.#database = new Database(pool);
    this.#hasTimescale = hasTimescale;
  }

  candlePage(timeframe: Timeframe, request: RowPageRequest): Promise<RowPage> {
    return this.#read("candles", (pool) => candlePage(pool, timeframe, request));
  }

  derivedCandlePage(timeframe: Timeframe, request: RowPageRequest): Promise<RowPage> {
    return this.#read("derived candles", (pool) => derivedCandlePage(pool, timeframe, request));
  }

  derivedState(series: SeriesKey, range: TimeRange): Promise<DerivedState> {
    return this.#read("coverage", (pool) => readDerivedState(pool, series, range));
  }

  tradePage(request: RowPageRequest): Promise<RowPage> {
    return this.#read("trades", (pool) => tradePage(pool, request));
  }

  bookPage(depth: number | undefined, request: RowPageRequest): Promise<RowPage> {
    return this.#read("order books", (pool) => bookPage(pool, depth, request));
  }

  rangeState(key: LedgerKey, range: TimeRange): Promise<RangeState> {
    return this.#read("coverage", (pool) => readRangeState(pool, key, range));
  }

  absences(...[filter, page]: Parameters<ApiRecords["absences"]>): Promise<AbsenceRow[]> {
    return this.#read("gaps", (pool) => readAbsences(pool, filter, page));
  }

  coverage(...[filter, page]: Parameters<ApiRecords["coverage"]>): Promise<CoverageRow[]> {
    return this.#read("coverage", (pool) => readCoverage(pool, filter, page));
  }

  holes(marketIds: readonly number[] | undefined, window: TimeRange): Promise<SeriesHoles[]> {
    return this.#read("gaps", (pool) => readHoles(pool, marketIds, window));
  }

  lastCloses(series: readonly SeriesKey[]): Promise<Map<number, SeriesPrice>> {
    return this.#read("last candles", (pool) => readLastCloses(pool, series));
  }

  scores(marketIds: readonly number[] | undefined): Promise<Map<number, MarketScore>> {
    return this.#read("quality summaries", (pool) => readScores(pool, marketIds));
  }

  lags(marketIds: readonly number[], sinceMs: number): Promise<Map<number, readonly number[]>> {
    return this.#read("lags", (pool) => readLags(pool, marketIds, sinceMs));
  }

  marketTasks(marketIds: readonly number[] | undefined): Promise<Map<number, MarketTasks>> {
    return this.#read("backfill tasks", (pool) => readMarketTasks(pool, marketIds));
  }

  lastGapEvents(): Promise<Map<number, GapEvent>> {
    return this.#read("the gap log", readLastGapEvents);
  }

  latestChecks(...[filter, page]: Parameters<ApiRecords["latestChecks"]>): Promise<QualityRow[]> {
    return this.#read("quality summaries", (pool) => readLatestChecks(pool, filter, page));
  }

  checks(...[filter, page]: Parameters<ApiRecords["checks"]>): Promise<QualityRow[]> {
    return this.#read("quality summaries", (pool) => readChecks(pool, filter, page));
  }

  qualityDays(request: { marketIds: readonly number[]; range: TimeRange }): Promise<QualityDayRow[]> {
    return this.#read("quality by day", (pool) => readQualityDays(pool, request));
  }

  tasks(...[filter, page]: Parameters<ApiRecords["tasks"]>): Promise<TaskRow[]> {
    return this.#read("backfill tasks", (pool) => readTasks(pool, filter, page));
  }

  task(id: number): Promise<TaskRow | undefined> {
    return this.#read("a backfill task", (pool) => readTask(pool, id));
  }

  lastTaskChange(): Promise<number> {
    return this.#read("backfill tasks", readLastTaskChange);
  }

  newChecks(request: { afterId: number | undefined; limit: number }): Promise<QualityRow[]> {
    return this.#read("quality summaries", (pool) => readNewChecks(pool, request));
  }

  changedTasks(sinceMs: number, limit: number): Promise<TaskRow[]> {
    return this.#read("backfill tasks", (pool) => readChangedTasks(pool, sinceMs, limit));
  }

  errors(...[filter, page]: Parameters<ApiRecords["errors"]>): Promise<ErrorRow[]> {
    return this.#read("failed requests", (pool) => readErrors(pool, filter, page));
  }

  gapLogEnd(openMax: number): Promise<{ lastId: number; openIds: number[] }> {
    return this.#read("the gap log", (pool) => readGapLogEnd(pool, openMax));
  }

  gapLogSince(request: { lastId: number; openIds: readonly number[]; limit: number }): Promise<GapLogRow[]> {
    return this.#read("the gap log", (pool) => readGapLogSince(pool, request));
  }

  databaseState(window: { sinceMs: number; nowMs: number }): Promise<DatabaseState> {
    const hasTimescale = this.#hasTimescale;
    return this.#read("the database's size", (pool) => readDatabaseState(pool, { ...window, hasTimescale }));
  }

  ping(): Promise<void> {
    return this.#read("whether it is there", async (pool) => {
      await pool.query("SELECT 1");
    });
  }

  #read<T>(what: string, work: (pool: Pool) => Promise<T>): Promise<T> {
    return this.#database.attempt(`read ${what}`, work);
  }
}
