// A stream that drops, repeats and reorders, against the truth: every id is stored, or missing by its exact number, and the
// runs claim nothing else.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { TradeBatch } from "../../src/core/model/record-batch.js";
import { TradeTracker } from "../../src/pipeline/feed/live/trade-tracker.js";
import { tradeCandidate } from "../support/trades.js";

const START_MS = 1_700_000_000_000;

/** What a stream does with a trade: nothing, drop it, send it again later, or hold it back for so many others. */
const fate = fc.oneof(
  { weight: 10, arbitrary: fc.constant({ kind: "sent" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "dropped" as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("repeated" as const), by: fc.integer({ min: 0, max: 5 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("late" as const), by: fc.integer({ min: 1, max: 5 }) }),
  },
);

it("accounts for every id: stored once, or missing by number; and claims only what it has", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ fate, stepMs: fc.constantFrom(0, 0, 1, 40, 3_000) }), {
        minLength: 2,
        maxLength: 80,
      }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
      (plan, takes) => {
        let timeMs = START_MS;
        const sent: { at: number; id: number; timeMs: number }[] = [];
        plan.forEach(({ fate: what, stepMs }, i) => {
          timeMs += stepMs;
          const one = { id: 100 + i, timeMs };
          if (what.kind === "dropped" && i > 0) return;
          sent.push({ at: what.kind === "late" && i > 0 ? i + what.by + 0.5 : i, ...one });
          if (what.kind === "repeated") sent.push({ at: i + what.by + 0.25, ...one });
        });
        sent.sort((a, b) => a.at - b.at);
        const tracker = new TradeTracker({
          marketId: 1,
          numbering: "record",
          position: undefined,
          heldMax: 1_000,
        });
        const batches: TradeBatch[] = [];
        let nowMs = START_MS;
        sent.forEach(({ id, timeMs: tradeMs }, i) => {
          nowMs = Math.max(nowMs, tradeMs);
          tracker.add([tradeCandidate(id, tradeMs)], { receivedMs: nowMs, exchangeNowMs: nowMs });
          const batch = takes[i % takes.length] ? tracker.take(nowMs) : undefined;
          if (batch) batches.push(batch);
        });
        const last = tracker.finish();
        if (last) batches.push(last);

        const stored = batches.flatMap(({ trades }) => trades.map(({ id }) => id));
        expect(new Set(stored).size).toBe(stored.length);
        const missing = batches
          .flatMap((each) => each.missing)
          .flatMap(({ firstId, lastId }) => idsOf(firstId, lastId));
        const claimed = batches
          .flatMap((each) => each.runs)
          .flatMap(({ firstId, lastId }) => idsOf(firstId, lastId));
        const highest = Math.max(...sent.map(({ id }) => id));
        const lowest = sent[0]?.id ?? 0;
        // From the first id seen to the last: claimed or missing, never both, never neither.
        expect([...claimed, ...missing].sort((a, b) => a - b)).toEqual(idsOf(lowest, highest));
        for (const id of claimed) expect(stored).toContain(id);
        for (const { id } of sent) if (id >= lowest) expect(stored).toContain(id);

        // In time: runs and holes follow each other without overlap.
        const ranges = batches
          .flatMap((each) => [...each.runs, ...each.missing])
          .sort((a, b) => a.firstId - b.firstId);
        ranges.forEach((range, i) => {
          expect(range.endMs).toBeGreaterThanOrEqual(range.startMs);
          const before = ranges[i - 1];
          if (before) expect(range.startMs).toBe(before.endMs);
        });
      },
    ),
    { numRuns: 300 },
  );
});

function idsOf(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i);
}
