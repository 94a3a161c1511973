// When the database refuses a commit for what is in it: halves the batches, then their rows, until the ones at fault stand
// alone. These go to quarantine with the reason, nothing is claimed for them, and everything else is stored.
import { classifyError, describeError } from "../../core/fault.js";
import type { Rejection } from "../../core/model/candle-batch.js";
import type { BookOutage } from "../../core/model/book.js";
import type { BookBatch, RecordBatch, TradeBatch } from "../../core/model/record-batch.js";
import { intersectRanges, mergeRanges, subtractRanges, type TimeRange } from "../../core/range.js";
import type { CommitResult } from "../../store/store.js";

/** Commits, and has waited for a database that was away. */
export type CommitBatches = (batches: readonly RecordBatch[]) => Promise<CommitResult>;

/** What the database refuses because of the values: data exceptions and broken constraints. @see PostgreSQL, Appendix A */
export function isRefusedForItsData(error: unknown): boolean {
  const fault = classifyError(error);
  return fault.kind === "database" && !fault.isTransient && /^2[23]/.test(fault.code ?? "");
}

/**
 * Stores what can be stored of batches that were refused together.
 * @param nowMs our clock, epoch ms: what was refused may be asked for again from then on
 * @returns what was stored, and the records that were not
 * @throws whatever else the commit throws
 */
export async function commitPiecewise(
  batches: readonly RecordBatch[],
  commit: CommitBatches,
  nowMs: number,
): Promise<{ result: CommitResult; refused: number }> {
  const total = { inserted: 0, revised: 0, refused: 0, live: 0 };
  let refused = 0;
  const add = (result: CommitResult): void => {
    for (const key of ["inserted", "revised", "refused", "live"] as const) total[key] += result[key];
  };
  const tryToCommit = async (part: readonly RecordBatch[]): Promise<unknown> => {
    try {
      add(await commit(part));
      return undefined;
    } catch (error) {
      if (!isRefusedForItsData(error)) throw error;
      return error;
    }
  };
  const commitPart = async (part: readonly RecordBatch[]): Promise<void> => {
    const error = await tryToCommit(part);
    if (error === undefined) return;
    const [only] = part;
    if (only === undefined) return;
    if (part.length > 1) {
      const middle = Math.floor(part.length / 2);
      await commitPart(part.slice(0, middle));
      await commitPart(part.slice(middle));
      return;
    }
    const count = await commitRows(only, error);
    refused += count;
  };
  /** The rows of one batch, without claims that not all of them carry. @returns how many were refused */
  const commitRows = async (batch: RecordBatch, first: unknown): Promise<number> => {
    const rejected: Rejection[] = [];
    const halve = async (from: number, to: number, known: unknown): Promise<void> => {
      const error = known ?? (await tryToCommit([withRows(batch, from, to)]));
      if (error === undefined) return;
      if (to - from <= 1) {
        if (to > from) rejected.push(rejectionOf(batch, from, error));
        return;
      }
      const middle = Math.floor((from + to) / 2);
      await halve(from, middle, undefined);
      await halve(middle, to, undefined);
    };
    await halve(0, rowCount(batch), first);
    const rest = await tryToCommit([remainderOf(batch, rejected, nowMs)]);
    if (rest === undefined) return rejected.length;
    // Not a row but what stands beside the rows: all that is left is to say so. A database that refuses even that refuses
    // everything.
    await commit([remainderOf({ ...emptyOf(batch), rejected: [] }, rejected, nowMs)]);
    return rejected.length;
  };
  await commitPart(batches);
  return { result: total, refused };
}

function rowCount(batch: RecordBatch): number {
  switch (batch.kind) {
    case "candles":
      return batch.candles.length;
    case "trades":
      return batch.trades.length;
    case "book":
      return batch.snapshots.length + batch.deltas.length;
  }
}

