// The states of a live book, with rules as Binance spot has them (start from REST) and as OKX has them (start from the
// stream), written here in their shortest form.
import { beforeEach, describe, expect, it } from "vitest";
import type { BookBatch } from "../../../../../src/core/model/record-batch.js";
import type { BookPage, BookUpdate } from "../../../../../src/core/model/book.js";
import type { Decimal } from "../../../../../src/core/decimal.js";
import type { BookRules } from "../../../../../src/exchanges/book-rules.js";
import { BookKeeper, type BookKeeperOptions } from "../../../../../src/pipeline/feed/live/book-keeper.js";

const REST_RULES: BookRules = {
  startsFrom: "rest",
  pageLevels: 1_000,
  levelsMax: undefined,
  isPageTooOld: (page, first) => page.sequence < first.firstId - 1,
  first: (page, update) =>
    update.lastId <= page.sequence
      ? { do: "skip" }
      : update.firstId <= page.sequence + 1
        ? { do: "apply" }
        : { do: "resync", detail: `U=${update.firstId} does not continue ${page.sequence}` },
  next: (lastId, update) =>
    update.lastId <= lastId
      ? { do: "skip" }
      : update.firstId === lastId + 1
        ? { do: "apply" }
        : { do: "resync", detail: `U=${update.firstId} does not continue u=${lastId}` },
};
const STREAM_RULES: BookRules = {
  ...REST_RULES,
  startsFrom: "stream",
  levelsMax: 3,
  checksumLevels: 2,
  checksum: (bids, asks) => bids.length * 10 + asks.length,
  next: (lastId, update) =>
    update.previousId === lastId
      ? { do: "apply" }
      : { do: "resync", detail: `${update.previousId} is not ${lastId}` },
};

let pages = 0;
let resubscriptions = 0;
beforeEach(() => {
  pages = 0;
  resubscriptions = 0;
});

function keeperOf(rules: BookRules, change: Partial<BookKeeperOptions> = {}): BookKeeper {
  return new BookKeeper({
    marketId: 7,
    rules,
    contractSize: undefined,
    levels: 2,
    snapshotEveryMs: 1_000,
    keepsDeltas: false,
    requestPage: () => pages++,
    resubscribe: () => resubscriptions++,
    ...change,
  });
}

const arrivalAt = (ms: number, connectionId = 1) => ({ connectionId, receivedMs: ms, exchangeNowMs: ms });

function change(firstId: number, lastId: number, timeMs: number, more: Partial<BookUpdate> = {}): BookUpdate {
  return {
    nativeSymbol: "BTCUSDT",
    isSnapshot: false,
    firstId,
    lastId,
    previousId: firstId - 1,
    timeMs,
    checksum: undefined,
    bids: [["100", String(lastId)]],
    asks: [["101", "1"]],
    ...more,
  };
}

const page = (sequence: number): BookPage => ({
  sequence,
  timeMs: undefined,
  bids: [["100", "1"]],
  asks: [["101", "1"]],
  request: "/depth",
});

function take(keeper: BookKeeper): BookBatch {
  const batch = keeper.take();
  if (!batch) throw new Error("nothing was taken");
  return batch;
}

