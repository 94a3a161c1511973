// What every endpoint is given, and what it says about itself.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { Parameters } from "./parameters.js";
import { invalidSymbol } from "./api-error.js";

/** One request's view of the exchange: its markets, its present, its faults. */
export interface Venue {
  readonly markets: readonly SimulatedMarket[];
  readonly faults: FaultInjector;
  readonly weightPerMinute: number;
  /** How an integer on a grid of so many decimals is written. */
  readonly text: (value: number | bigint, decimals: number) => string;
  /** The exchange's clock, read once a request. */
  readonly nowMs: number;
  /** True when times of trades and candles are asked for in microseconds. */
  readonly inMicroseconds?: boolean;
}

export interface Endpoint {
  readonly path: string;
  /** The parameters it takes; anything else is refused. */
  readonly parameters: readonly string[];
  /** True for a page of candles or trades. */
  readonly isPage?: boolean;
  /** Request weight; by the raw query, since a request that is refused weighs too. */
  readonly weight: (query: URLSearchParams) => number;
  /** The body, still to be written as JSON. */
  readonly answer: (parameters: Parameters, venue: Venue) => unknown;
}

/** Markets that exist yet: one that will be listed later is as unknown as any. */
export function listedMarkets(venue: Venue): readonly SimulatedMarket[] {
  return venue.markets.filter((market) => market.isListedAt(venue.nowMs));
}

export function findMarket(venue: Venue, nativeSymbol: string): SimulatedMarket {
  const market = listedMarkets(venue).find((each) => each.nativeSymbol === nativeSymbol);
  if (market === undefined) throw invalidSymbol();
  return market;
}
