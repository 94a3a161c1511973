// Batches of trades delivered in any order, twice or not at all, against a naive ledger of single ids.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addTradeClaims, type TradeCoverage } from "../../src/store/trade-ledger.js";

/** Runs as a tracker claims them: each begins where the one before ended, ids go on. */
const runs = fc
  .array(fc.record({ trades: fc.integer({ min: 1, max: 5 }), ms: fc.constantFrom(0, 1, 2, 10, 500) }), {
    minLength: 1,
    maxLength: 20,
  })
  .map((parts) => {
    let startMs = 1_000_000;
    let firstId = 100;
    return parts.map(({ trades, ms }): TradeCoverage => {
      const run: TradeCoverage = {
        startMs,
        endMs: startMs + ms,
        evidence: "ws_sequence",
        ids: { firstId, lastId: firstId + trades - 1 },
      };
      startMs += ms;
      firstId += trades;
      return run;
    });
  });

function idsOf(ranges: readonly TradeCoverage[]): Set<number> {
  const ids = new Set<number>();
  for (const { ids: held } of ranges)
    if (held) for (let id = held.firstId; id <= held.lastId; id++) ids.add(id);
  return ids;
}

describe("addTradeClaims", () => {
  it("makes one range of runs that come in order", () => {
    fc.assert(
      fc.property(runs, (all) => {
        const first = all[0];
        const last = all.at(-1);
        let ledger: TradeCoverage[] = [];
        for (const run of all) ledger = addTradeClaims(ledger, [run]);
        // Runs that begin with no time at all have nothing to stand on yet.
        const begins = all.find((run) => run.endMs > run.startMs);
        if (!begins || !first || !last) {
          expect(ledger).toEqual([]);
          return;
        }
        expect(ledger.length).toBeLessThanOrEqual(1);
        expect(ledger[0]?.startMs).toBe(begins.startMs);
        expect(ledger[0]?.endMs).toBe(last.endMs);
        expect(ledger[0]?.ids).toEqual({ firstId: begins.ids?.firstId, lastId: last.ids?.lastId });
      }),
    );
  });

  it("never claims an id or an instant that no run has claimed, and never overlaps, whatever is lost, shuffled or repeated", () => {
    fc.assert(
      fc.property(
        runs.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray([...all, ...all], { minLength: 1 })),
        ),
        ([, delivered]) => {
          let ledger: TradeCoverage[] = [];
          for (const run of delivered) ledger = addTradeClaims(ledger, [run]);
          const claimed = idsOf(delivered);
          for (const id of idsOf(ledger)) expect(claimed).toContain(id);
          ledger.forEach((range, i) => {
            expect(range.endMs).toBeGreaterThan(range.startMs);
            const before = ledger[i - 1];
            if (!before) return;
            expect(range.startMs).toBeGreaterThanOrEqual(before.endMs);
            const isChained = (range.ids?.firstId ?? 0) === (before.ids?.lastId ?? 0) + 1;
            // Where ids are missing between two ranges there is time between them, so that the hole can be seen.
            if (!isChained) expect(range.startMs).toBeGreaterThan(before.endMs);
          });
          for (const range of ledger)
            expect(delivered.some((run) => run.startMs <= range.startMs && run.endMs >= range.startMs)).toBe(
              true,
            );
        },
      ),
    );
  });

  it("changes nothing when everything is delivered again", () => {
    fc.assert(
      fc.property(
        runs.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all))),
        ([all, again]) => {
          let ledger: TradeCoverage[] = [];
          for (const run of all) ledger = addTradeClaims(ledger, [run]);
          // Ids of a beginning without time stand on nothing the first time, and find their place the second.
          const timed = again.filter(
            (run) => (run.ids?.firstId ?? 0) >= (ledger[0]?.ids?.firstId ?? Infinity),
          );
          expect(addTradeClaims(ledger, timed)).toEqual(ledger);
        },
      ),
    );
  });

  it("closes a hole with what REST gives for it, beside what the stream gave", () => {
    const at = (
      startMs: number,
      endMs: number,
      firstId: number,
      lastId: number,
      evidence: TradeCoverage["evidence"],
    ) => ({
      startMs,
      endMs,
      evidence,
      ids: { firstId, lastId },
    });
    const stream = [at(0, 100, 1, 10, "ws_sequence"), at(150, 200, 16, 20, "ws_sequence")];
    expect(addTradeClaims(stream, [at(100, 150, 11, 15, "rest_page")])).toEqual([
      at(0, 100, 1, 10, "ws_sequence"),
      at(100, 150, 11, 15, "rest_page"),
      at(150, 200, 16, 20, "ws_sequence"),
    ]);
  });

  it("shows a batch that was lost although its neighbours share its millisecond", () => {
    const run = (startMs: number, endMs: number, firstId: number, lastId: number): TradeCoverage => ({
      startMs,
      endMs,
      evidence: "ws_sequence",
      ids: { firstId, lastId },
    });
    expect(addTradeClaims([run(0, 100, 1, 10)], [run(100, 200, 13, 20)])).toEqual([
      run(0, 99, 1, 10),
      run(100, 200, 13, 20),
    ]);
  });
});
