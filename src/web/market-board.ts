// How every market stands now: what the overview shows. Made of a few statements for all markets together, at most once
// in a while, whoever asks.
import type { Clock } from "../core/clock.js";
import { LAG_BUCKETS_MS } from "../core/model/live-tally.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { LiveHub } from "../pipeline/live-hub.js";
import type {
  GapEvent,
  MarketScore,
  MarketTasks,
  SeriesHoles,
  SeriesPrice,
} from "../store/api/market-summaries.js";
import type { Store } from "../store/store.js";
import type { Market, MarketSummary } from "./contract.js";
import { Recent } from "./recent.js";

const DAY_MS = 86_400_000;
const SLOT_MS = 900_000;
const SLOTS = DAY_MS / SLOT_MS;
const LAG_OVER_MS = 300_000;
/** Of real time: a person looks for longer, and a thousand markets cost the database some hundred milliseconds. */
const FRESH_MS = 2_000;

interface Reading {
  readonly nowMs: number;
  readonly series: ReadonlyMap<number, readonly SeriesHoles[]>;
  readonly prices: ReadonlyMap<number, SeriesPrice>;
  readonly scores: ReadonlyMap<number, MarketScore>;
  readonly lags: ReadonlyMap<number, readonly number[]>;
  readonly tasks: ReadonlyMap<number, MarketTasks>;
  readonly events: ReadonlyMap<number, GapEvent>;
}

/** Sums over all markets. */
export interface BoardTotals {
  readonly series: number;
  readonly candlesExpected: number;
  readonly candlesMissing: number;
  readonly absences: Absences;
}

/** What is not proven, by what is done about it: candles and trades are fetched again, books cannot be. */
interface Absences {
  readonly open_gaps: number;
  readonly candle_gaps: number;
  readonly trade_gaps: number;
  readonly book_outages_24h: number;
  readonly book_outage_ms_24h: number;
}

export const NO_ABSENCES: Absences = {
  open_gaps: 0,
  candle_gaps: 0,
  trade_gaps: 0,
  book_outages_24h: 0,
  book_outage_ms_24h: 0,
};

export class MarketBoard {
  readonly #store: Store;
  readonly #hub: LiveHub;
  readonly #clock: Clock;
  readonly #wallClock: Clock;
  readonly #recent: Recent<Reading>;

  /** @param clock by which the data are new or old; `wallClock` is the machine's */
  constructor(parts: { store: Store; hub: LiveHub; clock: Clock; wallClock: Clock }) {
    this.#store = parts.store;
    this.#hub = parts.hub;
    this.#clock = parts.clock;
    this.#wallClock = parts.wallClock;
    this.#recent = new Recent({ read: () => this.#read(), clock: parts.wallClock, freshMs: FRESH_MS });
  }

  /** A market's series, by data type and length. */
  async series(marketId: number): Promise<Market["series"]> {
    const { series } = await this.#recent.get();
    return (series.get(marketId) ?? []).map(({ dataType, timeframe, expected }) => ({
      data_type: dataType,
      timeframe: timeframe ?? null,
      from: instantOrNull(expected[0]?.startMs),
      to: instantOrNull(expected.at(-1)?.endMs),
    }));
  }

  async summary(marketId: number): Promise<MarketSummary> {
    const reading = await this.#recent.get();
    const series = reading.series.get(marketId) ?? [];
    const main = mainSeries(series);
    const price = reading.prices.get(marketId);
    const live = this.#hub.price(marketId);
    const score = reading.scores.get(marketId);
    const tasks = reading.tasks.get(marketId);
    const event = reading.events.get(marketId);
    const isLiveNewer = live !== undefined && (price === undefined || live.timeMs >= price.lastMs - 60_000);
    const last = isLiveNewer ? live.price : price?.last;
    const lastMs = isLiveNewer ? live.timeMs : price?.lastMs;
    return {
      last_price: last ?? null,
      last_price_time: instantOrNull(lastMs),
      price_source: last === undefined ? null : isLiveNewer ? "trade" : "candle",
      change_24h_percent: changePercent(last, price?.dayBefore),
      strip: stripOf(main, tasks, reading.nowMs),
      score: score?.score ?? null,
      is_valid: score?.isValid ?? null,
      verified_percent: score?.verifiedPercent ?? null,
      lag_ms: medianLag(reading.lags.get(marketId)),
      behind_ms: behindMs(main, reading.nowMs),
      ...absencesOf(series),
      missing_candles: series.reduce((sum, each) => sum + missingCandles(each), 0),
      open_tasks: tasks?.open ?? 0,
      failed_tasks: tasks?.failed ?? 0,
      is_live: this.#hub.streams(marketId) !== undefined,
      last_event: event ? toEvent(event) : null,
    };
  }

  async totals(): Promise<BoardTotals> {
    const { series } = await this.#recent.get();
    const all = [...series.values()].flat();
    return {
      series: all.length,
      candlesExpected: all.reduce((sum, each) => sum + candlesIn(each.expected, each.timeframe), 0),
      candlesMissing: all.reduce((sum, each) => sum + missingCandles(each), 0),
      absences: absencesOf(all),
    };
  }

