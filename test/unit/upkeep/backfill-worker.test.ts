// The watch over leases: on time, also when the clock stands still or jumps.
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/core/random.js";
import type { ClaimedTask, TaskQueue } from "../../../src/store/task-queue.js";
import { BackfillWorker } from "../../../src/upkeep/backfill-worker.js";
import { BTC_USDT, minuteMs } from "../../support/candles.js";
import { ManualClock } from "../core/net/manual-clock.js";

const TASK: ClaimedTask = {
  id: 7,
  claimToken: "token",
  marketId: 1,
  market: `binance:${BTC_USDT.symbol}`,
  timeframe: "1m",
  startMs: minuteMs(0),
  endMs: minuteMs(10),
  status: "running",
  priority: 0,
  retryCount: 0,
  maxRetries: 5,
  nextAttemptMs: undefined,
  startedMs: undefined,
  completedMs: undefined,
  errorMessage: undefined,
  expectedRecords: 10,
  actualRecords: 0,
  createdMs: 0,
  updatedMs: 0,
  worker: "test",
};

/** One worker with one task, whose fill goes on until `end` is called or it is told to stop. */
function working(keeps: () => boolean) {
  const clock = new ManualClock(minuteMs(0));
  const timer = new ManualClock(0);
  const renewals: number[] = [];
  const finished: string[] = [];
  const kinds: string[] = [];
  const tasks: ClaimedTask[] = [TASK];
  let end = (): void => undefined;
  const queue: Pick<TaskQueue, "claim" | "renew" | "finish"> = {
    claim: async () => tasks.splice(0),
    renew: async (claims) => {
      renewals.push(clock.nowMs() - minuteMs(0));
      return keeps() ? claims.map((claim) => claim.id) : [];
    },
    finish: async (_, outcome) => finished.push(outcome.status) > 0,
  };
  const worker = new BackfillWorker({
    store: { tasks: queue as TaskQueue, missing: async () => [], openGaps: async () => [] },
    fill: (_, signal) =>
      new Promise((resolve, reject) => {
        end = () => resolve({ candles: 10, nextAskMs: undefined });
        signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      }),
    clock,
    timer,
    random: seededRandom(1),
    name: "test",
    concurrency: 1,
    onTask: ({ kind }) => kinds.push(kind),
  });
  const report = worker.workOff(new AbortController().signal);
  /** Both clocks as one machine has them, a second at a time. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await clock.advance(1_000);
      await timer.advance(1_000);
    }
  };
  return { clock, timer, renewals, finished, kinds, report, pass, end: () => end() };
}

describe("a lease", () => {
  it("is renewed every twenty seconds while the fill works", async () => {
    const run = working(() => true);
    await run.pass(65);
    expect(run.renewals).toEqual([20_000, 40_000, 60_000]);
    run.end();
    expect(await run.report).toMatchObject({ completed: 1, candles: 10 });
    expect(run.finished).toEqual(["completed"]);
    expect(run.timer.sleeping).toBe(0);
  });

  it("is not renewed again and again while simulated time stands still", async () => {
    const run = working(() => true);
    for (let second = 0; second < 100; second++) await run.timer.advance(1_000);
    expect(run.renewals).toEqual([]);
    run.end();
    await run.report;
  });

  it.each([3_600_000, -3_600_000])(
    "is renewed at the next look when the clock jumps by %i ms",
    async (jumpMs) => {
      const run = working(() => true);
      await run.clock.advance(jumpMs);
      await run.timer.advance(1_000);
      expect(run.renewals).toEqual([jumpMs]);
      run.end();
      await run.report;
    },
  );

  it("that is lost stops the fill, and nothing is recorded", async () => {
    const run = working(() => false);
    await run.pass(20);
    expect(await run.report).toEqual({ completed: 0, postponed: 0, retried: 0, failed: 0, candles: 0 });
    expect([run.kinds, run.finished]).toEqual([["claimed", "lost"], []]);
  });
});
