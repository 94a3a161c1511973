import { describe, expect, it } from "vitest";
import type { Clock } from "../../../../src/core/clock.js";
import { MemoryStage } from "../../../../src/pipeline/stage/memory-stage.js";
import { Writer, type WriterOptions } from "../../../../src/pipeline/write/writer.js";
import { batchOf, candlesBetween, minuteMs } from "../../../support/candles.js";
import { EagerClock, ManualClock, settle } from "../../core/net/manual-clock.js";
import { away, broken, refusedForItsData, listeningLog, ScriptedStore } from "./scripted-store.js";

const WARN = 40;
const never = new AbortController().signal;
const batch = (from: number, rows = 1) => batchOf(1, candlesBetween(from, from + rows));

function sceneOf(clock: Clock = new EagerClock(minuteMs(0)), change: Partial<WriterOptions> = {}) {
  const stage = new MemoryStage({ rowsMax: 1_000, clock });
  const store = new ScriptedStore();
  const lines: { level: number; msg: string; atMs: number }[] = [];
  const log = listeningLog((line) => lines.push({ ...line, atMs: clock.nowMs() }));
  const writer = new Writer({ stage, store, clock, log, batchRowsMax: 10, batchAgeMs: 100, ...change });
  return { stage, store, writer, lines, clock };
}

describe("the writer", () => {
  it("commits everything in the order of appending and ends with the stage", async () => {
    const { stage, store, writer } = sceneOf();
    const batches = [batch(0, 6), batch(6, 4), batch(10, 3), batch(13, 20), batch(33, 1)];
    for (const each of batches) await stage.append(each, never);
    stage.end();
    await writer.run(never);
    expect(store.committed).toEqual([[batches[0], batches[1]], [batches[2]], [batches[3]], [batches[4]]]);
    await stage.settled(5, never);
  });

  it("ends at once with a stage that ended empty", async () => {
    const { stage, store, writer } = sceneOf();
    stage.end();
    await writer.run(never);
    expect(store.attempts).toBe(0);
  });

  it("commits a few rows when they have waited long enough for more", async () => {
    const clock = new ManualClock(minuteMs(0));
    const { stage, store, writer } = sceneOf(clock);
    const running = writer.run(never);
    await stage.append(batch(0), never);
    await clock.advance(99);
    expect(store.committed).toEqual([]);
    await clock.advance(1);
    expect(store.committed).toHaveLength(1);
    stage.end();
    await running;
  });

  it("acknowledges after the commit, not before, and tells of it then", async () => {
    const clock = new EagerClock(minuteMs(0));
    const told: number[][] = [];
    const { stage, store, writer } = sceneOf(clock, {
      onCommit: (result, staged) => {
        expect(result.inserted).toBe(staged.length);
        told.push(staged.map(({ sequence }) => sequence));
      },
    });
    let letCommit = (): void => undefined;
    store.onCommit = () => new Promise<void>((resolve) => (letCommit = resolve));
    await stage.append(batch(0, 5), never);
    await stage.append(batch(5, 5), never);
    stage.end();
    const running = writer.run(never);
    let isSettled = false;
    const settled = stage.settled(1, never).then(() => (isSettled = true));
    await settle();
    expect([store.attempts, isSettled, told]).toEqual([1, false, []]);
    letCommit();
    await Promise.all([running, settled]);
    expect(told).toEqual([[1, 2]]);
  });
});

