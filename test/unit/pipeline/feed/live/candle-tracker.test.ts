import { describe, expect, it } from "vitest";
import type { CandleCandidate } from "../../../../../src/core/model/candle.js";
import { CandleTracker } from "../../../../../src/pipeline/feed/live/candle-tracker.js";
import { DEFAULT_VALIDATION } from "../../../../../src/pipeline/gate/validation.js";
import { minuteMs } from "../../../../support/candles.js";
import { rowAt } from "../../gate/candidates.js";

const tracker = (): CandleTracker =>
  new CandleTracker({ marketId: 5, timeframe: "1m", validation: DEFAULT_VALIDATION, before: [] });
const broken = (minute: number, change: Partial<CandleCandidate> = {}): CandleCandidate =>
  rowAt(minute, { high: "1", low: "2", ...change });
const at = (minute: number) => ({ receivedMs: minuteMs(minute) + 70, exchangeNowMs: minuteMs(minute) + 50 });

describe("a refused closed candle", () => {
  it("stays missing with the rule as its reason, and may be asked for at once", () => {
    const live = tracker();
    live.add(broken(3), at(4));
    expect(live.take()).toMatchObject({
      candles: [],
      rejected: [{ openTimeMs: minuteMs(3) }],
      missing: [
        { startMs: minuteMs(3), endMs: minuteMs(4), reason: "rejected", nextAskMs: minuteMs(4) + 50 },
      ],
    });
    expect(live.take()).toBeUndefined();
  });

  it("is not missing when a good one of its time has come with it", () => {
    const live = tracker();
    live.add(broken(3), at(4));
    live.add(rowAt(3), at(4));
    expect(live.take()).toMatchObject({ missing: [], candles: [{ openTimeMs: minuteMs(3) }] });
  });

  it.each([
    ["of the future", minuteMs(100)],
    ["of years ago", 0],
    ["without a readable time", undefined],
  ])("%s says nothing of any time", (_when, openTimeMs) => {
    const live = tracker();
    live.add(broken(3, { openTimeMs }), at(4));
    expect(live.take()).toMatchObject({ missing: [], rejected: [{}] });
  });
});
