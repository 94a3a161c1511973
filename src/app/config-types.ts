// The validated configuration as the rest of the program sees it: camelCase, durations in milliseconds, sizes in bytes,
// every default filled in. The files' own spelling and the defaults are in config-schema.ts.
import type { LogLevel } from "../core/log.js";
import type { TradeGrain } from "../core/model/trade.js";
import type { Timeframe } from "../core/timeframe.js";
import type { ExchangeName } from "../exchanges/registry.js";

/** What a collector can gather for a symbol. */
export type Channel = "candles" | "trades" | "book";

/** Which exchange is asked, and where. */
export interface ExchangeConfig {
  /** ccxt's id. */
  readonly name: ExchangeName;
  /** undefined: the exchange's public market-data host. */
  readonly restUrl: string | undefined;
  /** undefined: the exchange's public market-data host. */
  readonly wsUrl: string | undefined;
  /** undefined: the exchange's own default. */
  readonly trades: TradeGrain | undefined;
}

/** How an order book is stored. */
export interface BookConfig {
  /** Levels a side of a snapshot. */
  readonly levels: number;
  /** Between two snapshots. */
  readonly snapshotEveryMs: number;
  /** Every change as well. */
  readonly keepsDeltas: boolean;
}

export interface SymbolConfig {
  /** ccxt's unified symbol: `BTC/USDT`, `BTC/USDT:USDT`. */
  readonly symbol: string;
  readonly timeframes: readonly Timeframe[];
  readonly channels: readonly Channel[];
  /** With the channel `book`. */
  readonly book: BookConfig;
  /** Instead of those of {@link ValidationConfig}, where given. */
  readonly maxPriceJump: number | undefined;
  readonly maxVolumeSpike: number | undefined;
}

/** Where history begins: a fixed instant, or so long before the start of the collector. */
export type HistorySince =
  { readonly kind: "at"; readonly timeMs: number } | { readonly kind: "ago"; readonly durationMs: number };

export interface ModeConfig {
  readonly history: {
    /** undefined: nothing from before the first start is fetched. */
    readonly since: HistorySince | undefined;
    /** Of trades; undefined: they begin with the first start. */
    readonly tradesSince: HistorySince | undefined;
  };
  /** False: history only. */
  readonly live: boolean;
  readonly intervals: {
    readonly collectMs: number;
    readonly qualityMs: number;
    readonly backfillMs: number;
  };
}

export interface RequestConfig {
  readonly timeoutMs: number;
  /** Rows asked for in one page; undefined: as many as the exchange gives. */
  readonly limit: number | undefined;
  /** Closed candles that are fetched again in each cycle, to notice revisions. */
  readonly overlap: number;
}

export interface RateLimitConfig {
  /** Part of the exchange's published limit that may be used, above 0 and at most 1. */
  readonly share: number;
}

