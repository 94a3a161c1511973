import { expect, it } from "vitest";
import { checkedWindow } from "../../../../src/upkeep/quality/checked-window.js";

const at = (time: string): number => Date.parse(`2024-01-03T${time}Z`);
const DAY_MS = 86_400_000;

it("looks back over the candles closed before now", () => {
  expect(checkedWindow({ lookbackMs: 600_000 }, "1m", at("12:00:30"))).toEqual({
    timeframe: "1m",
    startMs: at("11:50:00"),
    endMs: at("12:00:00"),
  });
});

it("takes in the whole candle in which the look back begins", () => {
  expect(checkedWindow({ lookbackMs: 90 * 60_000 }, "1h", at("12:30:00"))).toEqual({
    timeframe: "1h",
    startMs: at("10:00:00"),
    endMs: at("12:00:00"),
  });
});

it("sees the last closed candle of a day in a look back of a day, and of a week in one of a minute", () => {
  expect(checkedWindow({ lookbackMs: DAY_MS }, "1d", at("12:00:00"))).toEqual({
    timeframe: "1d",
    startMs: Date.parse("2024-01-02"),
    endMs: Date.parse("2024-01-03"),
  });
  expect(checkedWindow({ lookbackMs: 60_000 }, "1w", at("12:00:00"))).toEqual({
    timeframe: "1w",
    startMs: Date.parse("2023-12-25"),
    endMs: Date.parse("2024-01-01"),
  });
});

it("keeps to the candles that lie wholly in a range", () => {
  const range = { startMs: at("10:15:00"), endMs: at("12:45:00") };
  expect(checkedWindow({ range }, "1h", at("20:00:00"))).toEqual({
    timeframe: "1h",
    startMs: at("11:00:00"),
    endMs: at("12:00:00"),
  });
});

it("is empty where no candle fits into the range", () => {
  const range = { startMs: at("10:15:00"), endMs: at("10:45:00") };
  const { startMs, endMs } = checkedWindow({ range }, "1h", at("20:00:00"));
  expect(endMs).toBe(startMs);
});
