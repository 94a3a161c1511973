import { describe, expect, it } from "vitest";
import { CANDLE_FLAGS } from "../../../../src/core/model/candle-flags.js";
import { validateCandles, type CandleRow } from "../../../../src/pipeline/gate/validate-candles.js";
import { candleAt, minuteMs } from "../../../support/candles.js";

const OPTIONS = { timeframe: "1m", nowMs: minuteMs(1_440) } as const;
const row = (minute: number, change: Partial<CandleRow> = {}): CandleRow => ({
  openTimeMs: minuteMs(minute),
  open: "100.50",
  high: "101",
  low: "99.25",
  close: "100",
  volume: "12.345",
  quoteVolume: "1234.5",
  tradeCount: 7,
  ...change,
});

describe("validateCandles", () => {
  it("gives each row its verdict, in the order of the rows", () => {
    const result = validateCandles([row(1), row(2, { low: "102" }), row(3)], OPTIONS);
    expect(result.verdicts).toEqual([
      { verdict: "accept", candle: candleAt(1), flags: 0 },
      { verdict: "quarantine", rule: "candle.high_below_low", detail: "high 101 < low 102" },
      { verdict: "accept", candle: candleAt(3), flags: 0 },
    ]);
    expect(result.candles).toEqual([candleAt(1), candleAt(3)]);
    expect([...result.broken]).toEqual([["candle.high_below_low", 1]]);
  });

  it("counts the rows of each broken rule", () => {
    const rows = [row(1, { low: "0" }), row(2, { low: "-1" }), row(3, { open: "1e2" }), row(4)];
    expect([...validateCandles(rows, OPTIONS).broken]).toEqual([
      ["candle.price_not_positive", 2],
      ["candle.not_a_decimal", 1],
    ]);
  });

  it("takes back an earlier row that a later one contradicts", () => {
    const { verdicts, candles } = validateCandles([row(1), row(2), row(1, { close: "100.5" })], OPTIONS);
    expect(verdicts.map((each) => ("rule" in each ? each.rule : each.candle.openTimeMs))).toEqual([
      "candle.duplicate",
      minuteMs(2),
      "candle.out_of_order",
    ]);
    expect(candles).toHaveLength(1);
  });

  it("asks for neither a quote volume nor a trade count", () => {
    const { openTimeMs, open, high, low, close, volume } = row(1);
    const { verdicts } = validateCandles([{ openTimeMs, open, high, low, close, volume }], OPTIONS);
    const candle = candleAt(1, { quoteVolume: undefined, tradeCount: undefined });
    expect(verdicts).toEqual([{ verdict: "accept", candle, flags: 0 }]);
  });

  it.each(["open", "high", "low", "close", "volume", "quoteVolume"])(
    "refuses a %s that is a number: it may have lost digits already",
    (field) => {
      const { verdicts } = validateCandles([{ ...row(1), [field]: 100 }], OPTIONS);
      expect(verdicts).toMatchObject([{ verdict: "quarantine", rule: "candle.malformed" }]);
    },
  );

  it("refuses a candle that says it is still forming", () => {
    const { verdicts } = validateCandles([row(1, { isClosed: false }), row(2, { isClosed: true })], OPTIONS);
    expect(verdicts.map((each) => ("rule" in each ? each.rule : each.verdict))).toEqual([
      "candle.not_closed",
      "accept",
    ]);
  });

  it("flags what is remarkable beside the candles known before", () => {
    const before = Array.from({ length: 61 }, (_, i) => row(i));
    const rows = [row(61, { open: "150", close: "150", high: "150", volume: "9000" }), row(62)];
    const flagsOf = (options: object) =>
      validateCandles(rows, { ...OPTIONS, before, ...options }).verdicts.map((each) =>
        each.verdict === "accept" ? each.flags : undefined,
      );
    const { price_jump, volume_spike } = CANDLE_FLAGS;
    expect(flagsOf({})).toEqual([price_jump | volume_spike, price_jump]);
    expect(flagsOf({ maxVolumeSpike: 1_000 })).toEqual([price_jump, price_jump]);
    expect(flagsOf({ maxPriceJump: 1e6 })).toEqual([volume_spike, 0]);
  });
});
