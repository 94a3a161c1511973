// Cycles over series that take their time, on a clock that moves when told.
import { setMaxListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/random.js";
import type { PassOutcome, Series } from "../../../src/upkeep/candle-keeper.js";
import { CollectionCycle } from "../../../src/upkeep/collection-cycle.js";
import { ManualClock, settle } from "../core/net/manual-clock.js";

const DONE: PassOutcome = { candles: 1, rejected: 0, failures: 0, remaining: [], nextAskMs: undefined };

/** Only its name counts here. */
function seriesOf(name: string): Series {
  return { market: { symbol: name }, timeframe: "1m" } as unknown as Series;
}

function start(work: (name: string, clock: ManualClock) => Promise<PassOutcome>) {
  const clock = new ManualClock(0);
  const begun: string[] = [];
  const cycle = new CollectionCycle({
    clock,
    random: seededRandom(1),
    nameOf: ({ market }) => market.symbol,
    collect: ({ market }) => {
      begun.push(market.symbol);
      return work(market.symbol, clock);
    },
  });
  return { clock, begun, cycle };
}

const never = new AbortController().signal;
setMaxListeners(0, never);
const MARKETS = ["A", "B", "slow"].map(seriesOf);

describe("a collection cycle", () => {
  it("collects every series and says what came of it", async () => {
    const { cycle } = start(async (name) => {
      if (name === "B") throw new Error("no answer");
      return { ...DONE, candles: 3, rejected: 1 };
    });
    const outcome = await cycle.run(MARKETS, never);
    expect(outcome).toMatchObject({ candles: 6, rejected: 2, unfinished: 0 });
    expect(outcome.failures.map(({ series }) => series.market.symbol)).toEqual(["B"]);
  });

  it("does not let a slow market delay the others, nor collects it twice at once", async () => {
    let finish: (outcome: PassOutcome) => void = () => undefined;
    const { clock, cycle, begun } = start((name) =>
      name === "slow" ? new Promise((resolve) => (finish = resolve)) : Promise.resolve(DONE),
    );
    const pace = { withinMs: 60_000 };
    const run = async () => {
      const running = cycle.run(MARKETS, never, pace);
      for (let second = 0; second < 60; second++) await clock.advance(1_000);
      return running;
    };
    expect(await run()).toMatchObject({ candles: 2, unfinished: 1 });
    expect(await run()).toMatchObject({ candles: 2, unfinished: 1 });
    finish(DONE);
    await settle();
    expect(await run()).toMatchObject({ candles: 3, unfinished: 1 });
    expect([...begun].sort()).toEqual(["A", "A", "A", "B", "B", "B", "slow", "slow"]);
  });

  it("ends before its time when all is done, and leaves no timer behind", async () => {
    const { clock, cycle } = start(async () => DONE);
    const running = cycle.run(MARKETS, never, { withinMs: 60_000 });
    await clock.advance(1_000);
    await clock.advance(1_000);
    expect(await running).toMatchObject({ candles: 3 });
    expect(clock.sleeping).toBe(0);
  });

  it("spreads the starts of a paced cycle over at most a tenth of it", async () => {
    const begunMs: number[] = [];
    const many = Array.from({ length: 500 }, (_, i) => seriesOf(String(i)));
    const { clock, cycle } = start(async (_name, at) => {
      begunMs.push(at.nowMs());
      return DONE;
    });
    const running = cycle.run(many, never, { withinMs: 60_000 });
    for (let passedMs = 0; passedMs < 6_100; passedMs += 100) await clock.advance(100);
    expect(begunMs).toHaveLength(500);
    expect(Math.max(...begunMs)).toBeLessThanOrEqual(6_000);
    expect(new Set(begunMs).size).toBeGreaterThan(40);
    await running;
  });

  it("stops with the signal's reason, and reports nothing of what it stopped", async () => {
    const stop = new AbortController();
    const { cycle } = start(
      () =>
        new Promise((_resolve, reject) =>
          stop.signal.addEventListener("abort", () => reject(new Error("cut"))),
        ),
    );
    const running = cycle.run(MARKETS, stop.signal);
    running.catch(() => undefined);
    await settle();
    const reason = new Error("stopped");
    stop.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(await cycle.run([], never)).toMatchObject({ failures: [], unfinished: 0 });
  });
});
