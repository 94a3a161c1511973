import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rowsOf as rowsIn } from "../../../../src/core/model/record-batch.js";
import type { CandleBatch } from "../../../../src/core/model/candle-batch.js";
import { MemoryStage } from "../../../../src/pipeline/stage/memory-stage.js";
import type { StagedBatch } from "../../../../src/pipeline/stage/stage.js";
import { batchOf, candlesBetween, minuteMs } from "../../../support/candles.js";
import { ManualClock, settle } from "../../core/net/manual-clock.js";

const START_MS = minuteMs(0);
const ALL = { rowsMax: 1_000_000, ageMs: 0 };

let clock: ManualClock;
let stop: AbortController;

beforeEach(() => {
  clock = new ManualClock(START_MS);
  stop = new AbortController();
});

// Whatever a test did: nobody listens any more once nobody waits.
afterEach(async () => {
  stop.abort(new Error("the test is over"));
  await settle();
  expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  expect(clock.sleeping).toBe(0);
});

const batch = (rows: number): CandleBatch => batchOf(1, candlesBetween(0, rows));
const rowsOf = (staged: readonly StagedBatch[]): number[] => staged.map((each) => rowsIn(each.batch));
/** The staged batch of a sequence number, as far as acknowledging looks at it. */
const read = (sequence: number): StagedBatch => ({ sequence, batch: batch(1) });

/** What has become of a promise so far. */
function watch<T>(promise: Promise<T>): { state: "waiting" | "done" | "failed"; value?: T; error?: unknown } {
  const seen: { state: "waiting" | "done" | "failed"; value?: T; error?: unknown } = { state: "waiting" };
  promise.then(
    (value) => Object.assign(seen, { state: "done", value }),
    (error: unknown) => Object.assign(seen, { state: "failed", error }),
  );
  return seen;
}

async function filled(rowsMax: number, ...rows: number[]): Promise<MemoryStage> {
  const stage = new MemoryStage({ rowsMax, clock });
  for (const each of rows) await stage.append(batch(each), stop.signal);
  return stage;
}

