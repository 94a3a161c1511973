// The config files as they are written: snake_case keys, durations and sizes as text, unknown keys refused. Every
// default of the program is here, once, with its unit and its reason. config-resolve.ts turns the result into the types
// of config-types.ts.
import { z } from "zod";
import { parseDuration } from "../core/duration.js";
import { parseTime } from "../core/time.js";
import { LOG_LEVELS } from "../core/log.js";
import { isLoopback } from "../core/net/loopback.js";
import {
  COLLECTOR_NAME,
  COLLECTOR_NAME_TITLE,
  duration,
  exchangeName,
  instant,
  isUrl,
  since,
  size,
  text,
  timeframe,
  url,
} from "./config-fields.js";

const exchange = z
  .strictObject({
    name: exchangeName().describe("The exchange, by ccxt's id."),
    rest_url: url(["https", "http"], "an http(s):// URL")
      .optional()
      .describe(
        "REST host to ask instead of the exchange's public market-data host. Without ws_url, streams are off.",
      ),
    ws_url: url(["wss", "ws"], "a ws(s):// URL")
      .optional()
      .describe(
        "WebSocket host to use instead of the exchange's public market-data host; goes with rest_url.",
      ),
    // Whatever the exchange repairs most cheaply: Binance's aggregates by a sixth of the weight, OKX's fills in the same grain.
    trades: z
      .enum(["aggregated", "raw"])
      .optional()
      .describe(
        "Trades as fills of one taker order at one price together, or each fill by itself. Left out: aggregated on Binance, raw on OKX.",
      ),
  })
  .refine(({ name, trades }) => name !== "binanceusdm" || trades !== "raw", {
    path: ["trades"],
    message:
      "found raw; Binance tells the raw trades of its futures to holders of an API key only, so that missing ones could not be repaired; expected aggregated",
  });

const symbol = z.strictObject({
  // Non-ASCII assets exist, so only the shape is checked; whether the market exists is the exchange's to say.
  symbol: z
    .string()
    .regex(/^[^\s/:]+\/[^\s/:]+(:[^\s/:]+)?$/)
    .meta({ title: "a unified symbol such as BTC/USDT (spot) or BTC/USDT:USDT (perpetual)" })
    .describe("The market by ccxt's unified symbol: BTC/USDT for spot, BTC/USDT:USDT for a perpetual."),
  // 1m: every longer candle can be derived from it, none the other way round.
  timeframes: z
    .array(timeframe())
    .min(1)
    .default(["1m"])
    .describe("Candle lengths to collect for this symbol."),
  channels: z
    .array(z.enum(["candles", "trades", "book"]))
    .min(1)
    .default(["candles"]) // trades and books take orders of magnitude more space: asked for, not assumed
    .describe("What to collect for this symbol."),
  book: z
    .strictObject({
      levels: z
        .int()
        .min(1)
        .max(400) // what OKX keeps; Binance's books are fetched with 1,000
        .default(20) // what most models look at; twice twenty levels every second take 100 MB a day
        .describe("Levels a side of the stored snapshots."),
      interval: duration("100ms", "1h")
        .default("1s") // the stream changes ten times as often; a second is what others resample to
        .describe("Between two stored snapshots."),
      deltas: z
        .boolean()
        .default(false) // two gigabytes a day of a busy market
        .describe("Store every change of the book as well."),
    })
    .prefault({})
    .describe("How its order book is stored, with the channel book."),
  max_price_jump: z
    .number()
    .gt(1)
    .optional()
    .describe("For this symbol instead of validation.max_price_jump: a nervous market needs a higher one."),
  max_volume_spike: z
    .number()
    .gt(1)
    .optional()
    .describe("For this symbol instead of validation.max_volume_spike."),
});

