import { describe, expect, it } from "vitest";
import { Histogram, LabelledCounts } from "../../../src/core/counts.js";

describe("LabelledCounts", () => {
  it("counts by all labels together", () => {
    const counts = new LabelledCounts(["a", "b"]);
    counts.add({ a: "1", b: "2" });
    counts.add({ b: "2", a: "1" }, 4);
    counts.add({ a: "12", b: "" });
    expect([...counts]).toEqual([
      { labels: { a: "1", b: "2" }, count: 5 },
      { labels: { a: "12", b: "" }, count: 1 },
    ]);
  });

  it("counts what comes after the last combination it holds as one", () => {
    const counts = new LabelledCounts(["a"], { combinationsMax: 2 });
    for (const a of ["1", "2", "3", "4", "1"]) counts.add({ a });
    expect([...counts].map(({ labels, count }) => [labels.a, count])).toEqual([
      ["1", 2],
      ["2", 1],
      ["other", 2],
    ]);
  });
});

describe("Histogram", () => {
  it("counts a value in the first range whose upper bound it does not exceed", () => {
    const histogram = new Histogram([1, 5]);
    for (const value of [0, 1, 1.5, 5, 6]) histogram.observe(value);
    expect(histogram.counts).toEqual([2, 2, 1]);
    expect([histogram.sum, histogram.count]).toEqual([13.5, 5]);
  });

  it("adds another one", () => {
    const sum = new Histogram([1]);
    const part = new Histogram([1]);
    part.observe(0.5);
    part.observe(3);
    sum.observe(2);
    sum.add(part);
    expect([sum.counts, sum.sum, sum.count]).toEqual([[1, 2], 5.5, 3]);
  });
});
