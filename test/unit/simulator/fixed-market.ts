// Markets and ground truth without a server, at a present of the test's choosing.
import { FaultInjector } from "../../../simulator/fault-injector.js";
import { parseFaultPlan, type FaultPlanInput } from "../../../simulator/fault-plan.js";
import { fixedText } from "../../../simulator/fixed-text.js";
import { groundTruth, type GroundTruth } from "../../../simulator/ground-truth.js";
import { defaultMarkets } from "../../../simulator/default-markets.js";
import { SimulatedMarket } from "../../../simulator/simulated-market.js";
import type { Endpoint, Venue } from "../../../simulator/binance/endpoint.js";
import { Parameters } from "../../../simulator/binance/parameters.js";

export interface FixedExchange {
  readonly truth: GroundTruth;
  market(symbol: string): SimulatedMarket;
  /** What an endpoint answers, before it is written as JSON. */
  ask(endpoint: Endpoint, query: Record<string, string | number>): unknown;
}

export function fixedExchange(options: {
  nowMs: number;
  seed?: number;
  faults?: FaultPlanInput["faults"];
}): FixedExchange {
  const { nowMs, seed = 1, faults = [] } = options;
  const plan = parseFaultPlan({ faults });
  const markets = defaultMarkets().map((spec) => new SimulatedMarket(seed, spec, { venue: "binance", plan }));
  const market = (symbol: string): SimulatedMarket => {
    const found = markets.find((each) => each.spec.symbol === symbol);
    if (!found) throw new Error(`no market ${symbol}`);
    return found;
  };
  const venue: Venue = {
    markets,
    faults: new FaultInjector(plan, seed),
    weightPerMinute: 6_000,
    text: fixedText,
    nowMs,
  };
  return {
    truth: groundTruth(market, { nowMs: () => nowMs, plan }),
    market,
    ask(endpoint, query) {
      const text = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]);
      return endpoint.answer(new Parameters(new URLSearchParams(text), endpoint.parameters), venue);
    },
  };
}