const mode = z
  .strictObject({
    history: z
      .strictObject({
        since: since()
          .optional()
          .describe(
            "Fetch all candles from here on: a date, a time, or a duration before the start such as 30d.",
          ),
        trades_since: since()
          .optional() // a year of trades of one busy market is a billion rows: nobody should get them unasked
          .describe("Fetch all trades of markets with the channel trades from here on, in the background."),
      })
      .prefault({})
      .describe("The past."),
    live: z.boolean().default(true).describe("Keep collecting new data; false fetches history only."),
    intervals: z
      .strictObject({
        // 1 s at least: a shorter cycle asks for the same forming candle over and over.
        collect: duration("1s")
          .default("60s") // the shortest candle closes once a minute
          .describe("How often new data is fetched."),
        quality: duration("1s")
          .default("10m") // a check reads the whole lookback; ten minutes is soon enough to be told
          .describe("How often quality is checked."),
        backfill: duration("1s")
          .default("5m") // a gap is found by then; live repairs do not wait for this
          .describe("How often gaps are looked for and repaired."),
      })
      .prefault({})
      .describe("How often the three cycles run."),
  })
  .refine((value) => value.live || value.history.since !== undefined, {
    path: ["live"],
    message: "false without history.since: nothing would be collected; set history.since, or live: true",
  });

const request = z
  .strictObject({
    timeout: duration("100ms", "10m")
      .default("10s") // a page takes well under 1 s; ten times that is no longer slow but gone
      .describe("How long one request may take, its body included."),
    limit: z
      .int()
      .min(2)
      .max(10_000)
      .optional()
      .describe("Rows asked for in one page. Default: as many as the exchange gives."),
    overlap: z
      .int()
      .min(0)
      .max(100)
      .default(3) // exchanges revise the last candles shortly after they close; three cost nothing in the same page
      .describe("Closed candles that are fetched again in each cycle and compared, to notice revisions."),
  })
  // A page that holds nothing beyond the overlap never reaches new candles.
  .refine((value) => value.limit === undefined || value.limit > value.overlap, {
    path: ["limit"],
    message:
      "must be above request.overlap, or no page would hold a new candle; raise limit or lower overlap",
  });

const rateLimit = z.strictObject({
  // Half: whoever shares the IP address, and a second tickwell, still has room.
  share: z
    .number()
    .gt(0)
    .max(1)
    .default(0.5)
    .describe("Part of the exchange's published request limit that may be used; 0.5 is half of it."),
});

const retry = z
  .strictObject({
    attempts: z
      .int()
      .min(1)
      .max(100)
      .default(5) // with the delays below at most 7.5 s of waiting: survives a hiccup; an outage is left to the next cycle
      .describe("Tries of one request in all, the first one included."),
    base_delay: duration("1ms", "1h")
      .default("500ms") // below it a rate-limited retry only adds to the limit
      .describe("Upper bound of the wait before the second try; it doubles with each further one."),
    max_delay: duration("1ms", "24h")
      .default("60s") // request limits are counted by the minute
      .describe("No wait between tries is longer, unless the exchange itself asks for it."),
  })
  .refine((value) => isAtMost(value.base_delay, value.max_delay), {
    path: ["base_delay"],
    message: "is longer than retry.max_delay; lower base_delay or raise max_delay",
  });

const validation = z.strictObject({
  // One bad record must not stop the good ones around it, and nothing doubtful gets into the tables unmarked.
  on_failure: z
    .enum(["skip_and_log", "retry", "store_and_flag", "halt"])
    .default("skip_and_log")
    .describe("What happens to a record that breaks a rule."),
  max_price_jump: z
    .number()
    .gt(1)
    .default(20) // in a month of 1m BTC candles 13 of 45,000 returns exceed 20 times the usual; at 10 it is 112
    .describe("A return above so many times its usual size (the median around it) counts as a price jump."),
  max_volume_spike: z
    .number()
    .gt(1)
    .default(50) // in the same month 24 of 45,000 volumes exceed 50 times the median; at 20 it is 176
    .describe("A volume above so many times the rolling median counts as a volume spike."),
});

