import { describe, expect, it } from "vitest";
import type { CandleCandidate } from "../../../../src/core/model/candle.js";
import type { TimeRange } from "../../../../src/core/range.js";
import type { CandlePage } from "../../../../src/exchanges/exchange.js";
import { readPage, type PageContext } from "../../../../src/pipeline/feed/candle-page.js";
import type { OpenGap } from "../../../../src/store/store.js";
import { candleAt, minuteMs } from "../../../support/candles.js";
import { rowAt, rowsAt } from "../gate/candidates.js";

const NOW_MS = minuteMs(2_000);
const DELAY_MS = 90_000;
const HOUR_MS = 3_600_000;

const minutes = (from: number, to: number): TimeRange => ({ startMs: minuteMs(from), endMs: minuteMs(to) });

/** Asked for minutes 0 to 10 of a running market whose later candles are known. */
const CONTEXT: PageContext = {
  marketId: 5,
  timeframe: "1m",
  asked: minutes(0, 10),
  exchangeNowMs: minuteMs(1_440),
  nowMs: NOW_MS,
  openGaps: [],
  latestSeenMs: minuteMs(1_000),
  isActive: true,
  voidConfirmAfterMs: DELAY_MS,
};

function read(
  candidates: readonly CandleCandidate[],
  { provenTo = 10, ...change }: Partial<PageContext> & { provenTo?: number } = {},
) {
  const page: CandlePage = { candidates, provenToMs: minuteMs(provenTo), request: "/second" };
  return readPage(page, { ...CONTEXT, ...change });
}

function gapOf(from: number, to: number, change: Partial<OpenGap> = {}): OpenGap {
  return {
    ...minutes(from, to),
    id: from,
    reason: "absent",
    detail: "/first",
    foundMs: NOW_MS - HOUR_MS,
    lastAskedMs: NOW_MS - DELAY_MS,
    nextAskMs: NOW_MS,
    asked: 1,
    ...change,
  };
}

const proof = {
  asked: [
    { atMs: NOW_MS - DELAY_MS, request: "/first" },
    { atMs: NOW_MS, request: "/second" },
  ],
};
const absent = (from: number, to: number, waitMs = DELAY_MS) => ({
  ...minutes(from, to),
  reason: "absent",
  detail: "/second",
  nextAskMs: NOW_MS + waitMs,
});

describe("a page without holes", () => {
  it("becomes a batch that says nothing is missing", () => {
    expect(read(rowsAt(0, 1, 2, 3, 4, 5, 6, 7, 8, 9))).toEqual({
      kind: "candles",
      marketId: 5,
      timeframe: "1m",
      source: "rest",
      evidence: "rest_page",
      candles: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((minute) => candleAt(minute)),
      voids: [],
      missing: [],
      rejected: [],
      receivedMs: NOW_MS,
    });
  });

  it("says nothing of what lies behind its limit", () => {
    const { candles, missing, voids } = read(rowsAt(0, 1, 2), { provenTo: 3 });
    expect([candles.length, missing, voids]).toEqual([3, [], []]);
  });

  it("says nothing of what was not asked for, though the answer claims to reach further", () => {
    const { missing } = read(rowsAt(0, 1), { asked: minutes(0, 4), provenTo: 10 });
    expect(missing).toEqual([absent(2, 4)]);
  });

  it("keeps good rows beside what was asked for", () => {
    const { candles, missing } = read(rowsAt(1, 2, 3), { asked: minutes(2, 3), provenTo: 3 });
    expect([candles.length, missing]).toEqual([3, []]);
  });
});

