// The store on PostgreSQL 15 to 18: a pool, the schema, and the contract's methods, each of which is a few lines here
// and its own file where it is more.
import { Pool, types, type PoolClient, type PoolConfig } from "pg";
import { BAN_MAX_MS, type BanMemory } from "../core/net/ban-memory.js";
import { rowsOf, type RecordBatch } from "../core/model/record-batch.js";
import type { MarketInfo, MarketType } from "../core/model/market.js";
import type { TimeRange } from "../core/range.js";
import { maskText } from "../core/mask-text.js";
import { formatTime } from "../core/time.js";
import { PostgresAlertRecords, type AlertRecords } from "./alert-records.js";
import { refreshAggregates } from "./aggregates.js";
import { PostgresApiRecords, type ApiRecords } from "./api/api-records.js";
import { commitBooks } from "./book-commit.js";
import { commitBatches } from "./candle-commit.js";
import { readCandles, readRecentCandles } from "./candle-reader.js";
import { auditCoverage } from "./coverage-audit.js";
import { detectCapabilities, type Capabilities } from "./capabilities.js";
import { CopyEncoder } from "./copy-encoder.js";
import { Database } from "./database.js";
import { databaseError } from "./database-error.js";
import { readFlaggedOpenTimes } from "./flagged-candles.js";
import { PostgresErrorRecords, type ErrorRecords } from "./error-records.js";
import { loadOpenGaps } from "./gap-log.js";
import { readGapHistory, readGaps, readMissing, readSeriesStates, readVoids } from "./gap-report.js";
import { PostgresLiveRecords, type LiveRecords } from "./live-records.js";
import { migrate } from "./migrate.js";
import { readOperatingFigures, type StoreFigures } from "./operating-figures.js";
import { PostgresQualityRecords, type QualityRecords } from "./quality-records.js";
import { ensureReaderLogin, type ReaderLogin } from "./reader-login.js";
import { applyRetention } from "./retention.js";
import { storableText } from "./storable-text.js";
import { commitTrades } from "./trade-commit.js";
import { PostgresTaskQueue, type TaskQueue } from "./task-queue.js";
import { queryReadOnly } from "./read-only-query.js";
import {
  confirmVoids,
  readDueVoids,
  type DueVoid,
  type DueVoidsRequest,
  type VoidAnswer,
} from "./void-records.js";
import { reopenVoid } from "./void-reopening.js";
import type {
  AuditFinding,
  CommitResult,
  Gap,
  GapHistory,
  OpenGap,
  QueryResult,
  RetentionOutcome,
  RetentionPeriods,
  SeriesFilter,
  SeriesKey,
  SeriesState,
  Store,
  StoredCandle,
  StoredMarket,
  Void,
  VoidDoubt,
} from "./store.js";

/** One for the writer, some for readers beside it. */
const CONNECTIONS_MAX = 6;
const READERS_MAX = 2;
/** For the HTTP API, beside the writer; opened when they are needed. */
const API_CONNECTIONS_MAX = 4;
/** Whoever asks over HTTP has gone by then. */
const API_STATEMENT_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A commit waits this long for another writer's lock on the same series before it is tried again. */
const LOCK_TIMEOUT_MS = 30_000;

/**
 * TimescaleDB gives up on a transaction that changes candles in more than a hundred compressed batches; a commit is bounded
 * by its rows, and must not fail for where they lie. Other servers take no notice.
 */
const NO_DECOMPRESSION_LIMIT = "timescaledb.max_tuples_decompressed_per_dml_transaction=0";

const OID_INT8 = 20;
const OID_TIMESTAMPTZ = 1184;

export interface PostgresStoreOptions {
  readonly pool: PoolConfig;
  readonly connectionString: string;
  /** Another login for queries, where ours could do anything; the same one otherwise. */
  readonly reader?: ReaderLogin;
  /** Starts the server again if it is ours; says where it listens now. */
  readonly revive: (signal: AbortSignal) => Promise<Pick<PoolConfig, "host" | "port">>;
  /** Runs after the last connection is closed. */
  readonly onClose: () => Promise<void>;
}

