import { describe, expect, it } from "vitest";
import { WeightLimiter } from "../../../simulator/weight-limiter.js";

const limiter = (): WeightLimiter =>
  new WeightLimiter({ weightPerMinute: 10, refusalsMax: 2, firstBanMs: 120_000 });

describe("request weights", () => {
  it("add up in a minute of the exchange's clock and start anew in the next", () => {
    const limits = limiter();
    expect(limits.admit("a", 6, 59_000)).toEqual({ kind: "free", usedWeight: 6 });
    expect(limits.admit("a", 4, 59_999)).toEqual({ kind: "free", usedWeight: 10 });
    expect(limits.admit("b", 1, 59_999)).toEqual({ kind: "free", usedWeight: 1 });
    expect(limits.admit("a", 7, 60_000)).toEqual({ kind: "free", usedWeight: 7 });
  });

  it("above the limit are refused until the minute ends, in whole seconds", () => {
    const limits = limiter();
    expect(limits.admit("a", 11, 20_500)).toEqual({ kind: "refused", usedWeight: 11, retryAfterS: 40 });
    expect(limits.admit("a", 1, 60_000)).toMatchObject({ kind: "free" });
  });

  it("lead to a ban when refusals are ignored, and each ban is twice as long as the last", () => {
    const limits = limiter();
    const ask = (nowMs: number) => limits.admit("a", 11, nowMs);
    expect([ask(0), ask(1), ask(2)].map((each) => each.kind)).toEqual(["refused", "refused", "banned"]);
    expect(ask(3)).toMatchObject({ kind: "banned", untilMs: 120_002, retryAfterS: 120 });
    expect(ask(120_001)).toMatchObject({ kind: "banned", untilMs: 120_002 });
    const later = [ask(180_000), ask(180_001), ask(180_002)];
    expect(later[2]).toMatchObject({ kind: "banned", untilMs: 180_002 + 240_000 });
  });
});
