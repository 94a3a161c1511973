import { describe, expect, it } from "vitest";
import { FAULT_KINDS, FaultPlanError, parseFaultPlan } from "../../../simulator/fault-plan.js";
import type { AskedFor } from "../../../simulator/fault-conditions.js";
import { FaultInjector } from "../../../simulator/fault-injector.js";

const complaint = (input: unknown): string => {
  try {
    parseFaultPlan(input);
  } catch (error) {
    expect(error).toBeInstanceOf(FaultPlanError);
    return (error as FaultPlanError).message;
  }
  throw new Error("the plan was accepted");
};

describe("a fault plan", () => {
  it("passes unchanged a second time", () => {
    const plan = parseFaultPlan({
      faults: [
        { kind: "http_429" },
        { kind: "late", from: "2024-01-01", to: "2024-01-02", until: 1_704_200_000_000 },
        { kind: "clock_skew", skew_ms: -1_500 },
      ],
    });
    expect(plan.faults[1]).toMatchObject({ from: Date.UTC(2024, 0, 1), to: Date.UTC(2024, 0, 2) });
    expect(parseFaultPlan(plan)).toEqual(plan);
  });

  it("names the place and the kinds when a kind is unknown", () => {
    const message = complaint({ faults: [{ kind: "http_429" }, { kind: "http_430" }] });
    expect(message).toContain('faults[1].kind found "http_430"');
    for (const kind of FAULT_KINDS) expect(message).toContain(kind);
  });

  it("names an unknown key and those that are allowed", () => {
    const message = complaint({ faults: [{ kind: "slow", delay_ms: 5, dely: 1 }] });
    expect(message).toContain("faults[0] has the unknown key dely");
    expect(message).toContain("delay_ms");
  });

  it.each([
    [{ faults: [{ kind: "slow" }] }, "faults[0].delay_ms found nothing"],
    [{ faults: [{ kind: "hang", probability: 3 }] }, "faults[0].probability found 3"],
    [{ faults: [{ kind: "late", from: "yesterday", to: "2024-01-01" }] }, 'faults[0].from found "yesterday"'],
    [{ faults: [{ kind: "late", from: "2024-01-02", to: "2024-01-01" }] }, "`from` before `to`"],
    [{ faults: [{ kind: "outage", from: 1, to: 60_000 }] }, "faults[0].from found 1, expected a full minute"],
    [
      { faults: [{ kind: "late", from: 0, to: 60_000, timeframes: ["7m"] }] },
      'faults[0].timeframes[0] found "7m"',
    ],
    [[], "the document found []"],
    [undefined, "the document found nothing"],
    [{ faults: [{ kind: "code_200", code: 50001 }] }, "faults[0].code found 50001"],
    [{ faults: [{ kind: "lying_page", how: "upside_down" }] }, 'faults[0].how found "upside_down"'],
    [{ faults: [{ kind: "http_429", exchange: "kraken" }] }, 'faults[0].exchange found "kraken"'],
    [{ faults: [{ kind: "price_jump", from: 0, to: 60_000, factor: 300 }] }, "faults[0].factor found 300"],
    [{ faults: [{ kind: "delisted", symbol: "BTC/USDT", at: 1 }] }, "faults[0].at found 1"],
    [{ fault: [] }, "unknown key fault; allowed are faults"],
  ])("refuses %j", (input, words) => {
    expect(complaint(input)).toContain(words);
  });
});

describe("a planned fault", () => {
  const klines: AskedFor = {
    exchange: "binance",
    endpoint: "/api/v3/klines",
    isPage: true,
    symbols: ["BTC/USDT", "BTCUSDT"],
    fromMs: 1_000,
    toMs: 2_000,
  };
  const strikes = (fault: object, asked: object = klines, times = 6, nowMs = 10): boolean[] => {
    const injector = new FaultInjector(parseFaultPlan({ faults: [{ kind: "http_451", ...fault }] }), 1);
    return Array.from(
      { length: times },
      () => injector.strikeAnswer({ ...klines, ...asked }, nowMs) !== undefined,
    );
  };

  it("strikes every answer unless told otherwise", () => {
    expect(strikes({})).toEqual([true, true, true, true, true, true]);
  });

  it("strikes from the nth request on, as often as its count says", () => {
    expect(strikes({ nth: 2 })).toEqual([false, true, false, false, false, false]);
    expect(strikes({ nth: 2, count: 3 })).toEqual([false, true, true, true, false, false]);
    expect(strikes({ count: 1 })).toEqual([true, false, false, false, false, false]);
  });

  it("strikes by chance, the same way with the same seed", () => {
    const struck = strikes({ probability: 0.25 }, klines, 1_000);
    expect(struck).toEqual(strikes({ probability: 0.25 }, klines, 1_000));
    const share = struck.filter(Boolean).length;
    expect(share).toBeGreaterThan(180);
    expect(share).toBeLessThan(320);
  });

  it.each<[object, object, boolean]>([
    [{ endpoint: "klines" }, {}, true],
    [{ endpoint: "/api/v3/klines" }, {}, true],
    [{ endpoint: "klines" }, { endpoint: "/api/v3/uiKlines" }, false],
    [{ symbols: ["BTC/USDT"] }, {}, true],
    [{ symbols: ["BTCUSDT"] }, {}, true],
    [{ symbols: ["ETHUSDT"] }, {}, false],
    [{ symbols: ["BTCUSDT"] }, { symbols: [] }, false],
    [{ from: 2_000, to: 3_000 }, {}, true],
    [{ from: 2_001 }, {}, false],
    [{ to: 1_000 }, {}, false],
    [{ clock_from: 10, clock_to: 11 }, {}, true],
    [{ clock_from: 11 }, {}, false],
    [{ clock_to: 10 }, {}, false],
    [{ exchange: "binance" }, {}, true],
    [{ exchange: "okx" }, {}, false],
    [{ exchange: "okx" }, { exchange: "okx" }, true],
    [{ kind: "code_200", code: "50026" }, {}, false],
    [{ kind: "code_200", code: "50026" }, { exchange: "okx" }, true],
    [{ kind: "lying_page", how: "empty" }, {}, true],
    [{ kind: "lying_page", how: "empty" }, { isPage: false }, false],
  ])("with %j strikes a request for %j: %s", (fault, asked, isStruck) => {
    expect(strikes(fault, asked, 1)).toEqual([isStruck]);
  });

  it("counts its strikes, and the first of the plan goes first", () => {
    const plan = parseFaultPlan({ faults: [{ kind: "hang", nth: 2 }, { kind: "http_5xx" }] });
    const injector = new FaultInjector(plan, 1);
    const kinds = [1, 2, 3].map(() => injector.strikeAnswer(klines, 10)?.kind);
    expect(kinds).toEqual(["http_5xx", "hang", "http_5xx"]);
    expect(injector.strikes()).toEqual([
      { index: 0, kind: "hang", strikes: 1 },
      { index: 1, kind: "http_5xx", strikes: 2 },
    ]);
  });
});
