import { describe, expect, it } from "vitest";
import type { TimeRange } from "../../../src/core/range.js";
import { applyClaims, runsOf, type Claims, type CoverageRange } from "../../../src/store/coverage-ledger.js";

const range = (startMs: number, endMs: number): TimeRange => ({ startMs, endMs });
const proofOf = (request: string) => ({
  asked: [
    { atMs: 1, request },
    { atMs: 2, request },
  ],
});
const onRecord = (
  startMs: number,
  endMs: number,
  evidence: Exclude<CoverageRange["evidence"], "exchange_void">,
): CoverageRange => ({ startMs, endMs, evidence, proof: undefined });
const voidOnRecord = (startMs: number, endMs: number, request = "q"): CoverageRange => ({
  startMs,
  endMs,
  evidence: "exchange_void",
  proof: proofOf(request),
});
const rows = (covered: readonly TimeRange[], evidence: Claims["evidence"] = "rest_page"): Claims => ({
  covered,
  evidence,
  voids: [],
});
const voids = (...claims: [number, number, string][]): Claims => ({
  covered: [],
  evidence: "rest_page",
  voids: claims.map(([startMs, endMs, request]) => ({ startMs, endMs, proof: proofOf(request) })),
});

describe("applyClaims", () => {
  it("enters what a page covers", () => {
    expect(applyClaims([], rows([range(0, 3), range(5, 6)]))).toEqual([
      onRecord(0, 3, "rest_page"),
      onRecord(5, 6, "rest_page"),
    ]);
  });

  it("joins neighbours of the same evidence on both sides", () => {
    const before = [onRecord(0, 2, "rest_page"), onRecord(4, 6, "rest_page")];
    expect(applyClaims(before, rows([range(2, 4)]))).toEqual([onRecord(0, 6, "rest_page")]);
  });

  it("keeps neighbours of other evidence apart", () => {
    expect(applyClaims([onRecord(0, 2, "import")], rows([range(2, 4)]))).toEqual([
      onRecord(0, 2, "import"),
      onRecord(2, 4, "rest_page"),
    ]);
  });

  it("lets a row cut the void it lies in, each part keeping the proof", () => {
    expect(applyClaims([voidOnRecord(0, 10)], rows([range(4, 5)]))).toEqual([
      voidOnRecord(0, 4),
      onRecord(4, 5, "rest_page"),
      voidOnRecord(5, 10),
    ]);
  });

  it("lets a row of an imported file cut a void too", () => {
    expect(applyClaims([voidOnRecord(0, 3)], rows([range(0, 3)], "import"))).toEqual([
      onRecord(0, 3, "import"),
    ]);
  });

  it("replaces a file's evidence by the exchange's where both speak", () => {
    expect(applyClaims([onRecord(0, 10, "import")], rows([range(2, 12)]))).toEqual([
      onRecord(0, 2, "import"),
      onRecord(2, 12, "rest_page"),
    ]);
  });

  it("never replaces the exchange's evidence by a file's", () => {
    expect(applyClaims([onRecord(2, 4, "rest_page")], rows([range(0, 6)], "import"))).toEqual([
      onRecord(0, 2, "import"),
      onRecord(2, 4, "rest_page"),
      onRecord(4, 6, "import"),
    ]);
  });

  it("keeps the first of two kinds of the exchange's evidence", () => {
    expect(applyClaims([onRecord(0, 4, "ws_sequence")], rows([range(2, 6)]))).toEqual([
      onRecord(0, 4, "ws_sequence"),
      onRecord(4, 6, "rest_page"),
    ]);
  });

  it("believes a void only where nothing is stored", () => {
    const before = [onRecord(2, 4, "import"), onRecord(6, 7, "rest_page")];
    expect(applyClaims(before, voids([0, 10, "q"]))).toEqual([
      voidOnRecord(0, 2),
      onRecord(2, 4, "import"),
      voidOnRecord(4, 6),
      onRecord(6, 7, "rest_page"),
      voidOnRecord(7, 10),
    ]);
  });

  it("does not let a page claim void what it holds itself", () => {
    const claims: Claims = { ...rows([range(3, 5)]), voids: [{ ...range(0, 8), proof: proofOf("q") }] };
    expect(applyClaims([], claims)).toEqual([
      voidOnRecord(0, 3),
      onRecord(3, 5, "rest_page"),
      voidOnRecord(5, 8),
    ]);
  });

  it("merges no voids, for each has its own proof, and keeps the first proof of what is void already", () => {
    expect(applyClaims([voidOnRecord(0, 3, "old")], voids([2, 5, "new"], [5, 6, "new"]))).toEqual([
      voidOnRecord(0, 3, "old"),
      voidOnRecord(3, 5, "new"),
      voidOnRecord(5, 6, "new"),
    ]);
  });

  it("changes nothing when the same claims come again", () => {
    const claims: Claims = {
      ...rows([range(0, 2), range(4, 6)]),
      voids: [{ ...range(2, 4), proof: proofOf("q") }],
    };
    const once = applyClaims([], claims);
    expect(applyClaims(once, claims)).toEqual(once);
  });
});

describe("runsOf", () => {
  it("joins candles that follow one another, by the timeframe's length", () => {
    expect(runsOf([0, 60, 120, 240, 300, 420], 60)).toEqual([
      range(0, 180),
      range(240, 360),
      range(420, 480),
    ]);
  });

  it("finds no run without candles", () => {
    expect(runsOf([], 60)).toEqual([]);
  });
});

it("applies a page of many holes quickly to a series of thousands of voids", () => {
  const record = Array.from({ length: 5_000 }, (_, i) => voidOnRecord(4 * i, 4 * i + 1));
  const runs = Array.from({ length: 500 }, (_, i) => range(4 * i + 1, 4 * i + 3));
  const found = runs.map(({ endMs }) => ({ ...range(endMs, endMs + 1), proof: proofOf("q") }));
  const startedMs = performance.now();
  const next = applyClaims(record, { ...rows(runs), voids: found });
  expect(next).toHaveLength(5_000 + 500 + 500);
  // Some 50 ms; three seconds when each claim was compared with each range on record.
  expect(performance.now() - startedMs).toBeLessThan(1_000);
});
