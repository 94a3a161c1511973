// The contract of the HTTP and WebSocket API: each route with its parameters and answers, each message of the stream.
// Types, checks and the OpenAPI document are all made from here. It imports nothing but zod and the project's nouns, so
// that a dashboard or a client can take its types.
//
// Times are ISO-8601 in UTC; where a name ends in `_ms` it is epoch milliseconds or a length. Prices and quantities are
// decimal text, digit for digit. Ranges are half-open `[from, to)`. What does not exist is null, never left out.
import { z } from "zod";
import { parseTime } from "../core/time.js";
import { TIMEFRAMES, type Timeframe } from "../core/timeframe.js";

/** Before every route of the API. */
export const API_PREFIX = "/api/v1";
/** Rows of one page at most; `limit=all` streams the whole range instead. */
export const PAGE_ROWS_MAX = 10_000;
export const PAGE_ROWS_DEFAULT = 1_000;

// ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const instant = z.string().meta({ format: "date-time", description: "ISO-8601, UTC" });
const decimal = z
  .string()
  .meta({ pattern: "^-?\\d+(\\.\\d+)?$", description: "a decimal number, digit for digit" });
const count = z.int().min(0);
const percent = z.number().min(0).max(100);
const marketName = z.string().meta({ description: "exchange:symbol", examples: ["binance:BTC/USDT"] });
const timeframe = z
  .enum(TIMEFRAMES as [Timeframe, ...Timeframe[]])
  .meta({ description: "length of a candle" });

export const DATA_TYPES = ["ohlcv", "trades", "orderbook"] as const;
const dataType = z.enum(DATA_TYPES);

// ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** What to say of a parameter that has to be given; zod's own words where it was. */
export const required = {
  error: ({ input }: { readonly input?: unknown }) => (input === undefined ? "is missing" : undefined),
};

const LATEST_MS = Date.parse("9999-01-01T00:00:00Z");
/** A number below is March 1973 in milliseconds, before there was an exchange, and any day of ours in seconds. */
const EARLIEST_NUMBER_MS = 1e11;

/** ISO-8601 or epoch ms in, epoch ms out. */
const timeParam = z
  .string()
  .max(40)
  .transform((text, context) => {
    const isSeconds = /^\d{1,11}$/.test(text) && Number(text) > 0 && Number(text) < EARLIEST_NUMBER_MS;
    const timeMs = text === "0" ? 0 : isSeconds ? undefined : parseTime(text);
    if (timeMs !== undefined && timeMs >= 0 && timeMs < LATEST_MS) return timeMs;
    context.addIssue({
      code: "custom",
      message: isSeconds
        ? `found "${text}", which would be epoch seconds; expected epoch milliseconds, ${text}000, or ISO-8601`
        : `found "${text}", expected ISO-8601 such as 2026-01-31T12:00:00Z, or epoch milliseconds`,
    });
    return z.NEVER;
  });

const marketParam = z
  .string(required)
  .min(1)
  .max(100)
  .meta({ description: "exchange:symbol", examples: ["binance:BTC/USDT"] });
/** Several, parted by commas. */
const marketsParam = z
  .string()
  .min(1)
  .max(20_000)
  .meta({ description: "exchange:symbol, several parted by commas", examples: ["binance:BTC/USDT"] });

const nameParam = z
  .string()
  .max(60)
  .regex(/^[\w-]+$/, "expected letters, digits, - and _");

const limitParam = (rowsMax: number) =>
  z
    .string()
    .regex(/^\d{1,6}$/, `expected a whole number from 1 to ${rowsMax}`)
    .transform(Number)
    .pipe(z.int().min(1).max(rowsMax))
    .meta({ description: `rows of a page, 1 to ${rowsMax}`, examples: ["100"] });
const cursorParam = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[\w.-]+$/, "expected the next_cursor of an earlier answer")
  .meta({ description: "the next_cursor of the answer before, with the same other parameters" });

const from = timeParam
  .optional()
  .meta({ description: "inclusive; ISO-8601 or epoch ms", examples: ["2026-01-01T00:00:00Z"] });
const to = timeParam
  .optional()
  .meta({ description: "exclusive; ISO-8601 or epoch ms; default now", examples: ["2026-01-02T00:00:00Z"] });

