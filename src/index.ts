// What `import … from "tickwell"` offers: each part of the collector, usable on its own.
export { Collector, type CollectorOptions, type CycleReport } from "./app/collector.js";
export { loadCollectorConfig, loadConfig } from "./app/config-file.js";
export type {
  BackfillConfig,
  CollectorConfig,
  ExchangeConfig,
  InstanceConfig,
  ModeConfig,
  QualityConfig,
  RateLimitConfig,
  RequestConfig,
  RetryConfig,
  SymbolConfig,
  TickwellConfig,
  ValidationConfig,
} from "./app/config-types.js";
export { scaledClock, systemClock, type Clock } from "./core/clock.js";
export { classifyError, TickwellError, type Fault, type FaultKind } from "./core/fault.js";
export { createLog, silentLog, type Log } from "./core/log.js";
export type { Candle } from "./core/model/candle.js";
export type { MarketInfo } from "./core/model/market.js";
export type { Trade, TradeCandidate } from "./core/model/trade.js";
export type { TimeRange } from "./core/range.js";
export { planRetry, retryWithBackoff, type RetryLimits, type RetryPlan } from "./core/retry.js";
export { TIMEFRAMES, type Timeframe } from "./core/timeframe.js";
export type {
  CandlePage,
  CandleRequest,
  Exchange,
  ExchangeOptions,
  RequestFailure,
} from "./exchanges/exchange.js";
export { createExchange, EXCHANGES } from "./exchanges/registry.js";
export { CANDLE_FLAGS, type CandleFlag } from "./core/model/candle-flags.js";
export {
  validateCandles,
  type CandleRow,
  type CandleValidation,
  type CandleVerdict,
  type ValidateCandlesOptions,
} from "./pipeline/gate/validate-candles.js";
export type { ArchiveDay, ArchiveRequest, CandleArchive } from "./exchanges/archive.js";
export { createArchive } from "./exchanges/archive-registry.js";
export { buildCandles, CandleBuilder } from "./pipeline/fold/candle-builder.js";
export {
  TRADE_RULES,
  validateTrades,
  type IdGap,
  type TradeGateContext,
  type TradeGateResult,
  type TradeRejection,
  type TradeRule,
} from "./pipeline/gate/trade-gate.js";
export { Pipeline, type PipelineOptions } from "./pipeline/pipeline.js";
export type { BookLevel, BookPage, BookUpdate, WireLevel } from "./core/model/book.js";
export type { BookRules, BookStep } from "./exchanges/book-rules.js";
export type { LiveChannel, LiveDialect, LiveMessage, LiveVenue } from "./exchanges/live.js";
export { OrderBook } from "./pipeline/fold/order-book.js";
export type { LiveMarket } from "./pipeline/feed/live/live-feed.js";
export type { BookSettings } from "./pipeline/feed/live/market-streams.js";
export { LiveFollower, type LiveFollowerOptions } from "./upkeep/live-follower.js";
export type { LiveRecords, StoredBook, StoredTrade } from "./store/live-records.js";
export { LiveQualityChecker } from "./upkeep/quality/live-quality-checker.js";
export { DeepChecker, type DeepCheckerOptions, type DeepRequest } from "./upkeep/deep/deep-checker.js";
export type { DeepClass, DeepDifference, DeepReport } from "./upkeep/deep/deep-report.js";
export type {
  QualityDeduction,
  QualityFinding,
  QualityRecords,
  QualitySummary,
} from "./store/quality-records.js";
export { openStore, type OpenStoreOptions } from "./store/open-store.js";
export type {
  BackfillTask,
  ClaimedTask,
  PlanReport,
  TaskClaim,
  TaskOutcome,
  TaskQueue,
  TaskStatus,
} from "./store/task-queue.js";
export type { Gap, SeriesKey, SeriesState, Store, StoredCandle, StoredMarket, Void } from "./store/store.js";
export { BackfillScheduler, type BackfillSchedulerOptions } from "./upkeep/backfill-scheduler.js";
export {
  BackfillWorker,
  type BackfillWorkerOptions,
  type TaskEvent,
  type WorkReport,
} from "./upkeep/backfill-worker.js";
export {
  DataQualityChecker,
  type AllMarketsCheck,
  type DataQualityCheckerOptions,
  type OhlcvCheck,
} from "./upkeep/quality/data-quality-checker.js";
export type { QualityReport, ReportedSeries } from "./upkeep/quality/quality-report.js";
export { formatQualityMarkdown } from "./app/quality-report/quality-markdown.js";
export { formatQualityTable } from "./app/quality-report/quality-table.js";
export type { Alert, AlertMessage, Notifier } from "./upkeep/alerts/alert-message.js";
export { Alerts, type AlertsOptions } from "./upkeep/alerts/alerts.js";
export { trackFailures } from "./upkeep/alerts/failure-alerts.js";
export { createNotifiers } from "./upkeep/alerts/notifiers.js";
export { ApiErrorLogger, type ApiErrorLoggerOptions } from "./upkeep/errors/api-error-logger.js";
export {
  ConsecutiveFailureTracker,
  type ConsecutiveFailureTrackerOptions,
  type FailureChange,
} from "./upkeep/errors/consecutive-failure-tracker.js";
export { API_LIMITS, startApi, type ApiLimits, type ApiOptions, type ApiServer } from "./web/server.js";
export { LiveHub } from "./pipeline/live-hub.js";
export type {
  Answer as ApiAnswer,
  QueryInput as ApiQuery,
  RouteName as ApiRouteName,
  StreamMessage as ApiStreamMessage,
  StreamRequest as ApiStreamRequest,
} from "./web/contract.js";
export type { MetricsSource } from "./web/metrics-source.js";
export type { ProcessView } from "./web/process-view.js";
export {
  FAULT_KINDS,
  PAGE_LIES,
  parseFaultPlan,
  PASSING_FAULT_KINDS,
  ROW_LIES,
  type FaultPlan,
  type FaultPlanInput,
} from "../simulator/fault-plan.js";
export type { GroundTruth } from "../simulator/ground-truth.js";
export type { MarketSpec } from "../simulator/market-spec.js";
export type { SimulatedVenue } from "../simulator/simulated-venue.js";
export type { VenueName } from "../simulator/venue-name.js";
export {
  startSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../simulator/simulated-exchange.js";