  async #read(): Promise<Reading> {
    const { api } = this.#store;
    const nowMs = this.#clock.nowMs();
    const holes = await api.holes(undefined, { startMs: nowMs - DAY_MS, endMs: nowMs });
    const series = new Map<number, SeriesHoles[]>();
    for (const each of holes) {
      const known = series.get(each.marketId);
      if (known) known.push(each);
      else series.set(each.marketId, [each]);
    }
    for (const each of series.values()) each.sort(byTypeAndLength);
    const main = [...series].flatMap(([marketId, each]) => {
      const timeframe = mainSeries(each)?.timeframe;
      return timeframe === undefined ? [] : [{ marketId, timeframe }];
    });
    const [prices, scores, lags, tasks, events] = await Promise.all([
      api.lastCloses(main),
      api.scores(undefined),
      // Minutes of the streams are counted by our own clock.
      api.lags([...series.keys()], Math.min(this.#wallClock.nowMs(), nowMs) - LAG_OVER_MS),
      api.marketTasks(undefined),
      api.lastGapEvents(),
    ]);
    return { nowMs, series, prices, scores, lags, tasks, events };
  }
}

/** No exchange keeps past books: a time without one is on record, and nothing is left to do about it. */
function absencesOf(series: readonly SeriesHoles[]): Absences {
  const gaps = (type: SeriesHoles["dataType"]): readonly TimeRange[] =>
    series.flatMap((each) => (each.dataType === type ? each.gaps : []));
  const candleGaps = gaps("ohlcv").length;
  const tradeGaps = gaps("trades").length;
  const outages = gaps("orderbook");
  return {
    open_gaps: candleGaps + tradeGaps,
    candle_gaps: candleGaps,
    trade_gaps: tradeGaps,
    book_outages_24h: outages.length,
    book_outage_ms_24h: Math.round(outages.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0)),
  };
}

/** The shortest candles; undefined for a market without any. */
function mainSeries(series: readonly SeriesHoles[]): SeriesHoles | undefined {
  return series.find(({ dataType }) => dataType === "ohlcv");
}

function byTypeAndLength(a: SeriesHoles, b: SeriesHoles): number {
  return a.dataType.localeCompare(b.dataType) || lengthOf(a) - lengthOf(b);
}

function lengthOf({ timeframe }: SeriesHoles): number {
  return timeframe === undefined ? 0 : timeframeMs(timeframe);
}

function candlesIn(ranges: readonly TimeRange[], timeframe: Timeframe | undefined): number {
  if (timeframe === undefined) return 0;
  const lengthMs = timeframeMs(timeframe);
  return ranges.reduce((sum, { startMs, endMs }) => sum + (endMs - startMs) / lengthMs, 0);
}

function missingCandles({ gaps, timeframe }: SeriesHoles): number {
  return candlesIn(gaps, timeframe);
}

/** The worst in each slot: a gap, then one under repair, then a void, then what is stored. */
function stripOf(
  series: SeriesHoles | undefined,
  tasks: MarketTasks | undefined,
  nowMs: number,
): MarketSummary["strip"] {
  const endMs = Math.ceil(nowMs / SLOT_MS) * SLOT_MS;
  const startMs = endMs - SLOTS * SLOT_MS;
  const states = new Array<string>(SLOTS).fill("-");
  const paint = (ranges: readonly TimeRange[], letter: string): void => {
    for (const range of ranges) {
      const first = Math.max(0, Math.floor((range.startMs - startMs) / SLOT_MS));
      const beyond = Math.min(SLOTS, Math.ceil((range.endMs - startMs) / SLOT_MS));
      for (let slot = first; slot < beyond; slot++) states[slot] = letter;
    }
  };
  if (series) {
    const repairing = (tasks?.ranges ?? []).filter(({ timeframe }) => timeframe === series.timeframe);
    const isRepairing = (gap: TimeRange): boolean =>
      repairing.some((task) => task.startMs < gap.endMs && task.endMs > gap.startMs);
    paint(series.expected, "c");
    paint(series.voids, "v");
    paint(series.gaps.filter(isRepairing), "r");
    paint(
      series.gaps.filter((gap) => !isRepairing(gap)),
      "g",
    );
  }
  return { from: formatTime(startMs), slot_ms: SLOT_MS, states: states.join("") };
}

function behindMs(series: SeriesHoles | undefined, nowMs: number): number | null {
  const endMs = series?.gaps[0]?.startMs ?? series?.expected.at(-1)?.endMs;
  return endMs === undefined ? null : Math.max(0, nowMs - endMs);
}

/** The upper bound of the bucket in which the median lies; null without records, and beyond all buckets. */
function medianLag(counts: readonly number[] | undefined): number | null {
  const total = counts?.reduce((sum, count) => sum + count, 0) ?? 0;
  if (counts === undefined || total === 0) return null;
  let seen = 0;
  const at = counts.findIndex((count) => (seen += count) >= total / 2);
  return LAG_BUCKETS_MS[at] ?? null;
}

/** For people, to a hundredth of a percent. */
function changePercent(last: string | undefined, before: string | undefined): number | null {
  if (last === undefined || before === undefined || Number(before) === 0) return null;
  return Math.round((Number(last) / Number(before) - 1) * 10_000) / 100;
}

function toEvent(event: GapEvent): NonNullable<MarketSummary["last_event"]> {
  const { dataType, isClosed, voidRecords, repairedRecords } = event;
  const kind =
    dataType === "orderbook"
      ? "book_lost"
      : !isClosed
        ? "gap_found"
        : voidRecords > 0 && repairedRecords === 0
          ? "gap_void"
          : "gap_repaired";
  const what = `${formatTime(event.startMs)} to ${formatTime(event.endMs)}`;
  return {
    kind,
    time: formatTime(Math.floor(event.atMs)),
    data_type: dataType,
    timeframe: event.timeframe ?? null,
    detail: event.detail === "" ? what : `${what}: ${event.detail}`,
  };
}

function instantOrNull(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : formatTime(Math.floor(timeMs));
}