describe("a book that starts from REST", () => {
  it("holds changes until the page is there, skips what the page holds, and is valid with the first that continues it", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onOpened(arrivalAt(1_000));
    keeper.onUpdate(change(95, 100, 1_100), arrivalAt(1_100));
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    expect(pages).toBe(1);
    expect(keeper.top(1)).toBeUndefined();
    keeper.onPage(page(100), arrivalAt(1_300));
    expect(keeper.top(1)).toEqual({
      sequence: 105,
      timeMs: 1_200,
      bids: [["100", "105"]],
      asks: [["101", "1"]],
    });
    const batch = take(keeper);
    expect(batch.outages).toEqual([
      { startMs: 1_000, endMs: 1_200, reason: "disconnected", detail: "not synchronised yet" },
    ]);
    expect(batch.snapshots.map(({ sequence, timeMs }) => ({ sequence, timeMs }))).toEqual([
      { sequence: 105, timeMs: 1_200 },
    ]);
  });

  it("waits for a change after the page, when the page is newer than all that was held", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(95, 100, 1_100), arrivalAt(1_100));
    keeper.onPage(page(110), arrivalAt(1_200));
    expect(keeper.isValid).toBe(false);
    keeper.onUpdate(change(101, 110, 1_300), arrivalAt(1_300));
    expect(keeper.isValid).toBe(false);
    keeper.onUpdate(change(111, 112, 1_400), arrivalAt(1_400));
    expect(keeper.isValid).toBe(true);
    expect(pages).toBe(1);
  });

  it("asks for another page while the page is older than the first change held", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(95, 100, 1_100), arrivalAt(1_100));
    keeper.onPage(page(90), arrivalAt(1_200));
    keeper.onPage(page(-1), arrivalAt(1_200));
    expect(pages).toBe(3);
    keeper.onPage(page(99), arrivalAt(1_300));
    expect(keeper.isValid).toBe(true);
  });

  it("is invalid from the last good change when one is missing, and starts again from the one that came", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100), arrivalAt(1_200));
    keeper.onUpdate(change(106, 106, 1_900), arrivalAt(1_900));
    keeper.onUpdate(change(108, 109, 2_000), arrivalAt(2_000));
    expect(keeper.top(1)).toBeUndefined();
    expect(pages).toBe(2);
    keeper.onPage(page(108), arrivalAt(2_500));
    keeper.onUpdate(change(110, 110, 2_600), arrivalAt(2_600));
    const batch = take(keeper);
    expect(batch.outages).toEqual([
      { startMs: 1_900, endMs: 2_000, reason: "sequence_break", detail: "U=108 does not continue u=106" },
    ]);
    expect(batch.valid).toEqual([
      { startMs: 1_200, endMs: 1_900 },
      { startMs: 2_000, endMs: 2_600 },
    ]);
    expect(batch.tally).toMatchObject({ sequenceBreaks: 1, resyncs: 1 });
  });

  it("goes on without a pause while two connections send the same changes", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100), arrivalAt(1_200));
    keeper.onUpdate(change(106, 107, 1_300), arrivalAt(1_300, 1));
    keeper.onUpdate(change(106, 107, 1_300), arrivalAt(1_310, 2));
    keeper.onUpdate(change(108, 108, 1_400), arrivalAt(1_400, 2));
    keeper.onUpdate(change(108, 108, 1_400), arrivalAt(1_410, 1));
    expect(keeper.top(1)?.sequence).toBe(108);
    expect(take(keeper).outages).toEqual([]);
    expect(pages).toBe(1);
  });

  it("is crossed once a bid reaches the ask: never served, fetched anew", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100), arrivalAt(1_200));
    keeper.onUpdate(change(106, 106, 1_300, { bids: [["101", "1"]] }), arrivalAt(1_300));
    expect(keeper.isValid).toBe(false);
    expect(pages).toBe(2);
    keeper.onPage(page(200), arrivalAt(1_400));
    keeper.onUpdate(change(201, 201, 1_500), arrivalAt(1_500));
    expect(take(keeper).outages.map(({ reason, detail }) => [reason, detail])).toEqual([
      ["crossed", "bid 101 is not below ask 101 at 106"],
    ]);
  });

  it("records an outage that goes on at the end", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100), arrivalAt(1_200));
    keeper.onLost("stale", "nothing for 30 s");
    expect(keeper.finish(5_000)?.outages).toEqual([
      { startMs: 1_200, endMs: 5_000, reason: "stale", detail: "nothing for 30 s" },
    ]);
  });
});

