// The score, which only the database computes: its properties, many cases in one statement.
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { testSeed } from "../../support/seed.js";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await database.openStore();
});
afterAll(() => database.drop());

/** total, missing, duplicate, out of order, price jump, volume spike */
type Counts = readonly [number, number, number, number, number, number];

async function scoresOf(cases: readonly Counts[]): Promise<(number | null)[]> {
  const rows = await database.sql<{ score: number | null }>(
    `SELECT calculate_quality_score(a, b, c, d, e, f) AS score
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS t (a, b, c, d, e, f, i)
     ORDER BY i`,
    [0, 1, 2, 3, 4, 5].map((at) => cases.map((counts) => counts[at])),
  );
  return rows.map((row) => row.score);
}

// Small counts meet the borders, large ones the arithmetic.
const count = fc.oneof(fc.nat(3), fc.nat(2_000), fc.nat(2 ** 40));
const counts = fc.tuple(count, count, count, count, count, count);
const many = fc.array(counts, { minLength: 1, maxLength: 500 });

async function holds(check: (cases: readonly Counts[]) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(many, check), { numRuns: 30, seed: testSeed() });
}

it("a score is a number from 0 to 100, and null exactly where nothing was expected", () =>
  holds(async (cases) => {
    const scores = await scoresOf(cases);
    expect(scores).toHaveLength(cases.length);
    const wrong = cases.filter(([total, missing], i) => {
      const score = scores[i] ?? null;
      return total + missing === 0 ? score !== null : score === null || !(score >= 0 && score <= 100);
    });
    expect(wrong).toEqual([]);
  }));

it("a score never rises when a count of defects rises", () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(counts, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 2 ** 20 })), {
        minLength: 1,
        maxLength: 500,
      }),
      async (cases) => {
        const worse = cases.map(([from, at, more]): Counts => {
          const next: [number, number, number, number, number, number] = [...from];
          next[at] = (next[at] ?? 0) + more;
          return next;
        });
        const before = await scoresOf(cases.map(([from]) => from));
        const after = await scoresOf(worse);
        // Nothing expected has no score to rise from.
        const rose = cases.filter((_, i) => (after[i] ?? 0) > (before[i] ?? 100));
        expect(rose).toEqual([]);
      },
    ),
    { numRuns: 30, seed: testSeed() },
  ));

it("what is there without a defect scores exactly 100, and with any defect less", () =>
  holds(async (cases) => {
    const stored = cases.map(([total]) => Math.max(total, 1));
    const clean = await scoresOf(stored.map((total): Counts => [total, 0, 0, 0, 0, 0]));
    expect(clean.filter((score) => score !== 100)).toEqual([]);
    const flawed = await scoresOf(stored.map((total): Counts => [total % 2_000, 1, 0, 0, 0, 0]));
    expect(flawed.filter((score) => score === 100)).toEqual([]);
  }));

it.each([
  [[100, 0, 0, 0, 0, 0], 100],
  [[75, 25, 0, 0, 0, 0], 75],
  [[75, 25, 10, 15, 0, 0], 50],
  [[100, 0, 0, 0, 25, 25], 75],
  [[0, 5, 0, 0, 0, 0], 0],
  [[10, 0, 200, 0, 0, 0], 0],
  [[0, 0, 5, 0, 0, 0], null],
] as const)("%j scores %s", async (given, score) => {
  expect(await scoresOf([given])).toEqual([score]);
});

it("takes integers as well as bigints, and knows no score where a count is not known", async () => {
  const [row] = await database.sql(
    "SELECT calculate_quality_score(75::int, 25::int, 0, 0, 0, 0) AS ints, calculate_quality_score(75, NULL, 0, 0, 0, 0) AS unknown",
  );
  expect(row).toEqual({ ints: 75, unknown: null });
});
