// The seed of a randomised test: 1, or what SEED says. A test that fails names it, so that it can be replayed.
import { onTestFailed } from "vitest";

/** Call it inside a test. */
export function testSeed(): number {
  const seed = Number(process.env.SEED ?? "1");
  if (!Number.isSafeInteger(seed)) throw new Error(`SEED is "${process.env.SEED}", expected a whole number`);
  onTestFailed(() => console.error(`replay with SEED=${seed}`));
  return seed;
}
