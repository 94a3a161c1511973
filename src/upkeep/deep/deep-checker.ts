// Looks at single minutes from three sides: what is stored, what the venue and its archive say now, and what the venue's
// trades add up to. Reads only; what follows from its report is done by deep-repair.ts.
import { classifyError, describeError } from "../../core/fault.js";
import { formatMarketName } from "../../core/model/market.js";
import type { Candle } from "../../core/model/candle.js";
import type { Random } from "../../core/random.js";
import { intersectRanges, mergeRanges, type TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import { floorToTimeframe } from "../../core/timeframe.js";
import type { CandleArchive } from "../../exchanges/archive.js";
import type { RestExchange } from "../../exchanges/exchange.js";
import { checkCandles } from "../../pipeline/gate/candle-gate.js";
import type { SeriesKey, Store, StoredCandle, StoredMarket } from "../../store/store.js";
import { storedValues, valuesOf } from "./candle-values.js";
import { classifyMinute, type MinuteEvidence } from "./classify-minute.js";
import type { DeepClass, DeepDifference, DeepRepair, DeepReport, MinuteState } from "./deep-report.js";
import { fetchMinuteTrades, type MinuteTrades } from "./minute-trades.js";
import { planSamples } from "./sample-plan.js";

export interface DeepCheckerOptions {
  readonly store: Pick<Store, "readCandles" | "voids" | "seriesStates" | "flaggedOpenTimes">;
  readonly exchange: RestExchange;
  /** Left out where the venue publishes none. */
  readonly archive?: CandleArchive | undefined;
  /** Chooses the minutes; seeded, so that a check can be repeated. */
  readonly random: Random;
}

export interface DeepRequest {
  readonly market: StoredMarket;
  /** Only what is expected and closed in here is looked at. */
  readonly range: TimeRange;
  /** Minutes to look at. */
  readonly samples: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** More of them are never drawn from. */
const FLAGGED_MAX = 10_000;
/** One is asked for; a venue that repeats a row is heard out. */
const CANDLE_ROWS_MAX = 10;
/** After so many minutes in a row that cannot be asked for, the venue is away. */
const FAILURES_IN_A_ROW_MAX = 3;

export class DeepChecker {
  readonly #options: DeepCheckerOptions;

  constructor(options: DeepCheckerOptions) {
    this.#options = options;
  }

  /**
   * Checks minutes drawn from a range.
   * @param onSample after each minute, for progress
   * @throws TickwellError when the venue cannot be asked at all, `database`; the signal's reason
   */
  async check(
    { market, range, samples }: DeepRequest,
    signal: AbortSignal,
    onSample: () => void = () => undefined,
  ): Promise<DeepReport> {
    const { exchange } = this.#options;
    const nowMs = await exchange.fetchServerTime(signal);
    const closed = { ...range, endMs: Math.min(range.endMs, floorToTimeframe(nowMs, "1m")) };
    const openTimesMs = await this.#draw(market, closed, samples);
    const run = new DeepRun(this.#options, market, nowMs);
    for (const openTimeMs of openTimesMs) {
      await run.look(openTimeMs, signal);
      onSample();
    }
    return run.report(closed);
  }

  async #draw(market: StoredMarket, range: TimeRange, count: number): Promise<number[]> {
    const { store, random } = this.#options;
    if (range.startMs >= range.endMs) return [];
    const key = keyOf(market);
    const [state] = await store.seriesStates({ ...key });
    const expected = intersectRanges(state?.expected ?? [], [range]);
    const voids = await store.voids({ ...key, range });
    const flagged = await store.flaggedOpenTimes(key, range, FLAGGED_MAX);
    return planSamples({ count, expected, voids, flagged, random });
  }
}

/** One check: what was seen so far, and the archive's days that were fetched. */
class DeepRun {
  readonly #options: DeepCheckerOptions;
  readonly #market: StoredMarket;
  readonly #nowMs: number;
  readonly #days = new Map<
    number,
    { readonly url: string; readonly candles: Map<number, Candle> } | undefined
  >();
  readonly #samples: number[] = [];
  readonly #byState: Record<MinuteState, number> = { stored: 0, void: 0, gap: 0 };
  readonly #differences: DeepDifference[] = [];
  readonly #failures: string[] = [];
  #failuresInARow = 0;
  #agreements = 0;
  #withoutTrades = 0;
  #withArchive = 0;

  constructor(options: DeepCheckerOptions, market: StoredMarket, nowMs: number) {
    this.#options = options;
    this.#market = market;
    this.#nowMs = nowMs;
  }

  async look(openTimeMs: number, signal: AbortSignal): Promise<void> {
    let evidence: MinuteEvidence;
    try {
      evidence = await this.#gather(openTimeMs, signal);
      this.#failuresInARow = 0;
    } catch (error) {
      signal.throwIfAborted();
      const { kind } = classifyError(error);
      if (kind === "database" || kind === "internal" || ++this.#failuresInARow >= FAILURES_IN_A_ROW_MAX)
        throw error;
      this.#failures.push(`${formatTime(openTimeMs)}: ${describeError(error)}`);
      return;
    }
    this.#samples.push(openTimeMs);
    this.#byState[evidence.state]++;
    if (!evidence.trades) this.#withoutTrades++;
    if (evidence.archive) this.#withArchive++;
    const differences = classifyMinute(evidence);
    if (differences.length === 0) this.#agreements++;
    this.#differences.push(...differences);
  }

  report(range: TimeRange): DeepReport {
    const counts: Record<DeepClass, number> = { revision: 0, late_trade: 0, our_loss: 0, source_fault: 0 };
    for (const difference of this.#differences) counts[difference.class]++;
    const toRepair = (repair: DeepRepair): TimeRange[] =>
      mergeRanges(
        this.#differences
          .filter((difference) => difference.repair === repair)
          .map(({ openTimeMs }) => ({ startMs: openTimeMs, endMs: openTimeMs + MINUTE_MS })),
      );
    return {
      market: formatMarketName(this.#market),
      timeframe: "1m",
      range,
      samples: this.#samples,
      byState: this.#byState,
      agreements: this.#agreements,
      withoutTrades: this.#withoutTrades,
      withArchive: this.#withArchive,
      differences: this.#differences,
      counts,
      failures: this.#failures,
      refetch: toRepair("refetch"),
      reopen: toRepair("reopen_void"),
    };
  }

  /** The stored candle is read last: what a running collector stores meanwhile is no difference. */
  async #gather(openTimeMs: number, signal: AbortSignal): Promise<MinuteEvidence> {
    const trades = await this.#fetchTrades(openTimeMs, signal);
    const { venue, venueRefusal } = await this.#fetchCandle(openTimeMs, signal);
    const archive = await this.#fetchArchived(openTimeMs, signal);
    const { state, stored } = await this.#readStored(openTimeMs, signal);
    return {
      openTimeMs,
      state,
      stored: stored && { values: storedValues(stored), isFromExchange: stored.source === "rest" },
      venue: venue && valuesOf(venue),
      venueRefusal,
      archive,
      trades,
    };
  }

  async #fetchTrades(openTimeMs: number, signal: AbortSignal): Promise<MinuteTrades | undefined> {
    const { exchange } = this.#options;
    const { nativeSymbol } = this.#market;
    try {
      return await fetchMinuteTrades(exchange, { nativeSymbol, openTimeMs }, signal);
    } catch (error) {
      // Too old to be kept: candles are still compared.
      if (classifyError(error).kind !== "bad_request") throw error;
      return undefined;
    }
  }

  async #fetchCandle(
    openTimeMs: number,
    signal: AbortSignal,
  ): Promise<{ venue: Candle | undefined; venueRefusal: string | undefined }> {
    const page = await this.#options.exchange.fetchCandles(
      {
        nativeSymbol: this.#market.nativeSymbol,
        timeframe: "1m",
        fromMs: openTimeMs,
        toMs: openTimeMs + MINUTE_MS,
        limit: CANDLE_ROWS_MAX,
      },
      signal,
    );
    const { candles, rejected } = checkCandles(page.candidates, {
      timeframe: "1m",
      exchangeNowMs: this.#nowMs,
    });
    const venue = candles.find((candle) => candle.openTimeMs === openTimeMs);
    const refused = rejected.find((rejection) => rejection.openTimeMs === openTimeMs);
    return { venue, venueRefusal: venue ? undefined : refused?.rule };
  }

  async #fetchArchived(openTimeMs: number, signal: AbortSignal): Promise<MinuteEvidence["archive"]> {
    const dayMs = Math.floor(openTimeMs / DAY_MS) * DAY_MS;
    if (!this.#options.archive || dayMs + DAY_MS > this.#nowMs) return undefined;
    // Minutes come in order of time: a day is done with when the next one begins.
    if (!this.#days.has(dayMs)) {
      this.#days.clear();
      this.#days.set(dayMs, await this.#fetchDay(this.#options.archive, dayMs, signal));
    }
    const day = this.#days.get(dayMs);
    if (!day) return undefined;
    const candle = day.candles.get(openTimeMs);
    return { values: candle && valuesOf(candle), url: day.url };
  }

  /** A file that cannot be had is one witness less, and told. */
  async #fetchDay(
    archive: CandleArchive,
    dayMs: number,
    signal: AbortSignal,
  ): Promise<{ url: string; candles: Map<number, Candle> } | undefined> {
    try {
      const day = await archive.fetchDay(
        { nativeSymbol: this.#market.nativeSymbol, timeframe: "1m", dayMs },
        signal,
      );
      if (!day) return undefined;
      const { candles } = checkCandles(day.candidates, { timeframe: "1m", exchangeNowMs: this.#nowMs });
      return { url: day.url, candles: new Map(candles.map((candle) => [candle.openTimeMs, candle])) };
    } catch (error) {
      signal.throwIfAborted();
      if (classifyError(error).kind === "internal") throw error;
      this.#failures.push(`archive of ${formatTime(dayMs).slice(0, 10)}: ${describeError(error)}`);
      return undefined;
    }
  }

  async #readStored(
    openTimeMs: number,
    signal: AbortSignal,
  ): Promise<{ state: MinuteState; stored: StoredCandle | undefined }> {
    const { store } = this.#options;
    const key = keyOf(this.#market);
    const range = { startMs: openTimeMs, endMs: openTimeMs + MINUTE_MS };
    for await (const [stored] of store.readCandles(key, range, signal)) {
      if (stored) return { state: "stored", stored };
    }
    const voids = await store.voids({ ...key, range });
    return { state: voids.length > 0 ? "void" : "gap", stored: undefined };
  }
}

function keyOf(market: StoredMarket): SeriesKey {
  return { marketId: market.id, timeframe: "1m" };
}
