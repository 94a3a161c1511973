// The gate against garbage, and its verdicts against a plain second opinion in integers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CandleCandidate } from "../../src/core/model/candle.js";
import { checkCandles } from "../../src/pipeline/gate/candle-gate.js";
import { minuteMs } from "../support/candles.js";

const NOW_MS = minuteMs(8) + 30_000;
const SCALE = 70;

const price = fc.constantFrom("9", "9.5", "9.50", "10", "010.0", "10.25", "11");
const amount = fc.constantFrom("0", "0.0", "1", "1.000", "2.5", "-0", "-1");
const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 80 }),
  fc.constantFrom("", "-", "1e3", "NaN", "Infinity"),
);
const minute = fc.integer({ min: 0, max: 10 }).map(minuteMs);
const anyTime = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.integer().map((each) => each * 60_000 * 2 ** 20),
  fc.constantFrom(
    undefined,
    Infinity,
    -Infinity,
    0,
    -60_000,
    8.64e15,
    -8.64e15,
    9e15,
    -9e15,
    minuteMs(3) + 1,
    minuteMs(3) * 1_000,
  ),
);
const sometimes = <T>(usual: fc.Arbitrary<T>, ...odd: fc.Arbitrary<T>[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: usual }, ...odd.map((arbitrary) => ({ weight: 1, arbitrary })));
const field = (usual: fc.Arbitrary<string>): fc.Arbitrary<string | undefined> =>
  sometimes<string | undefined>(usual, anyText, fc.constant(undefined));
const optional = (usual: fc.Arbitrary<string>): fc.Arbitrary<string | undefined | null> =>
  sometimes<string | undefined | null>(usual, anyText, fc.constant(undefined), fc.constant(null));

const row: fc.Arbitrary<Omit<CandleCandidate, "raw">> = fc.record({
  openTimeMs: sometimes<number | undefined>(minute, anyTime),
  open: field(price),
  high: field(fc.constantFrom("10.25", "11", "11.0", "9")),
  low: field(fc.constantFrom("9", "9.0", "10", "0")),
  close: field(price),
  volume: field(amount),
  quoteVolume: optional(amount),
  tradeCount: sometimes<number | undefined | null>(
    fc.nat({ max: 2 }),
    fc.double(),
    fc.constant(undefined),
    fc.constant(null),
  ),
});
/** `raw` says which row it was. */
const page = fc
  .array(row, { maxLength: 25 })
  .map((rows) => rows.map((each, index): CandleCandidate => ({ ...each, raw: { index } })));

function scaled(text: string | null | undefined): bigint | undefined {
  const match = /^(-?)([0-9]+)(?:\.([0-9]+))?$/.exec(text ?? "");
  if (!match || (text ?? "").length > 64 || text?.endsWith("\n")) return undefined;
  const magnitude = BigInt((match[2] ?? "") + (match[3] ?? "").padEnd(SCALE, "0"));
  return match[1] ? -magnitude : magnitude;
}

/** Its figures when the row is possible by itself; undefined otherwise. */
function opinion(each: CandleCandidate): string | undefined {
  const { openTimeMs, quoteVolume, tradeCount } = each;
  const [open, high, low, close, volume] = [each.open, each.high, each.low, each.close, each.volume].map(
    scaled,
  );
  const quote = scaled(quoteVolume);
  const isTimely =
    Number.isSafeInteger(openTimeMs) &&
    (openTimeMs ?? -1) >= 0 &&
    (openTimeMs ?? 0) % 60_000 === 0 &&
    (openTimeMs ?? 0) <= NOW_MS - 60_000;
  if (!isTimely || open === undefined || high === undefined || low === undefined) return undefined;
  if (close === undefined || volume === undefined || volume < 0n) return undefined;
  if (quoteVolume !== null && (quote === undefined || quote < 0n)) return undefined;
  if (tradeCount !== null && !(Number.isSafeInteger(tradeCount) && (tradeCount ?? -1) >= 0)) return undefined;
  if (low <= 0n || low > open || low > close || high < open || high < close) return undefined;
  return [open, high, low, close, volume, quote ?? "none", tradeCount ?? "none"].join(" ");
}

function judge(rows: readonly CandleCandidate[]) {
  const { candles, rejected } = checkCandles(rows, { timeframe: "1m", exchangeNowMs: NOW_MS });
  const refused = new Set(rejected.map(({ raw }) => (JSON.parse(raw) as { index: number }).index));
  return { candles, rejected, refused, kept: rows.filter((_, index) => !refused.has(index)) };
}

describe("the gate, whatever it is given,", () => {
  it("keeps or refuses each row once, and what it keeps ascends", () => {
    fc.assert(
      fc.property(page, (rows) => {
        const { candles, rejected, refused, kept } = judge(rows);
        expect(refused.size).toBe(rejected.length);
        expect(candles.length + rejected.length).toBe(rows.length);
        expect(candles.map(({ openTimeMs }) => openTimeMs)).toEqual(kept.map(({ openTimeMs }) => openTimeMs));
        for (let i = 1; i < candles.length; i++)
          expect(candles[i]?.openTimeMs).toBeGreaterThan(candles[i - 1]?.openTimeMs ?? NaN);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps only rows that are possible, with exactly their figures", () => {
    fc.assert(
      fc.property(page, (rows) => {
        const { candles, kept } = judge(rows);
        candles.forEach((candle, i) => {
          const source = kept[i];
          expect(source && opinion(source)).toBeDefined();
          const figures = [candle.open, candle.high, candle.low, candle.close, candle.volume].map(scaled);
          const written = [
            ...figures,
            scaled(candle.quoteVolume) ?? "none",
            candle.tradeCount ?? "none",
          ].join(" ");
          expect(written).toBe(source && opinion(source));
        });
      }),
      { numRuns: 500 },
    );
  });

  it("keeps no candle that another possible row of the page contradicts", () => {
    fc.assert(
      fc.property(page, (rows) => {
        for (const kept of judge(rows).kept)
          for (const rival of rows)
            if (rival.openTimeMs === kept.openTimeMs && opinion(rival) !== undefined)
              expect(opinion(rival)).toBe(opinion(kept));
      }),
      { numRuns: 500 },
    );
  });

  it("keeps every possible row of an ascending page without rivals", () => {
    const ascending = fc
      .tuple(page, fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7]))
      .map(([rows, minutes]) =>
        minutes
          .sort((a, b) => a - b)
          .flatMap((each, i) =>
            rows[i] ? [{ ...rows[i], openTimeMs: minuteMs(each), raw: { index: i } }] : [],
          ),
      );
    fc.assert(
      fc.property(ascending, (rows) => {
        const possible = rows.filter((each) => opinion(each) !== undefined);
        expect(judge(rows).kept).toEqual(possible);
      }),
    );
  });
});
