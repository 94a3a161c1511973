// Fetches trades that are missing, by REST, and proves by their ids that they are all there.
//
// 1. A gap is a range of time, and the ids it lies between as far as they are known. It is asked for a little wider than it
//    is: the trades at its edges may carry times just outside, and ids decide what belongs to it.
// 2. A long gap is worked through window by window, oldest first, each committed by itself, so that a killed process repeats
//    minutes and not days.
// 3. What has an unbroken run of ids is proven. What has not stays a gap, on record with its ids, and is asked for again.
// 4. A refused row is a trade all the same: its id is a hole, and nothing is claimed, nor taken for void, from where it may
//    have stood to the next id that is known.
import type { Clock } from "../core/clock.js";
import { classifyError, describeError, TickwellError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import { NO_TALLY } from "../core/model/live-tally.js";
import { formatMarketName } from "../core/model/market.js";
import type { Rejection } from "../core/model/candle-batch.js";
import type { MissingTrades, TradeBatch, TradeRun } from "../core/model/record-batch.js";
import { continuityOf, type Trade, type TradeCandidate, type TradeNumbering } from "../core/model/trade.js";
import type { TimeRange } from "../core/range.js";
import type { RestExchange } from "../exchanges/exchange.js";
import { validateTrades, type TradeRejection } from "../pipeline/gate/trade-gate.js";
import type { Stage } from "../pipeline/stage/stage.js";
import type { StoredMarket } from "../store/store.js";

/** A hole in a market's trades. */
export interface TradeGap extends TimeRange {
  /** The last id before it; undefined where nothing is known before. */
  readonly afterId: number | undefined;
  /** The first id behind it; undefined where nothing is known behind. */
  readonly beforeId: number | undefined;
}

export interface TradeRepairOptions {
  readonly exchange: Pick<RestExchange, "id" | "fetchTrades" | "traits">;
  readonly stage: Pick<Stage, "append" | "settled">;
  readonly clock: Clock;
  readonly log: Log;
  /** The exchange's clock, epoch ms. */
  readonly exchangeNowMs: () => number;
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
/** When trades that were not there are asked for again. */
const ASK_AGAIN_MS = 60_000;

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
    const { stage, exchange } = this.#options;
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
    for (let startMs = gap.startMs; startMs < gap.endMs; startMs += WINDOW_MS) {
      const endMs = Math.min(startMs + WINDOW_MS, gap.endMs);
      const isLast = endMs === gap.endMs;
      const window: TradeGap = { startMs, endMs, afterId, beforeId: isLast ? gap.beforeId : undefined };
      const found = await this.#fetch(
        market,
        window,
        { isFirst: startMs === gap.startMs, isLast, numbering },
        signal,
      );
      const batch = batchOf(market.id, window, {
        ...found,
        numbering,
        receivedMs: this.#options.clock.nowMs(),
      });
      sequence = await stage.append(batch, signal);
      onBatch?.(batch);
      trades += batch.trades.length;
      missingIds += batch.missing.reduce((sum, each) => sum + each.lastId - each.firstId + 1, 0);
      afterId = batch.trades.at(-1) ? lastIdOf(batch.trades, numbering) : afterId;
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

  /** All trades of a window, edges included, checked and in the order of their ids. */
  async #fetch(
    market: StoredMarket,
    window: TradeGap,
    { isFirst, isLast, numbering }: { isFirst: boolean; isLast: boolean; numbering: TradeNumbering },
    signal: AbortSignal,
  ): Promise<{ trades: Trade[]; rejected: TradeRejection[] }> {
    const { exchange, exchangeNowMs } = this.#options;
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
      if (cursor === undefined) break;
    }
    candidates.sort((a, b) => (a.id ?? -1) - (b.id ?? -1));
    const { trades, rejected } = validateTrades(dropRepeated(candidates), {
      exchangeNowMs: exchangeNowMs(),
      hasContiguousIds: false,
    });
    return {
      trades: trades.filter((trade) => isInside(window, continuityOf(trade, numbering))),
      rejected: [...rejected],
    };
  }
}