const timeframeParam = z
  .enum(TIMEFRAMES as [Timeframe, ...Timeframe[]], required)
  .meta({ description: "length of a candle" });

const paging = {
  limit: limitParam(PAGE_ROWS_MAX)
    .optional()
    .meta({ description: "rows of a page", examples: ["100"] }),
  cursor: cursorParam.optional(),
};

const formatParam = z.enum(["json", "csv", "ndjson"]);
export type RowFormat = z.output<typeof formatParam>;

/** Of the routes that stream rows of any number. */
const rowStream = {
  from,
  to,
  order: z.enum(["asc", "desc"]).default("asc").meta({ description: "by time" }),
  format: formatParam.default("json"),
  limit: z
    .union([z.literal("all"), limitParam(PAGE_ROWS_MAX)])
    .optional()
    .meta({
      description: `rows of a page, 1 to ${PAGE_ROWS_MAX}, or "all" to stream the whole range; default ${PAGE_ROWS_DEFAULT} for json, all for csv and ndjson`,
      examples: ["100", "all"],
    }),
  cursor: cursorParam.optional(),
};

// ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const page = <Row extends z.ZodType>(row: Row) =>
  z.object({
    data: z.array(row),
    next_cursor: z.string().nullable().meta({ description: "null at the end" }),
  });

