// Candles of OKX, oldest first, out of answers that come newest first and are cut at their old end.
//
// 1. A window of as many candles as wanted is asked for, from the start of the range. Both ends of a question are
//    exclusive.
// 2. An answer may hold fewer rows than asked for, and then the old ones are missing: as long as the window's first candle
//    is not among the rows, what lies before the oldest of them is asked for, until nothing comes. Only then is the
//    absence of older rows proven.
// 3. A window without any row (before a listing, in a long outage): the whole range is asked for. Nothing comes: proven to
//    its end. Otherwise the first row is found by halving, every half that is taken to be empty having answered so, and
//    the window that starts there is the page.
//
// The latest candles and the older ones have an endpoint each: `candles` knows the last 1,440, `history-candles` lags.
import type { CandleCandidate } from "../../core/model/candle.js";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import {
  ceilToTimeframe,
  floorToTimeframe,
  isOnGrid,
  timeframeMs,
  TIMEFRAMES,
  type Timeframe,
} from "../../core/timeframe.js";
import type { CandlePage, CandleRequest } from "../exchange.js";
import { malformed } from "../malformed.js";
import { refuseBackwards } from "../refuse-backwards.js";
import { pathOf, type RestClient, type RestQuestion } from "../rest-client.js";
import { barOf } from "./bars.js";
import { decodeCandle, decodeEnvelope } from "./decode.js";
import { OKX_ENDPOINTS } from "./rest.js";

/** Rows of a page as documented; less may come. */
export const CANDLES_MAX = 300;

/** Candles that `candles` certainly still has: it gives 1,440, and our clock and its node may differ. */
const RECENT_CANDLES = 1_000;
/** By so many candles `history-candles` may lag the present; older ones that `candles` has, it must have too. */
const HISTORY_LAG_MAX_CANDLES = 120;
/** Answers for one window: more than this, and the venue gives a handful of rows at a time. */
const ANSWERS_MAX = 40;
/** Halvings of a range: 2^40 candles of a minute are two million years. */
const HALVINGS_MAX = 40;

interface Market {
  readonly nativeSymbol: string;
  readonly timeframe: Timeframe;
  readonly isSwap: boolean;
}

/** Asks for the candles of one market, as often as one page needs it. */
export class OkxCandles {
  readonly #client: RestClient;
  readonly #market: Market;
  readonly #recentFromMs: number;
  readonly #signal: AbortSignal;

  /** @param nowMs decides between the endpoints only */
  constructor(client: RestClient, market: Market, { nowMs, signal }: { nowMs: number; signal: AbortSignal }) {
    this.#client = client;
    this.#market = market;
    const { timeframe } = market;
    this.#recentFromMs = ceilToTimeframe(nowMs - RECENT_CANDLES * timeframeMs(timeframe), timeframe);
    this.#signal = signal;
  }

  /** @throws TickwellError as {@link RestClient.get} does; `malformed_payload` when the answers contradict each other */
  async fetchPage({ fromMs, toMs, limit }: CandleRequest): Promise<CandlePage> {
    const windowMs = limit * timeframeMs(this.#market.timeframe);
    const window = { startMs: fromMs, endMs: Math.min(fromMs + windowMs, toMs) };
    const rows = await this.#fill(window, limit);
    if (rows.length > 0)
      return this.#page(rows, { startMs: fromMs, endMs: toMs }, this.#pathOf(window, limit));

    const whole = { startMs: fromMs, endMs: toMs };
    const request = this.#pathOf(window.endMs < toMs ? whole : window, limit);
    const rest = { startMs: window.endMs, endMs: toMs };
    const firstMs = await this.#findFirst(rest, { windowMs, limit });
    if (firstMs === undefined) return { candidates: [], provenToMs: toMs, request };
    const found = { startMs: firstMs, endMs: Math.min(firstMs + windowMs, toMs) };
    const later = await this.#fill(found, limit);
    if (later.length === 0)
      throw malformed("$.data", `rows of ${found.startMs} to ${found.endMs} came and went`);
    return this.#page(later, whole, request);
  }

  /** All rows of a window, newest first. */
  async #fill({ startMs, endMs }: TimeRange, limit: number): Promise<CandleCandidate[]> {
    const rows: CandleCandidate[] = [];
    let beforeMs = endMs;
    for (let answers = 0; beforeMs > startMs; answers++) {
      if (answers === ANSWERS_MAX) {
        throw malformed(
          "$.data",
          `${answers} answers hold ${rows.length} candles only, expected up to ${limit}`,
        );
      }
      const answer = await this.#ask({ startMs, endMs: beforeMs }, limit);
      if (answer.length === 0) break;
      rows.push(...answer);
      beforeMs = oldestOf(answer);
    }
    return rows;
  }

