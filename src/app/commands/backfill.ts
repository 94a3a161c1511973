// `tickwell backfill <market> <timeframe|trades> --since T [--until T]`: fills a range now. Safe to repeat and to interrupt:
// what is proven already is not asked for again.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { describeError, TickwellError } from "../../core/fault.js";
import { formatMarketName } from "../../core/model/market.js";
import { totalMs, type TimeRange } from "../../core/range.js";
import { formatMinute, formatTime } from "../../core/time.js";
import { ceilToTimeframe, floorToTimeframe, timeframeMs, type Timeframe } from "../../core/timeframe.js";
import { Pipeline } from "../../pipeline/pipeline.js";
import type { SeriesState, Store } from "../../store/store.js";
import { backfillRange } from "../../upkeep/backfill-range.js";
import { CandleKeeper, type Series } from "../../upkeep/candle-keeper.js";
import { readTime, usageError } from "../arguments.js";
import { backfillTrades } from "./backfill-trades.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { validationFor } from "../config-resolve.js";
import type { CollectorConfig, TickwellConfig } from "../config-types.js";
import { exchangeFor } from "../exchange-for.js";
import { findMarket, readMarketName, readTimeframe } from "../market-lookup.js";
import { Progress } from "../progress.js";
import { collectorFor, loadSettings, withStore } from "../settings.js";
import { formatCount, formatPercent } from "../table.js";

interface BackfillOptions extends GlobalOptions {
  readonly since?: string;
  readonly until?: string;
}

export function addBackfillCommand(program: Command, context: CommandContext): void {
  program
    .command("backfill")
    .description("fill a range of candles or trades now; safe to interrupt and to repeat")
    .argument("<market>", "such as binance:BTC/USDT")
    .argument("<timeframe>", "such as 1m; or trades")
    // Asked for below and not by the parser, which would tell of it before it tells of an option it does not know.
    .option("--since <time>", "from this time on (required): a date, a time, epoch ms, or how long ago (30d)")
    .option("--until <time>", "up to this time; default now")
    .action(async (market: string, timeframe: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<BackfillOptions>();
      const name = readMarketName(market);
      const wanted: Wanted = {
        name,
        timeframe: readWanted(timeframe),
        range: readWantedRange(options),
      };
      const settings = await loadSettings(options);
      const config = collectorFor(settings, name);
      await withStore(context, options, { url: settings.instance.storage.url, role: "owner" }, (store) =>
        new BackfillCommand({ store, settings, config, options, context }).run(wanted),
      );
    });
}

function readWanted(text: string): Wanted["timeframe"] {
  if (text === "trades") return text;
  if (text === "book")
    throw usageError("book: no exchange gives past order books; they are kept from the stream, by `start`");
  return readTimeframe(text);
}

function readWantedRange(options: Pick<BackfillOptions, "since" | "until">): TimeRange {
  if (options.since === undefined)
    throw usageError(
      "--since is missing: a date (2024-01-01), a time, epoch milliseconds, or how long ago (30d)",
    );
  const nowMs = systemClock.nowMs();
  const startMs = readTime("--since", options.since, nowMs);
  const endMs = options.until === undefined ? nowMs : readTime("--until", options.until, nowMs);
  if (startMs < endMs) return { startMs, endMs };
  throw usageError(`--since ${formatTime(startMs)} is not before --until ${formatTime(endMs)}`);
}

interface Wanted {
  readonly name: { readonly exchange: string; readonly symbol: string };
  readonly timeframe: Timeframe | "trades";
  readonly range: TimeRange;
}

class BackfillCommand {
  readonly #store: Store;
  readonly #settings: TickwellConfig;
  readonly #config: CollectorConfig;
  readonly #options: BackfillOptions;
  readonly #context: CommandContext;

  constructor(parts: {
    store: Store;
    settings: TickwellConfig;
    config: CollectorConfig;
    options: BackfillOptions;
    context: CommandContext;
  }) {
    this.#store = parts.store;
    this.#settings = parts.settings;
    this.#config = parts.config;
    this.#options = parts.options;
    this.#context = parts.context;
  }

