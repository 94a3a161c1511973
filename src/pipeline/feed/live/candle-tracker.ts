// One series of live candles: the venue's closed candles, checked as those of REST are, and compared with what its trades
// add up to.
import { compareDecimals } from "../../../core/decimal.js";
import type { Candle, CandleCandidate } from "../../../core/model/candle.js";
import type { CandleBatch, MissingRange, Rejection } from "../../../core/model/candle-batch.js";
import type { Trade } from "../../../core/model/trade.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../../core/timeframe.js";
import { CandleBuilder } from "../../fold/candle-builder.js";
import { CONTEXT_CANDLES, flagCandles, type Neighbour } from "../../gate/candle-flags.js";
import { checkCandles } from "../../gate/candle-gate.js";
import type { Validation } from "../../gate/validation.js";

export interface CandleTrackerOptions {
  readonly marketId: number;
  readonly timeframe: Timeframe;
  readonly validation: Validation;
  /** The stored candles before the present, ascending: what the next ones are measured by. */
  readonly before: readonly Neighbour[];
}

/** A candle of the venue that its own trades do not add up to. */
export interface BuiltDifference {
  readonly openTimeMs: number;
  readonly field: "open" | "high" | "low" | "close" | "volume";
  readonly venue: string;
  readonly built: string;
}

/** Closed candles that wait for trades up to their end; a quiet market has none for a while. */
const WAITING_MAX = 10;
/** Its word that a candle is closed may reach us before our reckoning of its clock agrees. */
const CLOCK_TOLERANCE_MS = 2_000;
/** A stream tells of the present: an older time is a wrong one. */
const STALE_AFTER_MS = 86_400_000;
const COMPARED = ["open", "high", "low", "close", "volume"] as const;

export class CandleTracker {
  readonly #options: CandleTrackerOptions;
  readonly #before: Neighbour[];
  #builder: CandleBuilder;
  /** Of the trades that were built from: the last id, and the latest time. */
  #builtId = -Infinity;
  #builtMs = -Infinity;
  #candles: Candle[] = [];
  #rejected: Rejection[] = [];
  /** Closed candles of which only a refused row has come in, by open time. */
  readonly #spoiled = new Map<number, MissingRange>();
  readonly #flags = new Map<number, number>();
  #receivedMs = 0;
  #lastOpenTimeMs: number | undefined;
  /** Trades are complete from here on; undefined while nobody feeds any. */
  #builtFromMs: number | undefined;
  readonly #built = new Map<number, Candle>();
  #waiting: Candle[] = [];

  constructor(options: CandleTrackerOptions) {
    this.#options = options;
    this.#before = options.before.slice(-CONTEXT_CANDLES);
    this.#builder = new CandleBuilder(options.timeframe);
  }

