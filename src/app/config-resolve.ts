// From the files' spelling to the program's: a checked collector or instance file in, the types of config-types.ts out.
import { durationMs, instantMs, parseSince, sizeBytes } from "./config-fields.js";
import type { CollectorFile, InstanceFile } from "./config-schema.js";
import type { CollectorConfig, HistorySince, InstanceConfig, ValidationConfig } from "./config-types.js";

/** @param name what the collector is called when its file does not say */
export function resolveCollector(file: CollectorFile, name: string): CollectorConfig {
  const exchange = typeof file.exchange === "string" ? { name: file.exchange } : file.exchange;
  const { mode, request, retry, validation, quality, backfill } = file;
  return {
    name: file.name ?? name,
    exchange: {
      name: exchange.name,
      restUrl: exchange.rest_url,
      wsUrl: exchange.ws_url,
      trades: exchange.trades,
    },
    symbols: file.symbols.map(({ symbol, timeframes, channels, book, max_price_jump, max_volume_spike }) => ({
      symbol,
      timeframes,
      channels,
      book: {
        levels: book.levels,
        snapshotEveryMs: durationMs(book.interval),
        keepsDeltas: book.deltas,
      },
      maxPriceJump: max_price_jump,
      maxVolumeSpike: max_volume_spike,
    })),
    mode: {
      history: {
        since: mode.history.since === undefined ? undefined : parseSince(String(mode.history.since)),
        tradesSince:
          mode.history.trades_since === undefined ? undefined : parseSince(String(mode.history.trades_since)),
      },
      live: mode.live,
      intervals: {
        collectMs: durationMs(mode.intervals.collect),
        qualityMs: durationMs(mode.intervals.quality),
        backfillMs: durationMs(mode.intervals.backfill),
      },
    },
    request: { timeoutMs: durationMs(request.timeout), limit: request.limit, overlap: request.overlap },
    rateLimit: { share: file.rate_limit.share },
    retry: {
      attempts: retry.attempts,
      baseDelayMs: durationMs(retry.base_delay),
      maxDelayMs: durationMs(retry.max_delay),
    },
    validation: {
      onFailure: validation.on_failure,
      maxPriceJump: validation.max_price_jump,
      maxVolumeSpike: validation.max_volume_spike,
    },
    quality: { lookbackMs: durationMs(quality.lookback), minScore: quality.min_score },
    backfill: {
      voidConfirmAfterMs: durationMs(backfill.void_confirm_after),
      concurrency: backfill.concurrency,
      workers: backfill.workers,
      taskCandles: backfill.task_candles,
      maxRetries: backfill.max_retries,
      retryFailedAfterMs: durationMs(backfill.retry_failed_after),
    },
  };
}

export function resolveInstance(file: InstanceFile): InstanceConfig {
  const { storage, stage, api, alerts, log, capture } = file;
  return {
    storage: {
      url: storage.url,
      retention: {
        candlesMs: optionalMs(storage.retention.candles),
        tradesMs: optionalMs(storage.retention.trades),
        booksMs: optionalMs(storage.retention.books),
        bookDeltasMs: optionalMs(storage.retention.book_deltas),
        qualityMs: durationMs(storage.retention.quality),
        errorsMs: durationMs(storage.retention.errors),
        tasksMs: durationMs(storage.retention.tasks),
      },
    },
    stage: { kind: stage.kind, url: stage.url, itemsMax: stage.items_max },
    api: { host: api.host, port: api.port, token: api.token, writeToken: api.write_token },
    alerts: {
      webhookUrl: alerts.webhook_url,
      slackWebhookUrl: alerts.slack_webhook_url,
      telegram: alerts.telegram && { botToken: alerts.telegram.bot_token, chatId: alerts.telegram.chat_id },
      maintenance: alerts.maintenance.map(({ from, to, exchange }) => ({
        startMs: instantMs(from),
        endMs: instantMs(to),
        exchange,
      })),
      consecutiveFailures: alerts.consecutive_failures,
      gapAgeMs: durationMs(alerts.gap_age),
      silentAfterMs: durationMs(alerts.silent_after),
      lagMs: durationMs(alerts.lag),
      stageFill: alerts.stage_fill,
      diskFreeBytes: sizeBytes(alerts.disk_free),
      mutes: alerts.mute.map(({ key, until }) => ({
        key,
        untilMs: until === undefined ? undefined : instantMs(until),
      })),
    },
    log: { level: log.level, format: log.format },
    capture: {
      enabled: capture.enabled,
      directory: capture.directory,
      rotateSizeBytes: sizeBytes(capture.rotate_size),
      keepMs: capture.keep === undefined ? undefined : durationMs(capture.keep),
    },
  };
}

/** The instant history begins, epoch ms. @param nowMs the exchange's clock, for durations ago */
export function historySinceMs(since: HistorySince, nowMs: number): number {
  return since.kind === "at" ? since.timeMs : nowMs - since.durationMs;
}

/** The limits that hold for one market: its own where it has some, else the collector's. */
export function validationFor({ symbols, validation }: CollectorConfig, symbol: string): ValidationConfig {
  const own = symbols.find((each) => each.symbol === symbol);
  return {
    onFailure: validation.onFailure,
    maxPriceJump: own?.maxPriceJump ?? validation.maxPriceJump,
    maxVolumeSpike: own?.maxVolumeSpike ?? validation.maxVolumeSpike,
  };
}

function optionalMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : durationMs(text);
}