/** What a window's trades prove, and what they leave open. */
function batchOf(
  marketId: number,
  window: TradeGap,
  found: {
    trades: readonly Trade[];
    rejected: readonly TradeRejection[];
    numbering: TradeNumbering;
    receivedMs: number;
  },
): TradeBatch {
  const { trades, rejected, numbering, receivedMs } = found;
  const runs: TradeRun[] = [];
  const missing: MissingTrades[] = [];
  let startMs = window.startMs;
  let expectedId = window.afterId === undefined ? undefined : window.afterId + 1;
  let run: { firstId: number; lastId: number; latestMs: number } | undefined;
  const closeRun = (endMs: number): void => {
    const toMs = Math.min(Math.max(endMs, startMs), window.endMs);
    if (run) runs.push({ startMs, endMs: toMs, firstId: run.firstId, lastId: run.lastId });
    startMs = toMs;
    run = undefined;
  };
  const noteHole = (firstId: number, lastId: number, toMs: number): void => {
    const endMs = Math.max(Math.min(toMs, window.endMs), startMs + 1);
    missing.push({
      startMs,
      endMs,
      firstId,
      lastId,
      reason: "absent",
      detail: `the exchange does not give trades ${firstId} to ${lastId}`,
      nextAskMs: receivedMs + ASK_AGAIN_MS,
    });
    startMs = endMs;
  };
  for (const trade of trades) {
    const { firstId, lastId } = continuityOf(trade, numbering);
    if (expectedId !== undefined && firstId > expectedId) {
      closeRun(run?.latestMs ?? startMs);
      noteHole(expectedId, firstId - 1, trade.timeMs);
    }
    run = {
      firstId: run?.firstId ?? firstId,
      lastId,
      latestMs: Math.max(run?.latestMs ?? -Infinity, trade.timeMs),
    };
    expectedId = lastId + 1;
  }
  const { beforeId } = window;
  // Those among the good ones are holes by now.
  const refused = rejected.filter(({ id = Infinity }) => id >= (expectedId ?? -Infinity));
  if (beforeId !== undefined && expectedId !== undefined && expectedId < beforeId) {
    closeRun(run?.latestMs ?? startMs);
    noteHole(expectedId, beforeId - 1, window.endMs);
  } else if (beforeId === undefined && refused.length > 0) {
    closeRun(run?.latestMs ?? startMs);
    missing.push(refusedTail({ startMs, endMs: window.endMs }, refused, { expectedId, receivedMs }));
  } else closeRun(window.endMs);
  // Nothing came, and by the ids nothing is missing: the time itself is empty.
  const isEmpty = trades.length === 0 && missing.length === 0 && window.endMs > window.startMs;
  return {
    kind: "trades",
    marketId,
    evidence: "rest_page",
    trades,
    runs,
    voids: isEmpty ? [{ startMs: window.startMs, endMs: window.endMs }] : [],
    missing,
    rejected: rejected.map(({ rule, detail, timeMs, raw }): Rejection => ({
      rule,
      detail,
      openTimeMs: timeMs,
      raw,
    })),
    tally: NO_TALLY,
    receivedMs,
  };
}

/** The end of a window that holds refused rows: how many trades they stand for, no later id says. */
function refusedTail(
  { startMs, endMs }: TimeRange,
  refused: readonly TradeRejection[],
  { expectedId, receivedMs }: { expectedId: number | undefined; receivedMs: number },
): MissingTrades {
  const ids = refused.flatMap(({ id }) => id ?? []);
  const firstId = expectedId ?? Math.min(...ids, Number.MAX_SAFE_INTEGER);
  return {
    startMs,
    endMs: Math.max(endMs, startMs + 1),
    firstId,
    lastId: Math.max(firstId, ...ids),
    reason: "rejected",
    detail: [...new Set(refused.map(({ rule }) => rule))].join(", "),
    nextAskMs: receivedMs + ASK_AGAIN_MS,
  };
}

/** Pages overlap, and a trade that stands in two of them unchanged is no fault. */
function dropRepeated(sorted: readonly TradeCandidate[]): TradeCandidate[] {
  return sorted.filter((each, i) => {
    const before = sorted[i - 1];
    return (
      each.id === undefined ||
      before?.id !== each.id ||
      before.price !== each.price ||
      before.qty !== each.qty ||
      before.timeMs !== each.timeMs ||
      before.side !== each.side
    );
  });
}

function isInside(
  { afterId, beforeId }: TradeGap,
  { firstId, lastId }: { firstId: number; lastId: number },
): boolean {
  return (afterId === undefined || firstId > afterId) && (beforeId === undefined || lastId < beforeId);
}

function lastIdOf(trades: readonly Trade[], numbering: TradeNumbering): number | undefined {
  const last = trades.at(-1);
  return last && continuityOf(last, numbering).lastId;
}