/** Some rows alone. Candles carry their own claim; trades and books claim nothing this way. */
function withRows(batch: RecordBatch, from: number, to: number): RecordBatch {
  const empty = emptyOf(batch);
  switch (batch.kind) {
    case "candles":
      return {
        ...empty,
        kind: "candles",
        candles: batch.candles.slice(from, to),
        flags: batch.flags,
      } as RecordBatch;
    case "trades":
      return { ...empty, kind: "trades", trades: batch.trades.slice(from, to) } as RecordBatch;
    case "book": {
      const { snapshots, deltas } = batch;
      const split = snapshots.length;
      return {
        ...empty,
        kind: "book",
        snapshots: snapshots.slice(from, to),
        deltas: deltas.slice(Math.max(0, from - split), Math.max(0, to - split)),
      } as RecordBatch;
    }
  }
}

function emptyOf(batch: RecordBatch): RecordBatch {
  switch (batch.kind) {
    case "candles":
      return { ...batch, candles: [], flags: undefined, voids: [], missing: [], rejected: [] };
    case "trades":
      return {
        ...batch,
        trades: [],
        runs: [],
        voids: [],
        missing: [],
        rejected: [],
        tally: noTally(batch.tally),
      };
    case "book":
      return {
        ...batch,
        snapshots: [],
        deltas: [],
        valid: [],
        outages: [],
        rejected: [],
        tally: noTally(batch.tally),
      };
  }
}

function noTally<T extends object>(tally: T): T {
  return Object.fromEntries(Object.keys(tally).map((key) => [key, 0])) as T;
}

/** What is left when the rows are stored: gaps, counts, and the records that were refused. */
function remainderOf(batch: RecordBatch, rejected: readonly Rejection[], nowMs: number): RecordBatch {
  switch (batch.kind) {
    case "candles":
      return { ...batch, candles: [], flags: undefined, rejected: [...batch.rejected, ...rejected] };
    case "trades":
      return {
        ...batch,
        trades: [],
        // Which of the runs the refused ones stood in is for REST to say: all of them are asked for again.
        runs: rejected.length === 0 ? batch.runs : [],
        missing: rejected.length === 0 ? batch.missing : [...batch.missing, ...asMissing(batch, nowMs)],
        rejected: [...batch.rejected, ...rejected],
      };
    case "book":
      return {
        ...batch,
        ...withoutRefused(batch, rejected),
        snapshots: [],
        deltas: [],
        rejected: [...batch.rejected, ...rejected],
      };
  }
}

function asMissing({ runs }: TradeBatch, nowMs: number): TradeBatch["missing"] {
  return runs
    .filter(({ startMs, endMs }) => startMs < endMs)
    .map((run) => ({
      ...run,
      reason: "rejected",
      detail: "the database refused a trade of this range; see quarantine",
      nextAskMs: nowMs,
    }));
}

/** Between its neighbours, a refused book is a time without one. A refused change is missing from the changes only. */
function withoutRefused(
  { snapshots, valid, outages }: BookBatch,
  rejected: readonly Rejection[],
): Pick<BookBatch, "valid" | "outages"> {
  const isRefused = new Set(rejected.map(({ openTimeMs }) => openTimeMs));
  const refused = snapshots.flatMap(({ timeMs }, i): TimeRange[] =>
    isRefused.has(timeMs)
      ? [{ startMs: snapshots[i - 1]?.timeMs ?? -Infinity, endMs: snapshots[i + 1]?.timeMs ?? Infinity }]
      : [],
  );
  const lost = intersectRanges(valid, mergeRanges(refused)).map((range): BookOutage => ({
    ...range,
    reason: "rejected",
    detail: "the database refused a book of this time; see quarantine",
  }));
  return { valid: subtractRanges(valid, lost), outages: [...outages, ...lost] };
}

function rejectionOf(batch: RecordBatch, at: number, error: unknown): Rejection {
  const row =
    batch.kind === "candles"
      ? batch.candles[at]
      : batch.kind === "trades"
        ? batch.trades[at]
        : [...batch.snapshots, ...batch.deltas][at];
  const openTimeMs = row === undefined ? undefined : "openTimeMs" in row ? row.openTimeMs : row.timeMs;
  return { rule: "store.refused", detail: describeError(error), openTimeMs, raw: JSON.stringify(row) };
}
