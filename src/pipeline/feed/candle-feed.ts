// Fetches ranges of candles from a venue and hands each page, checked, to the stage. Windows of one page each are asked
// for side by side; a stretch where the venue has nothing (before a listing, a long outage) is jumped over.
//
// One window, from the question to the stage:
// 1. Ask. What cannot be had is put on record; see #recordFailure.
// 2. Wait for the window before to hand its last candles on, and read the page: what is remarkable is measured by them.
// 3. With `retry`, ask again for a page with refused rows, and go on with the cleanest answer.
// 4. Claims of a void that the answer alone does not carry are put to a second, wider question; see void-witness.ts.
// 5. Hand the batch to the stage. With `halt`, end here if a row was refused.
import { classifyError, describeError, TickwellError, type Fault } from "../../core/fault.js";
import type { CandleBatch, Rejection } from "../../core/model/candle-batch.js";
import type { TimeRange } from "../../core/range.js";
import type { CandlePage, RestExchange } from "../../exchanges/exchange.js";
import type { OpenGap, StoredMarket } from "../../store/store.js";
import { formatMarketName } from "../../core/model/market.js";
import { formatTime } from "../../core/time.js";
import { timeframeMs, type Timeframe } from "../../core/timeframe.js";
import type { SeriesKey } from "../../store/store.js";
import { CONTEXT_CANDLES, type Neighbour } from "../gate/candle-flags.js";
import { DEFAULT_VALIDATION, type Validation } from "../gate/validation.js";
import type { Stage } from "../stage/stage.js";
import { nextAskMs, readPage, soundCandles, type PageContext } from "./candle-page.js";
import type { ExchangeClock } from "./exchange-clock.js";
import { isCleaner, pageDoubts } from "./page-doubts.js";
import {
  claimsInDoubt,
  hearWitnesses,
  withBelieved,
  witnessesAround,
  type Testimony,
  type WitnessContext,
} from "./void-witness.js";

export interface CandleFeedOptions {
  readonly exchange: RestExchange;
  readonly stage: Stage;
  /** Closedness and the gap log's times are the exchange's: our machine's clock may be stepped. */
  readonly exchangeClock: Pick<ExchangeClock, "nowMs">;
  /** Requests under way at once. */
  readonly concurrency: number;
  /** Rows a page; the venue's maximum when undefined. */
  readonly pageRowsMax?: number | undefined;
  readonly voidConfirmAfterMs: number;
  /**
   * The last `count` sound candles stored before `beforeMs`, ascending: what is usual is measured by them, and an exchange
   * that denies them is not believed. Without it, ranges are judged by their own candles alone.
   */
  readonly recentCandles?:
    ((key: SeriesKey, beforeMs: number, count: number) => Promise<readonly Neighbour[]>) | undefined;
}

export interface FeedRequest {
  readonly market: StoredMarket;
  readonly timeframe: Timeframe;
  readonly range: TimeRange;
  readonly openGaps: readonly OpenGap[];
  /** The latest open time at which the exchange is known to have a candle; -Infinity if none is. */
  readonly latestSeenMs: number;
  /** {@link DEFAULT_VALIDATION} when undefined. */
  readonly validation?: Validation | undefined;
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
/** With `retry`: what three answers in a second tell alike, a fourth will too; the next cycle asks again anyway. */
const ASK_AGAIN_AT_ONCE_MAX = 2;
/**
 * Questions for each page's worth of a range. An answer may be short (a row sent twice, a hole at its end) and the rest is
 * asked for: two or three questions. 20 leaves room for a venue whose pages are a twentieth of what it promises; beyond
 * that it is making no headway.
 */
const QUESTIONS_PER_PAGE_MAX = 20;

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
   *   fetched before stays. A window that alone is bad is recorded and left out. `validation` when a row was refused and
   *   the request says `halt`; `malformed_payload` when the answers make no headway.
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

