// `tickwell quality`: checks what is stored now, keeps the summaries, and prints what costs how many points, and why.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { silentLog } from "../../core/log.js";
import type { QualitySummary } from "../../store/quality-records.js";
import type { Store, StoredMarket } from "../../store/store.js";
import { DataQualityChecker } from "../../upkeep/quality/data-quality-checker.js";
import { qualityReport } from "../../upkeep/quality/quality-report.js";
import { readDuration, usageError } from "../arguments.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { collectorSchema } from "../config-schema.js";
import { resolveCollector } from "../config-resolve.js";
import type { QualityConfig, TickwellConfig } from "../config-types.js";
import { checkDeeply } from "../deep-quality.js";
import { formatDeepResults, type DeepResult } from "../quality-report/deep-text.js";
import {
  formatLiveQuality,
  liveQualityJson,
  liveQualityMarkdown,
} from "../quality-report/live-quality-table.js";
import type { LiveSummary } from "../../store/live-quality.js";
import { LiveQualityChecker } from "../../upkeep/quality/live-quality-checker.js";
import { formatQualityMarkdown } from "../quality-report/quality-markdown.js";
import { formatQualityTable } from "../quality-report/quality-table.js";
import { loadSettings, withStore } from "../settings.js";
import { readStoredFilter } from "../stored-series.js";

const NOTHING_YET =
  "There is nothing to check yet: try `tickwell start`, `tickwell backfill` or `tickwell demo`.\n";

interface QualityOptions extends GlobalOptions {
  readonly market?: string;
  readonly lookback?: string;
  readonly failUnder?: string;
  readonly markdown?: boolean;
  readonly deep?: boolean;
  readonly samples?: string;
}

/** Minutes of each market that a deep check looks at, unless told otherwise: some 100 requests. */
const SAMPLES = 30;
/** More would take a venue's rate limit for hours. */
const SAMPLES_MAX = 10_000;

export function addQualityCommand(program: Command, context: CommandContext): void {
  program
    .command("quality")
    .description("check what is stored: scores, and what costs how many points")
    .option("--market <market>", "only this market, such as binance:BTC/USDT")
    .option("--lookback <duration>", "how far back to look (default: as the config says, or 24h)")
    .option("--fail-under <score>", "exit with 3 when a score is below it (0 to 100)")
    .option("--markdown", "the report as Markdown")
    .option(
      "--deep",
      "also rebuild some minutes from the exchange's trades, compare, and repair what differs",
    )
    .option("--samples <count>", `minutes of each market for --deep (default ${SAMPLES})`)
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<QualityOptions>();
      const failUnder = options.failUnder === undefined ? undefined : readScore(options.failUnder);
      const lookbackMs =
        options.lookback === undefined ? undefined : readDuration("--lookback", options.lookback);
      const samples = readSamples(options);
      const settings = await loadSettings(options);
      const url = settings.instance.storage.url;
      // Looked at while a collector runs. What is written (summaries, and repairs of --deep) shares the series' locks with it.
      await withStore(context, options, { url, role: "reader" }, async (store) => {
        const { marketId } = await readStoredFilter(
          store,
          options.market === undefined ? {} : { market: options.market },
        );
        const checked = await checkAll(store, settings, { marketId, lookbackMs });
        const deep =
          samples === undefined
            ? undefined
            : await checkDeeply({ store, settings, marketId, lookbackMs, samples }, context);
        const live = await checkLive(store, settings, { marketId, lookbackMs });
        print(checked, { live, deep, options, context });
        const hasLoss = deep?.some(({ report }) => report.counts.our_loss > 0) ?? false;
        if (hasLoss && failUnder !== undefined) context.setExitStatus(EXIT.shortfall);
        const isBelow = ({ score = 100 }: QualitySummary): boolean => score < (failUnder ?? 0);
        const isLiveBelow = ({ score = 100 }: LiveSummary): boolean => score < (failUnder ?? 0);
        if (checked.some(isBelow) || live.some(isLiveBelow)) context.setExitStatus(EXIT.shortfall);
      });
    });
}

