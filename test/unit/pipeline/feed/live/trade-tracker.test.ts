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

const options = { marketId: 1, numbering: "record", position: undefined, heldMax: 50_000 } as const;

it("keeps a trade that is told again with other values as refused, also when the first has been handed on", () => {
  const tracker = new TradeTracker(options);
  const at = (ms: number) => ({ receivedMs: T0 + ms, exchangeNowMs: T0 + ms });
  tracker.add([tradeAt(1, 0), tradeAt(2, 5), { ...tradeAt(1, 0), price: "99" }], at(10));
  const first = tracker.take(T0 + 20);
  expect(first?.trades.map(({ id }) => id)).toEqual([1, 2]);
  expect(first?.rejected.map(({ rule }) => rule)).toEqual(["trade.contradicts_held"]);
  tracker.add([tradeAt(2, 5), { ...tradeAt(2, 5), side: "sell" }], at(30));
  const second = tracker.take(T0 + 40);
  expect(second?.rejected.map(({ rule }) => rule)).toEqual(["trade.contradicts_held"]);
  expect(second?.tally).toMatchObject({ received: 2, duplicates: 1, malformed: 1 });
});

it("keeps no more of two that wait under one id and differ than the first", () => {
  const tracker = new TradeTracker(options);
  const at = (ms: number) => ({ receivedMs: T0 + ms, exchangeNowMs: T0 + ms });
  tracker.add([tradeAt(1, 0), tradeAt(3, 5), { ...tradeAt(3, 5), qty: "7" }, tradeAt(2, 4)], at(10));
  const batch = tracker.take(T0 + 20);
  expect(batch?.trades.map(({ id, qty }) => [id, qty])).toEqual([
    [1, "1"],
    [2, "1"],
    [3, "1"],
  ]);
  expect(batch?.rejected.map(({ rule }) => rule)).toEqual(["trade.contradicts_held"]);
});

it("leaves several fills that come together and late to the repair, which may be told them one by one", () => {
  const tracker = new TradeTracker({ ...options, numbering: "fill" });
  const at = (ms: number) => ({ receivedMs: T0 + ms, exchangeNowMs: T0 + ms });
  tracker.add([tradeAt(1, 0), tradeAt(6, 10)], at(10));
  expect(tracker.take(T0 + 2_000)?.missing).toMatchObject([{ firstId: 2, lastId: 5 }]);
  const together = { ...tradeAt(4, 5), firstFillId: 2 };
  tracker.add([together, tradeAt(5, 6)], at(2_100));
  const late = tracker.take(T0 + 2_200);
  expect(late?.trades.map(({ id }) => id)).toEqual([5]);
  expect(late?.tally).toMatchObject({ outOfOrder: 2, duplicates: 0 });
});
