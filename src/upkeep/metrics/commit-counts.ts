// What was stored, what was refused and how late it was, by market: counted after each commit, off the hot path. Markets are
// told apart here by their id alone; whoever reads the counts knows their exchanges.
import { Histogram } from "../../core/counts.js";
import type { Clock } from "../../core/clock.js";
import { NO_TALLY, type LiveTally } from "../../core/model/live-tally.js";
import type { RecordBatch } from "../../core/model/record-batch.js";
import { timeframeMs } from "../../core/timeframe.js";
import type { DataType } from "../../store/operating-figures.js";

/** Upper bounds of the lag's ranges, s: a fresh trade takes a tenth of a second, a database that was away minutes. */
export const LAG_BOUNDS_S = [0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300] as const;

/** Counts of one data type of one market. */
export interface SeriesCounts {
  readonly marketId: number;
  readonly dataType: DataType;
  /** Rows committed, repeated ones included. */
  records: number;
  /** By the rule that refused them. */
  readonly refused: Map<string, number>;
  /** What its streams were like; undefined for candles. */
  readonly tally: { -readonly [Key in keyof LiveTally]: number } | undefined;
  /** Time without a valid order book, ms. */
  outageMs: number;
  /** From the exchange's clock to the store, live records only, s. */
  readonly lag: Histogram;
}

/** The lag of one exchange's live records. */
export interface LagOfExchange {
  readonly exchange: string;
  readonly dataType: DataType;
  readonly histogram: Histogram;
}

const DATA_TYPES = { candles: "ohlcv", trades: "trades", book: "orderbook" } as const satisfies Record<
  RecordBatch["kind"],
  DataType
>;

export class CommitCounts {
  readonly #clock: Clock;
  readonly #series = new Map<string, SeriesCounts>();

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock;
  }

  /** Takes what has just been committed. */
  note(batches: readonly RecordBatch[]): void {
    const nowMs = this.#clock.nowMs();
    for (const batch of batches) {
      const counts = this.#countsOf(batch);
      for (const { rule } of batch.rejected) counts.refused.set(rule, (counts.refused.get(rule) ?? 0) + 1);
      if (batch.kind !== "candles" && counts.tally) addTally(counts.tally, batch.tally);
      switch (batch.kind) {
        case "candles": {
          counts.records += batch.candles.length;
          if (batch.evidence !== "ws_sequence") break;
          const lengthMs = timeframeMs(batch.timeframe);
          for (const { openTimeMs } of batch.candles) observeLag(counts.lag, nowMs - openTimeMs - lengthMs);
          break;
        }
        case "trades":
          counts.records += batch.trades.length;
          if (batch.evidence !== "ws_sequence") break;
          for (const { timeMs } of batch.trades) observeLag(counts.lag, nowMs - timeMs);
          break;
        case "book":
          counts.records += batch.snapshots.length + batch.deltas.length;
          for (const { startMs, endMs } of batch.outages) counts.outageMs += endMs - startMs;
          for (const { timeMs } of batch.snapshots) observeLag(counts.lag, nowMs - timeMs);
          break;
      }
    }
  }

  /** @param exchangeOf undefined for a market that is not known yet, which is left out */
  lags(exchangeOf: (marketId: number) => string | undefined): LagOfExchange[] {
    const sums = new Map<string, LagOfExchange>();
    for (const { marketId, dataType, lag } of this.#series.values()) {
      const exchange = exchangeOf(marketId);
      if (exchange === undefined || lag.count === 0) continue;
      const key = `${exchange} ${dataType}`;
      const sum = sums.get(key) ?? { exchange, dataType, histogram: new Histogram(LAG_BOUNDS_S) };
      sum.histogram.add(lag);
      sums.set(key, sum);
    }
    return [...sums.values()];
  }

  [Symbol.iterator](): IterableIterator<SeriesCounts> {
    return this.#series.values();
  }

  #countsOf({ kind, marketId }: RecordBatch): SeriesCounts {
    const key = `${kind} ${marketId}`;
    const known = this.#series.get(key);
    if (known) return known;
    const counts: SeriesCounts = {
      marketId,
      dataType: DATA_TYPES[kind],
      records: 0,
      refused: new Map(),
      tally: kind === "candles" ? undefined : { ...NO_TALLY },
      outageMs: 0,
      lag: new Histogram(LAG_BOUNDS_S),
    };
    this.#series.set(key, counts);
    return counts;
  }
}

const TALLY_KEYS = Object.keys(NO_TALLY) as readonly (keyof LiveTally)[];

function addTally(sum: NonNullable<SeriesCounts["tally"]>, tally: LiveTally): void {
  for (const key of TALLY_KEYS) sum[key] += tally[key];
}

/** Clocks that differ make lags below zero, which count as none. */
function observeLag(lag: Histogram, lagMs: number): void {
  lag.observe(Math.max(0, lagMs) / 1_000);
}