describe("while the database is away, the writer", () => {
  it("tries the same batches again until they are stored, and revives the database before each attempt", async () => {
    const { stage, store, writer, lines } = sceneOf();
    store.onCommit = (attempt) => {
      if (attempt <= 3) throw away();
    };
    const first = batch(0);
    await stage.append(first, never);
    stage.end();
    await writer.run(never);
    expect(store.committed).toEqual([[first]]);
    expect([store.attempts, store.revivals]).toEqual([4, 3]);
    expect(lines.map(({ msg }) => msg)).toEqual([
      "the database is away; waiting for it, what has been collected is kept",
      "the database is back after 700 ms; nothing was lost",
    ]);
  });

  it("waits longer and longer between attempts, up to five seconds", async () => {
    const clock = new EagerClock(minuteMs(0));
    const { stage, store, writer } = sceneOf(clock);
    store.onCommit = (attempt) => {
      if (attempt <= 9) throw away();
    };
    await stage.append(batch(0, 10), never);
    stage.end();
    await writer.run(never);
    expect(clock.sleptMs).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]);
  });

  it("says so at once and then every half minute, not at each attempt", async () => {
    const { stage, store, writer, lines, clock } = sceneOf();
    store.onCommit = () => {
      if (clock.nowMs() < minuteMs(10)) throw away();
    };
    await stage.append(batch(0, 10), never);
    stage.end();
    await writer.run(never);
    const warnedMs = lines.filter(({ level }) => level === WARN).map(({ atMs }) => atMs);
    expect(store.attempts).toBeGreaterThan(100);
    expect(warnedMs[0]).toBe(minuteMs(0));
    for (let i = 1; i < warnedMs.length; i++) {
      const pauseMs = (warnedMs[i] ?? NaN) - (warnedMs[i - 1] ?? NaN);
      // The attempt after the half minute is due within five seconds.
      expect(pauseMs >= 30_000 && pauseMs <= 35_000).toBe(true);
    }
    expect(warnedMs.length).toBeGreaterThanOrEqual(17);
    // 100 + 200 + … + 3200 ms are 6.3 s; steps of 5 s from there pass ten minutes at 601.3 s.
    expect(lines.at(-1)?.msg).toBe("the database is back after 10 min 1 s; nothing was lost");
  });

  it("goes on when reviving fails too", async () => {
    const { stage, store, writer } = sceneOf();
    store.onCommit = (attempt) => {
      if (attempt <= 2) throw away();
    };
    store.onRevive = () => {
      throw new Error("it does not start");
    };
    await stage.append(batch(0), never);
    stage.end();
    await writer.run(never);
    expect(store.committed).toHaveLength(1);
  });

  it("acknowledges nothing, so that the stage stays full and the feeds wait", async () => {
    const clock = new ManualClock(minuteMs(0));
    const { stage, store, writer } = sceneOf(clock);
    store.onCommit = () => {
      if (clock.nowMs() < minuteMs(5)) throw away();
    };
    await stage.append(batch(0, 1_000), never);
    const running = writer.run(never);
    let isAppended = false;
    const appended = stage.append(batch(0), never).then(() => (isAppended = true));
    for (let i = 0; i < 50; i++) await clock.advance(5_000);
    expect([store.attempts > 10, isAppended]).toEqual([true, false]);
    for (let i = 0; i < 20; i++) await clock.advance(5_000);
    await appended;
    stage.end();
    await running;
    expect(store.committed).toHaveLength(2);
  });

  it("stops with the signal's reason, and nothing is acknowledged", async () => {
    const clock = new ManualClock(minuteMs(0));
    const { stage, store, writer } = sceneOf(clock);
    store.onCommit = () => {
      throw away();
    };
    await stage.append(batch(0, 10), never);
    const stop = new AbortController();
    const reason = new Error("enough");
    const running = writer.run(stop.signal);
    const ended = expect(running).rejects.toBe(reason);
    await settle();
    stop.abort(reason);
    await ended;
    expect(store.committed).toEqual([]);
    expect(clock.sleeping).toBe(0);
    await expect(stage.settled(1, AbortSignal.abort(new Error("not settled")))).rejects.toThrow(
      "not settled",
    );
  });
});

describe("an error that waiting cannot mend", () => {
  it.each([
    ["a refusal of the database", broken()],
    ["a mistake of ours", new TypeError("undefined is not a function")],
  ])("ends the writer at once, with nothing acknowledged: %s", async (_what, error) => {
    const { stage, store, writer, clock } = sceneOf();
    store.onCommit = () => {
      throw error;
    };
    await stage.append(batch(0, 10), never);
    await stage.append(batch(10, 10), never);
    stage.end();
    await expect(writer.run(never)).rejects.toBe(error);
    expect([store.attempts, store.revivals, clock.nowMs()]).toEqual([1, 0, minuteMs(0)]);
    await expect(stage.settled(1, AbortSignal.abort(new Error("not settled")))).rejects.toThrow(
      "not settled",
    );
  });

  it("ends the writer when the database refuses even what holds no row", async () => {
    const { stage, store, writer } = sceneOf();
    const error = refusedForItsData();
    store.onCommit = () => {
      throw error;
    };
    await stage.append(batch(0, 10), never);
    await expect(writer.run(never)).rejects.toBe(error);
  });

  it("ends the writer also when it follows an outage", async () => {
    const { stage, store, writer } = sceneOf();
    const error = broken();
    store.onCommit = (attempt) => {
      throw attempt < 3 ? away() : error;
    };
    await stage.append(batch(0), never);
    await expect(writer.run(never)).rejects.toBe(error);
    expect(store.attempts).toBe(3);
  });
});
