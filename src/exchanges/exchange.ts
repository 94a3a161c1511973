// The contract every venue implements: a handful of functions, from the wire to records. A venue repeats a single request that
// failed in passing, and otherwise only says what it was asked and what it answered; paging, checking and storing are
// done by whoever calls.
import type { Clock } from "../core/clock.js";
import type { Fault } from "../core/fault.js";
import type { Log } from "../core/log.js";
import type { CandleCandidate } from "../core/model/candle.js";
import type { MarketInfo } from "../core/model/market.js";
import type { TradeCandidate, TradeGrain, TradeNumbering } from "../core/model/trade.js";
import type { BanMemory } from "../core/net/ban-memory.js";
import type { Random } from "../core/random.js";
import type { TimeRange } from "../core/range.js";
import type { RetryLimits } from "../core/retry.js";
import type { Timeframe } from "../core/timeframe.js";
import type { LiveVenue } from "./live.js";

/** What a caller may rely on when it plans requests to a venue. */
export interface ExchangeTraits {
  /** Most rows a page of candles holds. */
  readonly candlePageRowsMax: number;
  readonly timeframes: readonly Timeframe[];
  /** By which number trades are counted without holes, so that a missing one is a proven loss; undefined where none is. */
  readonly tradeNumbering: TradeNumbering | undefined;
}

export interface CandleRequest {
  readonly nativeSymbol: string;
  readonly timeframe: Timeframe;
  /** First open time asked for, epoch ms, on the grid. */
  readonly fromMs: number;
  /** First open time no longer asked for, epoch ms, on the grid, after `fromMs`. */
  readonly toMs: number;
  /** Rows wanted at most; the venue's page size is the upper bound. */
  readonly limit: number;
}

/** A venue's answer to a {@link CandleRequest}. */
export interface CandlePage {
  /** In the venue's own order, brought to ascending where the venue answers newest first; nothing dropped. */
  readonly candidates: readonly CandleCandidate[];
  /**
   * The answer speaks for `[fromMs, provenToMs)`: whatever opens in there and is not in the page, the venue does not
   * have. On the grid, after `fromMs`, at most `toMs`. With rows it is the end of the last one, however few they are: a
   * venue may give less than asked for. Only an answer without rows speaks for everything.
   */
  readonly provenToMs: number;
  /** The path and parameters asked for, without host: kept as evidence. */
  readonly request: string;
}

export interface TradeRequest {
  readonly nativeSymbol: string;
  /** Trades of `[fromMs, toMs)` by the exchange's time, epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** {@link TradePage.next} of the page before; undefined for the first one. */
  readonly cursor?: string | undefined;
}

/** A venue's answer to a {@link TradeRequest}. */
export interface TradePage {
  /** Ascending by id within the page; only trades of the range asked for. Pages may come newest first. */
  readonly candidates: readonly TradeCandidate[];
  /** Where to go on; undefined when the pages so far hold the whole range. */
  readonly next: string | undefined;
  /** The path and parameters asked for, without host: kept as evidence. */
  readonly request: string;
}

/** How much of one limit of a venue is used now. */
export interface LimitUse {
  /** `weight_1m`, or the endpoint it counts. */
  readonly name: string;
  /** In the limit's own measure: weight, or requests. */
  readonly used: number;
  /** What the venue allows in a window, before our share of it. */
  readonly allowed: number;
  readonly windowMs: number;
}

/** What holds requests back now. */
export interface VenueCondition {
  /** Our clock, epoch ms; undefined when the host has not banned us, as far as we know. */
  readonly bannedUntilMs: number | undefined;
  readonly limits: readonly LimitUse[];
}

/** The part of a venue that answers questions. */
export interface RestExchange {
  /** ccxt's id: `binance`. */
  readonly id: string;
  /** The REST host that is asked, for messages. */
  readonly restUrl: string;
  readonly traits: ExchangeTraits;
  /**
   * All markets of the venue, including suspended ones.
   *
   * This and the other fetches throw a TickwellError when the last attempt failed, `ip_ban` without asking while the
   * host has banned us, and the signal's reason as soon as it is aborted.
   */
  fetchMarkets(signal: AbortSignal): Promise<readonly MarketInfo[]>;
  /** The venue's clock in epoch milliseconds. */
  fetchServerTime(signal: AbortSignal): Promise<number>;
  /** One page of candles, the forming one included if the venue sends it. */
  fetchCandles(request: CandleRequest, signal: AbortSignal): Promise<CandlePage>;
  /** One page of trades. Venues keep them for days or months only: what is too old is `bad_request`. */
  fetchTrades(request: TradeRequest, signal: AbortSignal): Promise<TradePage>;
  /**
   * Maintenance the venue has announced and not ended yet, as far as it concerns market data; absent where no open endpoint tells.
   * What the venue says of it is not to be relied on: an end may be far, and come sooner or later.
   */
  readonly fetchMaintenance?: (signal: AbortSignal) => Promise<readonly TimeRange[]>;
  /** For those who operate it; absent where nothing is counted. */
  readonly condition?: () => VenueCondition;
  /** Releases connections; requests under way fail. */
  close(): Promise<void>;
}

export interface Exchange extends RestExchange {
  /** Streams, and order books. */
  readonly live: LiveVenue;
}

/** What a venue is built with. One instance per host serves a whole process: rate limits and bans are per IP. */
export interface ExchangeOptions {
  /** Another host, or a simulator: `http://127.0.0.1:7400`. The venue's public market-data host otherwise. */
  readonly restUrl?: string | undefined;
  /** How finely trades are told; Binance's aggregates and OKX's single fills otherwise. */
  readonly trades?: TradeGrain | undefined;
  /** For one request, from connecting to the last byte. */
  readonly timeoutMs: number;
  /** The part of the venue's rate limit to use, in (0, 1]. */
  readonly rateLimitShare: number;
  readonly retry: RetryLimits;
  readonly clock: Clock;
  readonly random: Random;
  readonly bans: BanMemory;
  readonly log: Log;
  /** Told of every failed request, also those that are repeated. Must not throw. */
  readonly onFailure?: ((failure: RequestFailure) => void) | undefined;
  /** Told of every request that was answered and read. Must not throw. */
  readonly onSuccess?: ((success: RequestSuccess) => void) | undefined;
}

/** A request that was answered, for those who count failures in a row. */
export interface RequestSuccess {
  readonly exchange: string;
  /** The path without host and parameters. */
  readonly endpoint: string;
  /** Undefined where the endpoint is not about one market. */
  readonly nativeSymbol: string | undefined;
  readonly atMs: number;
  /** From sending it to having read its answer, waits for the rate limit and earlier attempts not counted; absent of a stream. */
  readonly tookMs?: number;
}

/** A request that failed, for the record. */
export interface RequestFailure {
  readonly exchange: string;
  /** The path without host and parameters: `/api/v3/klines`. */
  readonly endpoint: string;
  readonly params: Readonly<Record<string, string>>;
  /** Undefined where the endpoint is not about one market. */
  readonly nativeSymbol: string | undefined;
  readonly fault: Fault;
  readonly message: string;
  readonly atMs: number;
  /** Counted from 1. */
  readonly attempt: number;
  /** Undefined when this was the last attempt. */
  readonly willRetryInMs: number | undefined;
}