export class PostgresStore implements Store {
  readonly connectionString: string;
  readonly serverVersion: string;
  readonly capabilities: Capabilities;
  readonly bans: BanMemory;
  readonly errors: ErrorRecords;
  readonly alerts: AlertRecords;
  readonly quality: QualityRecords;
  readonly live: LiveRecords;
  readonly tasks: TaskQueue;
  readonly api: ApiRecords;
  readonly #pool: Pool;
  readonly #apiPool: Pool;
  readonly #database: Database;
  /** For the users' own statements. */
  readonly #readers: Pool;
  readonly #options: PostgresStoreOptions;
  /** Idle ones, as many as there were commits at once. */
  readonly #encoders: CopyEncoder[] = [];

  /** Connects, brings the schema up to date, and returns the store. */
  static async open(options: PostgresStoreOptions): Promise<PostgresStore> {
    const pool = makePool(options.pool);
    try {
      const client = await pool.connect();
      try {
        const { hindrance } = await migrate(client, new AbortController().signal);
        if (options.reader) await ensureReaderLogin(client, options.reader);
        return new PostgresStore(pool, options, await detectCapabilities(client, hindrance));
      } finally {
        client.release();
      }
    } catch (error) {
      await pool.end();
      throw databaseError(error, `open the database ${maskText(options.connectionString)}`);
    }
  }

