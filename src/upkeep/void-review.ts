// Asks again about voids that were believed. In: the series of a collector. Out: voids with one answer more in their proof,
// or gaps in their place.
//
// 1. Two answers a minute apart make a void (candle-page.ts). A node that denies what it has may do so for hours, and an
//    exchange may publish late: an hour, a day and a week later the question is put again, and then no more.
// 2. Voids that lie near each other share a question, which takes in candles that must come back (void-witness.ts).
// 3. A void that is crossed without a row stands, with that answer in its proof.
// 4. A row within a void: the void becomes a gap, and its repair is a task like any other.
// 5. Anything else is no answer. The series is left alone for a while, and stays due.
import { classifyError, describeError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import { formatMarketName } from "../core/model/market.js";
import { intersectRanges, type TimeRange } from "../core/range.js";
import { formatMinute } from "../core/time.js";
import { timeframeMs } from "../core/timeframe.js";
import type { Store } from "../store/store.js";
import type { DueVoid } from "../store/void-records.js";
import { keyOf, seriesKeyText, type CandleKeeper, type Series } from "./candle-keeper.js";

export interface VoidReviewOptions {
  readonly store: Pick<Store, "dueVoids" | "confirmVoids" | "reopenVoid">;
  readonly keeper: Pick<CandleKeeper, "hearVoids" | "nowMs" | "pageRows">;
  readonly log: Log;
}

export interface VoidReviewReport {
  readonly confirmed: number;
  readonly reopened: number;
}

const HOUR_MS = 3_600_000;
/** After the two answers that make a void, after the third, after the fourth. */
const ASK_AFTER_MS = [HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS];
/** Of one run: the present and the gaps come first, and there is a week's time. */
const QUESTIONS_MAX = 20;
const VOIDS_MAX = 2_000;
/** Where no answer was to be had. */
const PAUSE_MS = HOUR_MS;
/** Of a page, so much is left to the candles around the voids. */
const ROOM_CANDLES = 10;

export class VoidReview {
  readonly #options: VoidReviewOptions;
  /** By series: not before. */
  readonly #pausedUntilMs = new Map<string, number>();

  constructor(options: VoidReviewOptions) {
    this.#options = options;
  }

  /**
   * Puts some of the questions that are due.
   * @throws TickwellError `database`; the signal's reason. An exchange that cannot be asked is asked later
   */
  async run(series: readonly Series[], signal: AbortSignal): Promise<VoidReviewReport> {
    const { store, keeper } = this.#options;
    const nowMs = keeper.nowMs();
    const known = new Map(series.map((each) => [seriesKeyText(keyOf(each)), each]));
    const askable = series.filter((each) => this.#isAskable(each, nowMs));
    const due = await store.dueVoids({
      series: askable.map(keyOf),
      nowMs,
      afterMs: ASK_AFTER_MS,
      limit: VOIDS_MAX,
    });
    const total = { confirmed: 0, reopened: 0 };
    for (const group of groupByPage(due, keeper.pageRows).slice(0, QUESTIONS_MAX)) {
      const each = known.get(seriesKeyText(group.key));
      if (each === undefined || !this.#isAskable(each, nowMs)) continue;
      const report = await this.#ask(each, group.voids, signal);
      total.confirmed += report.confirmed;
      total.reopened += report.reopened;
    }
    return total;
  }

  async #ask(series: Series, voids: readonly DueVoid[], signal: AbortSignal): Promise<VoidReviewReport> {
    const { store, keeper, log } = this.#options;
    const key = keyOf(series);
    const words = `${formatMarketName(series.market)} ${series.timeframe}`;
    try {
      const { page, believed, contradicts } = await keeper.hearVoids(series, voids, signal);
      const atMs = keeper.nowMs();
      if (page !== undefined && contradicts) {
        const lengthMs = timeframeMs(series.timeframe);
        const rows = page.candidates.flatMap(({ openTimeMs }): TimeRange[] =>
          openTimeMs === undefined ? [] : [{ startMs: openTimeMs, endMs: openTimeMs + lengthMs }],
        );
        const wrong = voids.filter((each) => intersectRanges([each], rows).length > 0);
        for (const range of wrong) {
          const detail = `asked again at ${formatMinute(atMs)} UTC: the exchange has candles after all, by ${page.request}`;
          await store.reopenVoid(key, range, { detail, atMs });
          log.warn(
            `${words}: ${formatMinute(range.startMs)} to ${formatMinute(range.endMs)} UTC was proven void, and the exchange has candles there after all; it is a gap again and will be fetched`,
          );
        }
        return { confirmed: 0, reopened: wrong.length };
      }
      if (page !== undefined && believed.length > 0) {
        await store.confirmVoids(key, believed, { atMs, request: page.request });
        return { confirmed: believed.length, reopened: 0 };
      }
      log.debug(`${words}: asked again about ${voids.length} voids, and got no answer that proves anything`);
    } catch (error) {
      signal.throwIfAborted();
      if (classifyError(error).kind === "database") throw error;
      log.debug(`${words}: could not be asked again about its voids: ${describeError(error)}`);
    }
    this.#pausedUntilMs.set(seriesKeyText(key), keeper.nowMs() + PAUSE_MS);
    return { confirmed: 0, reopened: 0 };
  }

  #isAskable(series: Series, nowMs: number): boolean {
    return (this.#pausedUntilMs.get(seriesKeyText(keyOf(series))) ?? -Infinity) <= nowMs;
  }
}

interface Group {
  readonly key: DueVoid;
  readonly voids: DueVoid[];
}

/** Voids of one series that one page can cross; they come by series and in order of time. */
function groupByPage(due: readonly DueVoid[], pageRows: number): Group[] {
  const groups: Group[] = [];
  for (const each of due) {
    const last = groups.at(-1);
    const first = last?.voids[0];
    const rows = first === undefined ? 0 : (each.endMs - first.startMs) / timeframeMs(each.timeframe);
    const isNear =
      last !== undefined &&
      seriesKeyText(last.key) === seriesKeyText(each) &&
      rows <= pageRows - ROOM_CANDLES;
    if (isNear) last.voids.push(each);
    else groups.push({ key: each, voids: [each] });
  }
  return groups;
}