/** RFC 9457, `application/problem+json`. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: "what was found, what is allowed" }),
    parameter: z.string().optional().meta({ description: "the parameter at fault" }),
    nearest: z.array(z.string()).optional().meta({ description: "what may have been meant" }),
  })
  .meta({ id: "Problem" });
export type Problem = z.output<typeof problemSchema>;

export const exchangeSchema = z
  .object({
    name: z.string(),
    markets: count,
    active_markets: count,
    is_simulated: z.boolean(),
    ban: z
      .object({ host: z.string(), until: instant, reason: z.string() })
      .nullable()
      .meta({ description: "the longest ban of one of its hosts that is not over" }),
  })
  .meta({ id: "Exchange" });
export type ExchangeInfo = z.output<typeof exchangeSchema>;

export const EVENT_KINDS = ["gap_found", "gap_repaired", "gap_void", "task_failed", "book_lost"] as const;

const marketEvent = z.object({
  kind: z.enum(EVENT_KINDS),
  time: instant,
  data_type: dataType,
  timeframe: timeframe.nullable(),
  detail: z.string(),
});

export const marketSummarySchema = z
  .object({
    last_price: decimal.nullable(),
    last_price_time: instant.nullable(),
    price_source: z.enum(["trade", "candle"]).nullable(),
    change_24h_percent: z.number().nullable(),
    strip: z
      .object({
        from: instant,
        slot_ms: count,
        states: z.string().meta({
          description:
            "one letter a slot, oldest first: c covered, v void, g gap, r repairing, - nothing expected; the worst there is in it: g, then r, v, c",
        }),
      })
      .meta({ description: "the last 24 h of the shortest candles" }),
    score: percent.nullable().meta({ description: "the lowest of its series at their latest checks" }),
    is_valid: z.boolean().nullable(),
    verified_percent: percent.nullable().meta({ description: "the lowest of its series" }),
    lag_ms: z.number().nullable().meta({
      description: "median from the exchange's clock to the store over the last five minutes, of streams",
    }),
    behind_ms: z
      .number()
      .nullable()
      .meta({ description: "now minus the end of what is proven without a hole, of the shortest candles" }),
    open_gaps: count.meta({ description: "of candles and trades: what can be repaired" }),
    candle_gaps: count.meta({ description: "of open_gaps" }),
    trade_gaps: count.meta({ description: "of open_gaps" }),
    book_outages_24h: count.meta({
      description: "times without a valid order book, which nobody can repair",
    }),
    book_outage_ms_24h: count.meta({ description: "how long they were, together" }),
    missing_candles: count,
    open_tasks: count.meta({ description: "pending and running" }),
    failed_tasks: count,
    is_live: z.boolean().meta({ description: "followed by stream in this process" }),
    last_event: marketEvent.nullable(),
  })
  .meta({ id: "MarketSummary" });
export type MarketSummary = z.output<typeof marketSummarySchema>;

export const marketSchema = z
  .object({
    market: marketName,
    exchange: z.string(),
    symbol: z.string(),
    native_symbol: z.string(),
    base_asset: z.string(),
    quote_asset: z.string(),
    market_type: z.enum(["spot", "swap"]),
    is_active: z.boolean(),
    is_simulated: z.boolean(),
    series: z.array(
      z.object({
        data_type: dataType,
        timeframe: timeframe.nullable(),
        from: instant.nullable().meta({ description: "the first instant expected" }),
        to: instant.nullable().meta({ description: "the end of what is expected" }),
      }),
    ),
    derived_timeframes: z
      .array(timeframe)
      .meta({ description: "not stored; /candles makes them of the stored 1m candles" }),
    summary: marketSummarySchema.nullable().meta({ description: "only with include=summary" }),
  })
  .meta({ id: "Market" });
export type Market = z.output<typeof marketSchema>;

export const candleSchema = z
  .object({
    open_time: instant,
    open: decimal,
    high: decimal,
    low: decimal,
    close: decimal,
    volume: decimal.meta({ description: "in base units" }),
    quote_volume: decimal.nullable(),
    trade_count: count.nullable(),
    source: z.string().meta({ description: "rest, ws or import; derived: made of stored 1m candles" }),
    revision: count.meta({ description: "how often the source has changed it since" }),
    flags: z.int().meta({ description: "bits: 1 price jump, 2 volume spike, 4 a rule broken" }),
  })
  .meta({ id: "Candle" });
export type Candle = z.output<typeof candleSchema>;

export const tradeSchema = z
  .object({
    time: instant.meta({ description: "to the microsecond where the exchange tells it" }),
    trade_id: z.int(),
    price: decimal,
    quantity: decimal.meta({ description: "in base units" }),
    side: z.enum(["buy", "sell"]).meta({ description: "the taker's" }),
    fills: count,
  })
  .meta({ id: "Trade" });
export type Trade = z.output<typeof tradeSchema>;

const level = z.tuple([decimal, decimal]).meta({ description: "price and quantity" });

export const bookSchema = z
  .object({
    time: instant,
    sequence: z.int(),
    is_valid: z.boolean(),
    bids: z.array(level).meta({ description: "best first" }),
    asks: z.array(level).meta({ description: "best first" }),
  })
  .meta({ id: "Book" });
export type Book = z.output<typeof bookSchema>;

const finding = z.object({ code: z.string(), count: z.number(), message: z.string() });
const deduction = z.object({
  metric: z.string(),
  count: z.number(),
  points: z.number(),
  more: z.number().meta({ description: "pieces of evidence that are not listed" }),
  evidence: z
    .array(z.record(z.string(), z.unknown()))
    .meta({ description: "gaps have start and end; records have open_time" }),
});

export const qualitySchema = z
  .object({
    market: marketName,
    data_type: dataType,
    timeframe: timeframe.nullable(),
    check_time: instant,
    from: instant,
    to: instant,
    total_records: count,
    expected_records: count,
    missing_count: count,
    duplicate_count: count,
    out_of_order_count: count,
    price_jump_count: count,
    volume_spike_count: count,
    quality_score: percent.nullable(),
    verified_percent: percent.nullable(),
    is_valid: z.boolean(),
    validation_errors: z.array(finding),
    validation_warnings: z.array(finding),
    deductions: z.array(deduction),
    metrics: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ description: "of trades and order books: what the streams were like" }),
  })
  .meta({ id: "Quality" });
export type Quality = z.output<typeof qualitySchema>;

export const qualityDaySchema = z
  .object({
    market: marketName,
    date: z.string().meta({ format: "date" }),
    score: percent.nullable().meta({
      description: "of the day's last checks, the lowest of the market's series; null: never checked",
    }),
    lowest_score: percent.nullable().meta({ description: "of all checks of the day" }),
    checks: count,
    covered_percent: percent.nullable().meta({
      description:
        "of the day's expected candles, those stored or proven void, by the ledger; null: nothing expected",
    }),
    missing_candles: count,
  })
  .meta({ id: "QualityDay" });
export type QualityDay = z.output<typeof qualityDaySchema>;

export const gapSchema = z
  .object({
    kind: z.enum(["gap", "void"]),
    market: marketName,
    data_type: dataType,
    timeframe: timeframe.nullable(),
    start: instant,
    end: instant,
    records: count
      .nullable()
      .meta({ description: "candles or trades that would fit in; null where nobody can know" }),
    reason: z.string().nullable().meta({ description: "null: nobody has looked yet" }),
    detail: z.string().nullable(),
    found_at: instant.nullable(),
    asked: count,
    next_ask_at: instant.nullable(),
    proven_at: instant.nullable().meta({ description: "of a void" }),
    task: z
      .object({ id: z.int(), status: z.enum(["pending", "running", "completed", "failed"]) })
      .nullable()
      .meta({ description: "the newest task that holds it" }),
  })
  .meta({ id: "Gap" });
export type Gap = z.output<typeof gapSchema>;

export const COVERAGE_STATES = ["covered", "void", "gap", "repairing"] as const;

export const coverageSchema = z
  .object({
    market: marketName,
    data_type: dataType,
    timeframe: timeframe.nullable(),
    start: instant,
    end: instant,
    state: z.enum(COVERAGE_STATES),
    evidence: z.string().nullable().meta({ description: "rest_page, ws_sequence, import, exchange_void" }),
    proven_at: instant.nullable(),
    first_id: z.int().nullable(),
    last_id: z.int().nullable(),
  })
  .meta({ id: "Coverage" });
export type Coverage = z.output<typeof coverageSchema>;

export const TASK_STATES = ["pending", "running", "completed", "failed"] as const;

export const taskSchema = z
  .object({
    id: z.int(),
    market: marketName,
    data_type: dataType,
    timeframe: timeframe.nullable(),
    start: instant,
    end: instant,
    status: z.enum(TASK_STATES),
    priority: z.int(),
    retry_count: count,
    max_retries: count,
    next_attempt_at: instant.nullable(),
    started_at: instant.nullable(),
    completed_at: instant.nullable(),
    error_message: z.string().nullable(),
    expected_records: count,
    actual_records: count,
    created_at: instant,
    updated_at: instant,
    worker: z.string().nullable(),
  })
  .meta({ id: "Task" });
export type Task = z.output<typeof taskSchema>;

export const errorSchema = z
  .object({
    time: instant,
    exchange: z.string(),
    endpoint: z.string(),
    symbol: z.string().nullable(),
    error_type: z.string().meta({ description: "network, timeout, rate_limit, ip_ban …" }),
    error_code: z.string().nullable(),
    message: z.string(),
    attempt: count,
    count: count.meta({ description: "failures this row stands for" }),
  })
  .meta({ id: "ApiError" });
export type ApiError = z.output<typeof errorSchema>;

export const errorSummarySchema = z
  .object({
    exchange: z.string(),
    endpoint: z.string(),
    error_type: z.string(),
    error_code: z.string().nullable(),
    count,
    last_time: instant,
    last_message: z.string(),
    symbols: z.array(z.string()),
  })
  .meta({ id: "ErrorSummary" });

export const statusSchema = z
  .object({
    version: z.string(),
    is_simulated: z.boolean().meta({ description: "whether any market is: marked on every page" }),
    may_write: z.boolean().meta({ description: "whether this caller may retry tasks" }),
    time: instant.meta({ description: "by the process' clock; simulated where the data are" }),
    started_at: instant,
    uptime_ms: count,
    collectors: z.array(
      z.object({
        name: z.string(),
        exchange: z.string(),
        state: z.enum(["starting", "running", "failing", "stopped"]),
        series: count,
        missing_candles: count.nullable(),
        last_cycle_at: instant.nullable(),
        detail: z.string().nullable(),
      }),
    ),
    connections: z.array(
      z.object({
        exchange: z.string(),
        state: z.enum(["connecting", "open", "renewing", "waiting", "closed"]),
        channels: count,
        open_since: instant.nullable(),
        last_message_at: instant.nullable(),
        detail: z.string().nullable(),
      }),
    ),
    stage: z
      .object({ kind: z.enum(["memory", "redis"]), rows: count, rows_max: count })
      .nullable()
      .meta({ description: "null where this process collects nothing" }),
    writer: z
      .object({
        rows_per_second: z.number(),
        rows_total: count,
        last_commit_at: instant.nullable(),
        is_waiting: z.boolean().meta({ description: "the database is away" }),
      })
      .nullable(),
    rate_limits: z.array(
      z.object({
        exchange: z.string(),
        name: z.string(),
        used: z.number(),
        limit: z.number(),
        window_ms: count,
      }),
    ),
    bans: z.array(z.object({ host: z.string(), until: instant, reason: z.string() })),
    database: z.object({
      kind: z.enum(["embedded", "postgresql"]),
      server_version: z.string(),
      timescale_version: z.string().nullable(),
      is_reachable: z.boolean(),
      bytes: count.nullable(),
      bytes_per_day: z
        .number()
        .nullable()
        .meta({ description: "over the time that could be watched; null until it is known" }),
      disk_free_bytes: count.nullable(),
      tables: z.array(z.object({ name: z.string(), bytes: count, rows: count.nullable() })),
    }),
    totals: z.object({
      markets: count,
      series: count,
      candles_covered: count.meta({ description: "stored or proven void" }),
      candles_missing: count,
      open_gaps: count.meta({ description: "of candles and trades: what can be repaired" }),
      candle_gaps: count.meta({ description: "of open_gaps" }),
      trade_gaps: count.meta({ description: "of open_gaps" }),
      book_outages_24h: count,
      book_outage_ms_24h: count.meta({ description: "how long they were, together, over all markets" }),
      pending_tasks: count,
      running_tasks: count,
      failed_tasks: count,
      errors_24h: count,
    }),
    errors_by_class: z
      .array(z.object({ error_type: z.string(), count, last_time: instant }))
      .meta({ description: "of the last 24 h" }),
    stream: z.object({ clients: count, clients_max: count, messages_lost: count }),
  })
  .meta({ id: "Status" });
export type Status = z.output<typeof statusSchema>;

// ── routes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const series = {
  market: marketParam,
  data_type: dataType.optional(),
  timeframe: timeframe.optional(),
};

/** Every route below {@link API_PREFIX}. `formats` are those beside JSON; `writes` needs a token that may. */
export const ROUTES = {
  exchanges: {
    method: "GET",
    path: "/exchanges",
    summary: "The exchanges there are data of",
    query: z.strictObject({}),
    answer: page(exchangeSchema),
  },
  markets: {
    method: "GET",
    path: "/markets",
    summary: "Markets and their series; with include=summary also how each of them stands now",
    query: z.strictObject({
      market: marketsParam.optional(),
      exchange: nameParam.optional(),
      include: z.enum(["summary"]).optional(),
      ...paging,
    }),
    answer: page(marketSchema),
  },
  candles: {
    method: "GET",
    path: "/candles",
    summary: "Candles of one series, in order of time: stored ones, or whole ones made of stored minutes",
    query: z.strictObject({ market: marketParam, timeframe: timeframeParam, ...rowStream }),
    answer: page(candleSchema),
    formats: ["csv", "ndjson"],
  },
  trades: {
    method: "GET",
    path: "/trades",
    summary: "Stored trades of one market, in order of time and id",
    query: z.strictObject({ market: marketParam, ...rowStream }),
    answer: page(tradeSchema),
    formats: ["csv", "ndjson"],
  },
  book: {
    method: "GET",
    path: "/book",
    summary:
      "Order books of one market: without from and to, the last one at or before `at`; otherwise every stored snapshot",
    query: z.strictObject({
      market: marketParam,
      at: timeParam.optional().meta({
        description: "default now: the live book where this process follows it",
        examples: ["2026-01-01T00:00:00Z"],
      }),
      depth: limitParam(1_000)
        .optional()
        .meta({
          description: "levels a side; default all that are stored, and 100 of the live book",
          examples: ["20"],
        }),
      ...rowStream,
    }),
    answer: page(bookSchema),
    formats: ["csv", "ndjson"],
  },
  quality: {
    method: "GET",
    path: "/quality",
    summary: "Quality checks: the latest of each series, or with history=true all of a range, latest first",
    query: z.strictObject({
      market: marketParam.optional(),
      data_type: dataType.optional(),
      timeframe: timeframe.optional(),
      history: z.enum(["true", "false"]).default("false"),
      from,
      to,
      ...paging,
    }),
    answer: page(qualitySchema),
  },
  qualityDaily: {
    method: "GET",
    path: "/quality/daily",
    summary:
      "Score and coverage by market and day (UTC), for a heat map; at most 400 days, default the last 30",
    query: z.strictObject({ market: marketsParam.optional(), from, to, ...paging }),
    answer: page(qualityDaySchema),
  },
  qualityReport: {
    method: "GET",
    path: "/quality/report",
    summary: "The latest checks as one file",
    query: z.strictObject({
      market: marketParam.optional(),
      format: z.enum(["json", "csv", "markdown"]).default("json"),
    }),
    answer: page(qualitySchema),
    formats: ["csv", "markdown"],
  },
  gaps: {
    method: "GET",
    path: "/gaps",
    summary: "What is missing and what the exchange itself does not have",
    query: z.strictObject({
      market: marketParam.optional(),
      data_type: dataType.optional(),
      timeframe: timeframe.optional(),
      kind: z.enum(["gap", "void", "all"]).default("gap"),
      from,
      to,
      ...paging,
    }),
    answer: page(gapSchema),
  },
  coverage: {
    method: "GET",
    path: "/coverage",
    summary: "The expected time of a market's series, divided into covered, void, gap and repairing",
    query: z.strictObject({ ...series, from, to, ...paging }),
    answer: page(coverageSchema),
  },
  tasks: {
    method: "GET",
    path: "/backfill-tasks",
    summary: "Backfill tasks, the newest first",
    query: z.strictObject({
      market: marketParam.optional(),
      status: z
        .string()
        .max(60)
        .regex(
          /^(pending|running|completed|failed)(,(pending|running|completed|failed))*$/,
          "expected pending, running, completed or failed; several parted by commas",
        )
        .optional()
        .meta({
          description: "pending, running, completed, failed; several parted by commas",
          examples: ["pending,running"],
        }),
      ...paging,
    }),
    answer: page(taskSchema),
  },
  retryTask: {
    method: "POST",
    path: "/backfill-tasks/{id}/retry",
    summary: "Puts a failed task back into the queue",
    params: z.strictObject({
      id: z
        .string()
        .regex(/^\d{1,15}$/, "expected the id of a task")
        .transform(Number)
        .meta({ description: "of a task", examples: ["1"] }),
    }),
    query: z.strictObject({}),
    answer: taskSchema,
    writes: true,
  },
  errors: {
    method: "GET",
    path: "/errors",
    summary: "Failed requests to exchanges, the newest first",
    query: z.strictObject({
      exchange: nameParam.optional(),
      error_type: nameParam.optional(),
      from: from.meta({ description: "default 24 h ago", examples: ["2026-01-01T00:00:00Z"] }),
      to,
      ...paging,
    }),
    answer: page(errorSchema),
  },
  errorSummary: {
    method: "GET",
    path: "/errors/summary",
    summary: "Failed requests by exchange, endpoint and class, the most frequent first",
    query: z.strictObject({
      from: from.meta({ description: "default 24 h ago", examples: ["2026-01-01T00:00:00Z"] }),
    }),
    answer: page(errorSummarySchema),
  },
  status: {
    method: "GET",
    path: "/status",
    summary: "How this process and its database stand",
    query: z.strictObject({}),
    answer: statusSchema,
  },
} as const satisfies Record<string, RouteContract>;