describe("a book that starts from the stream", () => {
  const snapshot = (lastId: number, timeMs: number, more: Partial<BookUpdate> = {}): BookUpdate =>
    change(lastId, lastId, timeMs, { isSnapshot: true, previousId: -1, ...more });

  it("takes the snapshot, then what continues it, and keeps no more levels than the venue does", () => {
    const keeper = keeperOf(STREAM_RULES, { levels: 10 });
    keeper.onUpdate(change(2, 3, 900, { previousId: 2 }), arrivalAt(900));
    keeper.onUpdate(snapshot(10, 1_000), arrivalAt(1_000));
    keeper.onUpdate(
      change(17, 17, 1_100, {
        previousId: 10,
        bids: [
          ["99", "1"],
          ["98", "1"],
          ["97", "1"],
        ],
        asks: [],
      }),
      arrivalAt(1_100),
    );
    expect(keeper.top(10)?.bids).toEqual([
      ["100", "10"],
      ["99", "1"],
      ["98", "1"],
    ]);
  });

  it("asks for a new subscription once, and ignores what comes until the next snapshot", () => {
    const keeper = keeperOf(STREAM_RULES);
    keeper.onUpdate(snapshot(10, 1_000), arrivalAt(1_000));
    for (const id of [20, 21, 22])
      keeper.onUpdate(change(id, id, 1_100, { previousId: id - 1 }), arrivalAt(1_100));
    expect(resubscriptions).toBe(1);
    keeper.onUpdate(snapshot(30, 1_500), arrivalAt(1_500));
    expect(keeper.isValid).toBe(true);
  });

  it("fails on a checksum that differs", () => {
    const keeper = keeperOf(STREAM_RULES);
    keeper.onUpdate(snapshot(10, 1_000, { checksum: 11 }), arrivalAt(1_000));
    expect(keeper.isValid).toBe(true);
    keeper.onUpdate(change(11, 11, 1_100, { previousId: 10, checksum: 99 }), arrivalAt(1_100));
    expect(keeper.isValid).toBe(false);
    expect(take(keeper).tally.checksumFailures).toBe(1);
  });

  it("follows the newer of two connections without an outage, and the older one no more", () => {
    const keeper = keeperOf(STREAM_RULES);
    keeper.onUpdate(snapshot(10, 1_000), arrivalAt(1_000, 1));
    keeper.onUpdate(change(11, 12, 1_100, { previousId: 10 }), arrivalAt(1_100, 1));
    keeper.onUpdate(snapshot(12, 1_150), arrivalAt(1_150, 2));
    keeper.onUpdate(change(13, 14, 1_200, { previousId: 12 }), arrivalAt(1_200, 1));
    keeper.onUpdate(change(13, 14, 1_200, { previousId: 12 }), arrivalAt(1_205, 2));
    keeper.onUpdate(change(15, 15, 1_300, { previousId: 14 }), arrivalAt(1_300, 2));
    const batch = take(keeper);
    expect(batch.outages).toEqual([]);
    expect(batch.valid).toEqual([{ startMs: 1_000, endMs: 1_300 }]);
    expect(batch.tally.sequenceBreaks).toBe(0);
  });

  it("asks REST when no snapshot comes", () => {
    const keeper = keeperOf(STREAM_RULES);
    keeper.onOpened(arrivalAt(1_000));
    keeper.onUpdate(change(11, 12, 1_100, { previousId: 10 }), arrivalAt(1_100));
    keeper.tick(5_900);
    expect(pages).toBe(0);
    keeper.tick(6_000);
    expect(pages).toBe(1);
    keeper.onUpdate(change(13, 14, 6_100, { previousId: 12 }), arrivalAt(6_100));
    keeper.onPage(page(13), arrivalAt(6_200));
    expect(keeper.isValid).toBe(true);
  });

  it("stores quantities in base units where the venue counts contracts", () => {
    const keeper = keeperOf(STREAM_RULES, { contractSize: "0.01" as Decimal });
    keeper.onUpdate(
      snapshot(10, 1_000, { bids: [["100.50", "3"]], asks: [["101", "1.5"]] }),
      arrivalAt(1_000),
    );
    expect(take(keeper).snapshots[0]).toMatchObject({ bids: [["100.5", "0.03"]], asks: [["101", "0.015"]] });
  });
});

describe("the comparison with REST", () => {
  it("says nothing where the two never stood at one sequence, and invalidates a book that differs", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100), arrivalAt(1_200));
    keeper.beginComparison();
    keeper.onUpdate(change(106, 106, 1_300), arrivalAt(1_300));
    expect(keeper.compare({ ...page(107), bids: [["100", "106"]] })).toBeUndefined();
    keeper.beginComparison();
    keeper.onUpdate(change(107, 107, 1_400), arrivalAt(1_400));
    expect(keeper.compare({ ...page(107), bids: [["100.0", "107.00"]] })).toBe("same");
    keeper.beginComparison();
    keeper.onUpdate(change(108, 108, 1_500), arrivalAt(1_500));
    expect(keeper.compare({ ...page(108), bids: [["100", "5"]] })).toBe("different");
    expect(keeper.isValid).toBe(false);
  });
});
