// A simulated OKX without a server, at a present of the test's choosing.
import { defaultMarkets } from "../../../simulator/default-markets.js";
import { FaultInjector } from "../../../simulator/fault-injector.js";
import { parseFaultPlan, type FaultPlanInput } from "../../../simulator/fault-plan.js";
import { groundTruth, type GroundTruth } from "../../../simulator/ground-truth.js";
import { DEFAULT_OKX, type OkxEndpoint, type OkxOptions } from "../../../simulator/okx/endpoint.js";
import { Parameters } from "../../../simulator/okx/parameters.js";
import { SimulatedMarket } from "../../../simulator/simulated-market.js";

export interface FixedOkx {
  readonly truth: GroundTruth;
  /** What an endpoint puts into `data`. */
  ask(endpoint: OkxEndpoint, query: Record<string, string | number>): readonly unknown[];
}

export function fixedOkx(options: {
  nowMs: number;
  faults?: FaultPlanInput["faults"];
  okx?: Partial<OkxOptions>;
}): FixedOkx {
  const { nowMs, faults = [] } = options;
  const plan = parseFaultPlan({ faults });
  const markets = defaultMarkets(undefined, "okx").map(
    (spec) => new SimulatedMarket(1, spec, { venue: "okx", plan }),
  );
  const find = (symbol: string): SimulatedMarket => {
    const found = markets.find((each) => each.names.includes(symbol));
    if (!found) throw new Error(`no market ${symbol}`);
    return found;
  };
  const venue = {
    markets,
    faults: new FaultInjector(plan, 1),
    options: { ...DEFAULT_OKX, ...options.okx },
    nowMs,
  };
  return {
    truth: groundTruth(find, { nowMs: () => nowMs, plan }),
    ask(endpoint, query) {
      const text = Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]);
      return endpoint.answer(new Parameters(new URLSearchParams(text)), venue);
    },
  };
}