  /**
   * Asks again about what was believed to be void, together with candles that must come back. Stores nothing.
   * @param voids of one series, not longer than a page in all unless it is one
   * @throws the error of the exchange when it cannot be asked; the signal's reason
   */
  async hearVoids<T extends TimeRange>(
    request: Pick<FeedRequest, "market" | "timeframe" | "latestSeenMs">,
    voids: readonly T[],
    signal: AbortSignal,
  ): Promise<Testimony<T>> {
    const { exchange } = this.#options;
    const { market, timeframe } = request;
    const context = witnessContext(this.#options, request);
    const limit = context.pageRows;
    const ask = ({ startMs, endMs }: TimeRange): Promise<CandlePage> =>
      exchange.fetchCandles(
        { nativeSymbol: market.nativeSymbol, timeframe, fromMs: startMs, toMs: endMs, limit },
        signal,
      );
    return hearWitnesses(ask, voids, await witnessesAround(voids, [], context));
  }
}

/** What the series knows of its own. */
function witnessContext(
  options: CandleFeedOptions,
  { market, timeframe, latestSeenMs }: Pick<FeedRequest, "market" | "timeframe" | "latestSeenMs">,
): WitnessContext {
  const { exchange, exchangeClock, pageRowsMax, recentCandles } = options;
  return {
    timeframe,
    latestSeenMs,
    exchangeNowMs: exchangeClock.nowMs(),
    pageRows: pageRowsOf({ exchange, pageRowsMax }),
    stored: async (beforeMs, count) => {
      const stored = (await recentCandles?.({ marketId: market.id, timeframe }, beforeMs, count)) ?? [];
      return stored.map(({ openTimeMs }) => openTimeMs);
    },
  };
}

function pageRowsOf({ exchange, pageRowsMax }: Pick<CandleFeedOptions, "exchange" | "pageRowsMax">): number {
  return Math.min(pageRowsMax ?? Infinity, exchange.traits.candlePageRowsMax);
}

/** The last candles before a window, handed from one to the next. */
interface Turn {
  recent: Promise<readonly Neighbour[]> | undefined;
}

/** One call of `fetchRange`: a cursor that several workers move. */
class FeedRun {
  readonly #options: CandleFeedOptions;
  readonly #request: FeedRequest;
  readonly #validation: Validation;
  readonly #signal: AbortSignal;
  readonly #onPage: (batch: CandleBatch, page: CandlePage) => void;
  readonly #failures: { range: TimeRange; error: unknown }[] = [];
  readonly #questionsMax: number;
  #cursorMs: number;
  #latestSeenMs: number;
  #recent: Turn["recent"];
  #isStretchEmpty = false;
  #badAnswersInARow = 0;
  #questions = 0;
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
    this.#validation = request.validation ?? DEFAULT_VALIDATION;
    this.#signal = signal;
    this.#onPage = onPage;
    this.#cursorMs = request.range.startMs;
    this.#latestSeenMs = request.latestSeenMs;
    const rangeMs = request.range.endMs - request.range.startMs;
    this.#questionsMax = QUESTIONS_PER_PAGE_MAX * (1 + Math.ceil(rangeMs / this.#windowMs()));
  }

