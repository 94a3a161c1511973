// One market's live trades: in whatever order and however often they come in, out as runs without a hole.
//
// 1. A trade that continues the last id is taken. One at or below it is a duplicate, or fills a hole that was given up.
// 2. One beyond it waits for those between: streams reorder. After {@link REORDER_WAIT_MS} the hole is a gap, with exact ids.
// 3. A run claims the time up to the last trade's millisecond, and a millisecond at least: one without time would have
//    nothing to stand on. What comes next begins there; that ids go on is what proves the border.
// 4. Ids that lie far below the last one, with times after it, are a count begun anew (a market listed again): the run ends,
//    another begins, and the time between is a gap. So it is where one absurd id has opened a hole that everything falls into.
// 5. A trade that is told again with other values is kept as refused: trades do not change, and the first is what was believed.
// 6. The state outlives connections: whatever a broken one has cost shows in the first id after it.
import type { Rejection } from "../../../core/model/candle-batch.js";
import type { MissingTrades, TradeBatch, TradeRun } from "../../../core/model/record-batch.js";
import {
  continuityOf,
  type Trade,
  type TradeCandidate,
  type TradeNumbering,
} from "../../../core/model/trade.js";
import { isSameTrade, judgeTrade, textOf } from "../../gate/trade-gate.js";
import { LiveCounts } from "./live-counts.js";

/** What is known of a market's trades: the last id of an unbroken run, and up to when it claims the time. */
export interface TradePosition {
  readonly lastId: number;
  readonly endMs: number;
}

export interface TradeTrackerOptions {
  readonly marketId: number;
  readonly numbering: TradeNumbering;
  /** Where an earlier session ended; undefined for a market without stored trades. */
  readonly position: TradePosition | undefined;
  /** Trades held between two batches at most; beyond it they are given up as a gap, for REST to fetch. */
  readonly heldMax: number;
  /** Told of each trade as it is taken, for those who look on. Must not throw. */
  readonly onTrade?: ((trade: Trade) => void) | undefined;
}

/** A millisecond or two is what streams reorder by; a second is what a slow network makes of it. */
const REORDER_WAIT_MS = 1_000;
/** Trades that wait for those before them. A hole this wide is no reordering. */
const AHEAD_MAX = 1_000;
/** No venue delivers a trade so late, and none so often in a row. */
const RESTART_AFTER_MS = 60_000;
const RESTART_TRADES = 3;
/** Later than by a day no stream delivers. */
const STALE_AFTER_MS = 86_400_000;
/** Gaps remembered, to tell a late trade from a duplicate. */
const GAPS_REMEMBERED = 64;
/** Trades remembered, to tell a repetition from a contradiction: as far back as two connections overlap. */
const TRADES_REMEMBERED = 256;

interface OpenRun {
  firstId: number;
  startMs: number;
}

export class TradeTracker {
  readonly #options: TradeTrackerOptions;
  readonly #counts = new LiveCounts();
  #lastId: number | undefined;
  /** The latest time among the trades taken. */
  #tradeMs = -Infinity;
  /** Up to here the next run claims, and from here the one after it. */
  #latestMs: number;
  #run: OpenRun | undefined;
  #trades: Trade[] = [];
  #runs: TradeRun[] = [];
  #missing: MissingTrades[] = [];
  #rejected: Rejection[] = [];
  /** Ascending by first id; each beyond `#lastId + 1`. */
  #ahead: { readonly trade: Trade; readonly raw: unknown; readonly receivedMs: number }[] = [];
  /** The last trades taken, in a ring. */
  readonly #recent: Trade[] = [];
  #recentAt = 0;
  #givenUp: { readonly firstId: number; readonly lastId: number }[] = [];
  #receivedMs = 0;
  /** Trades in a row that are old by their id and new by their time. */
  #impossible = 0;

  constructor(options: TradeTrackerOptions) {
    this.#options = options;
    this.#lastId = options.position?.lastId;
    this.#latestMs = options.position?.endMs ?? -Infinity;
  }

  /** The last id of the unbroken run, and the time of its last trade; undefined before the first trade. */
  get position(): TradePosition | undefined {
    return this.#lastId === undefined ? undefined : { lastId: this.#lastId, endMs: this.#latestMs };
  }

