// One venue of a simulated exchange, as tests see it.
import type { GroundTruth } from "./ground-truth.js";
import type { VenueName } from "./venue-name.js";

/** One of the venues: what it lists, and what is right about it. */
export interface SimulatedVenue {
  readonly name: VenueName;
  /** Unified symbols of all its markets, also of those not listed yet or no longer. */
  readonly symbols: readonly string[];
  readonly truth: GroundTruth;
}