  async run(): Promise<FeedOutcome> {
    const { endMs } = this.#request.range;
    while (this.#cursorMs < endMs) {
      // With the whole rest asked for, the venue answers from the first candle it has: one request crosses any void.
      const turn: Turn = { recent: this.#recent };
      this.#cursorMs = await this.#fetchWindow({ startMs: this.#cursorMs, endMs }, turn);
      if (this.#cursorMs >= endMs) break;
      this.#recent = turn.recent ?? this.#loadRecent();
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
    const { endMs } = this.#request.range;
    try {
      while (this.#cursorMs < endMs && !this.#isStretchEmpty && !stop.signal.aborted) {
        let startMs = this.#cursorMs;
        const windowEndMs = Math.min(startMs + this.#windowMs(), endMs);
        this.#cursorMs = windowEndMs;
        const { turn, pass } = this.#takeTurn();
        try {
          // A row sent twice can push another one over the page's limit: the answer then ends before the window does.
          while (startMs < windowEndMs && !stop.signal.aborted)
            startMs = await this.#fetchWindow({ startMs, endMs: windowEndMs }, turn);
        } finally {
          pass();
        }
      }
    } catch (error) {
      stop.abort();
      throw error;
    }
  }

  /** Windows are asked for side by side and read in order: each waits for the last candles of the one before. */
  #takeTurn(): { turn: Turn; pass: () => void } {
    const turn: Turn = { recent: this.#recent };
    let handOver: (recent: readonly Neighbour[] | Promise<readonly Neighbour[]>) => void = () => undefined;
    this.#recent = new Promise((resolve) => (handOver = resolve));
    // Who waits for it hears of its failure; perhaps nobody does.
    this.#recent.catch(() => undefined);
    return { turn, pass: () => handOver(turn.recent ?? []) };
  }

  #loadRecent(): Promise<readonly Neighbour[]> {
    const { recentCandles } = this.#options;
    const { market, timeframe, range } = this.#request;
    if (!recentCandles) return Promise.resolve([]);
    const recent = recentCandles({ marketId: market.id, timeframe }, range.startMs, CONTEXT_CANDLES);
    recent.catch(() => undefined);
    return recent;
  }

  /** @returns up to where the answer speaks */
  async #fetchWindow(range: TimeRange, turn: Turn): Promise<number> {
    const { exchange, exchangeClock } = this.#options;
    if (++this.#questions > this.#questionsMax) return this.#recordFailure(range, this.#noHeadway());
    let page: CandlePage;
    try {
      page = await this.#ask(range);
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
    // An empty answer has nothing to be measured; only what was handed on is of use beside it.
    if (page.candidates.length > 0) turn.recent ??= this.#loadRecent();
    const recent = (await turn.recent) ?? [];
    const first: Answer = { page, batch: readPage(page, this.#contextOf(range, recent)) };
    const clean = await this.#askUntilClean(range, recent, first);
    const answer = await this.#confirmVoids(range, recent, clean);
    const { batch } = answer;
    const sound = soundCandles(batch);
    this.#latestSeenMs = Math.max(this.#latestSeenMs, sound.at(-1)?.openTimeMs ?? -Infinity);
    if (sound.length > 0) turn.recent = Promise.resolve(lastOf(recent, sound));
    this.#pages++;
    this.#candles += batch.candles.length;
    this.#rejected += batch.rejected.length;
    await this.#handOn(batch);
    this.#onPage(batch, answer.page);
    if (this.#validation.onFailure === "halt") this.#haltOn(pageDoubts(batch, exchangeClock.nowMs()));
    return answer.page.provenToMs;
  }

  #ask(range: TimeRange): Promise<CandlePage> {
    const { market, timeframe } = this.#request;
    return this.#options.exchange.fetchCandles(
      {
        nativeSymbol: market.nativeSymbol,
        timeframe,
        fromMs: range.startMs,
        toMs: range.endMs,
        limit: this.#pageRows(),
      },
      this.#signal,
    );
  }

  #contextOf(asked: TimeRange, recent: readonly Neighbour[]): PageContext {
    const { exchangeClock, voidConfirmAfterMs } = this.#options;
    const { market, timeframe, openGaps } = this.#request;
    return {
      marketId: market.id,
      timeframe,
      asked,
      exchangeNowMs: exchangeClock.nowMs(),
      nowMs: exchangeClock.nowMs(),
      openGaps,
      latestSeenMs: this.#latestSeenMs,
      isActive: market.isActive,
      voidConfirmAfterMs,
      validation: this.#validation,
      recent,
    };
  }

  /** With `retry`: the cleanest of up to three answers, with the refused rows of all of them. */
  async #askUntilClean(range: TimeRange, recent: readonly Neighbour[], first: Answer): Promise<Answer> {
    if (this.#validation.onFailure !== "retry") return first;
    let best = first;
    const rejected = [...first.batch.rejected];
    for (let again = 1; again <= ASK_AGAIN_AT_ONCE_MAX; again++) {
      if (pageDoubts(best.batch, this.#options.exchangeClock.nowMs()).length === 0) break;
      const page = await this.#askBeside(range);
      if (page === undefined || page.provenToMs <= range.startMs) break;
      const batch = readPage(page, this.#contextOf(range, recent));
      rejected.push(...batch.rejected);
      if (isCleaner(batch, best.batch)) best = { page, batch };
    }
    return { page: best.page, batch: { ...best.batch, rejected } };
  }

  /** Claims that the answer alone does not carry are believed only as far as a wider question says the same. */
  async #confirmVoids(range: TimeRange, recent: readonly Neighbour[], answer: Answer): Promise<Answer> {
    const claims = claimsInDoubt(answer.batch, this.#pageRows());
    if (claims.length === 0) return answer;
    const seen = [...recent, ...soundCandles(answer.batch)].map(({ openTimeMs }) => openTimeMs);
    const witnesses = await witnessesAround(claims, seen, {
      ...witnessContext(this.#options, this.#request),
      latestSeenMs: this.#latestSeenMs,
    });
    // Nothing is known that the exchange could deny: there is no better question than the first.
    if (witnesses.known.size === 0) return answer;
    const context = this.#contextOf(range, recent);
    const heard = await hearWitnesses((question) => this.#askBeside(question), claims, witnesses);
    const { page } = heard;
    if (page && heard.contradicts && page.provenToMs > range.startMs) {
      const better = { ...page, provenToMs: Math.min(page.provenToMs, range.endMs) };
      // What this answer does not hold has been absent once, whatever was said before.
      const batch = readPage(better, { ...context, openGaps: [] });
      return { page: better, batch: { ...batch, rejected: [...answer.batch.rejected, ...batch.rejected] } };
    }
    const batch = withBelieved(answer.batch, claims, {
      believed: heard.believed,
      request: page?.request ?? answer.page.request,
      nextAskMs: (claim) => nextAskMs(claim, context),
    });
    return { page: answer.page, batch };
  }

  /** A question beside the plan: without an answer, one goes on with what one has. The next window meets the error. */
  async #askBeside(range: TimeRange): Promise<CandlePage | undefined> {
    try {
      return await this.#ask(range);
    } catch {
      this.#signal.throwIfAborted();
      return undefined;
    }
  }

  #haltOn(doubts: readonly Rejection[]): void {
    const [first] = doubts;
    if (!first) return;
    const { market, timeframe } = this.#request;
    const at =
      first.openTimeMs === undefined ? "without a readable time" : `of ${showTime(first.openTimeMs)}`;
    const others = doubts.length > 1 ? `, and ${doubts.length - 1} more` : "";
    throw new TickwellError(
      { kind: "validation" },
      `${formatMarketName(market)} ${timeframe}: the candle ${at} breaks ${first.rule}: ${first.detail}${others}; stopped because validation.on_failure is halt. The rows are kept in the table quarantine; look at them, then start again, or set on_failure to skip_and_log`,
    );
  }

  #noHeadway(): TickwellError {
    const { market, timeframe, range } = this.#request;
    return new TickwellError(
      { kind: "malformed_payload", path: "$", sample: "" },
      `${formatMarketName(market)} ${timeframe}: ${this.#questionsMax} questions were not enough for ${(range.endMs - range.startMs) / timeframeMs(timeframe)} candles, with ${this.#pageRows()} rows a page; the exchange answers with ever the same or next to nothing; try again later`,
    );
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
    const isWindowAlone =
      isBadAnswer &&
      ++this.#badAnswersInARow < BAD_ANSWERS_IN_A_ROW_MAX &&
      this.#questions <= this.#questionsMax;
    const windowEndMs = Math.min(range.startMs + this.#windowMs(), range.endMs);
    const failed = { startMs: range.startMs, endMs: isWindowAlone ? windowEndMs : whole.endMs };
    const nowMs = exchangeClock.nowMs();
    await this.#handOn({
      kind: "candles",
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

  #windowMs(): number {
    return this.#pageRows() * timeframeMs(this.#request.timeframe);
  }

  #pageRows(): number {
    return pageRowsOf(this.#options);
  }
}

/** An answer and what was read from it. */
interface Answer {
  readonly page: CandlePage;
  readonly batch: CandleBatch;
}

/** As many of the last candles as the next page is judged by. */
function lastOf(recent: readonly Neighbour[], page: readonly Neighbour[]): Neighbour[] {
  const firstMs = page[0]?.openTimeMs ?? Infinity;
  const earlier = recent.filter(({ openTimeMs }) => openTimeMs < firstMs);
  return [...earlier, ...page].slice(-CONTEXT_CANDLES);
}

/** A broken server may send times no calendar knows. */
function showTime(timeMs: number): string {
  return timeMs <= 8.64e15 ? formatTime(timeMs) : String(timeMs);
}
