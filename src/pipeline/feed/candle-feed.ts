// Fetches ranges of candles from a venue and hands each page, checked, to the stage. Windows of one page each are asked
// for side by side; a stretch where the venue has nothing (before a listing, a long outage) is jumped over.
import { classifyError, describeError, TickwellError, type Fault } from "../../core/fault.js";
import type { CandleBatch } from "../../core/model/candle-batch.js";
import type { TimeRange } from "../../core/range.js";
import type { CandlePage, Exchange } from "../../exchanges/exchange.js";
import type { OpenGap, StoredMarket } from "../../store/store.js";
import { timeframeMs, type Timeframe } from "../../core/timeframe.js";
import type { Stage } from "../stage/stage.js";
import { readPage } from "./candle-page.js";
import type { ExchangeClock } from "./exchange-clock.js";

export interface CandleFeedOptions {
  readonly exchange: Exchange;
  readonly stage: Stage;
  /** Closedness and the gap log's times are the exchange's: our machine's clock may be stepped. */
  readonly exchangeClock: Pick<ExchangeClock, "nowMs">;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Rows a page; the venue's maximum when undefined. */
  readonly pageRowsMax?: number | undefined;
  readonly voidConfirmAfterMs: number;
}

export interface FeedRequest {
  readonly market: StoredMarket;
  readonly timeframe: Timeframe;
  readonly range: TimeRange;
  readonly openGaps: readonly OpenGap[];
  /** The latest open time at which the exchange is known to have a candle; -Infinity if none is. */
  readonly latestSeenMs: number;
}

/** What became of a range. */
export interface FeedOutcome {
  readonly pages: number;
  readonly candles: number;
  readonly rejected: number;
  /** Windows that could not be fetched; each is in the gap log. */
  readonly failures: readonly { readonly range: TimeRange; readonly error: unknown }[];
}

/** The next cycle may ask at once; a bad answer of a healthy host is given a minute to mend. */
const BAD_ANSWER_PAUSE_MS = 60_000;
/** So many windows in a row that cannot be had are no longer single bad windows. */
const BAD_ANSWERS_IN_A_ROW_MAX = 5;

function askAgainMs(fault: Fault, nowMs: number): number {
  switch (fault.kind) {
    case "ip_ban":
      return fault.untilMs;
    case "rate_limit":
      return nowMs + (fault.retryAfterMs ?? 0);
    case "malformed_payload":
    case "exchange":
      return nowMs + BAD_ANSWER_PAUSE_MS;
    default:
      return nowMs;
  }
}

export class CandleFeed {
  readonly #options: CandleFeedOptions;

  constructor(options: CandleFeedOptions) {
    this.#options = options;
  }

  /**
   * Fetches a range. Returns when every page has been handed to the stage, not when it is committed.
   * @param onPage after each page, with its batch: for progress
   * @throws the error of a window when asking for more makes no sense (network down, banned, unknown symbol); what was
   *   fetched before stays. A window that alone is bad is recorded and left out.
   */
  async fetchRange(
    request: FeedRequest,
    signal: AbortSignal,
    onPage: (batch: CandleBatch, page: CandlePage) => void = () => undefined,
  ): Promise<FeedOutcome> {
    const run = new FeedRun(this.#options, request, signal, onPage);
    return run.run();
  }

  /** The latest open time within `range` at which the exchange has a candle, epoch ms; -Infinity when it has none. */
  async latestOpenTimeMs(
    { market, timeframe }: Pick<FeedRequest, "market" | "timeframe">,
    range: TimeRange,
    signal: AbortSignal,
  ): Promise<number> {
    const { exchange } = this.#options;
    const limit = exchange.traits.candlePageRowsMax;
    const page = await exchange.fetchCandles(
      { nativeSymbol: market.nativeSymbol, timeframe, fromMs: range.startMs, toMs: range.endMs, limit },
      signal,
    );
    return Math.max(...page.candidates.map((candidate) => candidate.openTimeMs ?? -Infinity), -Infinity);
  }
}

/** One call of `fetchRange`: a cursor that several workers move. */
class FeedRun {
  readonly #options: CandleFeedOptions;
  readonly #request: FeedRequest;
  readonly #signal: AbortSignal;
  readonly #onPage: (batch: CandleBatch, page: CandlePage) => void;
  readonly #failures: { range: TimeRange; error: unknown }[] = [];
  #cursorMs: number;
  #latestSeenMs: number;
  #isStretchEmpty = false;
  #badAnswersInARow = 0;
  #pages = 0;
  #candles = 0;
  #rejected = 0;

  constructor(
    options: CandleFeedOptions,
    request: FeedRequest,
    signal: AbortSignal,
    onPage: (batch: CandleBatch, page: CandlePage) => void,
  ) {
    this.#options = options;
    this.#request = request;
    this.#signal = signal;
    this.#onPage = onPage;
    this.#cursorMs = request.range.startMs;
    this.#latestSeenMs = request.latestSeenMs;
  }

