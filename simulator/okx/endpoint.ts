// What every endpoint is given, and what it says about itself.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { shortText } from "../fixed-text.js";
import { unknownInstrument } from "./okx-error.js";
import type { Parameters } from "./parameters.js";

/** What differs between the venue's own documents and years. */
export interface OkxOptions {
  /** Rows of one page of history-candles at most: 300, or 100 as it was until 2025. Default 300. */
  readonly historyRowsMax: number;
  /** By how many closed candles history-candles lags the present. Default 1. */
  readonly historyLagBars: number;
  /** False leaves the limits on requests out. Default true. */
  readonly isLimited: boolean;
  /** True for streams with real checksums of the book, as until June 2026; since then they are 0. Default false. */
  readonly checksums: boolean;
}

export const DEFAULT_OKX: OkxOptions = {
  historyRowsMax: 300,
  historyLagBars: 1,
  isLimited: true,
  checksums: false,
};

/** One request's view of the exchange: its markets, its present, its faults. */
export interface OkxVenue {
  readonly markets: readonly SimulatedMarket[];
  readonly faults: FaultInjector;
  readonly options: OkxOptions;
  /** The exchange's clock, read once a request. */
  readonly nowMs: number;
}

export interface OkxEndpoint {
  readonly path: string;
  /** Requests an address may send in a window; 2 s unless it says otherwise. */
  readonly requests: number;
  readonly windowMs?: number;
  /** A parameter whose values are counted apart. */
  readonly countedBy?: string;
  /** True for a page of candles or trades. */
  readonly isPage?: boolean;
  /** What goes into `data`. */
  readonly answer: (parameters: Parameters, venue: OkxVenue) => readonly unknown[];
}

/** Instruments that exist now: those that are listed later do not yet, and those that were delisted no longer. */
export function liveMarkets({ markets, nowMs }: OkxVenue): readonly SimulatedMarket[] {
  return markets.filter((market) => market.isTradingAt(nowMs));
}

export function findMarket(venue: OkxVenue, instId: string): SimulatedMarket {
  const market = liveMarkets(venue).find((each) => each.nativeSymbol === instId);
  if (market === undefined) throw unknownInstrument();
  return market;
}

/** A quantity as the instrument counts it: contracts for swaps, base units for spot. */
export function sizeText({ spec }: SimulatedMarket, lots: number): string {
  return shortText(lots, spec.qtyDecimals - (spec.contractDecimals ?? 0));
}