describe("an absent candle", () => {
  it("stays missing after the first answer, to be asked for again after the delay", () => {
    const { voids, missing } = read(rowsAt(0, 1, 4, 5, 9));
    expect(voids).toEqual([]);
    expect(missing).toEqual([absent(2, 4), absent(6, 9)]);
  });

  it("is void after the second answer, with both questions as its proof", () => {
    const { voids, missing } = read(rowsAt(0, 1, 4, 5, 6, 7, 8, 9), { openGaps: [gapOf(2, 4)] });
    expect(voids).toEqual([{ ...minutes(2, 4), proof }]);
    expect(missing).toEqual([]);
  });

  it("is not believed when the second answer came sooner than the delay", () => {
    const openGaps = [gapOf(0, 10, { lastAskedMs: NOW_MS - DELAY_MS + 1 })];
    expect(read([], { openGaps })).toMatchObject({ voids: [], missing: [absent(0, 10, 2 * DELAY_MS)] });
  });

  it.each(["rejected", "fetch_failed", "not_collected"] as const)(
    "is not believed when the earlier answer was none: %s",
    (reason) => {
      expect(read([], { openGaps: [gapOf(0, 10, { reason })] }).voids).toEqual([]);
    },
  );

  it("is not believed when the log does not say when it was asked for", () => {
    expect(read([], { openGaps: [gapOf(0, 10, { lastAskedMs: undefined })] }).voids).toEqual([]);
  });

  it("is believed only where it was absent before: the rest is asked for once more", () => {
    const { voids, missing } = read(rowsAt(0, 9), { openGaps: [gapOf(3, 5), gapOf(7, 20)] });
    expect(voids).toEqual([
      { ...minutes(3, 5), proof },
      { ...minutes(7, 9), proof },
    ]);
    expect(missing).toEqual([absent(1, 3), absent(5, 7)]);
  });

  it("is claimed void once where entries of the log overlap", () => {
    const { voids, missing } = read([], { openGaps: [gapOf(0, 6), gapOf(4, 10)] });
    expect(voids.map(({ startMs, endMs }) => ({ startMs, endMs }))).toEqual([minutes(0, 6), minutes(6, 10)]);
    expect(missing).toEqual([]);
  });
});

describe("an absent candle of a running market", () => {
  const openGaps = [gapOf(0, 10)];

  it("is not believed while the exchange has shown no later one: it may not have it yet", () => {
    expect(read([], { openGaps, latestSeenMs: -Infinity }).voids).toEqual([]);
  });

  it("is believed up to the latest candle the exchange has shown, and no further", () => {
    const { voids, missing } = read([], { openGaps, latestSeenMs: minuteMs(6) });
    expect(voids).toEqual([{ ...minutes(0, 6), proof }]);
    expect(missing).toEqual([absent(6, 10, 2 * DELAY_MS)]);
  });

  it("is believed when the later candle stands in the page itself", () => {
    const { voids, missing } = read(rowsAt(6), { openGaps, latestSeenMs: -Infinity });
    expect(voids).toEqual([{ ...minutes(0, 6), proof }]);
    expect(missing).toEqual([absent(7, 10, 2 * DELAY_MS)]);
  });

  it("is not believed for the sake of a later row that was refused", () => {
    const { voids } = read([rowAt(6, { low: "0" })], { openGaps, latestSeenMs: -Infinity });
    expect(voids).toEqual([]);
  });
});

describe("an absent candle of a suspended market", () => {
  const suspended = {
    openGaps: [gapOf(0, 10)],
    latestSeenMs: -Infinity,
    isActive: false,
    exchangeNowMs: minuteMs(2 * 1_440),
  };

  it("is believed without a later one after a day, for none is to come", () => {
    expect(read([], suspended).voids).toEqual([{ ...minutes(0, 10), proof }]);
  });

  it("still has to be absent twice", () => {
    expect(read([], { ...suspended, openGaps: [] }).voids).toEqual([]);
  });

  it("is not believed within a day: the market may only be down for maintenance", () => {
    const { voids, missing } = read([], { ...suspended, exchangeNowMs: minuteMs(1_440 + 4) + 30_000 });
    expect(voids).toEqual([{ ...minutes(0, 4), proof }]);
    expect(missing).toEqual([absent(4, 10, 2 * DELAY_MS)]);
  });
});

