import { describe, expect, it } from "vitest";
import { seededRandom, systemRandom } from "../../../src/core/random.js";

/** mulberry32 as its author published it, in integers of any size. */
function* mulberry32(seed: number): Generator<number> {
  const mask = 0xffff_ffffn;
  let state = BigInt.asUintN(32, BigInt(seed));
  while (true) {
    state = (state + 0x6d2b79f5n) & mask;
    let z = state;
    z = ((z ^ (z >> 15n)) * (z | 1n)) & mask;
    z ^= (z + (((z ^ (z >> 7n)) * (z | 61n)) & mask)) & mask;
    yield Number(z ^ (z >> 14n)) / 2 ** 32;
  }
}

describe("seededRandom", () => {
  it.each([0, 1, 42, -7, 2 ** 31 - 1])("draws the published sequence of seed %d", (seed) => {
    const random = seededRandom(seed);
    const published = mulberry32(seed);
    for (let i = 0; i < 200; i++) expect(random.next()).toBe(published.next().value);
  });

  it("draws other numbers from another seed", () => {
    expect(seededRandom(1).next()).not.toBe(seededRandom(2).next());
  });

  it("spreads over [0, 1) evenly", () => {
    const random = seededRandom(42);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const value = random.next();
      expect(value >= 0 && value < 1).toBe(true);
      const bucket = Math.floor(value * 10);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    // 1,000 each, and a standard deviation of 30.
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

it("the machine's chance lies in [0, 1) and does not stand still", () => {
  const drawn = Array.from({ length: 20 }, () => systemRandom.next());
  expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(drawn).size).toBeGreaterThan(1);
});