describe("appending", () => {
  it("numbers batches in their order, and reading keeps it", async () => {
    const stage = new MemoryStage({ rowsMax: 100, clock });
    const batches = [batch(1), batch(2), batch(3)];
    const sequences: number[] = [];
    for (const each of batches) sequences.push(await stage.append(each, stop.signal));
    expect(sequences).toEqual([1, 2, 3]);
    const staged = await stage.read(ALL, stop.signal);
    expect(staged).toEqual(batches.map((each, i) => ({ sequence: i + 1, batch: each })));
  });

  it("waits while the stage is full, until enough has been acknowledged: reading is not enough", async () => {
    const stage = await filled(10, 6, 4);
    const third = watch(stage.append(batch(5), stop.signal));
    await stage.read({ rowsMax: 6, ageMs: 0 }, stop.signal);
    await settle();
    expect(third.state).toBe("waiting");
    await stage.ack([read(1)]);
    await settle();
    expect(third).toEqual({ state: "done", value: 3 });
  });

  it("still waits when what was acknowledged is too little", async () => {
    const stage = await filled(10, 2, 8);
    const third = watch(stage.append(batch(5), stop.signal));
    await stage.read(ALL, stop.signal);
    await stage.ack([read(1)]);
    await settle();
    expect(third.state).toBe("waiting");
    await stage.ack([read(2)]);
    await settle();
    expect(third.state).toBe("done");
  });

  it("lets a batch larger than the whole stage pass when it is alone, and only then", async () => {
    const stage = await filled(10, 1);
    const large = watch(stage.append(batch(50), stop.signal));
    await settle();
    expect(large.state).toBe("waiting");
    await stage.read(ALL, stop.signal);
    await stage.ack([read(1)]);
    await settle();
    expect(large).toEqual({ state: "done", value: 2 });
  });

  it("lets those who wait in by the order they came, and no newcomer before them", async () => {
    const stage = await filled(10, 10);
    const large = watch(stage.append(batch(9), stop.signal));
    const small = watch(stage.append(batch(1), stop.signal));
    await stage.read(ALL, stop.signal);
    await stage.ack([read(1)]);
    const newcomer = watch(stage.append(batch(1), stop.signal));
    await settle();
    expect([large.value, small.value, newcomer.state]).toEqual([2, 3, "waiting"]);
  });

  it("lets the next in when the first in line gives up", async () => {
    const stage = await filled(10, 8);
    const impatient = new AbortController();
    const large = watch(stage.append(batch(9), impatient.signal));
    const small = watch(stage.append(batch(2), stop.signal));
    await settle();
    expect(small.state).toBe("waiting");
    impatient.abort(new Error("enough"));
    await settle();
    expect([large.state, small.value]).toEqual(["failed", 2]);
  });

  it("is bounded for batches without candles too", async () => {
    const stage = new MemoryStage({ rowsMax: 3, clock });
    const appends = Array.from({ length: 5 }, () => watch(stage.append(batch(0), stop.signal)));
    await settle();
    expect(appends.map(({ state }) => state)).toEqual(["done", "done", "done", "waiting", "waiting"]);
  });

  it("counts refused rows, which weigh as much as candles", async () => {
    const stage = new MemoryStage({ rowsMax: 3, clock });
    const rejection = { rule: "candle.malformed", detail: "", openTimeMs: undefined, raw: "[]" };
    const refused = batchOf(1, [], { rejected: [rejection, rejection, rejection] });
    await stage.append(refused, stop.signal);
    const next = watch(stage.append(batch(1), stop.signal));
    await settle();
    expect(next.state).toBe("waiting");
  });

  it("ends with the signal's reason when it is aborted while it waits, and has added nothing", async () => {
    const stage = await filled(10, 10);
    const waiting = watch(stage.append(batch(5), stop.signal));
    const reason = new Error("enough");
    stop.abort(reason);
    await settle();
    expect(waiting).toEqual({ state: "failed", error: reason });
    expect(rowsOf(await stage.read(ALL, new AbortController().signal))).toEqual([10]);
  });

  it("adds nothing for a signal that is aborted already", async () => {
    const stage = await filled(10);
    await expect(stage.append(batch(1), AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
    stage.end();
    expect(await stage.read(ALL, stop.signal)).toEqual([]);
  });

  it("is refused after the end, also to those who were waiting: nobody would read it", async () => {
    const stage = await filled(10, 10);
    const waiting = watch(stage.append(batch(5), stop.signal));
    stage.end();
    await settle();
    expect(waiting.error).toMatchObject({ fault: { kind: "stage" } });
    await expect(stage.append(batch(1), stop.signal)).rejects.toMatchObject({ fault: { kind: "stage" } });
    expect(rowsOf(await stage.read(ALL, stop.signal))).toEqual([10]);
  });
});

describe("reading", () => {
  it("waits for the first batch, and then for others until it is old enough", async () => {
    const stage = await filled(1_000);
    const read = watch(stage.read({ rowsMax: 100, ageMs: 50 }, stop.signal));
    await clock.advance(500);
    await stage.append(batch(3), stop.signal);
    await clock.advance(49);
    await stage.append(batch(4), stop.signal);
    expect(read.state).toBe("waiting");
    await clock.advance(1);
    expect(rowsOf(read.value ?? [])).toEqual([3, 4]);
  });

  it("does not wait again for a batch that has waited long enough before it was asked for", async () => {
    const stage = await filled(1_000, 3);
    await clock.advance(50);
    const read = watch(stage.read({ rowsMax: 100, ageMs: 50 }, stop.signal));
    await settle();
    expect(rowsOf(read.value ?? [])).toEqual([3]);
  });

  it("ends as soon as there are enough rows", async () => {
    const stage = await filled(1_000, 6);
    const read = watch(stage.read({ rowsMax: 10, ageMs: 1_000 }, stop.signal));
    await settle();
    expect(read.state).toBe("waiting");
    await stage.append(batch(4), stop.signal);
    await settle();
    expect(rowsOf(read.value ?? [])).toEqual([6, 4]);
  });

  it("takes no more rows than asked for, and leaves the rest for the next", async () => {
    const stage = await filled(1_000, 4, 5, 2, 9);
    expect(rowsOf(await stage.read({ rowsMax: 10, ageMs: 0 }, stop.signal))).toEqual([4, 5]);
    expect(rowsOf(await stage.read({ rowsMax: 11, ageMs: 0 }, stop.signal))).toEqual([2, 9]);
  });

  it("takes a batch larger than asked for when it is the first, alone", async () => {
    const stage = await filled(1_000, 25, 1);
    expect(rowsOf(await stage.read({ rowsMax: 10, ageMs: 0 }, stop.signal))).toEqual([25]);
  });

  it("takes a bounded number of batches without candles", async () => {
    const stage = await filled(1_000, ...Array.from({ length: 30 }, () => 0));
    expect(await stage.read({ rowsMax: 10, ageMs: 0 }, stop.signal)).toHaveLength(10);
  });

  it("does not sit out its age while an appender is stuck", async () => {
    const stage = await filled(10, 4);
    const read = watch(stage.read({ rowsMax: 100, ageMs: 1_000 }, stop.signal));
    await settle();
    expect(read.state).toBe("waiting");
    void watch(stage.append(batch(8), stop.signal));
    await settle();
    expect(rowsOf(read.value ?? [])).toEqual([4]);
  });

  it("ends with the signal's reason, before the first batch and while it waits for more", async () => {
    const reason = new Error("enough");
    const empty = watch((await filled(10)).read(ALL, stop.signal));
    const partly = watch((await filled(10, 1)).read({ rowsMax: 5, ageMs: 1_000 }, stop.signal));
    await settle();
    stop.abort(reason);
    await settle();
    expect([empty, partly]).toEqual([
      { state: "failed", error: reason },
      { state: "failed", error: reason },
    ]);
  });

  it("does not begin for a signal that is aborted already", async () => {
    const stage = await filled(10, 5, 5);
    await expect(
      stage.read({ rowsMax: 1, ageMs: 0 }, AbortSignal.abort(new Error("enough"))),
    ).rejects.toThrow("enough");
  });

  it("hands out what is left after the end, at once, and then nothing", async () => {
    const stage = await filled(100, 1, 2);
    stage.end();
    expect(rowsOf(await stage.read({ rowsMax: 50, ageMs: 1_000 }, stop.signal))).toEqual([1, 2]);
    expect(await stage.read({ rowsMax: 50, ageMs: 1_000 }, stop.signal)).toEqual([]);
  });

  it("wakes at the end, whether it waits for the first batch or for more", async () => {
    const empty = await filled(10);
    const partly = await filled(10, 1);
    const reads = [empty, partly].map((stage) =>
      watch(stage.read({ rowsMax: 5, ageMs: 1_000 }, stop.signal)),
    );
    await settle();
    empty.end();
    partly.end();
    await settle();
    expect(reads.map(({ value }) => value && rowsOf(value))).toEqual([[], [1]]);
  });
});

describe("waiting until batches are settled", () => {
  it("ends once they are acknowledged, not once they are read", async () => {
    const stage = await filled(100, 1, 2, 3);
    const second = watch(stage.settled(2, stop.signal));
    const third = watch(stage.settled(3, stop.signal));
    await stage.read(ALL, stop.signal);
    await settle();
    expect(second.state).toBe("waiting");
    await stage.ack([read(2)]);
    await settle();
    expect([second.state, third.state]).toEqual(["done", "waiting"]);
  });

  it("is over at once for what is settled, and for nothing", async () => {
    const stage = await filled(100, 1);
    await stage.settled(0, stop.signal);
    await stage.read(ALL, stop.signal);
    await stage.ack([read(1)]);
    await stage.settled(1, stop.signal);
  });

  it("ends with the signal's reason", async () => {
    const stage = await filled(100, 1);
    const waiting = watch(stage.settled(1, stop.signal));
    stop.abort("a word");
    await settle();
    expect(waiting).toEqual({ state: "failed", error: "a word" });
  });
});

it("frees room once however often a batch is acknowledged", async () => {
  const stage = await filled(10, 5, 5);
  await stage.read(ALL, stop.signal);
  await stage.ack([read(1)]);
  await stage.ack([read(1)]);
  await stage.append(batch(5), stop.signal);
  const next = watch(stage.append(batch(5), stop.signal));
  await settle();
  expect(next.state).toBe("waiting");
});

it("takes tens of thousands of small batches while a reader waits, without slowing down", async () => {
  const stage = new MemoryStage({ rowsMax: 1_000_000, clock });
  const read = watch(stage.read({ rowsMax: 30_000, ageMs: 1_000 }, stop.signal));
  const one = batch(1);
  const startedMs = performance.now();
  for (let i = 0; i < 30_000; i++) await stage.append(one, stop.signal);
  await settle();
  expect(read.value).toHaveLength(30_000);
  // Some 50 ms; two and a half seconds when each append counted all rows before it.
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});
