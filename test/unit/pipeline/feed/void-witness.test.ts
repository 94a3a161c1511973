import { describe, expect, it } from "vitest";
import type { VoidClaim } from "../../../../src/core/model/candle-batch.js";
import {
  claimsInDoubt,
  hearWitness,
  widerQuestion,
  withBelieved,
} from "../../../../src/pipeline/feed/void-witness.js";
import { batchOf, candlesBetween, minuteMs } from "../../../support/candles.js";
import { rowsAt } from "../gate/candidates.js";

const NOW_MS = minuteMs(1_000) + 30_000;
const claim = (from: number, to: number): VoidClaim => ({
  startMs: minuteMs(from),
  endMs: minuteMs(to),
  proof: { asked: [{ atMs: 1, request: "/first" }] },
});
const range = (from: number, to: number) => ({ startMs: minuteMs(from), endMs: minuteMs(to) });

describe("claims in doubt", () => {
  it("are all of an empty page, and of others those longer than a page", () => {
    const voids = [claim(10, 20), claim(30, 41)];
    expect(claimsInDoubt(batchOf(5, [], { voids }), 10)).toEqual(voids);
    expect(claimsInDoubt(batchOf(5, candlesBetween(50, 51), { voids }), 10)).toEqual([claim(30, 41)]);
  });
});

describe("a wider question", () => {
  const ask = (claims: readonly VoidClaim[], pageRows = 10) =>
    widerQuestion(claims, { timeframe: "1m", exchangeNowMs: NOW_MS, pageRows });

  it("takes in three candles on both sides of the claims", () => {
    expect(ask([claim(10, 20), claim(30, 40)])).toEqual(range(7, 43));
  });

  it("takes in fewer where a page would hold nothing else", () => {
    expect(ask([claim(10, 20)], 2)).toEqual(range(9, 21));
  });

  it("does not ask for what is not closed", () => {
    expect(ask([claim(990, 998)])).toEqual(range(987, 1_000));
    expect(ask([claim(990, 1_000)])).toEqual(range(987, 1_000));
  });

  it("does not ask for a time before 1970", () => {
    expect(ask([{ ...claim(0, 1), startMs: 60_000, endMs: 120_000 }]).startMs).toBe(60_000);
  });
});

describe("a wider answer", () => {
  const claims = [claim(10, 20), claim(30, 40)];
  const hear = (minutes: readonly number[], known: readonly number[], limit = 10) =>
    hearWitness(
      { candidates: rowsAt(...minutes), provenToMs: minuteMs(43), request: "/wider" },
      { claims, known: new Set(known.map(minuteMs)), question: range(7, 43), limit, timeframe: "1m" },
    );

  it("confirms every claim when the known neighbours are there and nothing else", () => {
    expect(hear([7, 8, 9, 25, 40], [8, 9])).toEqual({ contradicts: false, believed: claims });
  });

  it("contradicts when a row lies in a claim", () => {
    expect(hear([7, 8, 9, 10], [8, 9]).contradicts).toBe(true);
    expect(hear([7, 8, 9, 39], [8, 9]).contradicts).toBe(true);
  });

  it("does not contradict by a row between the claims or beside them", () => {
    expect(hear([9, 20, 29, 40], [9])).toEqual({ contradicts: false, believed: claims });
  });

  it("is worth nothing when a known neighbour is not in it", () => {
    expect(hear([7, 8, 40], [8, 9])).toEqual({ contradicts: false, believed: [] });
  });

  it("confirms as far as its last row when it is as long as an answer may be", () => {
    expect(hear([7, 8, 9, 25], [9, 40], 4)).toEqual({ contradicts: false, believed: [claim(10, 20)] });
  });
});

it("claims that are not believed stay missing, and those that are have the wider question in their proof", () => {
  const doubted = [claim(10, 20), claim(30, 40)];
  const batch = batchOf(5, [], { voids: [claim(0, 2), ...doubted], receivedMs: 77 });
  const believed = doubted.slice(0, 1);
  const result = withBelieved(batch, doubted, { believed, request: "/wider", nextAskMs: () => 99 });
  const asked = [
    { atMs: 1, request: "/first" },
    { atMs: 77, request: "/wider" },
  ];
  expect(result.voids).toEqual([claim(0, 2), { ...claim(10, 20), proof: { asked } }]);
  expect(result.missing).toEqual([{ ...range(30, 40), reason: "absent", detail: "/wider", nextAskMs: 99 }]);
});