  private constructor(pool: Pool, options: PostgresStoreOptions, capabilities: Capabilities) {
    this.#pool = pool;
    this.#database = new Database(pool);
    this.#readers = options.reader
      ? makePool({ ...options.pool, ...options.reader, max: READERS_MAX })
      : pool;
    this.#options = options;
    this.connectionString = options.connectionString;
    this.capabilities = capabilities;
    this.serverVersion = capabilities.serverVersion;
    this.errors = new PostgresErrorRecords(this.#database);
    this.alerts = new PostgresAlertRecords(this.#database);
    this.quality = new PostgresQualityRecords(this.#database);
    this.live = new PostgresLiveRecords(this.#database, pool);
    this.tasks = new PostgresTaskQueue(this.#database);
    this.#apiPool = makePool(
      { ...options.pool, max: API_CONNECTIONS_MAX },
      `-c default_transaction_read_only=on -c statement_timeout=${API_STATEMENT_TIMEOUT_MS}`,
    );
    this.api = new PostgresApiRecords(this.#apiPool, { hasTimescale: capabilities.timescale !== undefined });
    this.bans = {
      load: (host) => this.#database.attempt("read bans", () => this.#loadBan(host)),
      save: (host, ban) => this.#database.attempt("record a ban", () => this.#saveBan(host, ban)),
    };
  }

  putMarkets(
    exchange: string,
    markets: readonly MarketInfo[],
    { isSimulated }: { isSimulated: boolean },
  ): Promise<StoredMarket[]> {
    return this.#database.attempt("store markets", async () => {
      await this.#pool.query("INSERT INTO exchanges (name) VALUES ($1) ON CONFLICT DO NOTHING", [exchange]);
      const { rows } = await this.#pool.query<MarketRow>(
        `WITH put AS (
           INSERT INTO markets AS m (exchange_id, symbol, native_symbol, base_asset, quote_asset, market_type, is_active, is_simulated)
           SELECT (SELECT id FROM exchanges WHERE name = $1), *, $8 FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
           ON CONFLICT (exchange_id, symbol) DO UPDATE SET native_symbol = EXCLUDED.native_symbol, base_asset = EXCLUDED.base_asset,
             quote_asset = EXCLUDED.quote_asset, market_type = EXCLUDED.market_type, is_active = EXCLUDED.is_active,
             is_simulated = m.is_simulated OR EXCLUDED.is_simulated
           RETURNING *
         ) SELECT put.*, $1 AS exchange FROM put ORDER BY symbol`,
        [
          exchange,
          markets.map((market) => market.symbol),
          markets.map((market) => market.nativeSymbol),
          markets.map((market) => market.baseAsset),
          markets.map((market) => market.quoteAsset),
          markets.map((market) => market.marketType),
          markets.map((market) => market.isActive),
          isSimulated,
        ],
      );
      // What the database does not keep is as the exchange lists it now.
      const listed = new Map(markets.map((market) => [market.symbol, market]));
      return rows.map((row) => {
        const { contractSize, listedMs } = listed.get(row.symbol) ?? {};
        return { ...toMarket(row), contractSize, listedMs };
      });
    });
  }

  listMarkets(): Promise<StoredMarket[]> {
    return this.#database.attempt("list markets", async () => {
      const { rows } = await this.#pool.query<MarketRow>(
        "SELECT m.*, e.name AS exchange FROM markets m JOIN exchanges e ON e.id = m.exchange_id ORDER BY e.name, m.symbol",
      );
      return rows.map(toMarket);
    });
  }

  expect(key: SeriesKey, range: TimeRange): Promise<void> {
    return this.#database.attempt("record what a series should hold", async () => {
      await this.#pool.query(
        `INSERT INTO series AS s (market_id, data_type, timeframe, expected)
         VALUES ($1, 'ohlcv', $2, tstzmultirange(tstzrange($3, $4)))
         ON CONFLICT (market_id, data_type, timeframe) DO UPDATE SET expected = s.expected + EXCLUDED.expected
         WHERE NOT s.expected @> EXCLUDED.expected`,
        [key.marketId, key.timeframe, formatTime(range.startMs), formatTime(range.endMs)],
      );
    });
  }

  follow(key: SeriesKey, range: TimeRange): Promise<number | undefined> {
    return this.#database.attempt("record what a series should hold", async () => {
      const { rows } = await this.#pool.query<{ collected_to: number | null }>(
        `WITH before AS (
           SELECT collected_to FROM series WHERE market_id = $1 AND data_type = 'ohlcv' AND timeframe = $2
         ), put AS (
           INSERT INTO series AS s (market_id, data_type, timeframe, expected, collected_to)
           VALUES ($1, 'ohlcv', $2, tstzmultirange(tstzrange(least($3, (SELECT collected_to FROM before)), $4)), $4)
           ON CONFLICT (market_id, data_type, timeframe) DO UPDATE
           SET expected = s.expected + EXCLUDED.expected, collected_to = greatest(s.collected_to, EXCLUDED.collected_to)
         ) SELECT collected_to FROM before`,
        [key.marketId, key.timeframe, formatTime(range.startMs), formatTime(range.endMs)],
      );
      return rows[0]?.collected_to ?? undefined;
    });
  }

  commit(batches: readonly RecordBatch[], nowMs?: number): Promise<CommitResult> {
    const rows = batches.reduce((sum, batch) => sum + rowsOf(batch), 0);
    return this.#database.transaction(`store ${rows.toLocaleString("en")} rows`, (client) =>
      this.#commitWith(client, batches, nowMs),
    );
  }

  missing(key: SeriesKey, range: TimeRange): Promise<TimeRange[]> {
    return this.#database.attempt("read coverage", () => readMissing(this.#pool, key, range));
  }

  openGaps(key: SeriesKey): Promise<OpenGap[]> {
    return this.#database.attempt("read open gaps", () => loadOpenGaps(this.#pool, key));
  }

  gaps(filter: SeriesFilter): Promise<Gap[]> {
    return this.#database.attempt("list gaps", () => readGaps(this.#pool, filter));
  }

  voids(filter: SeriesFilter): Promise<Void[]> {
    return this.#database.attempt("list voids", () => readVoids(this.#pool, filter));
  }

  reopenVoid(key: SeriesKey, range: TimeRange, doubt: VoidDoubt): Promise<TimeRange[]> {
    return this.#database.transaction("reopen a void", (client) => reopenVoid(client, key, range, doubt));
  }

  dueVoids(request: DueVoidsRequest): Promise<DueVoid[]> {
    return this.#database.attempt("list voids to ask about", () => readDueVoids(this.#pool, request));
  }

  confirmVoids(key: SeriesKey, voids: readonly TimeRange[], answer: VoidAnswer): Promise<void> {
    return this.#database.attempt("confirm voids", () => confirmVoids(this.#pool, key, voids, answer));
  }

  flaggedOpenTimes(key: SeriesKey, range: TimeRange, limit: number): Promise<number[]> {
    return this.#database.attempt("read flagged candles", () =>
      readFlaggedOpenTimes(this.#pool, key, range, limit),
    );
  }

  seriesStates(filter: SeriesFilter): Promise<SeriesState[]> {
    return this.#database.attempt("read coverage", () => readSeriesStates(this.#pool, filter));
  }

  gapHistory(): Promise<GapHistory[]> {
    return this.#database.attempt("read the gap log", () => readGapHistory(this.#pool));
  }

  quarantineCounts(): Promise<{ market: string; timeframe: string; rule: string; records: number }[]> {
    return this.#database.attempt("read quarantine", async () => {
      const { rows } = await this.#pool.query<{
        market: string;
        timeframe: string;
        rule: string;
        records: number;
      }>(
        `SELECT e.name || ':' || m.symbol AS market, q.timeframe, q.rule, count(*) AS records
         FROM quarantine q JOIN markets m ON m.id = q.market_id JOIN exchanges e ON e.id = m.exchange_id
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
      );
      return rows;
    });
  }

  audit(filter: SeriesFilter): Promise<AuditFinding[]> {
    return this.#database.attempt("audit coverage", () => auditCoverage(this.#pool, filter));
  }

  readCandles(key: SeriesKey, range: TimeRange, signal: AbortSignal): AsyncIterable<readonly StoredCandle[]> {
    return readCandles(this.#pool, key, range, signal);
  }

  recentCandles(key: SeriesKey, beforeMs: number, count: number): Promise<StoredCandle[]> {
    return this.#database.attempt("read recent candles", () =>
      readRecentCandles(this.#pool, key, { beforeMs, count }),
    );
  }

  figures(nowMs: number): Promise<StoreFigures> {
    return readOperatingFigures(this.#database, nowMs);
  }

  async query(sql: string, signal: AbortSignal): Promise<QueryResult> {
    const pages: QueryResult[] = [];
    await this.queryPages(sql, signal, (page) => void pages.push(page));
    return { columns: pages[0]?.columns ?? [], rows: pages.flatMap(({ rows }) => rows) };
  }

  queryPages(sql: string, signal: AbortSignal, onPage: (page: QueryResult) => void): Promise<void> {
    return this.#database.attempt("run the query", () =>
      this.#cancellable(this.#readers, signal, (client) => queryReadOnly(client, sql, onPage, signal)),
    );
  }

  refreshAggregates(signal: AbortSignal): Promise<TimeRange[]> {
    return this.#database.attempt("refresh the longer candles", () =>
      this.#cancellable(this.#pool, signal, (client) => refreshAggregates(client, signal)),
    );
  }

  applyRetention(
    periods: RetentionPeriods,
    nowMs: number,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<RetentionOutcome> {
    const { timescale } = this.capabilities;
    const hands = {
      database: this.#database,
      tasks: this.tasks,
      hypertables: timescale?.hypertables ?? [],
      hasAggregates: (timescale?.continuousAggregates.length ?? 0) > 0,
      refresh: () => this.refreshAggregates(signal),
      signal,
    };
    return applyRetention(hands, periods, nowMs);
  }

  async revive(signal: AbortSignal): Promise<void> {
    const place = await this.#options.revive(signal);
    // New connections are made from these; a server that was started again may have had to take another port.
    for (const pool of [this.#pool, this.#readers, this.#apiPool]) Object.assign(pool.options, place);
  }

  async close(): Promise<void> {
    await Promise.all([...new Set([this.#pool, this.#readers, this.#apiPool])].map((pool) => pool.end()));
    await this.#options.onClose();
  }

  /** Runs statements of one connection that end when the signal says so. */
  async #cancellable<T>(
    pool: Pool,
    signal: AbortSignal,
    work: (client: PoolClient) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const client = await pool.connect();
    // The statement runs on the server: closing our side alone would leave it running.
    const cancel = (): void => {
      const { processID } = client as PoolClient & { processID: number };
      this.#pool.query("SELECT pg_cancel_backend($1)", [processID]).catch(() => undefined);
    };
    signal.addEventListener("abort", cancel, { once: true });
    try {
      return await work(client);
    } finally {
      signal.removeEventListener("abort", cancel);
      client.release();
    }
  }

  async #loadBan(host: string): Promise<number | undefined> {
    const { rows } = await this.#pool.query<{ until: number }>(
      "SELECT until FROM exchange_bans WHERE host = $1",
      [host],
    );
    return rows[0]?.until;
  }

  async #saveBan(host: string, { untilMs, reason }: { untilMs: number; reason: string }): Promise<void> {
    await this.#pool.query(
      `INSERT INTO exchange_bans AS b (host, until, reason) VALUES ($1, $2, $3)
       ON CONFLICT (host) DO UPDATE SET
         until = CASE WHEN b.until > $4 THEN EXCLUDED.until ELSE greatest(b.until, EXCLUDED.until) END,
         reason = EXCLUDED.reason, recorded_at = now()`,
      // An end that far behind the one just told was written by a clock that was wrong, and would hide every later ban.
      [host, formatTime(untilMs), storableText(reason), formatTime(untilMs + BAN_MAX_MS)],
    );
  }

  /** Series are locked by kind, candles first: always in one order, so that two commits cannot wait for each other. */
  async #commitWith(
    client: PoolClient,
    batches: readonly RecordBatch[],
    nowMs: number | undefined,
  ): Promise<CommitResult> {
    const encoder = this.#encoders.pop() ?? new CopyEncoder();
    const hands = { client, encoder };
    const candles = batches.filter((batch) => batch.kind === "candles");
    const books = batches.filter((batch) => batch.kind === "book");
    const trades = batches.filter((batch) => batch.kind === "trades");
    const result =
      candles.length > 0 ? await commitBatches(hands, candles) : { inserted: 0, revised: 0, refused: 0 };
    const atMs = nowMs ?? batches.at(-1)?.receivedMs ?? 0;
    const live = (await commitBooks(client, books, atMs)) + (await commitTrades(hands, trades, atMs));
    // After a failure a socket may still hold the encoder's memory: then it is not used again.
    this.#encoders.push(encoder);
    return { ...result, live };
  }
}

function makePool(config: PoolConfig, settings = ""): Pool {
  const pool = new Pool({
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: `tickwell pid=${process.pid}`,
    options:
      `-c timezone=UTC -c datestyle=ISO -c lock_timeout=${LOCK_TIMEOUT_MS} -c ${NO_DECOMPRESSION_LIMIT} ${settings}`.trimEnd(),
    types: { getTypeParser: parserOf },
    ...config,
  });
  // An idle connection that breaks is not an event of its own: whoever needs the next one hears of it.
  pool.on("error", () => undefined);
  // Nor is one that breaks in a transaction between two statements: the next statement says so. Without a listener of
  // its own, a client that is in use would end the process.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

interface MarketRow {
  readonly id: number;
  readonly exchange: string;
  readonly symbol: string;
  readonly native_symbol: string;
  readonly base_asset: string;
  readonly quote_asset: string;
  readonly market_type: MarketType;
  readonly is_active: boolean;
  readonly is_simulated: boolean;
}

function toMarket(row: MarketRow): StoredMarket {
  return {
    id: row.id,
    exchange: row.exchange,
    symbol: row.symbol,
    nativeSymbol: row.native_symbol,
    baseAsset: row.base_asset,
    quoteAsset: row.quote_asset,
    marketType: row.market_type,
    isActive: row.is_active,
    isSimulated: row.is_simulated,
  };
}

/** Our own queries read times as epoch milliseconds and counts as numbers; `numeric` stays text. */
function parserOf(oid: number): (text: string) => unknown {
  if (oid === OID_TIMESTAMPTZ)
    return (text) => Date.parse(text.replace(" ", "T") + (text.endsWith("+00") ? ":00" : ""));
  if (oid === OID_INT8) return Number;
  return types.getTypeParser(oid) as (text: string) => unknown;
}