export interface RouteContract {
  readonly method: "GET" | "POST";
  readonly path: `/${string}`;
  readonly summary: string;
  readonly params?: z.ZodType;
  readonly query: z.ZodType;
  readonly answer: z.ZodType;
  readonly formats?: readonly ("csv" | "ndjson" | "markdown")[];
  readonly writes?: boolean;
}

export type RouteName = keyof typeof ROUTES;
/** What a caller writes into the URL. */
export type QueryInput<Name extends RouteName> = z.input<(typeof ROUTES)[Name]["query"]>;
/** What the handler gets: defaults filled in, times as epoch ms. */
export type Query<Name extends RouteName> = z.output<(typeof ROUTES)[Name]["query"]>;
export type Answer<Name extends RouteName> = z.output<(typeof ROUTES)[Name]["answer"]>;

// ── the stream ──────────────────────────────────────────────────────────────────────────────────────────────────────
//
// `/api/v1/stream`, a WebSocket of JSON text frames. A client says what it wants:
//   {"op":"subscribe","channel":"trades","markets":["binance:BTC/USDT"]}
// and hears `subscribed`, then messages. `markets: ["*"]` is all of them. A browser, which cannot set headers, sends its
// token as a second subprotocol: `new WebSocket(url, ["tickwell.v1", "bearer." + encodeURIComponent(token)])`.
// A client that reads too slowly loses messages, never the process: `lost` says what and how many.

