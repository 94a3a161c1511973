import { describe, expect, it } from "vitest";
import { Pause } from "../../../../src/core/net/pause.js";

const NOW_MS = 1_000_000;
const HOUR_MS = 3_600_000;

describe("Pause", () => {
  it("is over at its end, and before it was begun", () => {
    const pause = new Pause();
    expect(pause.endMs(NOW_MS)).toBeUndefined();
    pause.extend({ nowMs: NOW_MS, untilMs: NOW_MS + 30 });
    expect(pause.endMs(NOW_MS + 29)).toBe(NOW_MS + 30);
    expect(pause.endMs(NOW_MS + 30)).toBeUndefined();
  });

  it("has the later of two ends", () => {
    const pause = new Pause();
    pause.extend({ nowMs: NOW_MS, untilMs: NOW_MS + 30 });
    pause.extend({ nowMs: NOW_MS + 10, untilMs: NOW_MS + 20 });
    expect(pause.endMs(NOW_MS + 10)).toBe(NOW_MS + 30);
    pause.extend({ nowMs: NOW_MS + 10, untilMs: NOW_MS + 40 });
    expect(pause.endMs(NOW_MS + 30)).toBe(NOW_MS + 40);
  });

  it("begins anew when the clock shows a time before it began, and is never cut short", () => {
    const pause = new Pause();
    pause.extend({ nowMs: NOW_MS, untilMs: NOW_MS + 30 });
    expect(pause.endMs(NOW_MS - HOUR_MS)).toBe(NOW_MS - HOUR_MS + 30);
    expect(pause.endMs(NOW_MS - HOUR_MS + 29)).toBe(NOW_MS - HOUR_MS + 30);
    expect(pause.endMs(NOW_MS - HOUR_MS + 30)).toBeUndefined();
  });

  it("gives way to a new one that ends later by the clock as it is now", () => {
    const pause = new Pause();
    pause.extend({ nowMs: NOW_MS, untilMs: NOW_MS + 30 });
    pause.extend({ nowMs: NOW_MS - HOUR_MS, untilMs: NOW_MS - HOUR_MS + 40 });
    expect(pause.endMs(NOW_MS - HOUR_MS + 39)).toBe(NOW_MS - HOUR_MS + 40);
  });

  it("does not come back when it has been seen to be over and the clock is set back", () => {
    const pause = new Pause();
    pause.extend({ nowMs: NOW_MS, untilMs: NOW_MS + 30 });
    expect(pause.endMs(NOW_MS + 30)).toBeUndefined();
    expect(pause.endMs(NOW_MS - HOUR_MS)).toBeUndefined();
  });
});
