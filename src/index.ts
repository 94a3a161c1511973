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
export { Pipeline, type PipelineOptions } from "./pipeline/pipeline.js";
export { openStore, type OpenStoreOptions } from "./store/open-store.js";
export type { Gap, SeriesKey, SeriesState, Store, StoredCandle, StoredMarket, Void } from "./store/store.js";
export { parseFaultPlan, type FaultPlan, type FaultPlanInput } from "../simulator/fault-plan.js";
export type { GroundTruth } from "../simulator/ground-truth.js";
export {
  startSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../simulator/simulated-exchange.js";