export const STREAM_PATH = `${API_PREFIX}/stream`;
export const STREAM_PROTOCOL = "tickwell.v1";

export const STREAM_CHANNELS = [
  "prices", // the last price of each market, at most four times a second
  "trades",
  "book", // the best levels of a market's book, at most four times a second
  "candles", // closed ones as they are stored
  "gaps", // found, repaired, proven void; books lost and back
  "tasks", // a task that was planned, begun, ended
  "quality", // a check
  "status", // the whole status, every few seconds; knows no markets
] as const;
export type StreamChannel = (typeof STREAM_CHANNELS)[number];

const streamMarkets = z
  .array(z.string().min(1).max(100))
  .min(1)
  .max(2_000)
  .default(["*"])
  .meta({ description: 'exchange:symbol; ["*"] for all' });

/** What clients send. */
export const streamRequestSchema = z
  .discriminatedUnion("op", [
    z.strictObject({
      op: z.literal("subscribe"),
      channel: z.enum(STREAM_CHANNELS),
      markets: streamMarkets,
      id: z
        .union([z.string().max(100), z.number()])
        .optional()
        .meta({ description: "comes back with the answer" }),
    }),
    z.strictObject({
      op: z.literal("unsubscribe"),
      channel: z.enum(STREAM_CHANNELS),
      markets: streamMarkets,
      id: z.union([z.string().max(100), z.number()]).optional(),
    }),
    z.strictObject({ op: z.literal("ping"), id: z.union([z.string().max(100), z.number()]).optional() }),
  ])
  .meta({ id: "StreamRequest" });
