// What an attempt at a backfill task comes to.
import { describe, expect, it } from "vitest";
import { TickwellError } from "../../../src/core/fault.js";
import type { OpenGap } from "../../../src/store/store.js";
import type { BackfillTask } from "../../../src/store/task-queue.js";
import { judgeBackfill, type Attempt } from "../../../src/upkeep/backfill-verdict.js";
import { minuteMs } from "../../support/candles.js";

const NOW = { random: { next: () => 0.5 }, nowMs: minuteMs(100) };

const task = (retryCount: number): BackfillTask => ({
  id: 1,
  marketId: 1,
  market: "binance:BTC/USDT",
  timeframe: "1m",
  startMs: minuteMs(0),
  endMs: minuteMs(60),
  status: "running",
  priority: 0,
  retryCount,
  maxRetries: 5,
  nextAttemptMs: undefined,
  startedMs: undefined,
  completedMs: undefined,
  errorMessage: undefined,
  expectedRecords: 60,
  actualRecords: 0,
  createdMs: 0,
  updatedMs: 0,
  worker: "test",
});

const gap = (from: number, to: number, change: Partial<OpenGap> = {}): OpenGap => ({
  id: from,
  startMs: minuteMs(from),
  endMs: minuteMs(to),
  reason: "absent",
  detail: "",
  foundMs: minuteMs(90),
  lastAskedMs: minuteMs(90),
  nextAskMs: minuteMs(101),
  asked: 1,
  ...change,
});

function judge(change: Partial<Attempt>, retryCount = 0) {
  const attempt = {
    task: task(retryCount),
    missing: [],
    missingBeforeMs: 0,
    openGaps: [],
    nextAskMs: undefined,
    ...change,
  };
  return judgeBackfill(attempt, NOW);
}

const TEN = [{ startMs: minuteMs(10), endMs: minuteMs(20) }];

describe("judgeBackfill", () => {
  it("completes only what lacks nothing", () => {
    expect(judge({ openGaps: [gap(0, 5)] }).kind).toBe("completed");
    expect(judge({ missing: TEN }).kind).toBe("retried");
  });

  it("does not complete after an error, whatever is stored", () => {
    const error = new TickwellError({ kind: "malformed_payload", path: "$", sample: "" }, "broken");
    expect(judge({ error })).toMatchObject({
      kind: "retried",
      outcome: { errorMessage: "nothing is missing; broken" },
    });
  });

  it.each([
    [{ kind: "network" }],
    [{ kind: "timeout", timeoutMs: 1 }],
    [{ kind: "exchange", code: "503" }],
    [{ kind: "maintenance" }],
    [{ kind: "rate_limit", retryAfterMs: undefined }],
  ] as const)("does not count an attempt when the exchange cannot be asked: %j", (fault) => {
    const verdict = judge({ missing: TEN, error: new TickwellError(fault, "away") }, 5);
    expect(verdict).toMatchObject({ kind: "postponed", outcome: { isRetry: false, delayMs: 30_000 } });
  });

  it("asks a host that turns us away again, later", () => {
    const error = new TickwellError({ kind: "geo_blocked" }, "not from here");
    expect(judge({ missing: TEN, error }, 5)).toMatchObject({
      kind: "postponed",
      outcome: { isRetry: false, delayMs: 600_000 },
    });
  });

  it("waits for the end of a ban", () => {
    const error = new TickwellError({ kind: "ip_ban", untilMs: NOW.nowMs + 600_000 }, "banned");
    expect(judge({ missing: TEN, error }, 5)).toMatchObject({
      kind: "postponed",
      outcome: { isRetry: false, delayMs: 630_000 },
    });
  });

  it("does not count an attempt that brought some of it", () => {
    const openGaps = [gap(10, 20, { asked: 4, reason: "rejected" })];
    const before = { missing: TEN, openGaps, nextAskMs: minuteMs(101) };
    expect(judge({ ...before, missingBeforeMs: 11 * 60_000 }).kind).toBe("postponed");
    expect(judge({ ...before, missingBeforeMs: 10 * 60_000 }).kind).toBe("retried");
  });

  it("postpones what waits for its second answer to when that may be asked for", () => {
    expect(judge({ missing: TEN, openGaps: [gap(5, 25)], nextAskMs: minuteMs(101) })).toMatchObject({
      kind: "postponed",
      outcome: { status: "pending", isRetry: false, notBeforeMs: minuteMs(101) },
    });
  });

  it.each([
    ["was asked for twice already", [gap(10, 20, { asked: 2 })]],
    ["was refused", [gap(10, 20, { reason: "rejected" })]],
    ["was asked for in part only", [gap(10, 15)]],
    ["nobody knows of", []],
  ])("counts a try when what is missing %s", (_, openGaps) => {
    expect(judge({ missing: TEN, openGaps, nextAskMs: minuteMs(130) })).toMatchObject({
      kind: "retried",
      outcome: { status: "pending", isRetry: true, notBeforeMs: minuteMs(130) },
    });
  });

  it("doubles the bound of the pause with each try, up to an hour", () => {
    const delays = [0, 1, 2, 3, 4].map((retryCount) => {
      const { outcome } = judge({ missing: TEN }, retryCount);
      return outcome.status === "pending" ? outcome.delayMs : undefined;
    });
    expect(delays).toEqual([30_000, 60_000, 120_000, 240_000, 480_000]);
  });

  it("fails when the tries are used up, and says what is missing and why", () => {
    const openGaps = [gap(10, 20, { asked: 6, reason: "rejected", detail: "high 1 < low 2" })];
    expect(judge({ missing: TEN, openGaps }, 5)).toEqual({
      kind: "failed",
      outcome: {
        status: "failed",
        errorMessage:
          "gave up after 6 attempts: 10 of 60 candles are missing, 2024-01-01 00:10 to 2024-01-01 00:20 UTC: the exchange sent broken rows (high 1 < low 2), asked 6 times",
      },
    });
  });

  it("fails at once where another attempt cannot help", () => {
    const error = new TickwellError({ kind: "bad_request", code: "-1100" }, "no such thing");
    expect(judge({ missing: TEN, error }).outcome).toMatchObject({
      status: "failed",
      errorMessage:
        "another attempt would fail as well: 10 of 60 candles are missing, 2024-01-01 00:10 to 2024-01-01 00:20 UTC; no such thing",
    });
  });
});
