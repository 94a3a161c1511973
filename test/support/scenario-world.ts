// A world for one scenario, of real parts: a simulated exchange behind HTTP, a database of its own, and everything of
// ours between them. Only clock and chance are replaced. After every commit the partition is checked.
import { afterEach, expect } from "vitest";
import type { z } from "zod";
import { Collector, type CollectorOptions, type CycleReport } from "../../src/app/collector.js";
import { resolveCollector } from "../../src/app/config-resolve.js";
import { collectorSchema } from "../../src/app/config-schema.js";
import type { CollectorConfig } from "../../src/app/config-types.js";
import { systemClock, type Clock } from "../../src/core/clock.js";
import { silentLog, type Log } from "../../src/core/log.js";
import { seededRandom } from "../../src/core/random.js";
import type { TimeRange } from "../../src/core/range.js";
import type { Timeframe } from "../../src/core/timeframe.js";
import type { Exchange } from "../../src/exchanges/exchange.js";
import { createExchange, type ExchangeName } from "../../src/exchanges/registry.js";
import { Pipeline } from "../../src/pipeline/pipeline.js";
import type { SeriesKey, Store } from "../../src/store/store.js";
import { backfillRange } from "../../src/upkeep/backfill-range.js";
import { CandleKeeper, type PassOutcome } from "../../src/upkeep/candle-keeper.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import {
  startSimulatedExchange,
  type SimulatedExchange,
  type SimulatedExchangeOptions,
} from "../../simulator/simulated-exchange.js";
import { createTestDatabase, type TestDatabase } from "./database.js";
import { expectPartition } from "./partition.js";
import { ScenarioClock } from "./scenario-clock.js";
import { testSeed } from "./seed.js";
import { differencesFromTruth } from "./truth.js";

/** What a YAML file of a collector would say, without its exchange. */
export type CollectorInput = Omit<Partial<z.input<typeof collectorSchema>>, "exchange"> & {
  /** Which of the simulated venues; default `binance`. */
  readonly exchange?: ExchangeName;
};

export interface WorldOptions {
  readonly nowMs: number;
  readonly faults?: FaultPlanInput["faults"];
  readonly exchange?: Partial<SimulatedExchangeOptions>;
  /** Our machine's clock; the exchange's own when absent. */
  readonly localClock?: (clock: ScenarioClock) => Clock;
}

const worlds: ScenarioWorld[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close();
});

/** Opens a world that ends with the test. */
export async function openWorld(options: WorldOptions): Promise<ScenarioWorld> {
  const seed = testSeed();
  const clock = new ScenarioClock(options.nowMs);
  const database = await createTestDatabase();
  const exchange = await startSimulatedExchange({
    seed,
    clock,
    faults: { faults: [...(options.faults ?? [])] },
    ...options.exchange,
  });
  const localClock = options.localClock?.(clock) ?? clock;
  const world = new ScenarioWorld({ seed, clock, localClock, database, exchange });
  worlds.push(world);
  return world;
}

interface Parts {
  readonly seed: number;
  readonly clock: ScenarioClock;
  readonly localClock: Clock;
  readonly database: TestDatabase;
  readonly exchange: SimulatedExchange;
}

export class ScenarioWorld {
  readonly clock: ScenarioClock;
  readonly localClock: Clock;
  readonly database: TestDatabase;
  readonly exchange: SimulatedExchange;
  readonly signal = new AbortController().signal;
  isCheckedAtEachCommit = true;
  readonly #seed: number;
  #process: Running | undefined;

  constructor({ seed, clock, localClock, database, exchange }: Parts) {
    this.#seed = seed;
    this.clock = clock;
    this.localClock = localClock;
    this.database = database;
    this.exchange = exchange;
  }

