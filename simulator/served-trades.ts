// Aggregate trades as the endpoints serve them: without those that a fault leaves out.
import type { FaultInjector } from "./fault-injector.js";
import type { SimulatedMarket } from "./simulated-market.js";
import type { AggregateTrade } from "./trade-tape.js";

export function* servedTrades(
  aggregates: Iterable<AggregateTrade>,
  { market, faults, nowMs }: { market: SimulatedMarket; faults: FaultInjector; nowMs: number },
): Generator<AggregateTrade> {
  const named = { exchange: market.venue, symbols: market.names };
  for (const aggregate of aggregates) {
    if (!faults.isTradeMissing(named, aggregate, nowMs)) yield aggregate;
  }
}
