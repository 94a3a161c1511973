// Markets that hang while the exchange answers for all others: the others must not notice.
import { expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { TIMEFRAMES } from "../../src/core/timeframe.js";
import { openWorld } from "../support/scenario-world.js";
import { until } from "../support/until.js";

const DAY_MS = 86_400_000;
/** With 13 timeframes each, more than any program has places for. */
const HANGING = ["BTC/USDT", "ETH/USDT", "BNB/USDT", "XRP/USDT", "DOGE/USDT"];

it("five markets that hang in every timeframe hold up neither the present nor the past of a sixth", async () => {
  const nowMs = systemClock.nowMs();
  const world = await openWorld({
    nowMs,
    // Real time: whoever hangs does so until our own patience is over.
    localClock: () => systemClock,
    exchange: { clock: systemClock },
    faults: [{ kind: "hang", endpoint: "klines", symbols: HANGING }],
  });
  world.isCheckedAtEachCommit = false;
  const collector = await world.collector({
    mode: { history: { since: "3d" }, live: false, intervals: { collect: "60s", backfill: "5m" } },
    symbols: [
      ...HANGING.map((symbol) => ({ symbol, timeframes: [...TIMEFRAMES] })),
      { symbol: "SOL/USDT", timeframes: ["1m"] },
    ],
    // As shipped: a scenario's short patience would hide what a long one does.
    request: { timeout: "10s" },
  });
  const stop = new AbortController();
  const running = collector.run(stop.signal);
  const { store } = await world.process();
  const stored = async (): Promise<number> => {
    const states = await store.seriesStates({});
    return states.find(({ market }) => market === "binance:SOL/USDT")?.coveredCandles ?? 0;
  };
  let seen = 0;
  try {
    await until(async () => (seen = await stored()) >= (3 * DAY_MS) / 60_000, {
      timeoutMs: 60_000,
      what: () => `three days of SOL/USDT are stored; there are ${seen} candles`,
    });
  } finally {
    stop.abort(new Error("the test is over"));
    await running.catch(() => undefined);
  }
  // The others were asked for all along, and gave nothing.
  const hanging = (await store.seriesStates({})).filter(({ market }) => market !== "binance:SOL/USDT");
  expect(hanging.length).toBeGreaterThan(0);
  expect(hanging.filter(({ coveredCandles }) => coveredCandles > 0)).toEqual([]);
});