export interface RetryConfig {
  /** Tries of one request in all, the first one included. */
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/** What happens to a record that breaks a rule. */
export type OnFailure = "skip_and_log" | "retry" | "store_and_flag" | "halt";

export interface ValidationConfig {
  readonly onFailure: OnFailure;
  /** A price jump is an absolute log return above so many times its usual size (the median around it). */
  readonly maxPriceJump: number;
  /** A volume spike is a volume above so many times the rolling median. */
  readonly maxVolumeSpike: number;
}

export interface QualityConfig {
  /** How far back a quality check looks. */
  readonly lookbackMs: number;
  /** Below this score, 0 to 100, a check is not valid. */
  readonly minScore: number;
}

export interface BackfillConfig {
  /** How long after a first "there is no such candle" the exchange is asked again before it is believed. */
  readonly voidConfirmAfterMs: number;
  /** Pages of one series fetched at once. */
  readonly concurrency: number;
  /** Tasks worked on at once. */
  readonly workers: number;
  /** A longer gap is split into tasks of so many candles. */
  readonly taskCandles: number;
  /** Tries of a task after the first one, before it is left as failed. */
  readonly maxRetries: number;
  /** A failed task gets new tries after this long. */
  readonly retryFailedAfterMs: number;
}

/** One collector: one exchange, its symbols, and how they are gathered. */
export interface CollectorConfig {
  /** Unique among the collectors of a configuration. */
  readonly name: string;
  readonly exchange: ExchangeConfig;
  readonly symbols: readonly SymbolConfig[];
  readonly mode: ModeConfig;
  readonly request: RequestConfig;
  readonly rateLimit: RateLimitConfig;
  readonly retry: RetryConfig;
  readonly validation: ValidationConfig;
  readonly quality: QualityConfig;
  readonly backfill: BackfillConfig;
}

export interface StorageConfig {
  /** `embedded`, or a `postgres://` URL. Secret: it may carry a password. */
  readonly url: string;
  readonly retention: RetentionConfig;
}

/** How long things are kept. */
export interface RetentionConfig {
  /** undefined: for ever. */
  readonly candlesMs: number | undefined;
  readonly tradesMs: number | undefined;
  readonly booksMs: number | undefined;
  readonly bookDeltasMs: number | undefined;
  readonly qualityMs: number;
  readonly errorsMs: number;
  /** Of completed and failed tasks. */
  readonly tasksMs: number;
}

/** What holds records between the exchange and the database. */
export interface StageConfig {
  readonly kind: "memory" | "redis";
  /** Given whenever `kind` is `redis`. Secret: it may carry a password. */
  readonly url: string | undefined;
  /** Records held at most before the feeds are held back. */
  readonly itemsMax: number;
}

export interface ApiConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Given whenever `host` is not loopback. Secret. */
  readonly token: string | undefined;
  /** Of those who may change something. Undefined: nobody may. Secret. */
  readonly writeToken: string | undefined;
}

/** `[startMs, endMs)` in epoch ms. */
export interface MaintenanceWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** undefined: every exchange's. */
  readonly exchange: string | undefined;
}

export interface AlertsConfig {
  /** Secret: whoever knows it can post there. */
  readonly webhookUrl: string | undefined;
  /** Secret, as above. */
  readonly slackWebhookUrl: string | undefined;
  readonly telegram: { readonly botToken: string; readonly chatId: string } | undefined;
  /** Announced maintenance, of one exchange or of all: no alert is raised meanwhile. */
  readonly maintenance: readonly MaintenanceWindow[];
  /** Failures in a row, of one endpoint and market, that raise an alert. */
  readonly consecutiveFailures: number;
  /** How long a gap may stay that the exchange was asked about. */
  readonly gapAgeMs: number;
  /** How long an exchange's streams may be without a message. */
  readonly silentAfterMs: number;
  /** How late live records may be stored. */
  readonly lagMs: number;
  /** How full the stage may be, above 0 and at most 1. */
  readonly stageFill: number;
  /** How much room there has to be where the data directory is. */
  readonly diskFreeBytes: number;
  /** What is not told, by key; for good where `untilMs` is undefined. */
  readonly mutes: readonly { readonly key: string; readonly untilMs: number | undefined }[];
}

export interface LogConfig {
  readonly level: LogLevel;
  /** `auto`: pretty on a terminal, JSON elsewhere. */
  readonly format: "auto" | "pretty" | "json";
}

/** Raw messages kept for replay. */
export interface CaptureConfig {
  readonly enabled: boolean;
  /** undefined: `captures` in the data directory. */
  readonly directory: string | undefined;
  readonly rotateSizeBytes: number;
  /** undefined: for ever. */
  readonly keepMs: number | undefined;
}

/** What all collectors of one process share. */
export interface InstanceConfig {
  readonly storage: StorageConfig;
  readonly stage: StageConfig;
  readonly api: ApiConfig;
  readonly alerts: AlertsConfig;
  readonly log: LogConfig;
  readonly capture: CaptureConfig;
}

/** Which files a configuration was made of. */
export interface ConfigFiles {
  /** undefined: there is no tickwell.yml, every instance setting is its default. */
  readonly instance: string | undefined;
  /** In the order of {@link TickwellConfig.collectors}. */
  readonly collectors: readonly string[];
  /** The `.env` files that were found. */
  readonly env: readonly string[];
  /** YAML files that lie in the folder but are neither tickwell.yml nor in `collector/`. */
  readonly notRead: readonly string[];
}

/** A whole configuration. */
export interface TickwellConfig {
  readonly instance: InstanceConfig;
  readonly collectors: readonly CollectorConfig[];
  readonly files: ConfigFiles;
}
