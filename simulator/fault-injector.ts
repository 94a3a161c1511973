// Decides which fault of the plan strikes which answer, and counts what struck.
import { seededRandom, type Random } from "../src/core/random.js";
import type { Bar } from "./bar-maker.js";
import type { FaultPlan, RowLie, SimulatedFault, SimulatedFaultKind } from "./fault-plan.js";
import { fraction, hash2, hashText } from "./hash.js";
import type { VenueName } from "./venue-name.js";
import {
  changedTruth,
  isForMarket,
  isMeant,
  isSkewOf,
  isStreamMeant,
  seriesName,
  type AnswerFault,
  type AskedFor,
  type AskedRow,
  type AskedStream,
  type FaultOf,
  type NamedMarket,
  type RowFault,
  type StreamFault,
  type StreamFaultKind,
} from "./fault-conditions.js";

interface Tracked<F> {
  readonly fault: F;
  readonly index: number;
  readonly random: Random;
  asked: number;
  strikes: number;
}

/** A planned fault and how often it struck. */
export interface FaultStrikes {
  readonly index: number;
  readonly kind: SimulatedFaultKind;
  readonly strikes: number;
}

/** Rows a fault remembers having spoiled; beyond that it lets rows pass, so that it can never spoil one for ever. */
const ROWS_MAX = 200_000;

export class FaultInjector {
  readonly #seed: number;
  readonly #tracked: readonly Tracked<SimulatedFault>[];
  readonly #answerFaults: readonly Tracked<AnswerFault>[];
  readonly #rowFaults: readonly Tracked<RowFault>[];
  readonly #streamFaults: readonly Tracked<StreamFault>[];
  readonly #spoiled = new Map<string, number>();

