// Fetches trades that are missing, by REST, and proves by their ids that they are all there.
//
// 1. A gap is a range of time, and the ids it lies between as far as they are known. It is asked for a little wider than it
//    is: the trades at its edges may carry times just outside, and ids decide what belongs to it.
// 2. A long gap is worked through window by window, oldest first, each committed by itself, so that a killed process repeats
//    minutes and not days.
// What its rows prove is judged in src/pipeline/feed/trade-window.ts.
import type { Clock } from "../core/clock.js";
import { classifyError, describeError, TickwellError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import { formatMarketName } from "../core/model/market.js";
import type { TradeBatch } from "../core/model/record-batch.js";
import type { TradeCandidate } from "../core/model/trade.js";
import type { RestExchange } from "../exchanges/exchange.js";
import {
  countsAnew,
  judgeWindow,
  lastIdOf,
  type FetchedWindow,
  type TradeGap,
} from "../pipeline/feed/trade-window.js";
import type { Stage } from "../pipeline/stage/stage.js";
import type { StoredMarket } from "../store/store.js";

export interface TradeRepairOptions {
  readonly exchange: Pick<RestExchange, "id" | "fetchTrades" | "traits">;
  readonly stage: Pick<Stage, "append" | "settled">;
  readonly clock: Clock;
  readonly log: Log;
  /** The exchange's clock, epoch ms. */
  readonly exchangeNowMs: () => number;
  /** Told of each window as it was fetched, for captures. */
  readonly onFetched?: ((market: StoredMarket, fetched: FetchedWindow) => void) | undefined;
}

export interface RepairedTrades {
  readonly trades: number;
  /** Ids that are still missing. */
  readonly missingIds: number;
}

/** The engine's clock and that of its order of ids differ by milliseconds; a second is plenty. */
const EDGE_MS = 1_000;
/** One window: a few pages of a busy market. */
const WINDOW_MS = 10 * 60_000;
/** Pages of one window: a page that leads nowhere must not be followed for ever. */
const PAGES_MAX = 10_000;
const TOLD_MAX = 1_000;

export class TradeRepair {
  readonly #options: TradeRepairOptions;
  /** Failures that were mentioned. */
  readonly #told = new Set<string>();

  constructor(options: TradeRepairOptions) {
    this.#options = options;
  }

  /**
   * Fetches what is missing and hands it to the stage; resolves when it is committed.
   * @throws TickwellError when the exchange cannot be asked, with what came before it committed; the signal's reason
   */
  async repair(
    market: StoredMarket,
    gap: TradeGap,
    signal: AbortSignal,
    onBatch?: (batch: TradeBatch) => void,
  ): Promise<RepairedTrades> {
    const { stage, exchange, clock, exchangeNowMs } = this.#options;
    const numbering = exchange.traits.tradeNumbering;
    if (numbering === undefined)
      throw new TickwellError(
        { kind: "bad_request", code: undefined },
        `${exchange.id} does not count its trades, so that nothing can be said about missing ones`,
      );
    let trades = 0;
    let missingIds = 0;
    let sequence = 0;
    let afterId = gap.afterId;
    const isCountedAnew = countsAnew(gap);
    for (let startMs = gap.startMs; startMs < gap.endMs; startMs += WINDOW_MS) {
      const endMs = Math.min(startMs + WINDOW_MS, gap.endMs);
      const isLast = endMs === gap.endMs;
      const window: TradeGap = {
        startMs,
        endMs,
        afterId,
        beforeId: isLast ? gap.beforeId : undefined,
        isCountedAnew,
      };
      const candidates = await this.#fetch(
        market,
        window,
        { isFirst: startMs === gap.startMs, isLast },
        signal,
      );
      const fetched: FetchedWindow = {
        marketId: market.id,
        window,
        numbering,
        candidates,
        receivedMs: clock.nowMs(),
        exchangeNowMs: exchangeNowMs(),
      };
      this.#options.onFetched?.(market, fetched);
      const batch = judgeWindow(fetched);
      sequence = await stage.append(batch, signal);
      onBatch?.(batch);
      trades += batch.trades.length;
      missingIds += batch.missing.reduce((sum, each) => sum + each.lastId - each.firstId + 1, 0);
      const lastId = lastIdOf(batch.trades, numbering);
      if (lastId !== undefined && !isCountedAnew) afterId = Math.max(afterId ?? lastId, lastId);
    }
    if (sequence > 0) await stage.settled(sequence, signal);
    return { trades, missingIds };
  }

  /** As {@link repair}, for a gap that is one of many: a failure is logged and left to the next time. */
  async tryRepair(
    market: StoredMarket,
    gap: TradeGap,
    signal: AbortSignal,
  ): Promise<RepairedTrades | undefined> {
    try {
      return await this.repair(market, gap, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      const { kind } = classifyError(error);
      const words = `${formatMarketName(market)}: missing trades cannot be fetched now (${kind}: ${describeError(error)}); they stay on record and are asked for again`;
      // A gap that is older than the exchange's memory is asked for in vain for ever: said once.
      const key = `${market.id} ${gap.startMs} ${kind}`;
      if (this.#told.has(key)) this.#options.log.debug(words);
      else this.#options.log.warn(words);
      if (this.#told.size >= TOLD_MAX) this.#told.clear();
      this.#told.add(key);
      return undefined;
    }
  }

  /** All rows of a window, edges included. */
  async #fetch(
    market: StoredMarket,
    window: TradeGap,
    { isFirst, isLast }: { isFirst: boolean; isLast: boolean },
    signal: AbortSignal,
  ): Promise<TradeCandidate[]> {
    const { exchange } = this.#options;
    const range = {
      fromMs: Math.max(0, window.startMs - (isFirst && window.afterId !== undefined ? EDGE_MS : 0)),
      toMs: window.endMs + (isLast && window.beforeId !== undefined ? EDGE_MS : 0),
    };
    const candidates: TradeCandidate[] = [];
    let cursor: string | undefined;
    for (let page = 0; ; page++) {
      if (page >= PAGES_MAX)
        throw new TickwellError(
          { kind: "malformed_payload", path: "$", sample: cursor ?? "" },
          `${formatMarketName(market)}: ${PAGES_MAX} pages of trades and no end: the exchange repeats itself`,
        );
      const answer = await exchange.fetchTrades(
        { nativeSymbol: market.nativeSymbol, ...range, cursor },
        signal,
      );
      candidates.push(...answer.candidates);
      cursor = answer.next;
      if (cursor === undefined) return candidates;
    }
  }
}
