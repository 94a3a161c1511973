// What the trades of a window, fetched by REST, prove and what they leave open.
//
// 1. The rows pass the gate in the order of their ids; what belongs to the window is decided by ids, where these are known.
// 2. What has an unbroken run of ids is proven. What has not stays a gap, on record with its ids, and is asked for again.
//    A trade before the window by its id may carry a time within it: a run claims up to the time of its last trade, and not
//    that millisecond. No void holds such a trade.
// 3. A refused row is a trade all the same: its id is a hole, and nothing is claimed, nor taken for void, from where it may
//    have stood to the next id that is known.
// 4. Where the exchange began to count anew, rows are stored and nothing is claimed: the gap stays on record.
import type { Rejection } from "../../core/model/candle-batch.js";
import { NO_TALLY } from "../../core/model/live-tally.js";
import type { MissingTrades, TradeBatch, TradeRun } from "../../core/model/record-batch.js";
import {
  continuityOf,
  type Trade,
  type TradeCandidate,
  type TradeNumbering,
} from "../../core/model/trade.js";
import type { TimeRange } from "../../core/range.js";
import { validateTrades, type TradeRejection } from "../gate/trade-gate.js";

/** A hole in a market's trades. */
export interface TradeGap extends TimeRange {
  /** The last id before it; undefined where nothing is known before. */
  readonly afterId: number | undefined;
  /** The first id behind it; undefined where nothing is known behind. */
  readonly beforeId: number | undefined;
  /** Part of a gap within which the exchange began to count anew: see {@link countsAnew}. */
  readonly isCountedAnew?: boolean | undefined;
}

/** By so much ids lie back where trades only changed places in time. */
const NEIGHBOURS_MAX = 100;

/**
 * The exchange began to count anew within a gap (a market listed again): the ids behind it lie far below those before it. Where the
 * old count ended nobody can tell, so that nothing is proven there.
 */
export function countsAnew({ afterId, beforeId }: TradeGap): boolean {
  return (
    afterId !== undefined &&
    beforeId !== undefined &&
    beforeId * 2 <= afterId &&
    afterId - beforeId > NEIGHBOURS_MAX
  );
}

export interface FetchedWindow {
  readonly marketId: number;
  readonly window: TradeGap;
  readonly numbering: TradeNumbering;
  /** All rows of the answers, in any order, edges included. */
  readonly candidates: readonly TradeCandidate[];
  /** Our clock, epoch ms. */
  readonly receivedMs: number;
  readonly exchangeNowMs: number;
}

/** When trades that were not there are asked for again. */
const ASK_AGAIN_MS = 60_000;

/** Checks a window's rows and states what follows from them. */
export function judgeWindow(fetched: FetchedWindow): TradeBatch {
  const { marketId, window, numbering, receivedMs, exchangeNowMs } = fetched;
  const sorted = [...fetched.candidates].sort((a, b) => (a.id ?? -1) - (b.id ?? -1));
  const { trades, rejected } = validateTrades(dropRepeated(sorted), {
    exchangeNowMs,
    hasContiguousIds: false,
  });
  if (window.isCountedAnew ?? countsAnew(window))
    return unclaimed(marketId, window, { trades, rejected, receivedMs });
  return batchOf(marketId, window, {
    trades: trades.filter((trade) => isInside(window, continuityOf(trade, numbering))),
    edge: trades.filter((trade) => reachesInto(window, trade, continuityOf(trade, numbering))),
    rejected,
    numbering,
    receivedMs,
  });
}

/** The last id of a window's trades; undefined when it has none. */
export function lastIdOf(trades: readonly Trade[], numbering: TradeNumbering): number | undefined {
  const last = trades.at(-1);
  return last && continuityOf(last, numbering).lastId;
}

function batchOf(
  marketId: number,
  window: TradeGap,
  found: {
    trades: readonly Trade[];
    /** Before the window by their ids, and in it by their times. */
    edge: readonly Trade[];
    rejected: readonly TradeRejection[];
    numbering: TradeNumbering;
    receivedMs: number;
  },
): TradeBatch {
  const { trades, edge, rejected, numbering, receivedMs } = found;
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
  } else if (run !== undefined && run.latestMs >= window.endMs) {
    // By its ids it belongs here: were the time behind the window found empty later, it would lie in a void.
    runs.push({ startMs, endMs: run.latestMs + 1, firstId: run.firstId, lastId: run.lastId });
  } else closeRun(window.endMs);
  // Nothing came, and by the ids nothing is missing: the time itself is empty, but for what came before.
  const isEmpty = trades.length === 0 && missing.length === 0 && window.endMs > window.startMs;
  const lastEdge = isEmpty ? edge.at(-1) : undefined;
  let emptyFromMs = window.startMs;
  if (lastEdge !== undefined) {
    emptyFromMs = Math.min(Math.max(...edge.map(({ timeMs }) => timeMs)) + 1, window.endMs);
    runs.push({ startMs: window.startMs, endMs: emptyFromMs, ...continuityOf(lastEdge, numbering) });
  }
  return {
    kind: "trades",
    marketId,
    evidence: "rest_page",
    // What a claim holds is stored with it.
    trades: lastEdge === undefined ? trades : edge,
    runs,
    voids: isEmpty && emptyFromMs < window.endMs ? [{ startMs: emptyFromMs, endMs: window.endMs }] : [],
    missing,
    rejected: rejected.map(rejectionOf),
    tally: NO_TALLY,
    receivedMs,
  };
}

function rejectionOf({ rule, detail, timeMs, raw }: TradeRejection): Rejection {
  return { rule, detail, openTimeMs: timeMs, raw };
}

/** The rows of a time in which two counts meet: kept, but proof of nothing. */
function unclaimed(
  marketId: number,
  { startMs, endMs, afterId = 0 }: TradeGap,
  found: { trades: readonly Trade[]; rejected: readonly TradeRejection[]; receivedMs: number },
): TradeBatch {
  const { trades, rejected, receivedMs } = found;
  return {
    kind: "trades",
    marketId,
    evidence: "rest_page",
    // Those at the edges too: by no count is it known where they belong, and what is stored already stays as it is.
    trades,
    runs: [],
    voids: [],
    missing: [
      {
        startMs,
        endMs,
        firstId: afterId + 1,
        lastId: afterId + 1,
        reason: "absent",
        detail: `the exchange counts its trades anew after ${afterId}: where the old count ended is not known`,
        nextAskMs: receivedMs + ASK_AGAIN_MS,
      },
    ],
    rejected: rejected.map(rejectionOf),
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

function reachesInto(
  { startMs, endMs, afterId }: TradeGap,
  { timeMs }: Trade,
  { lastId }: { lastId: number },
): boolean {
  return afterId !== undefined && lastId <= afterId && timeMs >= startMs && timeMs < endMs;
}

function isInside(
  { afterId, beforeId }: TradeGap,
  { firstId, lastId }: { firstId: number; lastId: number },
): boolean {
  return (afterId === undefined || firstId > afterId) && (beforeId === undefined || lastId < beforeId);
}