/** Trades and order books, by the default of the config's first collector of each exchange. */
async function checkLive(
  store: Store,
  settings: TickwellConfig,
  wanted: { marketId: number | undefined; lookbackMs: number | undefined },
): Promise<LiveSummary[]> {
  const checked: LiveSummary[] = [];
  for (const market of await store.listMarkets()) {
    if (wanted.marketId !== undefined && wanted.marketId !== market.id) continue;
    const { minScore, lookbackMs } = qualityOf(settings, market);
    const checker = new LiveQualityChecker({ store, clock: systemClock, minScore });
    const marketIds = [market.id];
    checked.push(...(await checker.check({ lookbackMs: wanted.lookbackMs ?? lookbackMs, marketIds })));
  }
  return checked;
}

/** Each market by what its collector's config says; all of one config in one check. */
async function checkAll(
  store: Store,
  settings: TickwellConfig,
  wanted: { marketId: number | undefined; lookbackMs: number | undefined },
): Promise<QualitySummary[]> {
  const markets = (await store.listMarkets()).filter(
    (market) => wanted.marketId === undefined || market.id === wanted.marketId,
  );
  const groups = new Map<string, { quality: QualityConfig; marketIds: number[] }>();
  for (const market of markets) {
    const { minScore, ...config } = qualityOf(settings, market);
    const quality = { minScore, lookbackMs: wanted.lookbackMs ?? config.lookbackMs };
    const key = `${quality.lookbackMs} ${minScore}`;
    const group = groups.get(key);
    if (group) group.marketIds.push(market.id);
    else groups.set(key, { quality, marketIds: [market.id] });
  }
  // Who names a market wants to see it.
  const includesInactive = wanted.marketId !== undefined;
  const checked: QualitySummary[] = [];
  for (const { quality, marketIds } of groups.values()) {
    const { minScore, lookbackMs } = quality;
    // The report says it all; the log would say it again.
    const checker = new DataQualityChecker({ store, clock: systemClock, log: silentLog, minScore });
    checked.push(...(await checker.checkAllActiveMarkets({ lookbackMs, marketIds, includesInactive })));
  }
  return groups.size < 2 ? checked : checked.sort((a, b) => (a.market < b.market ? -1 : 1));
}

/** The config of the collector that names the market, or else of its exchange's first, or else the defaults. */
function qualityOf({ collectors }: TickwellConfig, { exchange, symbol }: StoredMarket): QualityConfig {
  const ofExchange = collectors.filter((collector) => collector.exchange.name === exchange);
  const own = ofExchange.find((collector) => collector.symbols.some((each) => each.symbol === symbol));
  return (own ?? ofExchange[0])?.quality ?? DEFAULTS;
}

const DEFAULTS = resolveCollector(
  collectorSchema.parse({ exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] }),
  "defaults",
).quality;

function print(
  checked: readonly QualitySummary[],
  parts: {
    live: readonly LiveSummary[];
    deep: readonly DeepResult[] | undefined;
    options: QualityOptions;
    context: CommandContext;
  },
): void {
  const { live, deep, options, context } = parts;
  const report = { ...qualityReport(checked), ...(live.length > 0 ? { live: liveQualityJson(live) } : {}) };
  if (options.json) {
    context.stdout(`${JSON.stringify(deep === undefined ? report : { ...report, deep }, undefined, 2)}\n`);
    return;
  }
  if (checked.length + live.length === 0) context.stdout(NOTHING_YET);
  else if (options.markdown) context.stdout(formatQualityMarkdown(report));
  else if (checked.length > 0) context.stdout(formatQualityTable(report));
  if (live.length > 0)
    context.stdout(`\n${options.markdown ? liveQualityMarkdown(live) : formatLiveQuality(live)}`);
  if (deep !== undefined) context.stdout(`\n${formatDeepResults(deep)}`);
}

/** Undefined without --deep. */
function readSamples({ deep = false, samples }: QualityOptions): number | undefined {
  if (samples === undefined) return deep ? SAMPLES : undefined;
  if (!deep) throw usageError("--samples: says how many minutes --deep looks at; give both");
  const count = /^\d{1,6}$/.test(samples) ? Number(samples) : 0;
  if (count >= 1 && count <= SAMPLES_MAX) return count;
  throw usageError(`--samples: found "${samples}", expected a count from 1 to ${SAMPLES_MAX}`);
}

function readScore(text: string): number {
  const score = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (score >= 0 && score <= 100) return score;
  throw usageError(`--fail-under: found "${text}", expected a score from 0 to 100`);
}