export type StreamRequest = z.input<typeof streamRequestSchema>;

const requestId = z.union([z.string(), z.number()]).nullable();

/** What the server sends. */
export const streamMessageSchema = z
  .discriminatedUnion("type", [
    z.object({
      type: z.literal("hello"),
      version: z.string(),
      is_simulated: z.boolean(),
      time: instant,
      channels: z.array(z.enum(STREAM_CHANNELS)),
    }),
    z.object({
      type: z.enum(["subscribed", "unsubscribed"]),
      id: requestId,
      channel: z.enum(STREAM_CHANNELS),
      markets: z.array(z.string()),
    }),
    z.object({ type: z.literal("pong"), id: requestId, time: instant }),
    z.object({
      type: z.literal("error"),
      id: requestId,
      detail: z.string(),
      parameter: z.string().nullable(),
      nearest: z.array(z.string()),
    }),
    z.object({
      type: z.literal("lost"),
      channel: z.enum(STREAM_CHANNELS),
      messages: count.meta({ description: "dropped since the last one that was sent" }),
      markets: z
        .array(z.string())
        .meta({ description: "that they were about; ask the store for what they held" }),
      from: instant,
      to: instant,
    }),
    z.object({
      type: z.literal("prices"),
      time: instant,
      data: z
        .array(z.tuple([marketName, decimal, z.number()]))
        .meta({ description: "market, price, epoch ms of the trade" }),
    }),
    z.object({ type: z.literal("trades"), market: marketName, data: z.array(tradeSchema) }),
    z.object({
      type: z.literal("book"),
      market: marketName,
      book: bookSchema.nullable().meta({ description: "null: there is no valid book now" }),
      detail: z.string().nullable().meta({ description: "why there is none" }),
    }),
    z.object({
      type: z.literal("candles"),
      market: marketName,
      timeframe,
      data: z.array(candleSchema),
    }),
    z.object({
      type: z.literal("gaps"),
      event: z.enum(["found", "repaired", "void", "asked"]),
      time: instant,
      gap: gapSchema,
    }),
    z.object({ type: z.literal("tasks"), task: taskSchema }),
    z.object({ type: z.literal("quality"), quality: qualitySchema }),
    z.object({ type: z.literal("status"), status: statusSchema }),
  ])
  .meta({ id: "StreamMessage" });
export type StreamMessage = z.output<typeof streamMessageSchema>;
export type StreamMessageOf<Type extends StreamMessage["type"]> = Extract<
  StreamMessage,
  { readonly type: Type }
>;
