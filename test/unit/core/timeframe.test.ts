import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ceilToTimeframe,
  floorToTimeframe,
  isOnGrid,
  isTimeframe,
  timeframeMs,
  TIMEFRAMES,
  type Timeframe,
} from "../../../src/core/timeframe.js";

const utc = (text: string): number => Date.parse(`${text}Z`);

describe("timeframes", () => {
  it("have these lengths, shortest first", () => {
    const minutes = {
      "1m": 1,
      "3m": 3,
      "5m": 5,
      "15m": 15,
      "30m": 30,
      "1h": 60,
      "2h": 120,
      "4h": 240,
      "6h": 360,
    };
    const longer = { "8h": 480, "12h": 720, "1d": 1_440, "1w": 10_080 };
    const expected = Object.entries({ ...minutes, ...longer }).map(([name, each]) => [name, each * 60_000]);
    expect(TIMEFRAMES.map((name) => [name, timeframeMs(name)])).toEqual(expected);
  });

  it("are known by their exact names only", () => {
    expect(TIMEFRAMES.every(isTimeframe)).toBe(true);
    for (const text of ["1M", "60s", "1s", "", "toString", "__proto__", " 1m", "1m "])
      expect(isTimeframe(text), text).toBe(false);
  });
});

describe("the grid", () => {
  const thursday = "2024-02-29T13:47:31.250";
  it.each<[Timeframe, string]>([
    ["1m", "2024-02-29T13:47:00"],
    ["3m", "2024-02-29T13:45:00"],
    ["5m", "2024-02-29T13:45:00"],
    ["15m", "2024-02-29T13:45:00"],
    ["30m", "2024-02-29T13:30:00"],
    ["1h", "2024-02-29T13:00:00"],
    ["2h", "2024-02-29T12:00:00"],
    ["4h", "2024-02-29T12:00:00"],
    ["6h", "2024-02-29T12:00:00"],
    ["8h", "2024-02-29T08:00:00"],
    ["12h", "2024-02-29T12:00:00"],
    ["1d", "2024-02-29T00:00:00"],
    ["1w", "2024-02-26T00:00:00"],
  ])("of %s puts a Thursday's time into the candle of %s", (timeframe, openTime) => {
    expect(floorToTimeframe(utc(thursday), timeframe)).toBe(utc(openTime));
    expect(ceilToTimeframe(utc(thursday), timeframe)).toBe(utc(openTime) + timeframeMs(timeframe));
  });

  it("of weeks begins on Monday at midnight, also before 1970", () => {
    expect(floorToTimeframe(utc("2024-01-07T23:59:59.999"), "1w")).toBe(utc("2024-01-01T00:00:00"));
    expect(floorToTimeframe(utc("2024-01-08T00:00:00"), "1w")).toBe(utc("2024-01-08T00:00:00"));
    expect(floorToTimeframe(0, "1w")).toBe(utc("1969-12-29T00:00:00"));
    expect(floorToTimeframe(utc("1969-12-28T12:00:00"), "1w")).toBe(utc("1969-12-22T00:00:00"));
  });

  it("floors towards the past before 1970 too", () => {
    expect(floorToTimeframe(-1, "1m")).toBe(-60_000);
    expect(ceilToTimeframe(-1, "1m")).toBeCloseTo(0, 10);
    expect(floorToTimeframe(-60_000, "1m")).toBe(-60_000);
    expect(floorToTimeframe(-86_400_001, "1d")).toBe(-2 * 86_400_000);
  });

  it("holds a time between its floor and its ceiling, less than one candle apart", () => {
    const timeMs = fc.integer({ min: -5_000_000_000_000, max: 5_000_000_000_000 });
    fc.assert(
      fc.property(timeMs, fc.constantFrom(...TIMEFRAMES), (time, timeframe) => {
        const floor = floorToTimeframe(time, timeframe);
        const ceil = ceilToTimeframe(time, timeframe);
        const length = timeframeMs(timeframe);
        expect(floor <= time && time < floor + length).toBe(true);
        expect(ceil >= time && ceil - length < time).toBe(true);
        expect([isOnGrid(floor, timeframe), isOnGrid(ceil, timeframe)]).toEqual([true, true]);
        expect(isOnGrid(time, timeframe)).toBe(floor === time);
        if (timeframe === "1w") expect(new Date(floor).getUTCDay()).toBe(1);
        else expect(Math.abs(floor % length)).toBe(0);
      }),
    );
  });

  it("holds no time that is not a number", () => {
    expect(isOnGrid(Number.NaN, "1m")).toBe(false);
  });
});