  async run(wanted: Wanted): Promise<void> {
    const { log, signal } = this.#context;
    const exchange = exchangeFor(this.#config, { bans: this.#store.bans, log });
    const pipeline = new Pipeline({
      store: this.#store,
      clock: systemClock,
      log,
      stageRowsMax: this.#settings.instance.stage.itemsMax,
    });
    const bounded = AbortSignal.any([signal, pipeline.failure]);
    try {
      const listed = findMarket(exchange.id, await exchange.fetchMarkets(bounded), wanted.name.symbol);
      const [market] = await this.#store.putMarkets(exchange.id, [listed], { isSimulated: false });
      if (!market) throw new Error(`${listed.symbol} was stored and is not there`);
      const { timeframe } = wanted;
      if (timeframe === "trades") {
        const { stage } = pipeline;
        const parts = {
          store: this.#store,
          stage,
          exchange,
          market,
          options: this.#options,
          context: this.#context,
        };
        await backfillTrades(parts, wanted.range, bounded);
        return;
      }
      const keeper = new CandleKeeper({
        store: this.#store,
        stage: pipeline.stage,
        exchange,
        clock: systemClock,
        log,
        concurrency: this.#config.backfill.concurrency,
        pageRowsMax: this.#config.request.limit,
        voidConfirmAfterMs: this.#config.backfill.voidConfirmAfterMs,
        validationOf: (series) => validationFor(this.#config, series.market.symbol),
      });
      await this.#fill(keeper, { market, timeframe }, wanted.range, bounded);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await exchange.close();
      // Everything received is stored, also after Ctrl-C.
      await pipeline.close();
    }
    // What an interrupted run leaves out is on record in the database, for the next one.
    if (!signal.aborted) return void (await this.#store.refreshAggregates(signal));
    this.#context.stderr(
      "Interrupted: everything received is stored. The same command goes on where this one stopped.\n",
    );
    this.#context.setExitStatus(EXIT.failed);
  }

  async #fill(keeper: CandleKeeper, series: Series, asked: TimeRange, signal: AbortSignal): Promise<void> {
    const { stderr } = this.#context;
    const closedEndMs = await keeper.closedEndMs(series.timeframe, signal);
    const range = {
      startMs: ceilToTimeframe(asked.startMs, series.timeframe),
      endMs: Math.min(floorToTimeframe(asked.endMs, series.timeframe), closedEndMs),
    };
    if (range.startMs >= range.endMs) {
      throw usageError(
        `no ${series.timeframe} candle has opened and closed between ${formatTime(asked.startMs)} and ${formatTime(asked.endMs)}`,
      );
    }
    const key = { marketId: series.market.id, timeframe: series.timeframe };
    await this.#store.expect(key, range);
    const lengthMs = timeframeMs(series.timeframe);
    const missing = totalMs(await this.#store.missing(key, range)) / lengthMs;
    const title = `${formatMarketName(series.market)} ${series.timeframe}`;
    const progress = new Progress({ title, total: missing, clock: systemClock, write: stderr });
    const startedMs = systemClock.nowMs();
    const known = (batch: {
      candles: readonly unknown[];
      voids: readonly TimeRange[];
      missing: readonly TimeRange[];
    }): number => batch.candles.length + totalMs([...batch.voids, ...batch.missing]) / lengthMs;
    let hasWaited = false;
    try {
      await backfillRange({ keeper, clock: systemClock }, { series, range }, signal, {
        onPage: (batch) => {
          if (!hasWaited) progress.add(known(batch));
        },
        onDatabaseAway: (error) => {
          progress.stop();
          stderr(`${describeError(error)}; waiting for it, what was fetched is kept.\n`);
        },
        onWait: ({ remaining, delayMs, asksLeft, leftMs }) => {
          if (!hasWaited && !series.market.isActive) stderr(suspendedWords(series));
          hasWaited = true;
          progress.stop();
          const candles = formatCount(totalMs(remaining) / lengthMs);
          stderr(
            `${candles} candles are not there yet; asking the exchange once more in ${formatDuration(delayMs)} before believing it` +
              (asksLeft > 1
                ? `, ${asksLeft} times and for ${formatDuration(leftMs)} at most.\n`
                : "; what is missing then stays on record.\n"),
          );
        },
      });
    } catch (error) {
      throw error instanceof TickwellError
        ? new TickwellError(
            error.fault,
            `${describeError(error)}. What was fetched is stored; run the same command again to go on`,
            { cause: error },
          )
        : error;
    } finally {
      progress.stop();
    }
    const [state] = await this.#store.seriesStates({ ...key, range });
    if (state) this.#report(state, range, { fetched: missing, elapsedMs: systemClock.nowMs() - startedMs });
  }

  #report(
    state: SeriesState,
    range: TimeRange,
    { fetched, elapsedMs }: { fetched: number; elapsedMs: number },
  ): void {
    const { stdout, setExitStatus } = this.#context;
    const proven = state.coveredCandles + state.voidCandles;
    const missing = state.expectedCandles - proven;
    if (this.#options.json) {
      stdout(
        `${JSON.stringify({
          market: state.market,
          timeframe: state.timeframe,
          start: formatTime(range.startMs),
          end: formatTime(range.endMs),
          expected_candles: state.expectedCandles,
          stored_candles: state.coveredCandles,
          void_candles: state.voidCandles,
          missing_candles: missing,
          elapsed_ms: elapsedMs,
        })}\n`,
      );
    } else {
      const pace = fetched === 0 ? "nothing was missing" : `in ${formatDuration(elapsedMs)}`;
      stdout(
        `${state.market} ${state.timeframe} from ${formatMinute(range.startMs)} to ${formatMinute(range.endMs)} UTC: ` +
          `${formatCount(state.coveredCandles)} candles stored, ${formatCount(state.voidCandles)} void, ${formatCount(missing)} missing, ` +
          `${formatPercent(proven, state.expectedCandles)} proven (${pace}).\n`,
      );
    }
    if (missing === 0) return;
    if (!this.#options.json) stdout("What is missing is on record: see `tickwell gaps`.\n");
    setExitStatus(EXIT.shortfall);
  }
}

/** Why an absence is doubted that would be believed of any other market. */
function suspendedWords({ market }: Series): string {
  return `${market.exchange} lists ${formatMarketName(market)} as suspended: without a later candle nobody knows whether the last day's are still to come.\n`;
}
