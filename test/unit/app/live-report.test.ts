// Times of holes: one precision in a column, fine enough to tell the beginning from the end.
import { describe, expect, it } from "vitest";
import { formatLiveGaps, type LiveSeriesReport } from "../../../src/app/live-report.js";

const T0 = Date.UTC(2026, 10, 30, 7, 34);

const bookOf = (...holes: readonly (readonly [number, number])[]): LiveSeriesReport => ({
  measured: {
    market: "okx:BTC/USDT",
    dataType: "orderbook",
    holes: holes.map(([startMs, endMs]) => ({
      startMs: T0 + startMs,
      endMs: T0 + endMs,
      reason: "ws_gap",
      detail: "",
    })),
  } as unknown as LiveSeriesReport["measured"],
  missingTrades: [],
});

const timesOf = (text: string): string[] => text.match(/2026-11-30 [\d:.]+/g) ?? [];

describe("times without a book", () => {
  it("are told to the second, also where that is zero", () => {
    expect(timesOf(formatLiveGaps([bookOf([0, 3_000], [5_000, 60_000])]))).toEqual([
      "2026-11-30 07:34:00",
      "2026-11-30 07:34:03",
      "2026-11-30 07:34:05",
      "2026-11-30 07:35:00",
    ]);
  });

  it("are all told to the millisecond where one needs it", () => {
    expect(timesOf(formatLiveGaps([bookOf([0, 246], [5_000, 60_000])]))).toEqual([
      "2026-11-30 07:34:00.000",
      "2026-11-30 07:34:00.246",
      "2026-11-30 07:34:05.000",
      "2026-11-30 07:35:00.000",
    ]);
  });
});
