// The program as it runs under `start`, within the test's own process: a simulated exchange by REST and streams, a database, one
// collector, all real and in real time.
import { systemClock } from "../../src/core/clock.js";
import { silentLog, type Log } from "../../src/core/log.js";
import { resolveCollector, resolveInstance } from "../../src/app/config-resolve.js";
import { collectorSchema, instanceSchema } from "../../src/app/config-schema.js";
import { Runtime } from "../../src/app/runtime.js";
import type { Store } from "../../src/store/store.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import type { MarketSpec } from "../../simulator/market-spec.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../simulator/simulated-exchange.js";
import { createTestDatabase, type TestDatabase } from "./database.js";

export interface RunningInstance {
  readonly exchange: SimulatedExchange;
  readonly database: TestDatabase;
  readonly store: Store;
  readonly runtime: Runtime;
  /** Ends the collector: everything received is stored, and the numbers stand still. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export const BUSY_MARKET: MarketSpec = {
  symbol: "BTC/USDT",
  priceDecimals: 2,
  qtyDecimals: 3,
  baseTicks: 40_000,
  typicalLots: 400,
  aggregatesPerMinute: 200,
  volatility: 0.0004,
  listedMs: Date.UTC(2024, 0, 1),
  bookLevels: 20,
};

/** @param options.instance what `tickwell.yml` would say */
export async function startInstance(options: {
  readonly seed: number;
  readonly dataDir: string;
  readonly faults?: FaultPlanInput["faults"];
  readonly instance?: object;
  readonly log?: Log;
}): Promise<RunningInstance> {
  const { seed, dataDir, faults = [], instance = {}, log = silentLog } = options;
  const exchange = await startSimulatedExchange({
    seed,
    clock: systemClock,
    faults: { faults: [...faults] },
    venueMarkets: { binance: [BUSY_MARKET] },
  });
  const database = await createTestDatabase();
  const store = await database.openStore();
  const runtime = await Runtime.open({
    store,
    instance: resolveInstance(instanceSchema.parse(instance)),
    dataDir,
    log,
  });
  const collector = runtime.collector(
    resolveCollector(
      collectorSchema.parse({
        exchange: { name: "binance", rest_url: exchange.url, ws_url: exchange.url.replace("http", "ws") },
        symbols: [{ symbol: BUSY_MARKET.symbol, channels: ["candles", "trades", "book"] }],
        request: { timeout: "2s" },
        retry: { attempts: 2 },
      }),
      "test",
    ),
  );
  const ending = new AbortController();
  const running = collector.run(ending.signal);
  const settle = async (): Promise<void> => {
    ending.abort(new Error("the test has seen enough"));
    await running;
    await runtime.pipeline.stage.settled(runtime.pipeline.stage.lastSequence, new AbortController().signal);
  };
  return {
    exchange,
    database,
    store,
    runtime,
    settle,
    async close() {
      await settle();
      await runtime.close();
      await exchange.close();
      await database.drop();
    },
  };
}
