// What a fault plan does to the truth of one market: when it does not trade, what its prices and quantities are
// multiplied with, which trades its candles count elsewhere. Faults in, spans of minutes out.
import { isForMarket } from "./fault-conditions.js";
import type { FaultPlan } from "./fault-plan.js";
import { nativeSymbolOf, type MarketSpec } from "./market-spec.js";
import { MINUTE_MS, type FactorSpan, type LiveSpan, type TapeOddities } from "./trade-tape.js";
import type { VenueName } from "./venue-name.js";

export interface MarketOddities extends TapeOddities {
  /** Merged and in order. */
  readonly outages: readonly LiveSpan[];
}

export function marketOddities(plan: FaultPlan, spec: MarketSpec, venue: VenueName): MarketOddities {
  const prices: FactorSpan[] = [];
  const volumes: FactorSpan[] = [];
  const countedAfter: LiveSpan[] = [];
  const countedBefore: LiveSpan[] = [];
  for (const fault of planFor(plan, spec, venue)) {
    switch (fault.kind) {
      case "price_jump":
        prices.push({ ...minutes(fault.from, fault.to), factor: fault.factor });
        break;
      case "volume_spike":
        volumes.push({ ...minutes(fault.from, fault.to ?? fault.from + MINUTE_MS), factor: fault.factor });
        break;
      case "late_trade":
        (fault.counted === "after" ? countedAfter : countedBefore).push(minutes(fault.from, fault.to));
        break;
      default:
    }
  }
  return { outages: outageMinutes(plan, spec, venue), prices, volumes, countedAfter, countedBefore };
}

/** The minutes a plan's outages take from a market, merged and in order. */
export function outageMinutes(
  plan: FaultPlan,
  spec: MarketSpec,
  venue: VenueName = "binance",
): readonly LiveSpan[] {
  const spans = planFor(plan, spec, venue)
    .filter((fault) => fault.kind === "outage")
    .map(({ from, to }) => minutes(from, to))
    .sort((a, b) => a.fromMinute - b.fromMinute);
  const merged: { fromMinute: number; toMinute: number }[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last && span.fromMinute <= last.toMinute) last.toMinute = Math.max(last.toMinute, span.toMinute);
    else merged.push({ ...span });
  }
  return merged;
}

/** The market as the plan leaves it: one that is delisted ends there. */
export function delistedBy(plan: FaultPlan, spec: MarketSpec, venue: VenueName): MarketSpec {
  const ends = planFor(plan, spec, venue).flatMap((fault) => (fault.kind === "delisted" ? [fault.at] : []));
  const suspendedMs = Math.min(spec.suspendedMs ?? Infinity, ...ends);
  return suspendedMs === Infinity ? spec : { ...spec, suspendedMs: Math.max(suspendedMs, spec.listedMs) };
}

function planFor(plan: FaultPlan, spec: MarketSpec, venue: VenueName): FaultPlan["faults"] {
  const symbols = [spec.symbol, nativeSymbolOf(spec.symbol, venue)];
  return plan.faults.filter((fault) => isForMarket(fault, { exchange: venue, symbols }));
}

function minutes(fromMs: number, toMs: number): { fromMinute: number; toMinute: number } {
  return { fromMinute: fromMs / MINUTE_MS, toMinute: toMs / MINUTE_MS };
}
