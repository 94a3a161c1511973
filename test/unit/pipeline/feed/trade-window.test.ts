import { describe, expect, it } from "vitest";
import type { TradeCandidate } from "../../../../src/core/model/trade.js";
import { judgeWindow, type TradeGap } from "../../../../src/pipeline/feed/trade-window.js";
import { tradeCandidate } from "../../../support/trades.js";

const T0 = Date.UTC(2024, 0, 10);
const GAP: TradeGap = { startMs: T0, endMs: T0 + 60_000, afterId: 1_000, beforeId: 3 };

const tradeAt = (id: number, ms: number): TradeCandidate => tradeCandidate(id, T0 + ms);

const judge = (window: TradeGap, candidates: readonly TradeCandidate[]) =>
  judgeWindow({
    marketId: 1,
    numbering: "record",
    window,
    candidates,
    receivedMs: T0 + 90_000,
    exchangeNowMs: T0 + 90_000,
  });

describe("a gap in which the exchange began to count its trades anew", () => {
  it("keeps the trades of both counts, and stays on record as a whole", () => {
    const rows = [tradeAt(1_001, 100), tradeAt(1_002, 200), tradeAt(1, 50_000), tradeAt(2, 51_000)];
    const batch = judge(GAP, rows);
    expect(batch.trades.map(({ id }) => id).sort((a, b) => a - b)).toEqual([1, 2, 1_001, 1_002]);
    expect([batch.runs, batch.voids]).toEqual([[], []]);
    expect(batch.missing).toMatchObject([{ startMs: T0, endMs: T0 + 60_000 }]);
  });

  it("keeps trades whose times lie just outside it", () => {
    const batch = judge(GAP, [tradeAt(1_001, -3), tradeAt(2, 60_004)]);
    expect(batch.trades.map(({ id }) => id)).toEqual([2, 1_001]);
  });

  it("is known in the parts of it that are asked for one after another", () => {
    const batch = judge({ ...GAP, beforeId: undefined, isCountedAnew: true }, [
      tradeAt(1_001, 100),
      tradeAt(1, 50_000),
    ]);
    expect(batch.trades).toHaveLength(2);
    expect([batch.runs.length, batch.missing.length]).toEqual([0, 1]);
  });

  it("is not taken for trades that changed places at its edges", () => {
    const batch = judge({ ...GAP, beforeId: 999 }, []);
    expect([batch.voids.length, batch.missing.length]).toEqual([1, 0]);
  });
});
