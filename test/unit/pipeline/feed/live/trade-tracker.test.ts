import { expect, it } from "vitest";
import type { TradeCandidate } from "../../../../../src/core/model/trade.js";
import { TradeTracker } from "../../../../../src/pipeline/feed/live/trade-tracker.js";
import { tradeCandidate } from "../../../../support/trades.js";

const T0 = Date.UTC(2024, 0, 10);
const HOUR_MS = 3_600_000;

const tradeAt = (id: number, ms: number): TradeCandidate => tradeCandidate(id, T0 + ms);

it("goes on claiming time, and naming what is missing, after one trade with an absurd id", () => {
  const tracker = new TradeTracker({
    marketId: 1,
    numbering: "record",
    position: undefined,
    heldMax: 50_000,
  });
  const at = (ms: number) => ({ receivedMs: T0 + ms, exchangeNowMs: T0 + ms });
  tracker.add([tradeAt(100, 0)], at(0));
  tracker.add([tradeAt(9_000_000_000_000, 10)], at(10));
  tracker.take(T0 + 1_500);

  const left = 500;
  let toldMs = -Infinity;
  let isLeftNamed = false;
  for (let id = 101, ms = 2_000; ms <= HOUR_MS; id++, ms += 1_000) {
    if (id !== left) tracker.add([tradeAt(id, ms)], at(ms));
    const { runs = [], missing = [] } = tracker.take(T0 + ms + 250) ?? {};
    for (const { endMs } of [...runs, ...missing]) toldMs = Math.max(toldMs, endMs - T0);
    isLeftNamed ||= missing.some(({ firstId, lastId }) => firstId === left && lastId === left);
  }
  expect(toldMs).toBe(HOUR_MS);
  expect(isLeftNamed).toBe(true);
});
