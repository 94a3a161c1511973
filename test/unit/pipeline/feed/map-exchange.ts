// An exchange in memory that has candles at given minutes and answers as the contract says; and a stage that only keeps
// what it is given.
import assert from "node:assert/strict";
import { TickwellError } from "../../../../src/core/fault.js";
import type { RecordBatch } from "../../../../src/core/model/record-batch.js";
import type { CandleBatch } from "../../../../src/core/model/candle-batch.js";
import type { CandlePage, CandleRequest, RestExchange } from "../../../../src/exchanges/exchange.js";
import type { Stage, StagedBatch } from "../../../../src/pipeline/stage/stage.js";
import { minuteMs, MINUTE_MS } from "../../../support/candles.js";
import { settle } from "../../core/net/manual-clock.js";
import { rowAt } from "../gate/candidates.js";

/** More than any test needs: a feed that does not end is stopped here. */
const REQUESTS_MAX = 2_000;

export class MapExchange implements RestExchange {
  readonly id = "map";
  readonly restUrl = "http://map";
  readonly traits;
  /** Minutes from … to as asked for, in order. */
  readonly asked: [number, number][] = [];
  readonly limits = new Set<number>();
  underWay = 0;
  underWayMost = 0;
  /** May throw instead of an answer, or change it. */
  onRequest: (request: CandleRequest) => void = () => undefined;
  onAnswer: (page: CandlePage, request: CandleRequest) => CandlePage = (page) => page;
  readonly #minutes: readonly number[];

  constructor(minutes: Iterable<number>, pageRowsMax = 10) {
    this.#minutes = [...new Set(minutes)].sort((a, b) => a - b);
    this.traits = {
      candlePageRowsMax: pageRowsMax,
      timeframes: ["1m"],
      tradeNumbering: "record",
    } as const;
  }

  async fetchCandles(request: CandleRequest, signal: AbortSignal): Promise<CandlePage> {
    signal.throwIfAborted();
    if (this.asked.length >= REQUESTS_MAX) throw new Error(`asked ${REQUESTS_MAX} times`);
    this.asked.push([toMinute(request.fromMs), toMinute(request.toMs)]);
    this.limits.add(request.limit);
    this.underWay++;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    try {
      await settle();
      signal.throwIfAborted();
      this.onRequest(request);
      return this.onAnswer(this.#answer(request), request);
    } finally {
      this.underWay--;
    }
  }

  #answer({ fromMs, toMs, limit }: CandleRequest): CandlePage {
    const from = firstAtLeast(this.#minutes, toMinute(fromMs));
    const rows = this.#minutes.slice(from, from + limit).filter((minute) => minute < toMinute(toMs));
    return {
      candidates: rows.map((minute) => rowAt(minute)),
      provenToMs: rows.length === limit ? minuteMs(rows.at(-1) ?? NaN) + MINUTE_MS : toMs,
      request: `/candles?from=${toMinute(fromMs)}&to=${toMinute(toMs)}`,
    };
  }

  async fetchTrades(): Promise<never> {
    throw new Error("this exchange has no trades");
  }

  async fetchMarkets(): Promise<never> {
    throw new Error("not asked for here");
  }

  async fetchServerTime(): Promise<never> {
    throw new Error("not asked for here");
  }

  async close(): Promise<void> {}
}

export function toMinute(timeMs: number): number {
  return (timeMs - minuteMs(0)) / MINUTE_MS;
}

function firstAtLeast(sorted: readonly number[], value: number): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? Infinity) < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Never full; acknowledges nothing. */
export class ListStage implements Stage {
  readonly batches: CandleBatch[] = [];

  get lastSequence(): number {
    return this.batches.length;
  }

  get load(): { readonly rows: number; readonly rowsMax: number } {
    return { rows: 0, rowsMax: Infinity };
  }

  async append(batch: RecordBatch, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    assert(batch.kind === "candles");
    return this.batches.push(batch);
  }

  /** How often the batches speak for each minute: as a candle, a void or a missing one. */
  spokenFor(): Map<number, number> {
    const counts = new Map<number, number>();
    const count = (minute: number): unknown => counts.set(minute, (counts.get(minute) ?? 0) + 1);
    for (const { candles, voids, missing } of this.batches) {
      for (const { openTimeMs } of candles) count(toMinute(openTimeMs));
      for (const { startMs, endMs } of [...voids, ...missing])
        for (let minute = toMinute(startMs); minute < toMinute(endMs); minute++) count(minute);
    }
    return counts;
  }

  get candleMinutes(): number[] {
    return this.batches
      .flatMap(({ candles }) => candles.map(({ openTimeMs }) => toMinute(openTimeMs)))
      .sort((a, b) => a - b);
  }

  async read(): Promise<readonly StagedBatch[]> {
    throw new Error("nobody reads here");
  }

  async ack(): Promise<void> {}

  async settled(): Promise<void> {}

  end(): void {}

  async close(): Promise<void> {}
}

export const malformed = (): TickwellError =>
  new TickwellError({ kind: "malformed_payload", path: "$", sample: "<html>" }, "the body is not JSON");
