// Cycles on a clock that moves when told.
import { describe, expect, it } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import { CycleScheduler, type Cycle } from "../../../src/upkeep/cycle-scheduler.js";
import { skewedClock } from "../../support/scenario-clock.js";
import { ManualClock, settle } from "../core/net/manual-clock.js";

const START_MS = Date.UTC(2026, 0, 1);

interface Scene {
  /** What timers run on. */
  readonly clock: ManualClock;
  /** How far the wall clock is from it: a machine that slept, a clock that was set. */
  readonly wall: { ms: number };
  readonly starts: number[];
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

type Work = (signal: AbortSignal, clock: ManualClock) => Promise<unknown>;

async function start(
  cycle: Partial<Omit<Cycle, "run">> & { readonly run?: Work } = {},
  isFatal?: (error: unknown) => boolean,
): Promise<Scene> {
  const clock = new ManualClock(START_MS);
  const wall = { ms: 0 };
  const starts: number[] = [];
  const stop = new AbortController();
  const { run, ...rest } = cycle;
  const scheduler = new CycleScheduler({
    clock: skewedClock(clock, wall),
    log: silentLog,
    cycles: [
      {
        name: "work",
        everyMs: 60_000,
        ...rest,
        run: async (signal) => {
          starts.push(clock.nowMs() + wall.ms - START_MS);
          await run?.(signal, clock);
        },
      },
    ],
  });
  const done = scheduler.run(stop.signal, isFatal);
  done.catch(() => undefined);
  await settle();
  return { clock, wall, starts, stop, done };
}

/** Moves on in steps as fine as the scheduler's own. */
async function pass(clock: ManualClock, durationMs: number, stepMs = 1_000): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs) await clock.advance(stepMs);
}

describe("a scheduler of cycles", () => {
  it("runs a cycle at once and then at its pace", async () => {
    const { clock, starts, stop, done } = await start();
    await pass(clock, 180_000);
    stop.abort();
    await done;
    expect(starts).toEqual([0, 60_000, 120_000, 180_000]);
  });

  it("does not drift by how long the work takes", async () => {
    const scene = await start({ run: (signal, clock) => clock.sleep(7_300, signal) });
    await pass(scene.clock, 300_000, 100);
    scene.stop.abort();
    await scene.done;
    expect(scene.starts).toEqual([0, 60_000, 120_000, 180_000, 240_000, 300_000]);
  });

  it("never runs a cycle beside itself, and leaves out the starts it missed", async () => {
    let [running, most] = [0, 0];
    const scene = await start({
      run: async (signal, clock) => {
        most = Math.max(most, ++running);
        await clock.sleep(150_000, signal);
        running--;
      },
    });
    await pass(scene.clock, 400_000);
    scene.stop.abort();
    await scene.done;
    expect(most).toBe(1);
    expect(scene.starts).toEqual([0, 180_000, 360_000]);
  });

  it("goes on after a run that failed", async () => {
    const { clock, starts, stop, done } = await start({ run: () => Promise.reject(new Error("no")) });
    await pass(clock, 60_000);
    stop.abort();
    await done;
    expect(starts).toEqual([0, 60_000]);
  });

  it("ends with the error that its caller calls fatal", async () => {
    const halt = new Error("halt");
    const { done } = await start({ run: () => Promise.reject(halt) }, (error) => error === halt);
    await expect(done).rejects.toBe(halt);
  });

  it("runs once, soon, after a machine that slept through many starts, and then at its pace again", async () => {
    const { clock, wall, starts, stop, done } = await start();
    await pass(clock, 10_000);
    wall.ms = 8 * 3_600_000;
    await pass(clock, 130_000);
    stop.abort();
    await done;
    const [first, second = 0, ...later] = starts;
    expect(first).toBe(0);
    expect(second - wall.ms).toBeGreaterThanOrEqual(10_000);
    expect(second - wall.ms).toBeLessThanOrEqual(15_000);
    expect(later).toEqual([second + 60_000, second + 120_000]);
  });

  it("waits no longer than its cycle when the clock is set back", async () => {
    const { clock, wall, starts, stop, done } = await start();
    await pass(clock, 30_000);
    wall.ms = -3_600_000;
    await pass(clock, 91_000);
    stop.abort();
    await done;
    const [first, second = 0, third] = starts;
    expect(first).toBe(0);
    expect(second - wall.ms).toBe(60_000);
    expect(third).toBe(second + 60_000);
  });

  it("stops at once while it waits", async () => {
    const { clock, stop, done } = await start();
    await pass(clock, 1_000);
    stop.abort();
    await done;
    expect(clock.sleeping).toBe(0);
  });

  it("hands a running cycle the signal, and ends when that run has ended", async () => {
    let end: () => void = () => undefined;
    let sawAbort = false;
    const { stop, done } = await start({
      run: (signal) => {
        signal.addEventListener("abort", () => (sawAbort = true));
        return new Promise<void>((resolve) => (end = resolve));
      },
    });
    stop.abort();
    let isOver = false;
    const over = done.then(() => (isOver = true));
    await settle();
    expect([sawAbort, isOver]).toEqual([true, false]);
    end();
    await over;
  });

  it("begins a cycle later when it says so", async () => {
    const { clock, starts, stop, done } = await start({ firstAfterMs: 20_000 });
    await pass(clock, 90_000);
    stop.abort();
    await done;
    expect(starts).toEqual([20_000, 80_000]);
  });
});
