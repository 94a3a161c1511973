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
    keeper.onPage(page(100));
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
    keeper.onPage(page(110));
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
    keeper.onPage(page(90));
    keeper.onPage(page(-1));
    expect(pages).toBe(3);
    keeper.onPage(page(99));
    expect(keeper.isValid).toBe(true);
  });

  it("is invalid from the last good change when one is missing, and starts again from the one that came", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100));
    keeper.onUpdate(change(106, 106, 1_900), arrivalAt(1_900));
    keeper.onUpdate(change(108, 109, 2_000), arrivalAt(2_000));
    expect(keeper.top(1)).toBeUndefined();
    expect(pages).toBe(2);
    keeper.onPage(page(108));
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
    keeper.onPage(page(100));
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
    keeper.onPage(page(100));
    keeper.onUpdate(change(106, 106, 1_300, { bids: [["101", "1"]] }), arrivalAt(1_300));
    expect(keeper.isValid).toBe(false);
    expect(pages).toBe(2);
    keeper.onPage(page(200));
    keeper.onUpdate(change(201, 201, 1_500), arrivalAt(1_500));
    expect(take(keeper).outages.map(({ reason, detail }) => [reason, detail])).toEqual([
      ["crossed", "bid 101 is not below ask 101 at 106"],
    ]);
  });

  it("records an outage that goes on at the end", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(101, 105, 1_200), arrivalAt(1_200));
    keeper.onPage(page(100));
    keeper.onLost("stale", "nothing for 30 s");
    expect(keeper.finish(5_000)?.outages).toEqual([
      { startMs: 1_201, endMs: 5_000, reason: "stale", detail: "nothing for 30 s" },
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
    keeper.tick(5_900, 5_900);
    expect(pages).toBe(0);
    keeper.tick(6_000, 6_000);
    expect(pages).toBe(1);
    keeper.onUpdate(change(13, 14, 6_100, { previousId: 12 }), arrivalAt(6_100));
    keeper.onPage(page(13));
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
    keeper.onPage(page(100));
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

const T0 = Date.UTC(2024, 0, 10);
const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;

/** Valid from T0 on, at 101; the change of second s is 101 + s. */
function validKeeper(rules: BookRules, options: Partial<BookKeeperOptions> = {}): BookKeeper {
  const keeper = keeperOf(rules, options);
  keeper.onOpened(arrivalAt(T0));
  keeper.onUpdate(change(101, 101, T0), arrivalAt(T0));
  keeper.onPage(page(100));
  return keeper;
}

/** @param offMs by so much the exchange's clock as we reckon it is off */
function follow(keeper: BookKeeper, fromS: number, toS: number, offMs = 0): void {
  for (let s = fromS; s <= toS; s++) {
    const timeMs = T0 + s * SECOND_MS;
    keeper.onUpdate(change(101 + s, 101 + s, timeMs), {
      connectionId: 1,
      receivedMs: timeMs + offMs,
      exchangeNowMs: timeMs + offMs,
    });
  }
}

const seconds = (ranges: readonly { startMs: number; endMs: number }[]) =>
  ranges.map(({ startMs, endMs }) => [(startMs - T0) / SECOND_MS, (endMs - T0) / SECOND_MS]);

describe("the time of a book", () => {
  it("claims nothing that has not come, and goes on, while our clock is an hour late", () => {
    const keeper = validKeeper(REST_RULES);
    follow(keeper, 1, 60);
    follow(keeper, 61, 70, HOUR_MS);
    expect(seconds(take(keeper).valid)).toEqual([[0, 70]]);
    let snapshots = 0;
    for (let s = 71; s <= 1_270; s += 100) {
      follow(keeper, s, s + 99);
      snapshots += take(keeper).snapshots.length;
    }
    expect(snapshots).toBe(1_200);
    keeper.onLost("disconnected", "broken");
    const backMs = T0 + 1_870 * SECOND_MS;
    keeper.onOpened(arrivalAt(backMs));
    keeper.onUpdate(change(9_001, 9_001, backMs), arrivalAt(backMs));
    keeper.onPage(page(9_000));
    expect(seconds(take(keeper).outages)).toEqual([[1_270, 1_870]]);
  });

  it("keeps an outage on record, and stores nothing an hour early, while our clock is set back", () => {
    const keeper = validKeeper(REST_RULES);
    follow(keeper, 1, 60);
    take(keeper);
    keeper.onLost("disconnected", "broken");
    const early = { connectionId: 1, receivedMs: T0 - HOUR_MS, exchangeNowMs: T0 - HOUR_MS };
    keeper.onOpened(early);
    keeper.onUpdate(change(901, 901, T0 + 80 * SECOND_MS), early);
    keeper.onPage(page(900));
    keeper.onUpdate(change(902, 902, T0 + 85 * SECOND_MS), arrivalAt(T0 + 85 * SECOND_MS));
    const batch = take(keeper);
    expect(seconds(batch.outages)).toEqual([[60, 85]]);
    expect(batch.snapshots.map(({ timeMs }) => timeMs)).toEqual([T0 + 85 * SECOND_MS]);
  });

  it("does not begin ahead of the exchange's own time where our clock was late when it was opened", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onOpened(arrivalAt(T0 + HOUR_MS));
    keeper.onUpdate(change(101, 101, T0), arrivalAt(T0));
    keeper.onPage(page(100));
    follow(keeper, 1, 10);
    const batch = take(keeper);
    expect(seconds(batch.valid)).toEqual([[0, 10]]);
    expect(batch.outages).toEqual([]);
  });

  it("is not moved by one change that claims to be of minutes ahead", () => {
    const keeper = validKeeper(REST_RULES);
    keeper.onUpdate(change(102, 102, T0 + 540 * SECOND_MS), arrivalAt(T0 + SECOND_MS));
    keeper.onLost("disconnected", "broken");
    const backMs = T0 + 500 * SECOND_MS;
    keeper.onOpened(arrivalAt(backMs));
    keeper.onUpdate(change(901, 901, backMs), arrivalAt(backMs));
    keeper.onPage(page(900));
    expect(seconds(take(keeper).outages)).toEqual([[0.001, 500]]);
  });

  it("without a book is on record while it goes on, every minute", () => {
    const keeper = validKeeper(REST_RULES);
    follow(keeper, 1, 1);
    take(keeper);
    keeper.onLost("disconnected", "broken");
    const told: [number, number][] = [];
    for (let ms = 0; ms <= 300 * SECOND_MS; ms += 250) {
      keeper.tick(T0 + ms, T0 + ms);
      for (const [from = 0, to = 0] of seconds(keeper.take()?.outages ?? [])) told.push([from, to]);
    }
    expect(told).toEqual([
      [1, 61],
      [61, 121],
      [121, 181],
      [181, 241],
    ]);
  });

  it("without a book is told of no earlier than our clock has been steady for a minute", () => {
    const keeper = validKeeper(REST_RULES);
    take(keeper);
    keeper.onLost("disconnected", "broken");
    keeper.tick(T0, T0);
    for (let ms = 250; ms <= 30 * SECOND_MS; ms += 250) keeper.tick(T0 + ms, T0 + ms + HOUR_MS);
    expect(keeper.take()).toBeUndefined();
  });

  it("whose snapshots were dropped, because nobody took them, is a time without a book", () => {
    const keeper = validKeeper(REST_RULES);
    follow(keeper, 1, 600);
    const { snapshots, valid, outages, tally } = take(keeper);
    expect(snapshots.length + tally.shed).toBe(601);
    expect(tally.shed).toBeGreaterThan(0);
    const keptFromS = ((snapshots[0]?.timeMs ?? 0) - T0) / SECOND_MS;
    expect(seconds(valid)).toEqual([[keptFromS, 600]]);
    expect(outages.map(({ reason }) => reason)).toContain("shed");
    expect(seconds(outages).at(-1)?.[1]).toBe(keptFromS);
  });
});

describe("a book that is not what it seems", () => {
  it("is lost when changes with new ids are newer than it is", () => {
    const keeper = validKeeper(REST_RULES);
    for (let i = 1; i <= 30; i++) keeper.onUpdate(change(i, i, T0 + i * 100), arrivalAt(T0 + i * 100));
    expect(keeper.isValid).toBe(false);
    expect(pages).toBe(2);
    expect(take(keeper).tally.sequenceBreaks).toBe(1);
  });

  it("is asked for anew when no change ever reaches the page it starts from", () => {
    const keeper = keeperOf(REST_RULES);
    keeper.onUpdate(change(1, 1, T0), arrivalAt(T0));
    keeper.onPage(page(1_000_000));
    for (let i = 2; i <= 700; i++) keeper.onUpdate(change(i, i, T0 + i), arrivalAt(T0 + i));
    expect(pages).toBe(2);
  });

  it("is lost when another connection goes on and its own is silent", () => {
    const keeper = keeperOf(STREAM_RULES);
    const begin = change(10, 10, T0, { isSnapshot: true, previousId: -1 });
    keeper.onUpdate(begin, arrivalAt(T0, 1));
    for (let s = 1; s <= 11; s++)
      keeper.onUpdate(change(10 + s, 10 + s, T0 + s * SECOND_MS), arrivalAt(T0 + s * SECOND_MS, 2));
    expect(keeper.isValid).toBe(false);
    expect(resubscriptions).toBe(1);
    expect(keeper.finish(T0 + 20 * SECOND_MS)?.outages).toMatchObject([{ startMs: T0 + 1, reason: "stale" }]);
  });

  it("is taken anew after a price with more digits than can be told apart", () => {
    const keeper = keeperOf(STREAM_RULES);
    const levels = { bids: [["68000.1", "1"]], asks: [["68000.2", "1"]] } as const;
    const begin = (id: number) => change(id, id, T0 + id, { isSnapshot: true, previousId: -1, ...levels });
    keeper.onUpdate(begin(10), arrivalAt(T0 + 10));
    const odd = { previousId: 10, bids: [["67999.999999999997", "1"]], asks: [] } as const;
    keeper.onUpdate(change(11, 11, T0 + 11, odd), arrivalAt(T0 + 11));
    expect(keeper.isValid).toBe(false);
    keeper.onUpdate(begin(20), arrivalAt(T0 + 20));
    expect(keeper.isValid).toBe(true);
  });

  it("with more asks than a page holds, and all of its few bids, is known", () => {
    const keeper = keeperOf(REST_RULES, { levels: 20 });
    const asks = Array.from({ length: 1_000 }, (_, i) => [String(101 + i), "1"] as const);
    keeper.onUpdate(change(101, 101, T0, { asks: [] }), arrivalAt(T0));
    keeper.onPage({ ...page(100), bids: [["100", "1"]], asks });
    follow(keeper, 1, 60);
    expect(keeper.isValid).toBe(true);
    expect(pages).toBe(1);
  });

  it("is served no further than it is known", () => {
    const keeper = keeperOf(REST_RULES, { levels: 20 });
    const side = (from: number, step: number) =>
      Array.from({ length: 1_000 }, (_, i) => [String(from + i * step), "1"] as const);
    keeper.onUpdate(change(101, 101, T0, { bids: [["20000", "2"]], asks: [] }), arrivalAt(T0));
    keeper.onPage({ ...page(100), bids: side(20_000, -1), asks: side(20_001, 1) });
    const gone = side(20_000, -1).slice(0, 900);
    const bids = [...gone.map(([price]) => [price, "0"] as const), ["18500", "3"] as const];
    keeper.onUpdate(change(102, 102, T0 + 100, { bids, asks: [] }), arrivalAt(T0 + 100));
    expect(keeper.view(400)?.bids.map(([price]) => price)).toEqual(
      side(19_100, -1)
        .slice(0, 100)
        .map(([price]) => price),
    );
  });

  it("is lost as soon as the price has moved beyond what is known, however far off the next snapshot is", () => {
    const keeper = keeperOf(REST_RULES, { levels: 20, snapshotEveryMs: HOUR_MS });
    const side = (from: number, step: number) =>
      Array.from({ length: 1_000 }, (_, i) => [String(from + i * step), "1"] as const);
    keeper.onUpdate(change(101, 101, T0, { bids: [["20000", "2"]], asks: [] }), arrivalAt(T0));
    keeper.onPage({ ...page(100), bids: side(20_000, -1), asks: side(20_001, 1) });
    const bids = side(20_000, -1)
      .slice(0, 990)
      .map(([price]) => [price, "0"] as const);
    keeper.onUpdate(change(102, 102, T0 + 100, { bids, asks: [] }), arrivalAt(T0 + 100));
    expect(keeper.isValid).toBe(false);
  });

  it("that is quiet is compared as it stands", () => {
    const keeper = validKeeper(REST_RULES);
    keeper.beginComparison();
    expect(keeper.compare({ ...page(101), bids: [["77", "1"]] })).toBe("different");
  });

  it("holds no more unreadable changes than tell what is wrong", () => {
    const keeper = validKeeper(REST_RULES);
    for (let i = 0; i < 36_000; i++)
      keeper.reject({ rule: "live.unreadable", detail: "x", openTimeMs: undefined, raw: String(i) });
    const { rejected, tally } = take(keeper);
    expect([rejected.length, tally.malformed]).toEqual([1_000, 36_000]);
  });
});
