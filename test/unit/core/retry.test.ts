import { describe, expect, it } from "vitest";
import { TickwellError, type Fault } from "../../../src/core/fault.js";
import { seededRandom } from "../../../src/core/random.js";
import { FAULT_POLICY, isRetried, planRetry, retryWithBackoff } from "../../../src/core/retry.js";
import { EagerClock, ManualClock, settle } from "./net/manual-clock.js";

const NOW_MS = Date.UTC(2026, 0, 5);
const LIMITS = { attempts: 4, baseDelayMs: 100, maxDelayMs: 250 };
const never = new AbortController().signal;
const always = (value: number) => ({ next: () => value });
const almostOne = always(1 - Number.EPSILON);
const network = () => new TickwellError({ kind: "network" }, "refused");

function plan(fault: Fault, attempt: number, random = almostOne) {
  return planRetry(fault, attempt, { ...LIMITS, random, nowMs: NOW_MS });
}

describe("planRetry", () => {
  it("doubles the bound of the delay with each attempt, up to the maximum", () => {
    const delays = [1, 2, 3].map((attempt) => plan({ kind: "network" }, attempt));
    expect(delays).toEqual([100, 200, 250].map((delayMs) => ({ do: "retry", delayMs })));
  });

  it("draws the delay from the whole span below its bound", () => {
    expect(plan({ kind: "timeout", timeoutMs: 1 }, 2, always(0))).toEqual({ do: "retry", delayMs: 0 });
    expect(plan({ kind: "timeout", timeoutMs: 1 }, 2, always(0.5))).toEqual({ do: "retry", delayMs: 100 });
  });

  it("gives up after the last attempt", () => {
    expect(plan({ kind: "network" }, 4)).toEqual({ do: "give_up" });
  });

  it("never comes back before Retry-After, even if that exceeds the maximum", () => {
    const fault = { kind: "rate_limit", retryAfterMs: 7_000 } as const;
    expect(plan(fault, 1, always(0))).toEqual({ do: "retry", delayMs: 7_000 });
    expect(plan(fault, 1)).toEqual({ do: "retry", delayMs: 7_100 });
  });

  it("backs off from a rate limit that names no time", () => {
    expect(plan({ kind: "rate_limit", retryAfterMs: undefined }, 1)).toEqual({ do: "retry", delayMs: 100 });
  });

  it("never comes back before a ban ends", () => {
    const fault = { kind: "ip_ban", untilMs: NOW_MS + 3 * 86_400_000 } as const;
    expect(plan(fault, 1, always(0))).toEqual({ do: "retry", delayMs: 3 * 86_400_000 });
    expect(plan({ kind: "ip_ban", untilMs: NOW_MS - 1 }, 1, always(0))).toEqual({ do: "retry", delayMs: 0 });
  });

  it("repeats a database operation only where the fault is said to pass", () => {
    expect(isRetried({ kind: "database", code: "08006", isTransient: true })).toBe(true);
    expect(isRetried({ kind: "database", code: "23514", isTransient: false })).toBe(false);
  });

  it("does not grow beyond numbers at high attempts", () => {
    const many = { ...LIMITS, attempts: 5_000, random: almostOne, nowMs: NOW_MS };
    expect(planRetry({ kind: "network" }, 4_000, many)).toEqual({ do: "retry", delayMs: 250 });
  });
});

describe("FAULT_POLICY", () => {
  it("retries exactly the faults that can pass", () => {
    const retried = Object.entries(FAULT_POLICY).filter(([, policy]) => policy.isRetried);
    expect(retried.map(([kind]) => kind).sort()).toEqual(
      "database exchange ip_ban maintenance malformed_payload network rate_limit stage timeout".split(" "),
    );
  });

  it("leaves our own pace and a refused config out of the consecutive-failure alert", () => {
    const silent = Object.entries(FAULT_POLICY).filter(([, policy]) => !policy.countsAsFailure);
    expect(silent.map(([kind]) => kind).sort()).toEqual(["config", "rate_limit"]);
  });
});

describe("retryWithBackoff", () => {
  const base = { ...LIMITS, random: almostOne, signal: never };

  it("repeats until the operation succeeds, numbering the attempts from 1", async () => {
    const clock = new EagerClock(NOW_MS);
    const numbers: number[] = [];
    const operation = async (attempt: number) => {
      numbers.push(attempt);
      if (attempt < 3) throw network();
      return "done";
    };
    await expect(retryWithBackoff(operation, { ...base, clock })).resolves.toBe("done");
    expect(numbers).toEqual([1, 2, 3]);
    expect(clock.sleptMs).toEqual([100, 200]);
  });

  it("throws what the last attempt threw", async () => {
    const clock = new EagerClock(NOW_MS);
    const errors = [network(), network(), network(), network()];
    const operation = async (attempt: number) => {
      throw errors[attempt - 1] ?? new Error("one attempt too many");
    };
    await expect(retryWithBackoff(operation, { ...base, clock })).rejects.toBe(errors[3]);
  });

  it("does not repeat what cannot succeed, nor what is no fault at all", async () => {
    for (const error of [
      new TickwellError({ kind: "bad_symbol", code: "-1121" }, "x"),
      new TypeError("bug"),
    ]) {
      const clock = new EagerClock(NOW_MS);
      await expect(retryWithBackoff(async () => Promise.reject(error), { ...base, clock })).rejects.toBe(
        error,
      );
      expect(clock.sleptMs).toEqual([]);
    }
  });

  it("hands faults to the caller that the caller wants to see", async () => {
    const clock = new EagerClock(NOW_MS);
    const error = new TickwellError({ kind: "ip_ban", untilMs: NOW_MS + 1 }, "banned");
    const options = { ...base, clock, isFinal: (fault: Fault) => fault.kind === "ip_ban" };
    await expect(retryWithBackoff(async () => Promise.reject(error), options)).rejects.toBe(error);
    expect(clock.sleptMs).toEqual([]);
  });

  it("tells of each repetition before it waits", async () => {
    const clock = new EagerClock(NOW_MS);
    const told: unknown[] = [];
    const onRetry = (retry: { fault: Fault; attempt: number; delayMs: number }) =>
      told.push([retry.fault.kind, retry.attempt, retry.delayMs, clock.sleptMs.length]);
    const failing = retryWithBackoff(async () => Promise.reject(network()), { ...base, clock, onRetry });
    await expect(failing).rejects.toThrow("refused");
    expect(told).toEqual([
      ["network", 1, 100, 0],
      ["network", 2, 200, 1],
      ["network", 3, 250, 2],
    ]);
  });

  it("leaves a wait of days at once when it is aborted", async () => {
    const clock = new ManualClock(NOW_MS);
    const abort = new AbortController();
    const ban = new TickwellError({ kind: "ip_ban", untilMs: NOW_MS + 3 * 86_400_000 }, "banned");
    const options = { ...base, clock, signal: abort.signal };
    const waiting = retryWithBackoff(async () => Promise.reject(ban), options);
    waiting.catch(() => undefined);
    await settle();
    expect(clock.sleeping).toBe(1);
    const reason = new Error("stopped");
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(clock.sleeping).toBe(0);
  });

  it("replays its delays from a seed", async () => {
    const run = async () => {
      const clock = new EagerClock(NOW_MS);
      const options = { ...base, clock, random: seededRandom(42) };
      await retryWithBackoff(async () => Promise.reject(network()), options).catch(() => undefined);
      return clock.sleptMs;
    };
    const first = await run();
    expect(first).toHaveLength(3);
    expect(await run()).toEqual(first);
  });
});