const quality = z.strictObject({
  lookback: duration("1m")
    .default("24h") // a day covers what was collected since anyone last looked
    .describe("How far back a quality check looks."),
  min_score: z
    .number()
    .min(0)
    .max(100)
    .default(95) // 5 % missing or wrong: beyond it figures such as daily volume are visibly off
    .describe("Score, 0 to 100, below which a check is not valid."),
});

const backfill = z.strictObject({
  void_confirm_after: duration("1ms", "24h")
    .default("30s") // exchanges publish a candle late by seconds, not by minutes
    .describe(
      "How long after a first 'there is no such candle' the exchange is asked again before it is believed.",
    ),
  concurrency: z
    .int()
    .min(1)
    .max(64)
    .default(4) // keeps the line busy; the rate limit, not this, is the bound
    .describe("Pages of one series fetched at once."),
  workers: z
    .int()
    .min(1)
    .max(64)
    .default(2) // the second works on while the first waits for an answer; more only queue for the same rate limit
    .describe("Backfill tasks this collector works on at once."),
  task_candles: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(10_000) // a week of 1m candles: ten pages, so a killed worker repeats seconds of work, not hours
    .describe("A longer gap is split into tasks of so many candles."),
  max_retries: z
    .int()
    .min(0)
    .max(1_000)
    .default(5) // as contract and database have it; a task that failed so often needs a person
    .describe("Tries of a task after the first one, before it is left as failed."),
  retry_failed_after: duration("1m")
    .default("6h") // an exchange that could not give a range for hours may have mended it by the next shift
    .describe("A failed task gets new tries after this long; its gap stays on record all the while."),
});

/** `collector/*.yml` as it is written. */
export const collectorSchema = z
  .strictObject({
    name: z
      .string()
      .regex(COLLECTOR_NAME)
      .meta({ title: COLLECTOR_NAME_TITLE })
      .optional()
      .describe("Name in logs and reports, unique. Default: the file's name without .yml."),
    exchange: z
      .union([exchangeName(), exchange])
      .describe("The exchange: its name, or a map with name, rest_url, ws_url and trades."),
    symbols: z.array(symbol).min(1).describe("What to collect."),
    mode: mode.prefault({}).describe("History, live, and how often."),
    request: request.prefault({}).describe("Single requests to the exchange."),
    rate_limit: rateLimit.prefault({}).describe("How much of the exchange's request limit is used."),
    retry: retry.prefault({}).describe("What is done when a request fails."),
    validation: validation.prefault({}).describe("What is done with records that cannot be right."),
    quality: quality.prefault({}).describe("Quality checks of what is stored."),
    backfill: backfill.prefault({}).describe("Repair of gaps."),
  })
  .meta({
    title: "tickwell collector",
    description: "One collector: an exchange and what to collect from it.",
  });

const POSTGRES_SCHEMES = ["postgres", "postgresql"];

const storage = z.strictObject({
  url: z
    .string()
    .refine((value) => value === "embedded" || isUrl(value, POSTGRES_SCHEMES))
    .meta({ title: "embedded, or a URL such as postgres://user:password@host:5432/database" })
    .default("embedded") // works without installing anything
    .describe("embedded: a private PostgreSQL in the data directory; or the postgres:// URL of your own."),
  retention: z
    .strictObject({
      candles: duration("1d")
        .optional() // a year of a 1m market takes 75 MB, 25 MB compressed: kept for ever unless asked otherwise
        .describe("Candles older than this are dropped, except in critical events. Default: kept for ever."),
      trades: duration("1d")
        .optional() // nothing is deleted that nobody asked for
        .describe("Trades older than this are dropped, except in critical events. Default: kept for ever."),
      books: duration("1d")
        .optional() // no exchange gives a past book again
        .describe(
          "Order-book snapshots older than this are dropped, except in critical events. Default: kept for ever.",
        ),
      book_deltas: duration("1d")
        .optional() // stored on request only; 7d holds a week of replays
        .describe(
          "Changes of order books older than this are dropped, except in critical events; 7d is a week. Default: kept for ever.",
        ),
      quality: duration("1d")
        .default("365d") // a year of checks shows a season; a row every ten minutes and market adds up
        .describe("Quality summaries older than this are dropped."),
      errors: duration("1d")
        .default("90d") // long enough to compare this outage with the last one
        .describe("Logged API errors older than this are dropped."),
      tasks: duration("1d")
        .default("30d") // what was done a month ago is in the gap log
        .describe("Completed and failed backfill tasks older than this are dropped."),
    })
    .prefault({})
    .describe("How long things are kept."),
});