  /** Only closed candles are taken; that it is closed is the venue's own word here. */
  add(candidate: CandleCandidate, { receivedMs, exchangeNowMs }: Arrival): void {
    const { timeframe, validation } = this.#options;
    this.#receivedMs = receivedMs;
    const endMs = (candidate.openTimeMs ?? 0) + timeframeMs(timeframe);
    const context = {
      timeframe,
      exchangeNowMs: Math.max(exchangeNowMs, Math.min(endMs, exchangeNowMs + CLOCK_TOLERANCE_MS)),
    };
    const { candles, rejected } = checkCandles([candidate], context);
    this.#rejected.push(...rejected);
    for (const rejection of rejected) this.#spoil(rejection, exchangeNowMs);
    for (const candle of candles) {
      for (const [openTimeMs, bits] of flagCandles([candle], {
        ...validation,
        timeframe,
        before: this.#before,
      }))
        this.#flags.set(openTimeMs, bits);
      this.#remember(candle);
      this.#lastOpenTimeMs = Math.max(this.#lastOpenTimeMs ?? -Infinity, candle.openTimeMs);
      this.#candles.push(candle);
      this.#spoiled.delete(candle.openTimeMs);
      if (this.#builtFromMs !== undefined) this.#waiting.push(candle);
      if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    }
  }

  /** The open time of the last closed candle that came in; undefined when none has. */
  get lastOpenTimeMs(): number | undefined {
    return this.#lastOpenTimeMs;
  }

  /** Keeps a record that nobody could read. */
  reject(rejection: Rejection): void {
    this.#rejected.push(rejection);
  }

  /**
   * Trades as they are handed on. A hole begins anew with {@link restartTrades}. One whose id lies behind is late, or of a count
   * begun anew, which the newer time tells: either way its candle cannot be compared.
   */
  addTrades(trades: readonly Trade[]): void {
    for (const trade of trades) {
      this.#builtFromMs ??= trade.timeMs + 1;
      if (trade.id <= this.#builtId) {
        this.restartTrades(trade.timeMs + 1);
        if (trade.timeMs <= this.#builtMs) continue;
        this.#builder = new CandleBuilder(this.#options.timeframe);
      }
      this.#builder.add(trade);
      this.#builtId = trade.id;
      this.#builtMs = Math.max(this.#builtMs, trade.timeMs);
    }
  }

  /** Trades are missing before `fromMs`: candles that hold any of that time cannot be compared. */
  restartTrades(fromMs: number): void {
    if (this.#builtFromMs !== undefined) this.#builtFromMs = Math.max(this.#builtFromMs, fromMs);
  }

  /** Compares what can be compared: closed candles whose trades are known up to `tradesToMs`. */
  compare(tradesToMs: number): BuiltDifference[] {
    const fromMs = this.#builtFromMs;
    if (fromMs === undefined || this.#waiting.length === 0) return [];
    const lengthMs = timeframeMs(this.#options.timeframe);
    for (const built of this.#builder.take(tradesToMs)) this.#built.set(built.openTimeMs, built);
    const differences: BuiltDifference[] = [];
    const ready = this.#waiting.filter(({ openTimeMs }) => openTimeMs + lengthMs <= tradesToMs);
    if (ready.length === 0) return [];
    this.#waiting = this.#waiting.filter((candle) => !ready.includes(candle));
    for (const venue of ready) {
      const built = this.#built.get(venue.openTimeMs);
      if (built && venue.openTimeMs >= fromMs) differences.push(...differencesOf(venue, built));
    }
    const lastMs = ready.at(-1)?.openTimeMs ?? 0;
    for (const openTimeMs of this.#built.keys()) if (openTimeMs <= lastMs) this.#built.delete(openTimeMs);
    return differences;
  }

  /** What has come in since the last call; undefined when there is nothing. */
  take(): CandleBatch | undefined {
    if (this.#candles.length === 0 && this.#rejected.length === 0) return undefined;
    // A venue repeats a closed candle, or corrects it: the last word counts.
    const latest = new Map(this.#candles.map((candle) => [candle.openTimeMs, candle]));
    const batch: CandleBatch = {
      kind: "candles",
      marketId: this.#options.marketId,
      timeframe: this.#options.timeframe,
      source: "ws",
      evidence: "ws_sequence",
      candles: [...latest.values()].sort((a, b) => a.openTimeMs - b.openTimeMs),
      flags: this.#flags.size > 0 ? new Map(this.#flags) : undefined,
      voids: [],
      missing: [...this.#spoiled.values()],
      rejected: this.#rejected,
      receivedMs: this.#receivedMs,
    };
    this.#candles = [];
    this.#rejected = [];
    this.#spoiled.clear();
    this.#flags.clear();
    return batch;
  }

  /** The candle a refused row was meant to be stays missing with that reason, and REST is asked for it. */
  #spoil({ openTimeMs, rule }: Rejection, exchangeNowMs: number): void {
    const { timeframe } = this.#options;
    if (openTimeMs === undefined) return;
    const startMs = floorToTimeframe(openTimeMs, timeframe);
    const endMs = startMs + timeframeMs(timeframe);
    const isCredible = endMs <= exchangeNowMs + CLOCK_TOLERANCE_MS && endMs > exchangeNowMs - STALE_AFTER_MS;
    if (isCredible)
      this.#spoiled.set(startMs, {
        startMs,
        endMs,
        reason: "rejected",
        detail: rule,
        nextAskMs: exchangeNowMs,
      });
  }

  #remember(candle: Candle): void {
    const at = this.#before.findIndex(({ openTimeMs }) => openTimeMs >= candle.openTimeMs);
    if (at < 0) this.#before.push(candle);
    else this.#before.splice(at, this.#before[at]?.openTimeMs === candle.openTimeMs ? 1 : 0, candle);
    if (this.#before.length > CONTEXT_CANDLES) this.#before.shift();
  }
}

interface Arrival {
  readonly receivedMs: number;
  readonly exchangeNowMs: number;
}

function differencesOf(venue: Candle, built: Candle): BuiltDifference[] {
  return COMPARED.filter((field) => compareDecimals(venue[field], built[field]) !== 0).map((field) => ({
    openTimeMs: venue.openTimeMs,
    field,
    venue: venue[field],
    built: built[field],
  }));
}
