// A row of a file on its way to the gate: fields picked by column, numbers kept as the file's own text, and where in the
// file it stands.
import { expandExponent } from "../../core/decimal.js";
import type { CandleCandidate } from "../../core/model/candle.js";
import { timeframeMs, type Timeframe } from "../../core/timeframe.js";
import { parseFileTime } from "./file-time.js";

/** Rows a reader hands on at once; also what the gate sees together. */
export const CHUNK_ROWS = 5_000;

export interface FileRow {
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1; only where one line may hold many rows. */
  readonly row: number | undefined;
  readonly candidate: CandleCandidate & { readonly raw: string };
  /** What is wrong with the row as such, in words; the gate's own words where it is undefined. */
  readonly problem: string | undefined;
}

/** Which field of a row holds what, counted from 0; undefined where the file has no such column. */
export interface Columns {
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quoteVolume?: number | undefined;
  readonly tradeCount?: number | undefined;
}

/** Time, open, high, low, close, volume: what freqtrade, ccxt and files without a header agree on. */
export const PLAIN_COLUMNS: Columns = { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 };
export const PLAIN_FIELDS = 6;

/** What the times of a file mean. */
export interface RowTiming {
  readonly timeframe: Timeframe;
  /** Whether the file's time is the candle's start or its end. */
  readonly timeIs: "open" | "close";
}

export interface RowPlace {
  readonly line: number;
  readonly row?: number;
  /** Why the fields after the time cannot be trusted to be in their columns; none of them is read then. */
  readonly problem?: string | undefined;
}

/** Reads one row's fields. What is missing or unreadable is left undefined for the gate to refuse. */
export function toFileRow(
  fields: readonly string[],
  columns: Columns,
  raw: string,
  timing: RowTiming,
  place: RowPlace,
): FileRow {
  const field = (at: number | undefined): string | undefined =>
    at === undefined || place.problem !== undefined ? undefined : fields[at];
  const timeText = fields[columns.time];
  const openTimeMs = readOpenTime(timeText, timing);
  const timeProblem =
    openTimeMs === undefined
      ? `time "${(timeText ?? "").slice(0, 40)}" cannot be read, expected 2024-01-01T00:00:00Z or epoch s, ms or µs, not before 2009`
      : undefined;
  return {
    line: place.line,
    row: place.row,
    candidate: {
      openTimeMs,
      open: readNumber(field(columns.open)),
      high: readNumber(field(columns.high)),
      low: readNumber(field(columns.low)),
      close: readNumber(field(columns.close)),
      volume: readNumber(field(columns.volume)),
      quoteVolume: readOptional(columns.quoteVolume, field(columns.quoteVolume)),
      tradeCount: readCount(readOptional(columns.tradeCount, field(columns.tradeCount))),
      raw,
    },
    problem: place.problem ?? timeProblem,
  };
}

function readOpenTime(text: string | undefined, { timeframe, timeIs }: RowTiming): number | undefined {
  const timeMs = text === undefined ? undefined : parseFileTime(text);
  if (timeMs === undefined || timeIs === "open") return timeMs;
  return timeMs - timeframeMs(timeframe);
}

function readNumber(text: string | undefined): string | undefined {
  return text === undefined ? undefined : expandExponent(text);
}

/** No such column, or an empty field in it: the source does not tell. */
function readOptional(column: number | undefined, text: string | undefined): string | undefined | null {
  if (column === undefined || text === "") return null;
  return readNumber(text);
}

/** pandas writes a count as `12.0` as soon as one of its column is missing. */
function readCount(text: string | undefined | null): number | undefined | null {
  if (text === undefined || text === null) return text;
  return /^-?\d+(\.0+)?$/.test(text) ? Number(text) : undefined;
}
