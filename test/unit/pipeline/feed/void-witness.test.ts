import { describe, expect, it } from "vitest";
import type { VoidClaim } from "../../../../src/core/model/candle-batch.js";
import {
  claimsInDoubt,
  hearWitnesses,
  withBelieved,
  witnessesAround,
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
  const around = (
    claims: readonly VoidClaim[],
    {
      pageRows = 10,
      latest = 1_000,
      stored = [],
    }: { pageRows?: number; latest?: number; stored?: readonly number[] } = {},
  ) =>
    witnessesAround(claims, [], {
      timeframe: "1m",
      exchangeNowMs: NOW_MS,
      pageRows,
      latestSeenMs: minuteMs(latest),
      stored: (beforeMs, count) =>
        Promise.resolve(
          stored
            .map(minuteMs)
            .filter((timeMs) => timeMs < beforeMs)
            .slice(-count),
        ),
    });
  const near = { stored: [20, 40, 998] };

  it("takes in three candles on both sides of the claims", async () => {
    expect((await around([claim(10, 20), claim(30, 40)], near)).question).toEqual(range(7, 43));
  });

  it("takes in fewer where a page would hold nothing else", async () => {
    expect((await around([claim(10, 20)], { ...near, pageRows: 2 })).question).toEqual(range(9, 21));
  });

  it("does not ask for what is not closed", async () => {
    expect((await around([claim(990, 998)], near)).question).toEqual(range(987, 1_000));
    expect((await around([claim(990, 1_000)], { ...near, latest: 989 })).question).toEqual(range(987, 1_000));
  });

  it("does not ask for a time before 1970", async () => {
    const first = { ...claim(0, 1), startMs: 60_000, endMs: 120_000 };
    expect((await around([first], near)).question.startMs).toBe(0);
  });

  it("reaches to the latest candle the exchange has shown where none is known nearer behind the claims", async () => {
    const { question, known } = await around([claim(10, 20)], { stored: [8, 9], latest: 700 });
    expect(question).toEqual(range(7, 701));
    expect([...known]).toEqual([8, 9, 700].map(minuteMs));
  });
});

describe("wider answers", () => {
  const claims = [claim(10, 20), claim(30, 40)];
  /** An exchange that has candles at `minutes` and gives `limit` of them at once. */
  const hear = (minutes: readonly number[], known: readonly number[], limit = 10) => {
    const asked: (readonly [number, number])[] = [];
    const heard = hearWitnesses(
      ({ startMs, endMs }) => {
        asked.push([startMs, endMs]);
        const rows = rowsAt(...minutes).filter(
          ({ openTimeMs = 0 }) => openTimeMs >= startMs && openTimeMs < endMs,
        );
        const given = rows.slice(0, limit);
        const last = given.at(-1)?.openTimeMs;
        const provenToMs = last === undefined ? endMs : last + 60_000;
        return Promise.resolve({ candidates: given, provenToMs, request: `/wider${asked.length}` });
      },
      claims,
      { question: range(7, 43), known: new Set(known.map(minuteMs)) },
    );
    return heard.then(({ contradicts, believed }) => ({ contradicts, believed, questions: asked.length }));
  };

  it("confirm every claim when the known neighbours are there and nothing else", async () => {
    expect(await hear([7, 8, 9, 25, 40], [8, 9])).toMatchObject({ contradicts: false, believed: claims });
  });

  it("contradict when a row lies in a claim", async () => {
    expect((await hear([7, 8, 9, 10], [8, 9])).contradicts).toBe(true);
    expect((await hear([7, 8, 9, 39], [8, 9])).contradicts).toBe(true);
  });

  it("do not contradict by a row between the claims or beside them", async () => {
    expect(await hear([9, 20, 29, 40], [9])).toMatchObject({ contradicts: false, believed: claims });
  });

  it("are worth nothing when a known neighbour is not in them", async () => {
    expect(await hear([7, 8, 40], [8, 9])).toMatchObject({ contradicts: false, believed: [] });
  });

  it("are asked for until they have crossed the claims, and no further", async () => {
    expect(await hear([7, 8, 9, 25, 40, 41, 42], [9, 40], 2)).toEqual({
      contradicts: false,
      believed: claims,
      questions: 3,
    });
  });

  it("are worth nothing when a node ends before what is known behind the claims", async () => {
    expect(await hear([7, 8, 9], [9, 42])).toMatchObject({ contradicts: false, believed: [] });
  });

  it("prove nothing where a question is not answered", async () => {
    const heard = await hearWitnesses(() => Promise.resolve(undefined), claims, {
      question: range(7, 43),
      known: new Set([minuteMs(9)]),
    });
    expect(heard).toEqual({ page: undefined, contradicts: false, believed: [] });
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
