// Takes chunks of a file's rows into a series: gate, expectation, stage. Refused rows leave their minutes as gaps with
// that reason, which is recorded at the end, when it is known that no other row has filled them.
import type { Clock } from "../../core/clock.js";
import type { Candle } from "../../core/model/candle.js";
import type { CandleBatch, MissingRange, Rejection } from "../../core/model/candle-batch.js";
import { CONTEXT_CANDLES, flagCandles, type Neighbour } from "../../pipeline/gate/candle-flags.js";
import { DEFAULT_VALIDATION } from "../../pipeline/gate/validation.js";
import { intersectRanges, mergeRanges, subtractRanges, type TimeRange } from "../../core/range.js";
import type { Stage } from "../../pipeline/stage/stage.js";
import type { SeriesKey, Store } from "../../store/store.js";
import type { Timeframe } from "../../core/timeframe.js";
import { usageError } from "../arguments.js";
import type { FileRow } from "./file-row.js";
import { checkRows, type RefusedRow, type SpoiledRange } from "./row-check.js";

/** Refused minutes whose reason is kept; of a file with more holes than that, further gaps stand without one. */
const SPOILED_MAX = 5_000;

export interface CandleImporterOptions {
  readonly store: Pick<Store, "expect" | "missing" | "recentCandles">;
  readonly stage: Stage;
  readonly clock: Clock;
  readonly key: SeriesKey;
  /** For each refused row, in the file's order. */
  readonly onRefused: (refused: RefusedRow) => void;
}

export class CandleImporter {
  readonly #options: CandleImporterOptions;
  readonly #spoiled = new Map<string, TimeRange[]>();
  #spoiledCount = 0;
  #rows = 0;
  #accepted = 0;
  #extent: TimeRange | undefined;
  #lastTimeMs: number | undefined;
  #lastSequence = 0;
  /** The last candles of the chunk before. */
  #recent: readonly Neighbour[] = [];

  constructor(options: CandleImporterOptions) {
    this.#options = options;
  }

  /** Rows handed in. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows the gate let through. */
  get accepted(): number {
    return this.#accepted;
  }

  /** From the earliest to the latest candle so far. */
  get extent(): TimeRange | undefined {
    return this.#extent;
  }

  /** Checks a chunk and hands it to the stage; waits while that is full. */
  async add(rows: readonly FileRow[], signal: AbortSignal): Promise<void> {
    const { store, stage, clock, key, onRefused } = this.#options;
    const nowMs = clock.nowMs();
    const checked = checkRows(rows, {
      timeframe: key.timeframe,
      nowMs,
      previousTimeMs: this.#lastTimeMs,
    });
    if (this.#rows === 0) refuseShorterCandles(rows.length, checked.refused, key.timeframe);
    // A hole is one from the moment its neighbours are stored, also if this process dies here.
    if (this.#widen(checked.extent) && this.#extent) await store.expect(key, this.#extent);
    this.#lastSequence = await stage.append(
      {
        ...this.#batch(nowMs),
        candles: checked.candles,
        flags: await this.#flags(checked.candles),
        rejected: checked.refused.map(({ rejection }) => rejection),
      },
      signal,
    );
    this.#rows += rows.length;
    this.#accepted += checked.candles.length;
    this.#lastTimeMs = checked.lastTimeMs ?? this.#lastTimeMs;
    for (const spoiled of checked.spoiled) this.#remember(spoiled);
    for (const refused of checked.refused) onRefused(refused);
  }

  /** What is remarkable, by the shipped thresholds: a file belongs to no collector that would have others. */
  async #flags(candles: readonly Candle[]): Promise<ReadonlyMap<number, number>> {
    const { store, key } = this.#options;
    const firstMs = candles[0]?.openTimeMs;
    if (firstMs === undefined) return new Map();
    const follows = (this.#recent.at(-1)?.openTimeMs ?? Infinity) < firstMs;
    const before = follows ? this.#recent : await store.recentCandles(key, firstMs, CONTEXT_CANDLES);
    this.#recent = [...before, ...candles.slice(-CONTEXT_CANDLES)].slice(-CONTEXT_CANDLES);
    return flagCandles(candles, { ...DEFAULT_VALIDATION, timeframe: key.timeframe, before });
  }

  /** Waits until everything is committed and records why refused minutes are missing. */
  async finish(signal: AbortSignal): Promise<void> {
    const { store, stage, clock, key } = this.#options;
    if (this.#lastSequence > 0) await stage.settled(this.#lastSequence, signal);
    if (!this.#extent || this.#spoiled.size === 0) return;
    let holes: readonly TimeRange[] = await store.missing(key, this.#extent);
    const nowMs = clock.nowMs();
    const missing: MissingRange[] = [];
    for (const [rule, ranges] of this.#spoiled) {
      const found = intersectRanges(holes, ranges);
      holes = subtractRanges(holes, found);
      for (const range of found)
        missing.push({ ...range, reason: "rejected", detail: rule, nextAskMs: nowMs });
    }
    if (missing.length > 0) await stage.append({ ...this.#batch(nowMs), missing }, signal);
  }

  /** @returns true when the extent has grown */
  #widen(extent: TimeRange | undefined): boolean {
    if (!extent) return false;
    const before = this.#extent ?? extent;
    const after = {
      startMs: Math.min(before.startMs, extent.startMs),
      endMs: Math.max(before.endMs, extent.endMs),
    };
    const hasGrown =
      !this.#extent || after.startMs < this.#extent.startMs || after.endMs > this.#extent.endMs;
    this.#extent = after;
    return hasGrown;
  }

  #remember({ rule, startMs, endMs }: SpoiledRange): void {
    if (this.#spoiledCount >= SPOILED_MAX) return;
    const ranges = this.#spoiled.get(rule) ?? [];
    ranges.push({ startMs, endMs });
    this.#spoiledCount++;
    this.#spoiled.set(rule, ranges);
    if (this.#spoiledCount < SPOILED_MAX) return;
    // Refused rows often stand side by side: joined, they take one place. Where that gains too little to go on, stop.
    for (const [each, separate] of this.#spoiled) this.#spoiled.set(each, mergeRanges(separate));
    const joined = [...this.#spoiled.values()].reduce((sum, each) => sum + each.length, 0);
    this.#spoiledCount = joined > 0.9 * SPOILED_MAX ? SPOILED_MAX : joined;
  }

  #batch(receivedMs: number): CandleBatch {
    const { marketId, timeframe } = this.#options.key;
    return {
      kind: "candles",
      marketId,
      timeframe,
      source: "import",
      evidence: "import",
      candles: [],
      voids: [],
      missing: [],
      rejected: [],
      receivedMs,
    };
  }
}

/** The share of rows off the grid from which a file is taken for one of a shorter timeframe: of 1h as 2h it is half. */
const OFF_GRID_SHARE_MAX = 0.4;

/** Every so many of a shorter timeframe's candles lie on a longer one's grid, and would pass for it. */
function refuseShorterCandles(
  rows: number,
  refused: readonly { readonly rejection: Rejection }[],
  timeframe: Timeframe,
): void {
  const offGrid = refused.filter(({ rejection }) => rejection.rule === "candle.off_grid").length;
  if (offGrid < rows * OFF_GRID_SHARE_MAX || rows < 2) return;
  throw usageError(
    `import: ${offGrid} of the first ${rows} rows do not lie on the grid of ${timeframe}: the file seems to hold candles of a shorter timeframe; name its own with --timeframe, or --time-is close if its times are the candles' ends`,
  );
}