  /** @param exchangeNowMs the exchange's clock, by which a trade from the future is refused */
  add(candidates: readonly TradeCandidate[], { receivedMs, exchangeNowMs }: Arrival): void {
    this.#receivedMs = receivedMs;
    this.#counts.add("received", candidates.length);
    // A stream tells of the present: a time of long ago would claim everything since.
    const range = { startMs: exchangeNowMs - STALE_AFTER_MS, endMs: Infinity };
    for (const candidate of candidates) {
      const judged = judgeTrade(candidate, { exchangeNowMs, range });
      if ("rule" in judged) {
        // Its id stays missing, and so becomes a gap: REST is asked what it really says.
        this.#counts.add("malformed");
        this.#rejected.push({
          rule: judged.rule,
          detail: judged.detail,
          openTimeMs: judged.timeMs,
          raw: judged.raw,
        });
      } else this.#place(judged, candidate.raw, receivedMs);
    }
  }

  /** Keeps a record that nobody could read; the id it may have held shows as a hole. */
  reject(rejection: Rejection): void {
    this.#counts.add("malformed");
    this.#rejected.push(rejection);
  }

  /** Candles that the venue's own trades do not add up to. */
  countDifferences(count: number): void {
    this.#counts.add("builtDifferences", count);
  }

  /**
   * What has come in since the last call; undefined when there is nothing.
   * @param nowMs our clock: what has waited too long for trades before it declares these missing
   */
  take(nowMs: number): TradeBatch | undefined {
    this.#giveUpOverdue(nowMs);
    this.#closeRun();
    if (
      this.#trades.length === 0 &&
      this.#missing.length === 0 &&
      this.#rejected.length === 0 &&
      this.#counts.isEmpty
    )
      return undefined;
    const batch: TradeBatch = {
      kind: "trades",
      marketId: this.#options.marketId,
      evidence: "ws_sequence",
      trades: this.#trades.sort((a, b) => a.id - b.id),
      runs: this.#runs,
      voids: [],
      missing: this.#missing,
      rejected: this.#rejected,
      tally: this.#counts.take(),
      receivedMs: this.#receivedMs,
    };
    this.#trades = [];
    this.#runs = [];
    this.#missing = [];
    this.#rejected = [];
    return batch;
  }

  /** As {@link take} at the end of it all: nothing will come any more that could fill a hole. */
  finish(): TradeBatch | undefined {
    return this.take(Infinity);
  }

  #place(trade: Trade, raw: unknown, receivedMs: number): void {
    const { firstId, lastId } = continuityOf(trade, this.#options.numbering);
    if (this.#lastId !== undefined && firstId <= this.#lastId) {
      const isLate = this.#givenUp.some((gap) => firstId >= gap.firstId && lastId <= gap.lastId);
      const isAnew = this.#isCountedAnew(trade);
      if (isLate && !isAnew) {
        this.#counts.add("outOfOrder");
        // The repair that is under way may be told these one by one, and stores them so.
        if (firstId < lastId) return;
        // Stored without a claim: the repair proves the rest of its gap.
        this.#remember(trade);
        this.#trades.push(trade);
        this.#options.onTrade?.(trade);
        return;
      }
      if (!isAnew) return this.#noteRepeated(trade, raw);
      if (!isLate) this.#counts.add("duplicates");
      this.#closeRun();
      this.#lastId = undefined;
      this.#latestMs = -Infinity;
      this.#givenUp = [];
    }
    this.#impossible = 0;
    if (this.#lastId === undefined || firstId === this.#lastId + 1) {
      this.#accept(trade);
      this.#drainAhead();
      return;
    }
    this.#wait(trade, firstId, { raw, receivedMs });
  }

  /** A trade of an id that was taken before. */
  #noteRepeated(trade: Trade, raw: unknown, earlier = this.#recent.find(({ id }) => id === trade.id)): void {
    if (earlier === undefined || isSameTrade(earlier, trade)) {
      this.#counts.add("duplicates");
      return;
    }
    this.reject({
      rule: "trade.contradicts_held",
      detail: `trade ${trade.id} came in before with other values; those stay`,
      openTimeMs: trade.timeMs,
      raw: textOf(raw),
    });
  }

  #remember(trade: Trade): void {
    this.#recent[this.#recentAt] = trade;
    this.#recentAt = (this.#recentAt + 1) % TRADES_REMEMBERED;
  }

  #isCountedAnew(trade: Trade): boolean {
    if (trade.timeMs <= this.#latestMs + RESTART_AFTER_MS) return false;
    return ++this.#impossible >= RESTART_TRADES;
  }

  #accept(trade: Trade): void {
    const { firstId, lastId } = continuityOf(trade, this.#options.numbering);
    if (trade.timeMs < this.#tradeMs) this.#counts.add("outOfOrder");
    this.#tradeMs = Math.max(this.#tradeMs, trade.timeMs);
    this.#run ??= {
      firstId,
      startMs: this.#latestMs === -Infinity ? trade.timeMs : this.#latestMs,
    };
    this.#lastId = lastId;
    this.#latestMs = Math.max(this.#latestMs, trade.timeMs);
    this.#remember(trade);
    this.#trades.push(trade);
    this.#options.onTrade?.(trade);
    if (this.#trades.length > this.#options.heldMax) this.#shed();
  }

  #wait(trade: Trade, firstId: number, { raw, receivedMs }: { raw: unknown; receivedMs: number }): void {
    const at = this.#ahead.findIndex((each) => this.#firstIdOf(each.trade) >= firstId);
    const found = this.#ahead[at];
    if (found && this.#firstIdOf(found.trade) === firstId) return this.#noteRepeated(trade, raw, found.trade);
    // Only what comes after something newer is out of order.
    if (at >= 0) this.#counts.add("outOfOrder");
    this.#ahead.splice(at < 0 ? this.#ahead.length : at, 0, { trade, raw, receivedMs });
    if (this.#ahead.length > AHEAD_MAX) this.#giveUpFirst();
  }

  #drainAhead(): void {
    while (this.#ahead.length > 0) {
      const next = this.#ahead[0];
      if (next === undefined) return;
      const firstId = this.#firstIdOf(next.trade);
      if (this.#lastId !== undefined && firstId > this.#lastId + 1) return;
      this.#ahead.shift();
      if (this.#lastId !== undefined && firstId <= this.#lastId) this.#noteRepeated(next.trade, next.raw);
      else this.#accept(next.trade);
    }
  }

  #giveUpOverdue(nowMs: number): void {
    while (this.#ahead.some(({ receivedMs }) => nowMs - receivedMs >= REORDER_WAIT_MS)) this.#giveUpFirst();
  }

  /** Declares what lies before the first waiting trade missing, and goes on from there. */
  #giveUpFirst(): void {
    const next = this.#ahead[0];
    if (next === undefined || this.#lastId === undefined) return;
    const firstId = this.#lastId + 1;
    const lastId = this.#firstIdOf(next.trade) - 1;
    this.#closeRun();
    const startMs = this.#latestMs;
    const endMs = Math.max(next.trade.timeMs, startMs + 1);
    this.#declareMissing(
      { startMs, endMs, firstId, lastId },
      `trades ${firstId} to ${lastId} did not come in`,
    );
    this.#lastId = lastId;
    this.#latestMs = endMs;
    this.#drainAhead();
  }

  /** More came in than the store takes: what is held is given up and left to REST, which has it. */
  #shed(): void {
    const run = this.#run;
    if (run === undefined || this.#lastId === undefined) return;
    const { startMs, firstId } = run;
    const endMs = Math.max(this.#latestMs, startMs + 1);
    this.#counts.add("shed", this.#trades.length);
    this.#trades = [];
    this.#run = undefined;
    // Runs that were closed for the same batch have lost their trades as well.
    const first = this.#runs[0];
    this.#runs = [];
    this.#declareMissing(
      { startMs: first?.startMs ?? startMs, endMs, firstId: first?.firstId ?? firstId, lastId: this.#lastId },
      "more trades came in than could be stored; they are fetched again",
    );
    this.#latestMs = endMs;
  }

  #declareMissing(
    range: { startMs: number; endMs: number; firstId: number; lastId: number },
    detail: string,
  ): void {
    this.#counts.add("missingIds", range.lastId - range.firstId + 1);
    this.#missing.push({ ...range, reason: "absent", detail, nextAskMs: this.#receivedMs });
    this.#givenUp.push({ firstId: range.firstId, lastId: range.lastId });
    if (this.#givenUp.length > GAPS_REMEMBERED) this.#givenUp.shift();
  }

  #closeRun(): void {
    if (this.#run === undefined || this.#lastId === undefined) return;
    const { firstId, startMs } = this.#run;
    this.#latestMs = Math.max(this.#latestMs, startMs + 1);
    this.#runs.push({ startMs, endMs: this.#latestMs, firstId, lastId: this.#lastId });
    this.#run = undefined;
  }

  #firstIdOf(trade: Trade): number {
    return continuityOf(trade, this.#options.numbering).firstId;
  }
}

interface Arrival {
  /** Our clock, epoch ms. */
  readonly receivedMs: number;
  readonly exchangeNowMs: number;
}
