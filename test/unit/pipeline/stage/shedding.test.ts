import { expect, it } from "vitest";
import { NO_TALLY } from "../../../../src/core/model/live-tally.js";
import type { BookBatch, RecordBatch } from "../../../../src/core/model/record-batch.js";
import { Shedding } from "../../../../src/pipeline/stage/shedding.js";
import { decimal, minuteMs } from "../../../support/candles.js";

const valid = { startMs: minuteMs(0), endMs: minuteMs(1) };
const BOOK: BookBatch = {
  kind: "book",
  marketId: 1,
  snapshots: [
    {
      kind: "book_snapshot",
      timeMs: minuteMs(0),
      sequence: 1,
      bids: [[decimal("1"), decimal("1")]],
      asks: [[decimal("2"), decimal("1")]],
    },
  ],
  deltas: [
    {
      kind: "book_delta",
      timeMs: minuteMs(0),
      receivedMs: minuteMs(0),
      firstId: 1,
      lastId: 1,
      isSnapshot: false,
      bids: [],
      asks: [],
    },
  ],
  valid: [valid],
  outages: [],
  rejected: [],
  tally: NO_TALLY,
  receivedMs: minuteMs(1),
};

const shedUnderPressure = (batch: RecordBatch, load: { rows: number; rowsMax: number }): RecordBatch =>
  new Shedding().apply(batch, load);

it("gives up nothing while less than half of the stage is taken", () => {
  expect(shedUnderPressure(BOOK, { rows: 50, rowsMax: 100 })).toBe(BOOK);
});

it("gives up the changes first, and the book stays covered", () => {
  expect(shedUnderPressure(BOOK, { rows: 60, rowsMax: 100 })).toEqual({
    ...BOOK,
    deltas: [],
    tally: { ...NO_TALLY, shed: 1 },
  });
});

it("leaves the time on record as one without a book when its snapshots are given up", () => {
  const shed = shedUnderPressure(BOOK, { rows: 80, rowsMax: 100 });
  expect(shed).toMatchObject({ snapshots: [], deltas: [], valid: [], tally: { shed: 2 } });
  expect(shed).toMatchObject({ outages: [{ ...valid, reason: "shed" }] });
});

it("leaves a time covered in which no snapshot was due", () => {
  const none = { ...BOOK, snapshots: [], deltas: [] };
  expect(shedUnderPressure(none, { rows: 80, rowsMax: 100 })).toBe(none);
});

it("counts as without a book what lies between a snapshot given up and the next one kept", () => {
  const shedding = new Shedding();
  /** A quarter of an hour in five parts, a snapshot due at the beginning of the second and of the fourth. */
  const part = (minute: number, hasSnapshot: boolean): BookBatch => ({
    ...BOOK,
    deltas: [],
    snapshots: hasSnapshot ? BOOK.snapshots.map((each) => ({ ...each, timeMs: minuteMs(minute) })) : [],
    valid: [{ startMs: minuteMs(minute), endMs: minuteMs(minute + 3) }],
  });
  const full = { rows: 80, rowsMax: 100 };
  const calm = { rows: 10, rowsMax: 100 };
  const kept = [
    shedding.apply(part(0, false), full),
    shedding.apply(part(3, true), full),
    shedding.apply(part(6, false), full),
    shedding.apply(part(9, false), calm),
    shedding.apply(part(12, true), calm),
  ].map((batch) => batch as BookBatch);
  const minutes = (ranges: readonly { startMs: number; endMs: number }[]) =>
    ranges.map(({ startMs, endMs }) => [(startMs - minuteMs(0)) / 60_000, (endMs - minuteMs(0)) / 60_000]);
  expect(kept.flatMap(({ valid: claimed }) => minutes(claimed))).toEqual([
    [0, 3],
    [12, 15],
  ]);
  expect(kept.flatMap(({ outages }) => minutes(outages))).toEqual([
    [3, 6],
    [6, 9],
    [9, 12],
  ]);
});

it("never gives up trades or candles", () => {
  const trades = { ...BOOK, kind: "trades", trades: [], runs: [], voids: [], missing: [] } as never;
  expect(shedUnderPressure(trades, { rows: 100, rowsMax: 100 })).toBe(trades);
});
