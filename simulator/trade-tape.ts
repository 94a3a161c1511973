// The truth of one market: its trades. Every minute is drawn from hash(seed, market, minute) alone, and the ids before
// it are a closed-form count, so that no minute needs those before it.
//
// An aggregate trade (one taker order filled at one price) is the unit that is drawn. Aggregates are numbered from 0
// without holes; aggregate `a` holds the trades `firstTradeId(a)` to `firstTradeId(a + 1) - 1`, one to three of them.
import { fraction, hash2, hash3, hashText, mix32 } from "./hash.js";
import type { MarketSpec } from "./market-spec.js";
import { PricePath } from "./price-path.js";

export const MINUTE_MS = 60_000;
const DAY_MINUTES = 1_440;

/** A run of minutes `[fromMinute, toMinute)` in which the market trades; `toMinute` is Infinity for the running one. */
export interface LiveSpan {
  readonly fromMinute: number;
  readonly toMinute: number;
}

/** A span of minutes in which something is multiplied. */
export interface FactorSpan extends LiveSpan {
  readonly factor: number;
}

/** What is odd about the trades of a market. Nothing of it changes how many there are, or their ids. */
export interface TapeOddities {
  /** Prices are multiplied, in the first span that holds the minute. */
  readonly prices: readonly FactorSpan[];
  /** Quantities are multiplied likewise. */
  readonly volumes: readonly FactorSpan[];
  /** Candles count the first trade of such a minute in it, although its time is the last millisecond before. */
  readonly countedAfter: readonly LiveSpan[];
  /** Candles count the last trade of such a minute in it, although its time is the first millisecond after. */
  readonly countedBefore: readonly LiveSpan[];
}

const NOTHING_ODD: TapeOddities = { prices: [], volumes: [], countedAfter: [], countedBefore: [] };

interface NumberedSpan extends LiveSpan {
  /** Id of the span's first aggregate. */
  readonly firstAggregateId: number;
}

/** One aggregate trade, in ticks and lots. */
export interface AggregateTrade {
  readonly id: number;
  readonly timeMs: number;
  readonly ticks: number;
  readonly lots: number;
  /** True when the taker sold. */
  readonly isBuyerMaker: boolean;
}

/** Trade ids advance 1.7 an aggregate, with a jitter of 0.7: every aggregate holds one to three trades. */
const TRADES_STEP = 1.7;
const TRADES_JITTER = 0.7;
/** No aggregate is smaller, so that each of its trades holds at least one lot. */
const AGGREGATE_LOTS_MIN = 3;
/** Half the width, relative to the price, of the band in which a minute's trades scatter around its path. */
const SCATTER = 0.0003;

export class TradeTape {
  readonly spec: MarketSpec;
  readonly spans: readonly LiveSpan[];
  readonly #spans: readonly NumberedSpan[];
  readonly #seed: number;
  readonly #path: PricePath;
  readonly #oddities: TapeOddities;
  // The minute drawn last, as columns: candles of years must not allocate per trade.
  readonly #timesMs: Float64Array;
  readonly #ticks: Float64Array;
  readonly #lots: Float64Array;
  readonly #sells: Uint8Array;
  // The minute whose middle was asked for last.
  #midMinute = -1;
  #midFrom = 0;
  #midTo = 0;

  /** @param outages ranges without trades, in minutes, sorted and apart */
  constructor(
    seed: number,
    spec: MarketSpec,
    outages: readonly LiveSpan[],
    oddities: TapeOddities = NOTHING_ODD,
  ) {
    this.spec = spec;
    this.#oddities = oddities;
    this.#seed = hashText(seed, spec.symbol);
    this.#path = new PricePath(mix32(this.#seed ^ 0x5bd1e995), spec);
    const drawnMax = Math.ceil(spec.aggregatesPerMinute * 2) + 2;
    this.#timesMs = new Float64Array(drawnMax);
    this.#ticks = new Float64Array(drawnMax);
    this.#lots = new Float64Array(drawnMax);
    this.#sells = new Uint8Array(drawnMax);
    this.#spans = this.#number(liveSpans(spec, outages));
    this.spans = this.#spans;
  }

