import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { scaledClock, systemClock, type Clock } from "../../../src/core/clock.js";

const START_MS = Date.UTC(2024, 0, 1);
const HOUR_MS = 3_600_000;
const clocks: [string, Clock][] = [
  ["the machine's clock", systemClock],
  ["a scaled clock", scaledClock({ startMs: START_MS, factor: 2 })],
];

describe.each(clocks)("%s", (_name, clock) => {
  it("ends a wait at once when the signal is aborted, with the signal's reason", async () => {
    const stop = new AbortController();
    const reason = new Error("enough");
    const waiting = clock.sleep(HOUR_MS, stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("does not begin to wait when the signal is aborted already", async () => {
    const reason = new Error("enough");
    await expect(clock.sleep(HOUR_MS, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it("keeps the reason as it is, whatever it is", async () => {
    await expect(clock.sleep(HOUR_MS, AbortSignal.abort("a word"))).rejects.toBe("a word");
  });

  it("leaves no listener behind after a wait", async () => {
    const { signal } = new AbortController();
    await clock.sleep(1, signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("is over at once with nothing or less to wait for", async () => {
    await clock.sleep(0);
    await clock.sleep(-5);
  });

  it("does not wake early from a wait longer than a timer can hold", async () => {
    const stop = new AbortController();
    const long = clock.sleep(2 ** 40, stop.signal).then(() => "woke");
    const short = clock.sleep(30).then(() => "still waiting");
    expect(await Promise.race([long, short])).toBe("still waiting");
    stop.abort();
    await expect(long).rejects.toThrow();
  });
});

describe("a scaled clock", () => {
  it("starts where it is told and runs as fast as it is told", async () => {
    const clock = scaledClock({ startMs: START_MS, factor: 10_000 });
    expect(clock.nowMs()).toBeGreaterThanOrEqual(START_MS);
    await clock.sleep(10 * 60_000);
    // Ten minutes are 60 ms here; a timer may be a millisecond early.
    expect(clock.nowMs()).toBeGreaterThanOrEqual(START_MS + 10 * 60_000 - 20_000);
    expect(Number.isInteger(clock.nowMs())).toBe(true);
  });
});
