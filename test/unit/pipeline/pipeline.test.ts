import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import type { CommitResult } from "../../../src/store/store.js";
import { silentLog } from "../../../src/core/log.js";
import { Pipeline } from "../../../src/pipeline/pipeline.js";
import { batchOf, candlesBetween, minuteMs } from "../../support/candles.js";
import { EagerClock, ManualClock, settle } from "../core/net/manual-clock.js";
import { away, broken, ScriptedStore } from "./write/scripted-store.js";

const never = new AbortController().signal;
const batch = (from: number, rows = 1) => batchOf(1, candlesBetween(from, from + rows));

function sceneOf(onCommit?: (result: CommitResult) => void) {
  const clock = new ManualClock(minuteMs(0));
  const store = new ScriptedStore();
  const hooks = onCommit ? { onCommit } : {};
  return {
    clock,
    store,
    pipeline: new Pipeline({ store, clock, log: silentLog, stageRowsMax: 100, ...hooks }),
  };
}

describe("closing the pipeline", () => {
  it("stores everything that was appended, without waiting for more", async () => {
    const { store, pipeline } = sceneOf();
    const batches = [batch(0), batch(1), batch(2)];
    for (const each of batches) await pipeline.stage.append(each, never);
    await pipeline.close();
    expect(store.committed.flat()).toEqual(batches);
    expect(pipeline.failure.aborted).toBe(false);
  });

  it("is over at once when nothing was appended, and may be asked for twice", async () => {
    const { store, pipeline } = sceneOf();
    await pipeline.close();
    await pipeline.close();
    expect(store.attempts).toBe(0);
  });

  it("waits for a database that is away as long as it may, and stores everything when it comes back", async () => {
    const { store, pipeline, clock } = sceneOf();
    store.onCommit = () => {
      if (clock.nowMs() < minuteMs(3)) throw away();
    };
    await pipeline.stage.append(batch(0), never);
    const { signal } = new AbortController();
    const closing = pipeline.close(signal);
    for (let i = 0; i < 50; i++) await clock.advance(5_000);
    await closing;
    expect(store.committed).toHaveLength(1);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("gives up waiting when the signal is aborted", async () => {
    const { store, pipeline, clock } = sceneOf();
    store.onCommit = () => {
      throw away();
    };
    await pipeline.stage.append(batch(0), never);
    const stop = new AbortController();
    const reason = new Error("twice Ctrl-C");
    const closed = expect(pipeline.close(stop.signal)).rejects.toBe(reason);
    await clock.advance(5_000);
    stop.abort(reason);
    await closed;
    expect([store.committed, clock.sleeping]).toEqual([[], 0]);
  });

  it("gives up waiting at once when the signal was aborted before", async () => {
    const { store, pipeline, clock } = sceneOf();
    store.onCommit = () => {
      throw away();
    };
    await pipeline.stage.append(batch(0), never);
    await clock.advance(5_000);
    const reason = new Error("twice Ctrl-C");
    await expect(pipeline.close(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(clock.sleeping).toBe(0);
  });

  it("fails with what the writer failed with", async () => {
    const { store, pipeline } = sceneOf();
    const error = broken();
    store.onCommit = () => {
      throw error;
    };
    await pipeline.stage.append(batch(0), never);
    await expect(pipeline.close()).rejects.toBe(error);
  });
});

describe("a running pipeline", () => {
  it("commits what arrives together, and tells of each commit", async () => {
    const told: CommitResult[] = [];
    const { store, pipeline, clock } = sceneOf((result) => told.push(result));
    await pipeline.stage.append(batch(0), never);
    await pipeline.stage.append(batch(1), never);
    await clock.advance(1_000);
    expect(store.committed.map((each) => each.length)).toEqual([2]);
    expect(told).toEqual([{ inserted: 2, revised: 0, refused: 0, live: 0 }]);
    await pipeline.close();
  });

  it("tells feeds to stop, with the reason, when the database refuses for good", async () => {
    const { store, pipeline, clock } = sceneOf();
    const error = broken();
    store.onCommit = () => {
      throw error;
    };
    await pipeline.stage.append(batch(0, 100), never);
    // A feed that waits for room would wait for ever.
    const waiting = expect(pipeline.stage.append(batch(100), pipeline.failure)).rejects.toBe(error);
    await clock.advance(1_000);
    await waiting;
    expect(pipeline.failure.reason).toBe(error);
    await expect(pipeline.close()).rejects.toBe(error);
  });

  it("does not take a database that is away for a failure", async () => {
    const { store, pipeline, clock } = sceneOf();
    store.onCommit = () => {
      if (clock.nowMs() < minuteMs(1)) throw away();
    };
    await pipeline.stage.append(batch(0), never);
    for (let i = 0; i < 30; i++) await clock.advance(5_000);
    expect([pipeline.failure.aborted, store.committed.length]).toEqual([false, 1]);
    await pipeline.close();
  });

  it("holds no more rows than it may while the database is away", async () => {
    const clock = new EagerClock(minuteMs(0));
    const store = new ScriptedStore();
    let letCommit = (): void => undefined;
    store.onCommit = () => new Promise<void>((resolve) => (letCommit = resolve));
    const pipeline = new Pipeline({ store, clock, log: silentLog, stageRowsMax: 100 });
    const done: number[] = [];
    const appends = Array.from({ length: 8 }, (_, i) =>
      pipeline.stage.append(batch(30 * i, 30), never).then((sequence) => done.push(sequence)),
    );
    await settle();
    expect(done).toEqual([1, 2, 3]);
    store.onCommit = () => undefined;
    letCommit();
    await Promise.all(appends);
    await pipeline.close();
    expect(
      store.committed.flat().map((each) => each.kind === "candles" && each.candles[0]?.openTimeMs),
    ).toEqual(Array.from({ length: 8 }, (_, i) => minuteMs(30 * i)));
  });
});