const stage = z
  .strictObject({
    kind: z
      .enum(["memory", "redis"])
      .default("memory") // no server needed; what a crash loses is fetched again, since coverage was not claimed
      .describe("What holds records between the exchange and the database."),
    url: url(["redis", "rediss"], "a redis:// or rediss:// URL").optional().describe("Where redis is."),
    items_max: z
      .int()
      .min(1)
      .max(100_000_000)
      .default(40_000) // one commit under way and one being gathered: with less, fetching and writing take turns and a third of the speed is lost; 20 MB more than half of it
      .describe("Records held at most; when full, feeds wait."),
  })
  .refine((value) => value.kind !== "redis" || value.url !== undefined, {
    path: ["url"],
    message: "is missing; stage.kind redis needs it, such as redis://localhost:6379; or set kind: memory",
  });

const api = z
  .strictObject({
    host: text("a host name or address")
      .default("127.0.0.1") // nobody else can reach it, so no token is needed
      .describe("Address the HTTP API listens on. Beyond loopback a token is compulsory."),
    port: z.int().min(0).max(65_535).default(7377).describe("Port of the HTTP API; 0 takes any free one."),
    token: z
      .string()
      .min(16) // shorter ones can be guessed over a network
      .regex(/^[\x21-\x7e]+$/) // it travels in a header
      .meta({ title: "a text of at least 16 printable ASCII characters without spaces" })
      .optional()
      .describe("Bearer token callers of the API must send."),
    write_token: z
      .string()
      .min(16)
      .regex(/^[\x21-\x7e]+$/)
      .meta({ title: "a text of at least 16 printable ASCII characters without spaces" })
      .optional()
      .describe(
        "Bearer token of those who may also retry tasks. Default: nobody may change anything over HTTP.",
      ),
  })
  .refine((value) => value.write_token === undefined || value.write_token !== value.token, {
    path: ["write_token"],
    message: "is the same as token, so whoever may read could write; give it another value",
  })
  .refine((value) => isLoopback(value.host) || value.token !== undefined, {
    path: ["token"],
    message:
      'is missing; api.host is not loopback, so anyone could read: set token: "${TICKWELL_API_TOKEN}", or host: 127.0.0.1',
  });

const telegram = z.strictObject({
  bot_token: text("a bot's token, such as 123456:ABC-DEF").describe("The bot that sends, from @BotFather."),
  chat_id: text("a chat's id, such as -1001234567890 or @channel").describe("Where it sends to."),
});

const maintenance = z
  .strictObject({
    from: instant().describe("When it begins."),
    to: instant().describe("When it ends."),
    exchange: exchangeName().optional().describe("Whose maintenance it is. Default: every exchange's."),
  })
  .refine((value) => (parseTime(value.from) ?? 0) < (parseTime(value.to) ?? Infinity), {
    path: ["to"],
    message: "is not after from",
  });

const mute = z.strictObject({
  key: text("an alert's key, in which * stands for anything, such as quality:* or gap:okx:*").describe(
    "Which alerts. Their keys are in `tickwell errors`.",
  ),
  until: instant().optional().describe("When they are told again. Default: never."),
});