  async run(): Promise<FeedOutcome> {
    const { endMs } = this.#request.range;
    while (this.#cursorMs < endMs) {
      // With the whole rest asked for, the venue answers from the first candle it has: one request crosses any void.
      this.#cursorMs = await this.#fetchWindow({ startMs: this.#cursorMs, endMs });
      this.#isStretchEmpty = false;
      const stop = new AbortController();
      const workers = Array.from({ length: this.#options.concurrency }, () => this.#work(stop));
      const results = await Promise.allSettled(workers);
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
    }
    return {
      pages: this.#pages,
      candles: this.#candles,
      rejected: this.#rejected,
      failures: this.#failures,
    };
  }

  async #work(stop: AbortController): Promise<void> {
    const windowMs = this.#pageRows() * timeframeMs(this.#request.timeframe);
    const { endMs } = this.#request.range;
    try {
      while (this.#cursorMs < endMs && !this.#isStretchEmpty && !stop.signal.aborted) {
        let startMs = this.#cursorMs;
        const windowEndMs = Math.min(startMs + windowMs, endMs);
        this.#cursorMs = windowEndMs;
        // A row sent twice can push another one over the page's limit: the answer then ends before the window does.
        while (startMs < windowEndMs && !stop.signal.aborted)
          startMs = await this.#fetchWindow({ startMs, endMs: windowEndMs });
      }
    } catch (error) {
      stop.abort();
      throw error;
    }
  }

  /** @returns up to where the answer speaks */
  async #fetchWindow(range: TimeRange): Promise<number> {
    const { exchange, exchangeClock, voidConfirmAfterMs } = this.#options;
    const { market, timeframe, openGaps } = this.#request;
    let page: CandlePage;
    try {
      page = await exchange.fetchCandles(
        {
          nativeSymbol: market.nativeSymbol,
          timeframe,
          fromMs: range.startMs,
          toMs: range.endMs,
          limit: this.#pageRows(),
        },
        this.#signal,
      );
    } catch (error) {
      return this.#recordFailure(range, error);
    }
    this.#badAnswersInARow = 0;
    if (page.provenToMs <= range.startMs) {
      throw new TickwellError(
        { kind: "internal" },
        `${exchange.id}: the answer to ${page.request} speaks for nothing: provenToMs ${page.provenToMs}, expected more than ${range.startMs}; the venue's adapter breaks its contract`,
      );
    }
    if (page.candidates.length === 0) this.#isStretchEmpty = true;
    const batch = readPage(page, {
      marketId: market.id,
      timeframe,
      asked: range,
      exchangeNowMs: exchangeClock.nowMs(),
      nowMs: exchangeClock.nowMs(),
      openGaps,
      latestSeenMs: this.#latestSeenMs,
      isActive: market.isActive,
      voidConfirmAfterMs,
    });
    this.#latestSeenMs = Math.max(this.#latestSeenMs, batch.candles.at(-1)?.openTimeMs ?? -Infinity);
    this.#pages++;
    this.#candles += batch.candles.length;
    this.#rejected += batch.rejected.length;
    await this.#handOn(batch);
    this.#onPage(batch, page);
    return page.provenToMs;
  }

  /**
   * Puts what could not be fetched on record. One bad answer must not hold up the rest: that window alone is left out.
   * A host that cannot be asked, or that gives one bad answer after the other, must not be asked a thousand times: the
   * whole rest is left and the error thrown.
   */
  async #recordFailure(range: TimeRange, error: unknown): Promise<number> {
    this.#signal.throwIfAborted();
    const { exchangeClock } = this.#options;
    const { market, timeframe, range: whole } = this.#request;
    const fault = classifyError(error);
    const isBadAnswer = fault.kind === "malformed_payload" || fault.kind === "exchange";
    const isWindowAlone = isBadAnswer && ++this.#badAnswersInARow < BAD_ANSWERS_IN_A_ROW_MAX;
    const windowEndMs = Math.min(range.startMs + this.#pageRows() * timeframeMs(timeframe), range.endMs);
    const failed = { startMs: range.startMs, endMs: isWindowAlone ? windowEndMs : whole.endMs };
    const nowMs = exchangeClock.nowMs();
    await this.#handOn({
      marketId: market.id,
      timeframe,
      source: "rest",
      evidence: "rest_page",
      candles: [],
      voids: [],
      missing: [
        {
          ...failed,
          reason: "fetch_failed",
          detail: describeError(error),
          nextAskMs: askAgainMs(fault, nowMs),
        },
      ],
      rejected: [],
      receivedMs: nowMs,
    });
    if (!isWindowAlone) throw error;
    this.#failures.push({ range: failed, error });
    return windowEndMs;
  }

  async #handOn(batch: CandleBatch): Promise<void> {
    await this.#options.stage.append(batch, this.#signal);
  }

  #pageRows(): number {
    const { pageRowsMax, exchange } = this.#options;
    return Math.min(pageRowsMax ?? exchange.traits.candlePageRowsMax, exchange.traits.candlePageRowsMax);
  }
}