  /** What a process has in memory: a store, a pipeline, its venues. */
  async process(): Promise<Running> {
    if (this.#process) return this.#process;
    const store = await this.database.openStore();
    const pipeline = new Pipeline({
      store: {
        commit: async (batches) => {
          const result = await store.commit(batches);
          // The check reads every row: in a long scenario it is left to the end.
          if (this.isCheckedAtEachCommit) await expectPartition(this.database.sql);
          return result;
        },
        revive: (signal) => store.revive(signal),
      },
      clock: systemClock,
      log: silentLog,
      stageRowsMax: 50_000,
      // Real time, which a scenario of a month does not have.
      batchAgeMs: 2,
    });
    return (this.#process = { store, pipeline, venues: new Map() });
  }

  /** The venue a config names, one a process. */
  async venue(config: CollectorConfig = this.config({})): Promise<Exchange> {
    const { store, venues } = await this.process();
    const { name } = config.exchange;
    const venue =
      venues.get(name) ??
      createExchange(name, {
        restUrl: this.exchange.url,
        timeoutMs: config.request.timeoutMs,
        rateLimitShare: 1,
        retry: config.retry,
        clock: this.localClock,
        random: seededRandom(this.#seed),
        bans: store.bans,
        log: silentLog,
      });
    venues.set(name, venue);
    return venue;
  }

  /** Ends the process; the next call of anything starts another one on the same database. */
  async endProcess(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    for (const venue of running?.venues.values() ?? []) await venue.close();
    await running?.pipeline.close();
  }

  config({ exchange = "binance", ...input }: CollectorInput): CollectorConfig {
    return resolveCollector(
      collectorSchema.parse({
        exchange: { name: exchange, rest_url: this.exchange.url },
        symbols: [{ symbol: "BTC/USDT" }],
        request: { timeout: "300ms" },
        ...input,
      }),
      `scenario-${exchange}`,
    );
  }

  async collector(
    input: CollectorInput,
    options: Pick<CollectorOptions, "alerts"> & { readonly log?: Log } = {},
  ): Promise<Collector> {
    const config = this.config(input);
    const { store, pipeline } = await this.process();
    return new Collector({
      config,
      exchange: await this.venue(config),
      store,
      pipeline,
      clock: this.localClock,
      log: silentLog,
      random: seededRandom(this.#seed),
      isSimulated: true,
      ...options,
    });
  }

  /** A collection cycle and a repair cycle after it, as if both were due. */
  async cycle(collector: Collector): Promise<CycleReport> {
    const collected = await collector.runCollectionCycle(this.signal);
    const { missingCandles } = await collector.runBackfillCycle(this.signal);
    return { ...collected, missingCandles };
  }

  /** What `tickwell backfill` does, on simulated time. */
  async backfill(symbol: string, timeframe: Timeframe, range: TimeRange): Promise<PassOutcome> {
    const { store, pipeline } = await this.process();
    const venue = await this.venue();
    const clock = this.localClock;
    const signal = AbortSignal.any([this.signal, pipeline.failure]);
    const listed = (await venue.fetchMarkets(signal)).find((market) => market.symbol === symbol);
    if (!listed) throw new Error(`the simulated exchange has no ${symbol}`);
    const [market] = await store.putMarkets("binance", [listed], { isSimulated: true });
    if (!market) throw new Error("the market was not stored");
    const keeper = new CandleKeeper({
      store,
      stage: pipeline.stage,
      exchange: venue,
      clock,
      log: silentLog,
      concurrency: 4,
      voidConfirmAfterMs: 30_000,
    });
    const closed = { ...range, endMs: Math.min(range.endMs, await keeper.closedEndMs(timeframe, signal)) };
    return backfillRange({ keeper, clock }, { series: { market, timeframe }, range: closed }, signal);
  }

  async seriesKey(symbol: string, timeframe: Timeframe): Promise<SeriesKey> {
    const { store } = await this.process();
    const market = (await store.listMarkets()).find((each) => each.symbol === symbol);
    if (!market) throw new Error(`${symbol} is not stored`);
    return { marketId: market.id, timeframe };
  }

  /** Stored candles are the exchange's own, digit for digit, each once; ledger and rows agree. */
  async expectTruth(
    symbol: string,
    timeframe: Timeframe,
    range: TimeRange,
    exchange: ExchangeName = "binance",
  ): Promise<void> {
    const { store } = await this.process();
    const wanted = this.exchange.venue(exchange).truth.candles(symbol, timeframe, range.startMs, range.endMs);
    expect(wanted.length).toBeGreaterThan(0);
    // OKX does not tell how many trades made a candle.
    const truth =
      exchange === "okx" ? wanted.map((candle) => ({ ...candle, tradeCount: undefined })) : wanted;
    expect(
      await differencesFromTruth(this.database.sql, { exchange, symbol, timeframe, range, truth }),
    ).toEqual([]);
    expect(await store.audit({})).toEqual([]);
    await expectPartition(this.database.sql);
  }

  async close(): Promise<void> {
    await this.endProcess();
    await this.exchange.close();
    await this.database.drop();
  }
}

interface Running {
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly venues: Map<ExchangeName, Exchange>;
}
