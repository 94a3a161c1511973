// The ledger against a model that keeps one entry for each instant: any sequence of claims, in any order.
import fc from "fast-check";
import { expect, it } from "vitest";
import { intersectRanges, mergeRanges, type TimeRange } from "../../src/core/range.js";
import { applyClaims, type Claims, type CoverageRange } from "../../src/store/coverage-ledger.js";

const range = fc
  .tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 8 }))
  .map(([startMs, length]): TimeRange => ({ startMs, endMs: startMs + length }));
const evidence = fc.constantFrom("rest_page", "ws_sequence", "import");
const claims = fc.record({
  covered: fc.array(range, { maxLength: 4 }),
  evidence,
  voids: fc.array(
    fc.tuple(range, fc.nat()).map(([of, atMs]) => ({ ...of, proof: { asked: [{ atMs, request: "q" }] } })),
    { maxLength: 3 },
  ),
});

type Entry = Pick<CoverageRange, "evidence" | "proof">;

/** The rules, instant by instant. */
function note(ledger: Map<number, Entry>, page: Claims): void {
  for (const { startMs, endMs } of page.covered)
    for (let i = startMs; i < endMs; i++) {
      const known = ledger.get(i)?.evidence;
      const isOutranked = known === "import" && page.evidence !== "import";
      if (known === undefined || known === "exchange_void" || isOutranked)
        ledger.set(i, { evidence: page.evidence, proof: undefined });
    }
  for (const { startMs, endMs, proof } of page.voids)
    for (let i = startMs; i < endMs; i++)
      if (!ledger.has(i)) ledger.set(i, { evidence: "exchange_void", proof });
}

/** As the store does: only what touches the claims is read, and replaced. */
function noteAround(ranges: readonly CoverageRange[], page: Claims): CoverageRange[] {
  const all = [...page.covered, ...page.voids];
  if (all.length === 0) return [...ranges];
  const startMs = Math.min(...all.map((each) => each.startMs));
  const endMs = Math.max(...all.map((each) => each.endMs));
  const isNear = (each: TimeRange): boolean => each.startMs <= endMs && each.endMs >= startMs;
  const replaced = applyClaims(ranges.filter(isNear), page);
  return [...ranges.filter((each) => !isNear(each)), ...replaced].sort((a, b) => a.startMs - b.startMs);
}

it("any sequence of claims leaves what the rules say for each instant, in the fewest ranges that can say it", () => {
  fc.assert(
    fc.property(fc.array(claims, { minLength: 1, maxLength: 8 }), (pages) => {
      const model = new Map<number, Entry>();
      let ranges: CoverageRange[] = [];
      for (const page of pages) {
        note(model, page);
        ranges = noteAround(ranges, page);

        const written = new Map<number, Entry>();
        ranges.forEach((each, at) => {
          const before = ranges[at - 1];
          expect(each.endMs).toBeGreaterThan(each.startMs);
          expect(before === undefined || before.endMs <= each.startMs).toBe(true);
          const touches = before?.endMs === each.startMs && before.evidence === each.evidence;
          expect(touches && each.evidence !== "exchange_void").toBe(false);
          for (let i = each.startMs; i < each.endMs; i++)
            written.set(i, { evidence: each.evidence, proof: each.proof });
        });
        expect([...written].sort(([a], [b]) => a - b)).toEqual([...model].sort(([a], [b]) => a - b));
      }
    }),
    { numRuns: 500 },
  );
});

it("what a page covers is covered afterwards, whatever was on record", () => {
  fc.assert(
    fc.property(fc.array(claims, { maxLength: 5 }), claims, (pages, last) => {
      const before = pages.reduce<CoverageRange[]>((ranges, page) => applyClaims(ranges, page), []);
      const stored = applyClaims(before, last).filter((each) => each.evidence !== "exchange_void");
      expect(intersectRanges(stored, last.covered)).toEqual(mergeRanges(last.covered));
    }),
  );
});
