// One chunk of a file through the gate: what is accepted, what is refused and where it stood, and which time the rows
// speak about.
import type { Candle } from "../../core/model/candle.js";
import type { Rejection } from "../../core/model/candle-batch.js";
import type { TimeRange } from "../../core/range.js";
import { floorToTimeframe, isOnGrid, timeframeMs, type Timeframe } from "../../core/timeframe.js";
import { checkCandles, type CandleRule } from "../../pipeline/gate/candle-gate.js";
import type { FileRow } from "./file-row.js";

export interface RefusedRow {
  readonly line: number;
  readonly row: number | undefined;
  readonly rejection: Rejection;
}

/** Time whose candle was refused. */
export interface SpoiledRange extends TimeRange {
  readonly rule: string;
}

export interface CheckedChunk {
  readonly candles: readonly Candle[];
  /** In the file's order. */
  readonly refused: readonly RefusedRow[];
  /** Where refused rows may have been the candle that is absent. */
  readonly spoiled: readonly SpoiledRange[];
  /**
   * From the earliest to the latest candle, refused ones included as far as their time can be true: on the grid and
   * past. Undefined when there is none.
   */
  readonly extent: TimeRange | undefined;
  /** Rows with a time and prices that make sense as text, whatever their values. */
  readonly readable: number;
  /** The time of the chunk's last row that has one, for the next chunk's first. */
  readonly lastTimeMs: number | undefined;
}

/** Refused for what it is, not for its values: a file of nothing else is not what the user takes it for. */
const UNREADABLE = new Set<string>([
  "candle.malformed",
  "candle.not_a_decimal",
  "candle.off_grid",
  "candle.not_closed",
] satisfies CandleRule[]);

/** Checks rows in any order. @param previousTimeMs the time of the row before the first, if known */
export function checkRows(
  rows: readonly FileRow[],
  {
    timeframe,
    nowMs,
    previousTimeMs,
  }: { timeframe: Timeframe; nowMs: number; previousTimeMs: number | undefined },
): CheckedChunk {
  const sorted = sortByTime(rows);
  const { candles, rejected } = checkCandles(
    sorted.map((row) => row.candidate),
    { timeframe, exchangeNowMs: nowMs },
  );
  const lengthMs = timeframeMs(timeframe);
  const refused = locate(rejected, sorted);
  const spoiled: SpoiledRange[] = spoiledByUnreadable(rows, previousTimeMs, lengthMs);
  let startMs = candles[0]?.openTimeMs ?? Infinity;
  let lastMs = candles.at(-1)?.openTimeMs ?? -Infinity;
  for (const { rule, openTimeMs } of rejected) {
    if (openTimeMs === undefined || openTimeMs + lengthMs > nowMs) continue;
    const slotMs = floorToTimeframe(openTimeMs, timeframe);
    spoiled.push({ startMs: slotMs, endMs: slotMs + lengthMs, rule });
    // A time beside the grid says little about when the candle was.
    if (!isOnGrid(openTimeMs, timeframe)) continue;
    startMs = Math.min(startMs, openTimeMs);
    lastMs = Math.max(lastMs, openTimeMs);
  }
  return {
    candles,
    refused,
    spoiled,
    extent: startMs <= lastMs ? { startMs, endMs: lastMs + lengthMs } : undefined,
    readable: rows.length - rejected.filter(({ rule }) => UNREADABLE.has(rule)).length,
    lastTimeMs: rows.findLast((row) => row.candidate.openTimeMs !== undefined)?.candidate.openTimeMs,
  };
}

/** The gate wants ascending order, which means nothing in a file. */
function sortByTime(rows: readonly FileRow[]): FileRow[] {
  const key = (row: FileRow): number => row.candidate.openTimeMs ?? 0;
  return [...rows].sort((a, b) => key(a) - key(b));
}

/** Finds the rows that rejections stem from, by their text; of repeated lines the gate keeps the first. */
function locate(rejected: readonly Rejection[], sorted: readonly FileRow[]): RefusedRow[] {
  if (rejected.length === 0) return [];
  const byText = new Map<string, FileRow[]>();
  for (const row of sorted) {
    const same = byText.get(row.candidate.raw);
    if (same) same.push(row);
    else byText.set(row.candidate.raw, [row]);
  }
  return rejected
    .map((rejection): RefusedRow => {
      const row = byText.get(rejection.raw)?.pop();
      return {
        line: row?.line ?? 0,
        row: row?.row,
        rejection: row?.problem === undefined ? rejection : { ...rejection, detail: row.problem },
      };
    })
    .sort((a, b) => a.line - b.line || (a.row ?? 0) - (b.row ?? 0));
}

/** A row without a readable time spoils what lies between its neighbours in the file. */
function spoiledByUnreadable(
  rows: readonly FileRow[],
  previousTimeMs: number | undefined,
  lengthMs: number,
): SpoiledRange[] {
  const spoiled: SpoiledRange[] = [];
  let beforeMs = previousTimeMs;
  let isBetween = false;
  for (const { candidate } of rows) {
    const { openTimeMs } = candidate;
    if (openTimeMs === undefined) {
      isBetween = true;
      continue;
    }
    if (isBetween && beforeMs !== undefined) {
      const startMs = Math.min(beforeMs, openTimeMs) + lengthMs;
      const endMs = Math.max(beforeMs, openTimeMs);
      if (startMs < endMs) spoiled.push({ startMs, endMs, rule: "candle.malformed" });
    }
    isBetween = false;
    beforeMs = openTimeMs;
  }
  return spoiled;
}