const alerts = z.strictObject({
  webhook_url: url(["https", "http"], "an http(s):// URL")
    .optional()
    .describe("Alerts are sent there by POST as JSON. Default: alerts are only logged."),
  slack_webhook_url: url(["https", "http"], "an http(s):// URL")
    .optional()
    .describe("A Slack incoming webhook: alerts are posted there."),
  telegram: telegram.optional().describe("Alerts are sent to a Telegram chat."),
  maintenance: z
    .array(maintenance)
    .default([])
    .describe("Announced maintenance: no alert is raised meanwhile; what still fails afterwards is."),
  consecutive_failures: z
    .int()
    .min(1)
    .max(10_000)
    .default(5) // five cycles, so five minutes: longer than a hiccup, shorter than a night
    .describe("Failures in a row, of one endpoint and market, that raise an alert."),
  gap_age: duration("1m")
    .default("30m") // repairs come every five minutes: by then they have failed more than once
    .describe("A gap that the exchange was asked about and that stays for so long raises an alert."),
  silent_after: duration("10s")
    .default("5m") // a connection without a sign of life is opened again within one; this is when that does not help
    .describe("No message of any stream of an exchange for so long raises an alert."),
  lag: duration("100ms")
    .default("30s") // a hundred times the usual, and longer than a restart of the database
    .describe("More than one live record in twenty stored later than this raises an alert."),
  stage_fill: z
    .number()
    .gt(0)
    .max(1)
    .default(0.8) // above half of it changes of books are given up already
    .describe("A stage filled to this part raises an alert."),
  disk_free: size("1MB", "100000GB")
    .default("2GB") // PostgreSQL needs room for its own log to come up again
    .describe("Less free space than this where the data directory is raises an alert."),
  mute: z
    .array(mute)
    .default([])
    .describe("Alerts that are not told, for a time or for good; they are recorded all the same."),
});

const log = z.strictObject({
  level: z.enum(LOG_LEVELS).default("info").describe("The least severe messages that are written."),
  format: z
    .enum(["auto", "pretty", "json"])
    .default("auto")
    .describe("auto: lines for people on a terminal, JSON elsewhere."),
});

const capture = z.strictObject({
  enabled: z
    .boolean()
    .default(false) // raw messages take more disk than everything else together
    .describe("Keep the exchange's raw messages for replay."),
  directory: text("a folder's path").optional().describe("Where. Default: captures in the data directory."),
  rotate_size: size("1MB", "100GB")
    .default("64MB") // small enough to copy, few enough files a day
    .describe("A capture file is closed and the next begun at this size."),
  keep: duration("1h")
    .optional() // nothing is deleted that nobody asked to be
    .describe("Captures older than this are deleted. Default: they are kept."),
});

/** `tickwell.yml` as it is written. */
export const instanceSchema = z
  .strictObject({
    storage: storage.prefault({}).describe("The database."),
    stage: stage.prefault({}).describe("What holds records between the exchange and the database."),
    api: api.prefault({}).describe("The HTTP API and dashboard."),
    alerts: alerts.prefault({}).describe("Who is told when something stays broken."),
    log: log.prefault({}).describe("Logging, on stderr."),
    capture: capture.prefault({}).describe("Raw messages kept for replay."),
  })
  .meta({ title: "tickwell instance", description: "What all collectors of one process share." });

/** A collector's file, checked, defaults filled in. */
export type CollectorFile = z.output<typeof collectorSchema>;
/** An instance's file, checked, defaults filled in. */
export type InstanceFile = z.output<typeof instanceSchema>;

/** True when a duration is no longer than another, or one of them is none: that is reported where it stands. */
function isAtMost(least: string, most: string): boolean {
  const [leastMs, mostMs] = [parseDuration(least), parseDuration(most)];
  return leastMs === undefined || mostMs === undefined || leastMs <= mostMs;
}