describe("a refused row", () => {
  const openGaps = [gapOf(0, 10)];

  it("keeps its place from being believed void, and leaves the rest to be judged", () => {
    const { voids, missing, rejected } = read([rowAt(3, { low: "0" }), rowAt(9)], { openGaps });
    expect(rejected).toHaveLength(1);
    expect(voids).toEqual([
      { ...minutes(0, 3), proof },
      { ...minutes(4, 9), proof },
    ]);
    expect(missing).toEqual([
      {
        ...minutes(3, 4),
        reason: "rejected",
        detail: "candle.price_not_positive",
        nextAskMs: NOW_MS + 2 * DELAY_MS,
      },
    ]);
  });

  it("spoils the candle its time lies in when it is off the grid", () => {
    const shifted = rowAt(0, { openTimeMs: minuteMs(3) + 12_345 });
    const { missing } = read([...rowsAt(0, 1, 2), shifted, ...rowsAt(4, 5, 6, 7, 8, 9)], { openGaps });
    expect(missing).toMatchObject([{ ...minutes(3, 4), reason: "rejected", detail: "candle.off_grid" }]);
  });

  it("takes nothing from a candle that another row fills", () => {
    const { missing, voids, rejected } = read(rowsAt(0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    expect([missing, voids, rejected.length]).toEqual([[], [], 1]);
  });

  it("leaves missing what two rows tell differently", () => {
    const twice = [rowAt(3), rowAt(3, { close: "100.01" })];
    const { missing, candles } = read([...rowsAt(0, 1, 2), ...twice, ...rowsAt(4, 5, 6, 7, 8, 9)]);
    expect(candles).toHaveLength(9);
    expect(missing).toMatchObject([{ ...minutes(3, 4), reason: "rejected", detail: "candle.duplicate" }]);
  });

  it.each([
    ["cannot be read", undefined],
    ["is no number", Number.NaN],
    ["is in microseconds", minuteMs(3) * 1_000],
    ["is in seconds", minuteMs(3) / 1_000],
    ["is of another day", minuteMs(-1_000) + 1],
  ])("spoils the whole page when its time %s: it may have been any of them", (_how, openTimeMs) => {
    const { voids, missing } = read([rowAt(0), rowAt(0, { openTimeMs }), rowAt(9)], { openGaps });
    expect(voids).toEqual([]);
    expect(missing).toMatchObject([{ ...minutes(1, 9), reason: "rejected" }]);
  });

  it("spoils nothing when it is only the forming candle behind what was asked for", () => {
    const forming = { exchangeNowMs: minuteMs(10) + 30_000, openGaps };
    const { voids, missing } = read([rowAt(0), rowAt(9), rowAt(10)], forming);
    expect(voids).toEqual([{ ...minutes(1, 9), proof }]);
    expect(missing).toEqual([]);
  });

  it("names each broken rule once", () => {
    const rows = [rowAt(3, { low: "0" }), rowAt(4, { low: "0" }), rowAt(5, { open: "?" })];
    expect(read(rows).missing.find(({ reason }) => reason === "rejected")?.detail).toBe(
      "candle.price_not_positive, candle.not_a_decimal",
    );
  });
});

describe("the pause before a lasting gap is asked for again", () => {
  it("doubles with each answer, up to an hour", () => {
    const waitMs = (asked: number): number => {
      const openGaps = [gapOf(0, 10, { asked, reason: "rejected" })];
      return (read([], { openGaps }).missing[0]?.nextAskMs ?? NaN) - NOW_MS;
    };
    expect([0, 1, 2, 5, 6, 10_000].map(waitMs)).toEqual([
      DELAY_MS,
      2 * DELAY_MS,
      4 * DELAY_MS,
      32 * DELAY_MS,
      HOUR_MS,
      HOUR_MS,
    ]);
  });

  it("is never shorter than the delay that was configured", () => {
    const voidConfirmAfterMs = 2 * HOUR_MS;
    const openGaps = [gapOf(0, 10, { asked: 4, reason: "rejected" })];
    expect(read([], { openGaps, voidConfirmAfterMs }).missing[0]?.nextAskMs).toBe(NOW_MS + 2 * HOUR_MS);
  });

  it("does not depend on gaps elsewhere", () => {
    const openGaps = [gapOf(10, 20, { asked: 9 }), gapOf(-5, 0, { asked: 9 })];
    expect(read([], { openGaps }).missing).toEqual([absent(0, 10)]);
  });
});

it("a page of many holes is judged quickly beside a long log of gaps", () => {
  const openGaps = Array.from({ length: 20_000 }, (_, i) => gapOf(2_000 + 2 * i, 2_001 + 2 * i));
  const rows = Array.from({ length: 500 }, (_, i) => rowAt(2 * i));
  const startedMs = performance.now();
  const { missing } = read(rows, { asked: minutes(0, 1_000), provenTo: 1_000, openGaps });
  expect(missing).toHaveLength(500);
  // Some 20 ms; it was half a minute when each hole was compared with each gap.
  expect(performance.now() - startedMs).toBeLessThan(2_000);
});
