// The deep part of `tickwell quality`: every market's minutes against its exchange's trades, and the repair of what was
// found, through the same feed and stage as everything else.
import { systemClock } from "../core/clock.js";
import { seededRandom } from "../core/random.js";
import { createArchive } from "../exchanges/archive-registry.js";
import { CandleFeed } from "../pipeline/feed/candle-feed.js";
import { ExchangeClock } from "../pipeline/feed/exchange-clock.js";
import { Pipeline } from "../pipeline/pipeline.js";
import type { Store, StoredMarket } from "../store/store.js";
import { DeepChecker } from "../upkeep/deep/deep-checker.js";
import { repairDeepFindings } from "../upkeep/deep/deep-repair.js";
import type { CommandContext } from "./command-context.js";
import type { TickwellConfig } from "./config-types.js";
import { exchangeFor } from "./exchange-for.js";
import type { DeepResult } from "./quality-report/deep-text.js";
import { collectorFor } from "./settings.js";

export interface DeepQualityRequest {
  readonly store: Store;
  readonly settings: TickwellConfig;
  /** Undefined for all. */
  readonly marketId: number | undefined;
  /** Undefined for what each market's config says. */
  readonly lookbackMs: number | undefined;
  /** Minutes of each market. */
  readonly samples: number;
}

/** Checks and repairs one market after the other; only those with 1m candles. */
export async function checkDeeply(
  request: DeepQualityRequest,
  context: CommandContext,
): Promise<DeepResult[]> {
  const { store, marketId } = request;
  const states = await store.seriesStates({
    timeframe: "1m",
    ...(marketId === undefined ? {} : { marketId }),
  });
  const held = new Set(states.filter((state) => state.expectedCandles > 0).map((state) => state.marketId));
  const results: DeepResult[] = [];
  for (const market of await store.listMarkets()) {
    if (held.has(market.id)) results.push(await checkMarket(market, request, context));
  }
  return results;
}

async function checkMarket(
  market: StoredMarket,
  { store, settings, lookbackMs, samples }: DeepQualityRequest,
  { log, signal }: CommandContext,
): Promise<DeepResult> {
  const config = collectorFor(settings, market);
  const exchange = exchangeFor(config, { bans: store.bans, log });
  // A simulated exchange, or another host, is not the one whose archive is published.
  const hasArchive = !market.isSimulated && config.exchange.restUrl === undefined;
  const archive = hasArchive ? createArchive(market.exchange) : undefined;
  const pipeline = new Pipeline({
    store,
    clock: systemClock,
    log,
    stageRowsMax: settings.instance.stage.itemsMax,
  });
  const bounded = AbortSignal.any([signal, pipeline.failure]);
  try {
    const exchangeClock = new ExchangeClock({ exchange, clock: systemClock, log });
    await exchangeClock.keepMeasured(bounded);
    const endMs = exchangeClock.nowMs();
    const range = { startMs: endMs - (lookbackMs ?? config.quality.lookbackMs), endMs };
    // Other minutes each time: what is looked at adds up.
    const random = seededRandom(endMs);
    const report = await new DeepChecker({ store, exchange, archive, random }).check(
      { market, range, samples },
      bounded,
    );
    if (report.refetch.length + report.reopen.length === 0) return { report, repair: undefined };
    const feed = new CandleFeed({
      exchange,
      stage: pipeline.stage,
      exchangeClock,
      concurrency: 1,
      recentCandles: (key, beforeMs, count) => store.recentCandles(key, beforeMs, count),
      voidConfirmAfterMs: config.backfill.voidConfirmAfterMs,
    });
    const nowMs = (): number => exchangeClock.nowMs();
    const repair = await repairDeepFindings(
      { store, feed, stage: pipeline.stage, nowMs },
      { market, report },
      bounded,
    );
    await store.refreshAggregates(bounded);
    return { report, repair };
  } finally {
    await Promise.all([exchange.close(), archive?.close()]);
    await pipeline.close();
  }
}
