import { describe, expect, it } from "vitest";
import { TickwellError } from "../../../../src/core/fault.js";
import { WeightLimiter } from "../../../../src/core/net/weight-limiter.js";
import { ManualClock, settle } from "./manual-clock.js";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2026, 0, 5, 12, 0, 20);
const never = new AbortController().signal;

function setUp({ limit = 100, share = 1, waitersMax = 10 } = {}) {
  const clock = new ManualClock(START_MS);
  const limiter = new WeightLimiter({ clock, limit, share, waitersMax });
  const admitted: string[] = [];
  const ask = (name: string, weight: number, signal: AbortSignal = never) =>
    limiter.acquire(weight, signal).then(() => void admitted.push(name));
  return { clock, limiter, admitted, ask };
}

describe("WeightLimiter", () => {
  it("admits at once what fits into the minute's budget", async () => {
    const { admitted, ask } = setUp();
    await ask("a", 60);
    await ask("b", 40);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("makes what does not fit wait for the next UTC minute, not for a full minute", async () => {
    const { clock, admitted, ask } = setUp();
    await ask("a", 100);
    const waiting = ask("b", 1);
    await clock.advance(39_999);
    expect(admitted).toEqual(["a"]);
    await clock.advance(1);
    await waiting;
    expect(admitted).toEqual(["a", "b"]);
  });

  it("uses no more than its share of the limit", async () => {
    const { clock, admitted, ask } = setUp({ share: 0.5 });
    await ask("a", 50);
    void ask("b", 1);
    await settle();
    expect(admitted).toEqual(["a"]);
    await clock.advance(MINUTE_MS);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("admits in the order of asking, even if a later request would fit", async () => {
    const { clock, admitted, ask } = setUp();
    await ask("a", 90);
    void ask("heavy", 50);
    void ask("light", 1);
    await settle();
    expect(admitted).toEqual(["a"]);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a", "heavy", "light"]);
  });

  it("spreads a long queue over several minutes", async () => {
    const { clock, admitted, ask } = setUp();
    for (const name of ["a", "b", "c", "d", "e"]) void ask(name, 50);
    await settle();
    expect(admitted).toEqual(["a", "b"]);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a", "b", "c", "d"]);
    await clock.advance(MINUTE_MS);
    expect(admitted).toEqual(["a", "b", "c", "d", "e"]);
    expect(clock.sleeping).toBe(0);
  });

  it("gives a request heavier than the whole budget a minute for itself", async () => {
    const { clock, admitted, ask } = setUp({ share: 0.1 });
    await ask("a", 5);
    void ask("huge", 20);
    await settle();
    expect(admitted).toEqual(["a"]);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a", "huge"]);
  });

  it("counts what others on the same IP have used", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    await ask("a", 2);
    limiter.observe(99);
    void ask("b", 2);
    await settle();
    expect(admitted).toEqual(["a"]);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("does not believe a count below its own", async () => {
    const { limiter, ask } = setUp();
    await ask("a", 60);
    limiter.observe(10);
    expect(limiter.used).toBe(60);
  });

  it("ends the minute when the exchange's clock says so", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    await ask("a", 100);
    // The server is 10 s behind us: its minute ends 10 s later than ours.
    const nowMs = clock.nowMs();
    limiter.observe(100, { serverMs: nowMs - 10_000, resolutionMs: 0, sentMs: nowMs, receivedMs: nowMs });
    void ask("b", 1);
    await clock.advance(49_999);
    expect(admitted).toEqual(["a"]);
    await clock.advance(1);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("keeps its offset while the server's time, to the second and with its delay, allows it", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    await ask("a", 100);
    const nowMs = clock.nowMs();
    limiter.observe(100, {
      serverMs: nowMs - 1_000,
      resolutionMs: 1_000,
      sentMs: nowMs - 300,
      receivedMs: nowMs,
    });
    void ask("b", 1);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("ignores the count of a minute that is over", async () => {
    const { clock, limiter } = setUp();
    const serverMs = clock.nowMs();
    await clock.advance(41_000);
    limiter.observe(99, { serverMs, resolutionMs: 1_000, sentMs: serverMs, receivedMs: clock.nowMs() });
    expect(limiter.used).toBe(0);
  });

  it("keeps its count when the exchange's clock takes it back into a minute it had left", async () => {
    const { clock, limiter, ask } = setUp();
    await ask("a", 60);
    const nowMs = clock.nowMs();
    limiter.observe(0, { serverMs: nowMs - 30_000, resolutionMs: 0, sentMs: nowMs, receivedMs: nowMs });
    expect(limiter.used).toBe(60);
  });

  it("does not follow a server that is years away", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    await ask("a", 100);
    const nowMs = clock.nowMs();
    limiter.observe(100, { serverMs: 30_000, resolutionMs: 1_000, sentMs: nowMs, receivedMs: nowMs });
    void ask("b", 1);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("admits nobody during a pause, and everybody in order after it", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    limiter.pauseUntil(START_MS + 5_000);
    limiter.pauseUntil(START_MS + 3_000);
    void ask("a", 1);
    void ask("b", 1);
    await clock.advance(4_999);
    expect(admitted).toEqual([]);
    await clock.advance(1);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("prolongs the wait of those who wait already when a pause begins", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    await ask("a", 100);
    void ask("b", 1);
    limiter.pauseUntil(START_MS + 2 * MINUTE_MS);
    await clock.advance(40_000);
    expect(admitted).toEqual(["a"]);
    await clock.advance(80_000);
    expect(admitted).toEqual(["a", "b"]);
  });

  it("pauses until the next minute when the exchange does not say for how long", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    limiter.pauseUntilNextWindow();
    void ask("a", 1);
    await clock.advance(39_999);
    expect(admitted).toEqual([]);
    await clock.advance(1);
    expect(admitted).toEqual(["a"]);
  });

  it("pauses for a second at least when the minute is about to end: where it ends is known to the second", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    await clock.advance(39_990);
    limiter.pauseUntilNextWindow();
    void ask("a", 1);
    await clock.advance(999);
    expect(admitted).toEqual([]);
    await clock.advance(1);
    expect(admitted).toEqual(["a"]);
  });

  it("makes of a pause no longer one when the clock is set back by an hour", async () => {
    const { clock, limiter, admitted, ask } = setUp();
    limiter.pauseUntil(START_MS + 30_000);
    void ask("a", 1);
    await clock.advance(10_000);
    clock.setBack(3_600_000);
    await clock.advance(20_000);
    await clock.advance(30_000);
    expect(admitted).toEqual(["a"]);
  });

  it("lets those who wait benefit from a raised limit at once", async () => {
    const { limiter, admitted, ask } = setUp();
    await ask("a", 100);
    void ask("b", 1);
    await settle();
    limiter.setLimit(200);
    await settle();
    expect(admitted).toEqual(["a", "b"]);
  });

  it("rejects with the signal's reason at once, and leaves no wait behind", async () => {
    const { clock, admitted, ask } = setUp();
    await ask("a", 100);
    const abort = new AbortController();
    const waiting = ask("b", 1, abort.signal);
    await settle();
    expect(clock.sleeping).toBe(1);
    const reason = new Error("stopped");
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await settle();
    expect(clock.sleeping).toBe(0);
    expect(admitted).toEqual(["a"]);
  });

  it("admits a light request as soon as the heavy one before it has left the queue", async () => {
    const { admitted, ask } = setUp();
    await ask("a", 90);
    const abort = new AbortController();
    const heavy = ask("heavy", 50, abort.signal);
    void ask("light", 5);
    await settle();
    abort.abort(new Error("stopped"));
    await expect(heavy).rejects.toThrow("stopped");
    await settle();
    expect(admitted).toEqual(["a", "light"]);
  });

  it("refuses one waiter too many with a rate_limit that says when to come back", async () => {
    const { ask } = setUp({ waitersMax: 1 });
    await ask("a", 100);
    void ask("b", 1);
    const error: unknown = await ask("c", 1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TickwellError);
    expect((error as TickwellError).fault).toEqual({ kind: "rate_limit", retryAfterMs: 40_000 });
  });

  it.each([0, -1, 1.01, Number.NaN])("refuses a share of %d", (share) => {
    expect(() => setUp({ share })).toThrow(/share/);
  });
});
