import { expect, it } from "vitest";
import { EventTimes } from "../../../../../src/pipeline/feed/live/event-times.js";

const T0 = Date.UTC(2024, 0, 10);
const HOUR_MS = 3_600_000;

it("believes what is late by minutes, and nothing that has not come", () => {
  const times = new EventTimes();
  expect(times.believe(T0, T0)).toBe(T0);
  expect(times.believe(T0 - 599_000, T0)).toBe(T0 - 599_000);
  expect(times.believe(T0 + 540_000, T0 + 100)).toBeUndefined();
  expect(times.believe(T0 + 200, T0 + 200)).toBe(T0 + 200);
});

it.each([HOUR_MS, -HOUR_MS])("believes events that go on while our clock is off by %i ms", (offMs) => {
  const times = new EventTimes();
  times.believe(T0, T0);
  const believed = [1, 2, 3, 4].map((s) => times.believe(T0 + s * 1_000, T0 + s * 1_000 + offMs));
  expect(believed).toEqual([undefined, undefined, T0 + 3_000, T0 + 4_000]);
});

it("takes several events of one millisecond for one step", () => {
  const times = new EventTimes();
  const believed = [1, 1, 1, 2, 3].map((s) => times.believe(T0 + s * 1_000, T0 + HOUR_MS));
  expect(believed).toEqual([undefined, undefined, undefined, undefined, T0 + 3_000]);
});

it("takes our time where events have none, one of another day, or never agree with each other", () => {
  const times = new EventTimes();
  expect(times.believe(undefined, T0)).toBe(T0);
  expect(times.believe(0, T0)).toBe(T0);
  const constant = Array.from({ length: 120 }, (_, i) => times.believe(T0 - HOUR_MS, T0 + i));
  expect(new Set(constant.slice(0, 100))).toEqual(new Set([undefined]));
  expect(constant.at(-1)).toBe(T0 + 119);
});
