// The gap log's arithmetic, without a database: what one answer about missing ranges does to the entries on record.
// What was asked must never rub off on what was not: an entry of which only a part was asked about is split, or a later
// answer would take the untouched part for asked twice.
import type { MissingRange } from "../core/model/candle-batch.js";
import { intersectRanges, subtractRanges, type TimeRange } from "../core/range.js";
import type { OpenGap } from "./store.js";

/** An entry as it should stand; without an id it is new. */
export type GapEntry = Omit<OpenGap, "id"> & { readonly id: number | undefined };

export interface GapLogPlan {
  readonly removed: readonly number[];
  /** Entries that are new or changed. */
  readonly put: readonly GapEntry[];
}

/**
 * Plans the changes for one answer.
 * @param open the series' open entries around the answer: in order, without overlap
 * @param missing what stays missing, without overlap
 * @param proven what is covered or void by now; nothing of it is missing
 */
export function planGapLog(
  open: readonly OpenGap[],
  { missing, proven, atMs }: { missing: readonly MissingRange[]; proven: readonly TimeRange[]; atMs: number },
): GapLogPlan {
  const answers = missing
    .flatMap((range) => subtractRanges([range], proven).map((part): MissingRange => ({ ...range, ...part })))
    .sort((a, b) => a.startMs - b.startMs);
  const removed: number[] = [];
  const put: GapEntry[] = [];
  const answersWithin = sweep(answers);
  for (const entry of open) {
    const about = answersWithin(entry);
    const [first] = about;
    if (!first) continue;
    const untouched = subtractRanges([entry], [...about, ...proven]);
    if (untouched.length === 0 && about.every((answer) => answer.reason === first.reason)) {
      put.push({
        ...askedAgain(entry, first, atMs),
        startMs: entry.startMs,
        endMs: entry.endMs,
        id: entry.id,
      });
      continue;
    }
    removed.push(entry.id);
    const asked = about.flatMap((answer) =>
      intersectRanges([entry], [answer]).map((part) => ({ ...askedAgain(entry, answer, atMs), ...part })),
    );
    // What has been filled meanwhile keeps an entry of its own, which is then closed with what became of it.
    const filled = subtractRanges([entry], [...about, ...untouched]).map((part) => ({ ...entry, ...part }));
    put.push(
      ...[...asked, ...filled, ...untouched.map((part) => ({ ...entry, ...part }))].map((piece) => ({
        ...piece,
        id: undefined,
      })),
    );
  }
  for (const answer of answers) {
    for (const part of subtractRanges([answer], open)) addNew(put, open, { ...answer, ...part }, atMs);
  }
  return { removed, put };
}

function askedAgain(entry: OpenGap, answer: MissingRange, atMs: number): OpenGap {
  const { reason, detail, nextAskMs } = answer;
  if (reason === "not_collected") return entry;
  return { ...entry, reason, detail, nextAskMs, asked: entry.asked + 1, lastAskedMs: atMs };
}

/** An outage that lasts is one gap that grows, not one for every cycle. */
function addNew(put: GapEntry[], open: readonly OpenGap[], answer: MissingRange, atMs: number): void {
  const { startMs, endMs, reason, detail, nextAskMs } = answer;
  if (reason === "fetch_failed") {
    const grows = (entry: GapEntry): boolean => entry.endMs === startMs && entry.reason === reason;
    const at = put.findIndex(grows);
    const before = put[at] ?? open.find(grows);
    if (before) {
      const grown = { ...before, endMs, detail, nextAskMs, lastAskedMs: atMs };
      if (at >= 0) put[at] = grown;
      else put.push(grown);
      return;
    }
  }
  const isAsked = reason !== "not_collected";
  put.push({
    id: undefined,
    startMs,
    endMs,
    reason,
    detail,
    foundMs: atMs,
    lastAskedMs: isAsked ? atMs : undefined,
    nextAskMs,
    asked: isAsked ? 1 : 0,
  });
}

/** For calls with ranges in order: those of `sorted` that overlap each, found without looking at all of them again. */
function sweep<R extends TimeRange>(sorted: readonly R[]): (range: TimeRange) => R[] {
  let from = 0;
  return (range) => {
    while (from < sorted.length && (sorted[from]?.endMs ?? 0) <= range.startMs) from++;
    const found: R[] = [];
    for (let i = from; i < sorted.length; i++) {
      const next = sorted[i];
      if (!next || next.startMs >= range.endMs) break;
      found.push(next);
    }
    return found;
  };
}
