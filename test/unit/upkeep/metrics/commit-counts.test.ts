import { expect, it } from "vitest";
import { NO_TALLY } from "../../../../src/core/model/live-tally.js";
import type { BookBatch, TradeBatch } from "../../../../src/core/model/record-batch.js";
import { CommitCounts } from "../../../../src/upkeep/metrics/commit-counts.js";
import { ManualClock } from "../../core/net/manual-clock.js";
import { tradeOf } from "../../pipeline/fold/trade-of.js";

const NOW_MS = Date.UTC(2024, 0, 1);

const rejection = (rule: string) => ({ rule, detail: "", openTimeMs: undefined, raw: "{}" });

function trades(marketId: number, values: Partial<TradeBatch>): TradeBatch {
  return {
    kind: "trades",
    marketId,
    evidence: "ws_sequence",
    trades: [],
    runs: [],
    voids: [],
    missing: [],
    rejected: [],
    tally: NO_TALLY,
    receivedMs: NOW_MS,
    ...values,
  };
}

function books(marketId: number, values: Partial<BookBatch>): BookBatch {
  return {
    kind: "book",
    marketId,
    snapshots: [],
    deltas: [],
    valid: [],
    outages: [],
    rejected: [],
    tally: NO_TALLY,
    receivedMs: NOW_MS,
    ...values,
  };
}

it("counts refusals by rule, tallies, outages and the lag of live records, by market and data type", () => {
  const counts = new CommitCounts({ clock: new ManualClock(NOW_MS) });
  counts.note([
    trades(1, {
      trades: [tradeOf(1, NOW_MS - 150), tradeOf(2, NOW_MS + 40)],
      rejected: [rejection("trade.a"), rejection("trade.b"), rejection("trade.a")],
      tally: { ...NO_TALLY, received: 5, duplicates: 2 },
    }),
    // What REST has brought later has no lag worth knowing.
    trades(1, { evidence: "rest_page", trades: [tradeOf(3, NOW_MS - 3_600_000)] }),
    books(1, {
      outages: [{ startMs: 0, endMs: 1_500, reason: "stale", detail: "" }],
      tally: { ...NO_TALLY, resyncs: 1 },
    }),
  ]);
  const [first, second, ...others] = [...counts];
  expect(others).toEqual([]);
  expect(first).toMatchObject({ marketId: 1, dataType: "trades", records: 3, outageMs: 0 });
  expect([...(first?.refused ?? [])]).toEqual([
    ["trade.a", 2],
    ["trade.b", 1],
  ]);
  expect(first?.tally).toMatchObject({ received: 5, duplicates: 2 });
  // A trade from the future is one of a clock that differs.
  expect([first?.lag.count, first?.lag.sum]).toEqual([2, 0.15]);
  expect(second).toMatchObject({ dataType: "orderbook", records: 0, outageMs: 1_500 });
  expect(second?.tally).toMatchObject({ resyncs: 1 });
});