  constructor(plan: FaultPlan, seed: number) {
    this.#seed = seed;
    this.#tracked = plan.faults.map((fault, index) => ({
      fault,
      index,
      random: seededRandom(hash2(seed, index)),
      asked: 0,
      strikes: 0,
    }));
    this.#answerFaults = this.#tracked.filter(isAnswerFault);
    this.#rowFaults = this.#tracked.filter(isRowFault);
    this.#streamFaults = this.#tracked.filter(isStreamFault);
  }

  /** Every planned fault with its strikes, in the order of the plan. */
  strikes(): readonly FaultStrikes[] {
    return this.#tracked.map(({ fault, index, strikes }) => ({ index, kind: fault.kind, strikes }));
  }

  /** The fault that strikes this request: the first of the plan whose conditions hold. Every one of them counts it. */
  strikeAnswer(asked: AskedFor, nowMs: number): AnswerFault | undefined {
    let struck: Tracked<AnswerFault> | undefined;
    for (const tracked of this.#answerFaults) {
      if (!isMeant(tracked.fault, asked, nowMs)) continue;
      tracked.asked++;
      const { nth, probability } = tracked.fault;
      const countMax = tracked.fault.count ?? (nth === undefined ? Infinity : 1);
      if (tracked.asked < (nth ?? 1) || tracked.strikes >= countMax) continue;
      if (probability !== undefined && tracked.random.next() >= probability) continue;
      struck ??= tracked;
    }
    if (struck) struck.strikes++;
    return struck?.fault;
  }

  /** True when the plan has faults of streams at all; asking about each message is left out otherwise. */
  get hasStreamFaults(): boolean {
    return this.#streamFaults.length > 0;
  }

  /** The fault of that kind that strikes: the first of the plan whose conditions hold. Every one of them counts it. */
  strikeStream<K extends StreamFaultKind>(
    kind: K,
    asked: AskedStream,
    nowMs: number,
  ): FaultOf<K> | undefined {
    let struck: Tracked<StreamFault> | undefined;
    for (const tracked of this.#streamFaults) {
      const { fault } = tracked;
      if (fault.kind !== kind || !isStreamMeant(fault, asked, nowMs)) continue;
      tracked.asked++;
      const countMax = fault.count ?? (fault.nth === undefined ? Infinity : 1);
      if (tracked.asked < (fault.nth ?? 1) || tracked.strikes >= countMax) continue;
      if (fault.probability !== undefined) {
        const key = `${tracked.index} ${seriesName(asked)} ${asked.channel} ${asked.key}`;
        if (fraction(hashText(this.#seed, key)) >= fault.probability) continue;
      }
      struck ??= tracked;
    }
    if (struck === undefined) return undefined;
    struck.strikes++;
    return struck.fault as FaultOf<K>;
  }

  /** How far a venue's clock is off at a real time, in milliseconds. */
  skewMs(exchange: VenueName, realMs: number): number {
    let skewMs = 0;
    for (const { fault } of this.#tracked) if (isSkewOf(fault, exchange, realMs)) skewMs += fault.skew_ms;
    return skewMs;
  }

  /** Counts an answer that told the skewed time. */
  countSkewedAnswer(exchange: VenueName, realMs: number): void {
    for (const tracked of this.#tracked) if (isSkewOf(tracked.fault, exchange, realMs)) tracked.strikes++;
  }

  /** Counts an answer about a stretch of the truth that the plan changed. */
  countTruthAnswer(asked: AskedFor): void {
    for (const tracked of this.#tracked) {
      const span = changedTruth(tracked.fault);
      if (span === undefined || !isForMarket(tracked.fault, asked)) continue;
      if (asked.fromMs < span.toMs && asked.toMs >= span.fromMs) tracked.strikes++;
    }
  }

  /** True when an aggregate trade is to be left out of this answer. */
  isTradeMissing(market: NamedMarket, trade: { id: number; timeMs: number }, nowMs: number): boolean {
    for (const tracked of this.#tracked) {
      const { fault } = tracked;
      if (fault.kind !== "trade_missing" || trade.timeMs < fault.from || trade.timeMs >= fault.to) continue;
      if (!isForMarket(fault, market) || nowMs >= (fault.until ?? Infinity)) continue;
      const key = `${tracked.index} ${seriesName(market)} ${trade.id}`;
      if (fault.probability !== undefined && fraction(hashText(this.#seed, key)) >= fault.probability)
        continue;
      tracked.strikes++;
      return true;
    }
    return false;
  }

  /** Maintenance of a venue that was planned: `code_200` with OKX's 50001 between two times of its clock. */
  maintenance(exchange: VenueName): readonly { readonly fromMs: number; readonly toMs: number }[] {
    return this.#tracked.flatMap(({ fault }) =>
      fault.kind === "code_200" &&
      fault.code === "50001" &&
      fault.clock_from !== undefined &&
      fault.clock_to !== undefined &&
      (fault.exchange ?? exchange) === exchange
        ? [{ fromMs: fault.clock_from, toMs: fault.clock_to }]
        : [],
    );
  }

  /** True when the candle is to be left out of this answer. */
  isLate(row: AskedRow, nowMs: number): boolean {
    return this.#strikeRow("late", row, nowMs) !== undefined;
  }

  /** What is first served of a closed candle: itself, or somewhat less of it. */
  revise(row: AskedRow, bar: Bar, nowMs: number): Bar {
    // A candle without trades is flat by definition; there is nothing in it to revise.
    if (bar.trades === 0 || this.#strikeRow("revised", row, nowMs) === undefined) return bar;
    const close = bar.close + 1;
    return {
      ...bar,
      close,
      high: Math.max(bar.high, close),
      lots: bar.lots - Math.ceil(bar.lots / 10),
      notional: bar.notional - bar.notional / 9n,
      takerBuyLots: bar.takerBuyLots - Math.ceil(bar.takerBuyLots / 10),
      takerBuyNotional: bar.takerBuyNotional - bar.takerBuyNotional / 9n,
    };
  }

  /** How this row of candles is to be broken, if at all. */
  lieAbout(row: AskedRow, nowMs: number): RowLie | undefined {
    const struck = this.#strikeRow("lying_rows", row, nowMs);
    return struck?.kind === "lying_rows" ? struck.how : undefined;
  }

  #strikeRow(kind: RowFault["kind"], row: AskedRow, nowMs: number): RowFault | undefined {
    for (const tracked of this.#rowFaults) {
      const { fault } = tracked;
      if (fault.kind !== kind || row.openTimeMs < fault.from || row.openTimeMs >= fault.to) continue;
      if (!isForMarket(fault, row)) continue;
      if (fault.timeframes && !fault.timeframes.includes(row.timeframe)) continue;
      const key = `${tracked.index} ${seriesName(row)} ${row.timeframe} ${row.openTimeMs}`;
      if (fault.probability !== undefined) {
        // By the row, not by the request: the same rows are struck whatever the order they are asked for in.
        if (fraction(hashText(this.#seed, key)) >= fault.probability) continue;
      }
      if (fault.until !== undefined && nowMs >= fault.until) continue;
      const answersMax = fault.answers ?? (fault.until === undefined ? 1 : Infinity);
      if (answersMax !== Infinity) {
        const answers = this.#spoiled.get(key) ?? 0;
        if (answers >= answersMax || (answers === 0 && this.#spoiled.size >= ROWS_MAX)) continue;
        this.#spoiled.set(key, answers + 1);
      }
      tracked.strikes++;
      return fault;
    }
    return undefined;
  }
}

function isStreamFault(tracked: Tracked<SimulatedFault>): tracked is Tracked<StreamFault> {
  return tracked.fault.kind.startsWith("ws_");
}

function isAnswerFault(tracked: Tracked<SimulatedFault>): tracked is Tracked<AnswerFault> {
  if (isStreamFault(tracked)) return false;
  switch (tracked.fault.kind) {
    case "outage":
    case "late":
    case "revised":
    case "lying_rows":
    case "clock_skew":
    case "price_jump":
    case "volume_spike":
    case "trade_missing":
    case "late_trade":
    case "delisted":
      return false;
    default:
      return true;
  }
}

function isRowFault(tracked: Tracked<SimulatedFault>): tracked is Tracked<RowFault> {
  const { kind } = tracked.fault;
  return kind === "late" || kind === "revised" || kind === "lying_rows";
}