  /** How many minutes away from its time the candle that counts a trade can be. */
  get strayMinutes(): 0 | 1 {
    const { countedAfter, countedBefore } = this.#oddities;
    return countedAfter.length + countedBefore.length > 0 ? 1 : 0;
  }

  /** The first minute in which the market trades at or after this one; undefined when there is none. */
  liveMinuteFrom(minute: number): number | undefined {
    for (const span of this.#spans) if (minute < span.toMinute) return Math.max(minute, span.fromMinute);
    return undefined;
  }

  /** The last minute in which the market trades at or before this one; undefined when there is none. */
  liveMinuteUpTo(minute: number): number | undefined {
    for (let i = this.#spans.length - 1; i >= 0; i--) {
      const span = this.#spans[i];
      if (span && minute >= span.fromMinute) return Math.min(minute, span.toMinute - 1);
    }
    return undefined;
  }

  /** Aggregates before the start of a minute; the id of the first one in it, or after it. */
  aggregatesBefore(minute: number): number {
    let count = 0;
    for (const span of this.#spans) {
      if (minute < span.fromMinute) break;
      count = span.firstAggregateId + this.#drawnBetween(span.fromMinute, Math.min(minute, span.toMinute));
    }
    return count;
  }

  /** Id of an aggregate's first trade. */
  firstTradeId(aggregateId: number): number {
    if (aggregateId === 0) return 0;
    return Math.floor(aggregateId * TRADES_STEP + fraction(hash2(this.#seed, aggregateId)) * TRADES_JITTER);
  }

  /** The aggregate that holds a trade. */
  aggregateOfTrade(tradeId: number): number {
    let aggregateId = Math.max(0, Math.floor(tradeId / TRADES_STEP) - 1);
    while (this.firstTradeId(aggregateId + 1) <= tradeId) aggregateId++;
    return aggregateId;
  }

  /** The minute that holds an aggregate; undefined when no such aggregate will ever exist. */
  minuteOfAggregate(aggregateId: number): number | undefined {
    const span = this.#spans.findLast((each) => each.firstAggregateId <= aggregateId);
    if (span === undefined || aggregateId < 0) return undefined;
    const wanted = aggregateId - span.firstAggregateId;
    let low = span.fromMinute;
    let high = span.toMinute;
    if (high === Infinity) {
      for (high = low + 1; this.#drawnBetween(span.fromMinute, high) <= wanted;) high += high - low;
    } else if (this.#drawnBetween(span.fromMinute, high) <= wanted) return undefined;
    // Invariant: fewer than `wanted + 1` aggregates come before `low`, more than `wanted` before `high`.
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#drawnBetween(span.fromMinute, middle) <= wanted) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The aggregates that one minute's candle counts, oldest first. */
  aggregatesOf(minute: number): AggregateTrade[] {
    if (this.liveMinuteFrom(minute) !== minute) return [];
    const firstId = this.aggregatesBefore(minute);
    const count = this.aggregatesBefore(minute + 1) - firstId;
    this.#draw(minute, count);
    return Array.from({ length: count }, (_, i) => ({
      id: firstId + i,
      timeMs: this.#strayTimeMs(minute, { i, count }) ?? this.#timesMs[i] ?? 0,
      ticks: this.#ticks[i] ?? 0,
      lots: this.#lots[i] ?? 0,
      isBuyerMaker: this.#sells[i] === 1,
    }));
  }

  /**
   * Hands every aggregate of `[fromMinute, toMinute)` that happened at or before `untilMs` to a sink, oldest first,
   * without allocating.
   * @returns the number of trades (not aggregates) handed over
   */
  replay(
    { fromMinute, toMinute, untilMs }: { fromMinute: number; toMinute: number; untilMs: number },
    sink: (ticks: number, lots: number, isBuyerMaker: boolean) => void,
  ): number {
    const endMinute = Math.min(toMinute, Math.floor(untilMs / MINUTE_MS) + 1);
    let firstId = -1;
    let nextId = 0;
    for (const span of this.#spans) {
      const from = Math.max(span.fromMinute, fromMinute);
      const to = Math.min(span.toMinute, endMinute);
      if (from >= to) continue;
      nextId = span.firstAggregateId + this.#drawnBetween(span.fromMinute, from);
      if (firstId < 0) firstId = nextId;
      let drawnBefore = this.#drawnBetween(span.fromMinute, from);
      for (let minute = from; minute < to; minute++) {
        const drawn = this.#drawnBetween(span.fromMinute, minute + 1);
        const count = drawn - drawnBefore;
        drawnBefore = drawn;
        this.#draw(minute, count);
        for (let i = 0; i < count; i++) {
          if ((this.#timesMs[i] ?? 0) > untilMs) break;
          sink(this.#ticks[i] ?? 0, this.#lots[i] ?? 0, this.#sells[i] === 1);
          nextId++;
        }
      }
    }
    return firstId < 0 ? 0 : this.firstTradeId(nextId) - this.firstTradeId(firstId);
  }

  /** The price around which trades scatter at a time, in ticks (not rounded); also while the market does not trade. */
  midTicks(timeMs: number): number {
    const minute = Math.floor(timeMs / MINUTE_MS);
    if (minute !== this.#midMinute) {
      const factor = factorOf(this.#oddities.prices, minute);
      this.#midMinute = minute;
      this.#midFrom = this.#path.ticksAt(minute) * factor;
      this.#midTo = this.#path.ticksAt(minute + 1) * factor;
    }
    return this.#midFrom + ((this.#midTo - this.#midFrom) * (timeMs - minute * MINUTE_MS)) / MINUTE_MS;
  }

  /** The microsecond within its millisecond in which an aggregate traded. */
  microsOf(aggregateId: number): number {
    return Math.floor(fraction(hash2(this.#seed ^ 0x2545f491, aggregateId)) * 1_000);
  }

  /** Splits an aggregate into the quantities of its trades, in lots. */
  fillsOf(aggregate: { readonly id: number; readonly lots: number }): readonly number[] {
    const fills = this.firstTradeId(aggregate.id + 1) - this.firstTradeId(aggregate.id);
    const lots: number[] = [];
    let left = aggregate.lots;
    for (let i = 0; i < fills - 1; i++) {
      const most = left - (fills - 1 - i);
      const part = 1 + Math.floor(fraction(hash3(this.#seed, aggregate.id, i)) * most * 0.8);
      lots.push(part);
      left -= part;
    }
    lots.push(left);
    return lots;
  }

  /** The time of a trade that its candle does not count where that time is; undefined for all others. */
  #strayTimeMs(minute: number, { i, count }: { i: number; count: number }): number | undefined {
    const { countedAfter, countedBefore } = this.#oddities;
    if (i === 0 && holds(countedAfter, minute) && this.liveMinuteFrom(minute - 1) === minute - 1) {
      return minute * MINUTE_MS - 1;
    }
    if (i === count - 1 && holds(countedBefore, minute) && this.liveMinuteFrom(minute + 1) === minute + 1) {
      return (minute + 1) * MINUTE_MS;
    }
    return undefined;
  }

  #number(spans: readonly LiveSpan[]): readonly NumberedSpan[] {
    let firstAggregateId = 0;
    return spans.map((span) => {
      const numbered = { ...span, firstAggregateId };
      firstAggregateId += this.#drawnBetween(span.fromMinute, span.toMinute);
      return numbered;
    });
  }

  /** Aggregates drawn in `[fromMinute, toMinute)` of one span, never fewer than one: a span opens with a trade. */
  #drawnBetween(fromMinute: number, toMinute: number): number {
    if (toMinute <= fromMinute) return 0;
    if (toMinute === Infinity) return Infinity;
    return Math.max(1, this.#count(toMinute) - this.#count(fromMinute));
  }

  /**
   * A count that grows with the minutes: the integral of a rate that swings by half over the day, with a jitter that is
   * smaller than the rate ever gets, so that it never falls.
   */
  #count(minute: number): number {
    const rate = this.spec.aggregatesPerMinute;
    const swing = (0.5 * DAY_MINUTES) / (2 * Math.PI);
    const phase = (2 * Math.PI * (minute % DAY_MINUTES)) / DAY_MINUTES;
    const jitter = 0.49 * fraction(hash2(this.#seed ^ 0x1b873593, minute));
    return Math.floor(rate * (minute - swing * Math.cos(phase) + jitter));
  }

  /** How large trades are in a minute's hour and day, 0.2 to 3 times as large as usual. */
  #activity(minute: number): number {
    const hour = Math.floor(minute / 60);
    const ofDay = fraction(hash3(this.#seed, Math.floor(hour / 24), 1));
    const ofHour = fraction(hash3(this.#seed, hour, 2));
    return (0.4 + 1.6 * ofDay) * (0.5 + ofHour);
  }

  #draw(minute: number, count: number): void {
    const startMs = minute * MINUTE_MS;
    const fromTicks = this.#path.ticksAt(minute);
    const toTicks = this.#path.ticksAt(minute + 1);
    const stepMs = MINUTE_MS / count;
    const minuteSeed = hash2(this.#seed ^ 0x68e31da4, minute);
    const lotsSpan = this.spec.typicalLots * 4 * this.#activity(minute);
    const priceFactor = factorOf(this.#oddities.prices, minute);
    const volumeFactor = factorOf(this.#oddities.volumes, minute);
    for (let i = 0; i < count; i++) {
      const a = hash2(minuteSeed, i);
      const b = mix32(a + 0x7f4a7c15);
      // One trade in each slice of the minute: in order, and never two in one millisecond.
      const offsetMs = Math.floor((i + fraction(a) * 0.95) * stepMs);
      const mid = fromTicks + ((toTicks - fromTicks) * offsetMs) / MINUTE_MS;
      const scattered = mid * (1 + (2 * fraction(b) - 1) * SCATTER);
      const size = fraction(mix32(b + 0x7f4a7c15));
      this.#timesMs[i] = startMs + offsetMs;
      this.#ticks[i] = Math.max(1, Math.round(scattered * priceFactor));
      // Cubed: many small trades, few large ones.
      const lots = AGGREGATE_LOTS_MIN + Math.floor(lotsSpan * size * size * size);
      this.#lots[i] = Math.max(AGGREGATE_LOTS_MIN, Math.round(lots * volumeFactor));
      this.#sells[i] = scattered < mid ? 1 : 0;
    }
  }
}

/** What is left of a market's life when its outages are taken out. */
function liveSpans(spec: MarketSpec, outages: readonly LiveSpan[]): readonly LiveSpan[] {
  const endMinute = spec.suspendedMs === undefined ? Infinity : spec.suspendedMs / MINUTE_MS;
  const spans: LiveSpan[] = [];
  let fromMinute = spec.listedMs / MINUTE_MS;
  for (const outage of [...outages].sort((a, b) => a.fromMinute - b.fromMinute)) {
    if (outage.fromMinute > fromMinute) {
      spans.push({ fromMinute, toMinute: Math.min(outage.fromMinute, endMinute) });
    }
    fromMinute = Math.max(fromMinute, outage.toMinute);
    if (fromMinute >= endMinute) return spans.filter((span) => span.fromMinute < span.toMinute);
  }
  spans.push({ fromMinute, toMinute: endMinute });
  return spans.filter((span) => span.fromMinute < span.toMinute);
}

function holds(spans: readonly LiveSpan[], minute: number): boolean {
  return spans.some((span) => minute >= span.fromMinute && minute < span.toMinute);
}

function factorOf(spans: readonly FactorSpan[], minute: number): number {
  for (const span of spans) if (minute >= span.fromMinute && minute < span.toMinute) return span.factor;
  return 1;
}
