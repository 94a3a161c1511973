import { describe, expect, it } from "vitest";
import { classifyError } from "../../../../src/core/fault.js";
import { PaceLimiter } from "../../../../src/core/net/pace-limiter.js";
import { EagerClock, ManualClock, settle } from "./manual-clock.js";

const START_MS = 1_000_000;
const never = new AbortController().signal;

describe("PaceLimiter", () => {
  it("lets the share of the limit leave within any window, in the order it was asked for", async () => {
    const clock = new ManualClock(START_MS);
    const limiter = new PaceLimiter({ clock, limit: 4, windowMs: 2_000, share: 0.5 });
    const left: number[] = [];
    for (let i = 0; i < 5; i++) void limiter.acquire(never).then(() => left.push(i));
    await settle();
    expect(left).toEqual([0, 1]);
    await clock.advance(1_999);
    expect(left).toEqual([0, 1]);
    await clock.advance(1);
    expect(left).toEqual([0, 1, 2, 3]);
    await clock.advance(2_000);
    expect(left).toEqual([0, 1, 2, 3, 4]);
    expect(clock.sleeping).toBe(0);
  });

  it("never lets more leave than the limit, wherever the window begins", async () => {
    const clock = new EagerClock(START_MS);
    const limiter = new PaceLimiter({ clock, limit: 20, windowMs: 2_000, share: 1 });
    const leftMs: number[] = [];
    for (let i = 0; i < 200; i++) {
      await limiter.acquire(never);
      leftMs.push(clock.nowMs());
      await clock.sleep((i * 37) % 150);
    }
    for (const fromMs of leftMs)
      expect(leftMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + 2_000).length).toBeLessThanOrEqual(20);
  });

  it("always lets one leave a window, however small the share", async () => {
    const clock = new EagerClock(START_MS);
    const limiter = new PaceLimiter({ clock, limit: 10, windowMs: 2_000, share: 0.01 });
    await limiter.acquire(never);
    await limiter.acquire(never);
    expect(clock.nowMs()).toBe(START_MS + 2_000);
  });

  it("admits nobody before a pause is over", async () => {
    const clock = new EagerClock(START_MS);
    const limiter = new PaceLimiter({ clock, limit: 10, windowMs: 2_000, share: 1 });
    limiter.pauseUntil(START_MS + 5_000);
    limiter.pauseUntil(START_MS + 3_000);
    await limiter.acquire(never);
    expect(clock.nowMs()).toBe(START_MS + 5_000);
  });

  it("makes of a pause no longer one when the clock is set back by an hour", async () => {
    const clock = new ManualClock(START_MS + 3_600_000);
    const limiter = new PaceLimiter({ clock, limit: 10, windowMs: 2_000, share: 1 });
    limiter.pauseUntil(clock.nowMs() + 30_000);
    let hasLeft = false;
    void limiter.acquire(never).then(() => (hasLeft = true));
    await clock.advance(10_000);
    clock.setBack(3_600_000);
    await clock.advance(20_000);
    await clock.advance(30_000);
    expect(hasLeft).toBe(true);
  });

  it("holds a request back for one window when the clock is set back by an hour, not for one after the other", async () => {
    const clock = new ManualClock(START_MS + 3_600_000);
    const limiter = new PaceLimiter({ clock, limit: 2, windowMs: 2_000, share: 1 });
    await limiter.acquire(never);
    await limiter.acquire(never);
    clock.setBack(3_600_000);
    let left = 0;
    for (let i = 0; i < 3; i++) void limiter.acquire(never).then(() => left++);
    await clock.advance(1_999);
    expect(left).toBe(0);
    await clock.advance(1);
    expect(left).toBe(2);
    await clock.advance(2_000);
    expect(left).toBe(3);
    expect(limiter.used).toBe(1);
  });

  it("refuses one more than may wait", async () => {
    const clock = new ManualClock(START_MS);
    const limiter = new PaceLimiter({ clock, limit: 1, windowMs: 2_000, share: 1, waitersMax: 1 });
    await limiter.acquire(never);
    const abort = new AbortController();
    const waiting = limiter.acquire(abort.signal);
    const error: unknown = await limiter.acquire(never).catch((thrown: unknown) => thrown);
    expect(classifyError(error)).toEqual({ kind: "rate_limit", retryAfterMs: 2_000 });
    const reason = new Error("stopped");
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await settle();
    expect(clock.sleeping).toBe(0);
  });

  it.each([0, -1, 1.1, Number.NaN])("refuses a share of %s", (share) => {
    const clock = new EagerClock(START_MS);
    expect(() => new PaceLimiter({ clock, limit: 1, windowMs: 1, share })).toThrow("rate limit share");
  });
});
