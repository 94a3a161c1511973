import { describe, expect, it } from "vitest";
import { CANDLE_FLAGS } from "../../../../src/core/model/candle-flags.js";
import { flagCandles, type FlagContext, type Neighbour } from "../../../../src/pipeline/gate/candle-flags.js";
import { minuteMs } from "../../../support/candles.js";

const { price_jump: JUMP, volume_spike: SPIKE } = CANDLE_FLAGS;
const CONTEXT: FlagContext = { timeframe: "1m", maxPriceJump: 20, maxVolumeSpike: 50, before: [] };

/** Closes go up and down by 10 basis points; volumes are 1. */
const calm = (minute: number, change: Partial<Neighbour> = {}): Neighbour => ({
  openTimeMs: minuteMs(minute),
  close: minute % 2 === 0 ? "100" : "100.1",
  volume: "1",
  ...change,
});
const calmBetween = (from: number, to: number): Neighbour[] =>
  Array.from({ length: to - from }, (_, i) => calm(from + i));
const flat = (from: number, to: number, change: Partial<Neighbour> = {}): Neighbour[] =>
  Array.from({ length: to - from }, (_, i) => calm(from + i, { close: "100", ...change }));

function flagged(candles: readonly Neighbour[], change: Partial<FlagContext> = {}): [number, number][] {
  const flags = flagCandles(candles, { ...CONTEXT, ...change });
  return [...flags].map(([openTimeMs, bits]) => [(openTimeMs - minuteMs(0)) / 60_000, bits]);
}

describe("a price jump", () => {
  it("is a return above so many times the usual one, and none at a little less", () => {
    // The usual return is ln(1.001): 20 times that from 100 on is 102.019…
    const before = calmBetween(0, 60);
    expect(flagged([calm(60, { close: "102.12" })], { before: flat(0, 60) })).toEqual([[60, JUMP]]);
    const at = (close: string) =>
      flagged([calm(60, { close })], { before: before.slice(0, 59).concat(calm(59, { close: "100" })) });
    expect(at("102.03")).toEqual([[60, JUMP]]);
    expect(at("102.01")).toEqual([]);
  });

  it("counts downwards as upwards", () => {
    const before = calmBetween(0, 60);
    expect(flagged([calm(60, { close: "95" })], { before })).toEqual([[60, JUMP]]);
  });

  it("is seen going and coming back", () => {
    const page = [...calmBetween(0, 70), calm(70, { close: "150" }), ...calmBetween(71, 90)];
    expect(flagged(page)).toEqual([
      [70, JUMP],
      [71, JUMP],
    ]);
  });

  it("is measured by no more than the last 60 candles", () => {
    const wild = Array.from({ length: 60 }, (_, i) => calm(i, { close: i % 2 === 0 ? "100" : "110" }));
    const page = [...wild, ...calmBetween(60, 121), calm(121, { close: "103" })];
    expect(flagged(page)).toEqual([[121, JUMP]]);
    const sooner = [...wild, ...calmBetween(60, 80), calm(80, { close: "103" })];
    expect(flagged(sooner)).toEqual([]);
  });

  it("is not the step across a hole: the candles are not adjacent", () => {
    const before = calmBetween(0, 60);
    expect(flagged([calm(61, { close: "150" })], { before })).toEqual([]);
  });

  it("of a market that does not move at all begins at 20 times 2 basis points", () => {
    const before = flat(0, 60);
    // ln(1.00401) is 40.02 basis points, ln(1.00399) is 39.82.
    expect(flagged([calm(60, { close: "100.401" })], { before })).toEqual([[60, JUMP]]);
    expect(flagged([calm(60, { close: "100.399" })], { before })).toEqual([]);
  });

  it("follows the threshold that is set", () => {
    const page = [calm(60, { close: "101" })];
    expect(flagged(page, { before: calmBetween(0, 60), maxPriceJump: 20 })).toEqual([]);
    expect(flagged(page, { before: calmBetween(0, 60), maxPriceJump: 2 })).toEqual([[60, JUMP]]);
  });
});

describe("a volume spike", () => {
  it("is a volume above so many times the median, and none at exactly that", () => {
    const before = calmBetween(0, 60);
    expect(flagged([calm(60, { volume: "50" })], { before })).toEqual([]);
    expect(flagged([calm(60, { volume: "50.000001" })], { before })).toEqual([[60, SPIKE]]);
  });

  it("is measured by minutes with trades only", () => {
    const sparse = calmBetween(0, 60).map((each, i) => (i % 5 === 0 ? each : { ...each, volume: "0" }));
    expect(flagged([calm(60, { volume: "51" })], { before: sparse })).toEqual([[60, SPIKE]]);
  });

  it("is not judged by fewer than ten volumes", () => {
    const with_ = (count: number): Neighbour[] =>
      calmBetween(0, 60).map((each, i) => (i < count ? each : { ...each, volume: "0" }));
    expect(flagged([calm(60, { volume: "1000" })], { before: with_(9) })).toEqual([]);
    expect(flagged([calm(60, { volume: "1000" })], { before: with_(10) })).toEqual([[60, SPIKE]]);
  });

  it("and a price jump of one candle stand side by side", () => {
    const page = [calm(60, { close: "150", volume: "1000" })];
    expect(flagged(page, { before: calmBetween(0, 60) })).toEqual([[60, JUMP | SPIKE]]);
  });
});

describe("the start of a series", () => {
  it("is judged by the candles after it as well", () => {
    const page = [...calmBetween(0, 5), calm(5, { close: "150", volume: "1000" }), ...calmBetween(6, 30)];
    expect(flagged(page)).toEqual([
      [5, JUMP | SPIKE],
      [6, JUMP],
    ]);
  });

  it("is not judged where there are too few candles in all", () => {
    const page = [...calmBetween(0, 5), calm(5, { close: "150", volume: "1000" }), ...calmBetween(6, 10)];
    expect(flagged(page)).toEqual([]);
  });

  it("is judged by what came before alone from the twentieth candle on", () => {
    const wildAfter = Array.from({ length: 60 }, (_, i) =>
      calm(21 + i, { close: i % 2 === 0 ? "100" : "150" }),
    );
    const page = [...calmBetween(0, 20), calm(20, { close: "105" }), ...wildAfter];
    expect(flagged(page)[0]).toEqual([20, JUMP]);
  });

  it("has nothing to compare its very first candle with", () => {
    expect(flagged([calm(0, { close: "9000" }), ...calmBetween(1, 40)]).map(([minute]) => minute)).toEqual([
      1,
    ]);
  });
});

it("no candles have no flags", () => {
  expect(flagged([], { before: calmBetween(0, 60) })).toEqual([]);
});