  /**
   * Up to where a range is empty, so that a window from there on holds its first row; undefined when there is no row.
   * Before what is returned nothing lies: all of it has answered so.
   */
  async #findFirst(
    range: TimeRange,
    { windowMs, limit }: { windowMs: number; limit: number },
  ): Promise<number | undefined> {
    if (range.startMs >= range.endMs) return undefined;
    const lengthMs = timeframeMs(this.#market.timeframe);
    const newest = await this.#ask(range, limit);
    if (newest.length === 0) return undefined;
    let emptyToMs = range.startMs;
    let seenMs = oldestOf(newest);
    for (let halvings = 0; seenMs - emptyToMs >= windowMs; halvings++) {
      if (halvings === HALVINGS_MAX)
        throw malformed("$.data", `the first row before ${seenMs} is not found in ${halvings} answers`);
      const middleMs = emptyToMs + Math.ceil((seenMs - emptyToMs) / (2 * lengthMs)) * lengthMs;
      const answer = await this.#ask({ startMs: emptyToMs, endMs: middleMs }, limit);
      if (answer.length === 0) emptyToMs = middleMs;
      else seenMs = oldestOf(answer);
    }
    return emptyToMs;
  }

  /**
   * The newest rows of a range of any length. Nothing means that neither endpoint that may have some has any; were our
   * clock behind, the one for the latest candles would no longer have what we take for recent.
   */
  async #ask(range: TimeRange, limit: number): Promise<CandleCandidate[]> {
    const rows = await this.#askEndpoint(this.#endpointOf(range), range, limit);
    if (rows.length > 0 || range.endMs <= this.#recentFromMs) return rows;
    if (range.startMs >= this.#recentFromMs)
      return this.#askEndpoint(OKX_ENDPOINTS.historyCandles, range, limit);
    const recent = { startMs: this.#recentFromMs, endMs: range.endMs };
    const latest = await this.#askEndpoint(OKX_ENDPOINTS.candles, recent, limit);
    if (latest.length > 0) this.#refuseDenial(oldestOf(latest));
    return latest;
  }

  /** The two endpoints are caches of their own: one that has lost its rows answers with nothing, and proves nothing. */
  #refuseDenial(knownMs: number): void {
    const laggingMs = RECENT_CANDLES - HISTORY_LAG_MAX_CANDLES;
    const lagFromMs = this.#recentFromMs + laggingMs * timeframeMs(this.#market.timeframe);
    if (knownMs >= lagFromMs) return;
    throw malformed(
      "$.data",
      `history-candles has no row of a range in which candles has some from ${formatTime(knownMs)} on; expected both to know what is older than ${HISTORY_LAG_MAX_CANDLES} candles`,
    );
  }

  #askEndpoint(endpoint: string, range: TimeRange, limit: number): Promise<CandleCandidate[]> {
    const question = this.#question(endpoint, range, limit);
    const read = (json: unknown): CandleCandidate[] => readRows(json, { ...this.#market, ...range, limit });
    return this.#client.get({ ...question, read }, this.#signal);
  }

  #endpointOf({ startMs }: TimeRange): string {
    return startMs >= this.#recentFromMs ? OKX_ENDPOINTS.candles : OKX_ENDPOINTS.historyCandles;
  }

  #question(endpoint: string, { startMs, endMs }: TimeRange, limit: number): RestQuestion {
    const { nativeSymbol, timeframe } = this.#market;
    return {
      endpoint,
      nativeSymbol,
      weight: 1,
      params: {
        instId: nativeSymbol,
        bar: barOf(timeframe),
        before: String(startMs - 1),
        after: String(endMs),
        limit: String(limit),
      },
    };
  }

  #pathOf(range: TimeRange, limit: number): string {
    return pathOf(this.#question(this.#endpointOf(range), range, limit));
  }

  /** Rows speak up to the end of the last of them; it may lie off the grid, and the proof ends on it all the same. */
  #page(newestFirst: readonly CandleCandidate[], { endMs }: TimeRange, request: string): CandlePage {
    const { timeframe } = this.#market;
    const candidates = newestFirst.toReversed();
    const lastMs = Math.max(...candidates.map(({ openTimeMs }) => openTimeMs ?? -Infinity));
    const rowsEndMs = floorToTimeframe(lastMs, timeframe) + timeframeMs(timeframe);
    return { candidates, provenToMs: Math.min(rowsEndMs, endMs), request };
  }
}

/** Of rows that {@link readRows} has let through: at least one has a time. */
function oldestOf(rows: readonly CandleCandidate[]): number {
  return Math.min(...rows.map(({ openTimeMs }) => openTimeMs ?? Infinity));
}

/** @throws TickwellError `malformed_payload` for an answer to something that was not asked: it proves nothing */
function readRows(json: unknown, asked: Market & TimeRange & { readonly limit: number }): CandleCandidate[] {
  const data = decodeEnvelope(json);
  const { limit, startMs, endMs, timeframe } = asked;
  if (data.length > limit)
    throw malformed("$.data", `expected ${limit} candles at most, found ${data.length}`);
  const rows = data.map((row) => decodeCandle(row, asked));
  const timesMs = rows.map(({ openTimeMs }) => openTimeMs);
  refuseBackwards(timesMs, "descending");
  timesMs.forEach((timeMs, i) => {
    if (timeMs === undefined || (timeMs >= startMs && timeMs < endMs)) return;
    throw malformed(`$.data[${i}][0]`, `expected open times in [${startMs}, ${endMs}), found ${timeMs}`);
  });
  const known = timesMs.filter((timeMs) => timeMs !== undefined);
  if (rows.length > 0 && known.length === 0)
    throw malformed("$.data[0][0]", "no row has a readable open time");
  refuseOtherBars(known, timeframe);
  return rows;
}

/**
 * A candle of OKX does not say how long it is. All of them off the grid, such as days that begin in Hong Kong, or all of
 * them as far apart as another timeframe is long, are not what was asked for.
 */
function refuseOtherBars(timesMs: readonly number[], timeframe: Timeframe): void {
  if (timesMs.length === 0) return;
  if (timesMs.every((timeMs) => !isOnGrid(timeMs, timeframe)))
    throw malformed("$.data[0][0]", `expected candles of ${timeframe}, found none on its grid`);
  const stepsMs = new Set(timesMs.slice(1).map((timeMs, i) => (timesMs[i] ?? 0) - timeMs));
  const [stepMs] = stepsMs;
  if (timesMs.length < 3 || stepsMs.size !== 1 || stepMs === timeframeMs(timeframe)) return;
  const found = TIMEFRAMES.find((other) => timeframeMs(other) === stepMs);
  if (found) throw malformed("$.data", `expected candles of ${timeframe}, found such of ${found}`);
}
