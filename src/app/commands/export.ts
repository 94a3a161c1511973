// `tickwell export <market> <timeframe|trades|book>`: stored candles as a file or on stdout, and what is not among them on stderr.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatSize } from "../../core/duration.js";
import { formatMarketName } from "../../core/model/market.js";
import type { TimeRange } from "../../core/range.js";
import { formatMinute, formatTime } from "../../core/time.js";
import { ceilToTimeframe, timeframeMs } from "../../core/timeframe.js";
import type { SeriesKey, Store, StoredMarket } from "../../store/store.js";
import { readTime, usageError } from "../arguments.js";
import { candlesText, headerText } from "../candle-files/candle-text.js";
import { EXIT, type CommandContext } from "../command-context.js";
import { readTarget, writeTexts, type ExportOptions, type Target } from "../export-target.js";
import { loadSettings, withStore } from "../settings.js";
import { exportLive, LIVE_EXPORTS } from "./export-live.js";
import { findStoredSeries } from "../stored-series.js";
import { formatCount, formatPercent } from "../table.js";

type Series = SeriesKey & { readonly market: StoredMarket };

export function addExportCommand(program: Command, context: CommandContext): void {
  program
    .command("export")
    .description(
      "write stored candles, trades or order books to a file or stdout, and say what is missing in them",
    )
    .argument("<market>", "such as binance:BTC/USDT")
    .argument("<timeframe>", "such as 1m; or trades, or book")
    .option("--since <time>", "from this time on; default the first that is stored")
    .option("--until <time>", "up to this time; default the last that is stored")
    .option("--format <format>", "csv or ndjson; default by the ending of --out, else csv")
    .option("--out <path>", "the file; .gz packs it; - or nothing is stdout")
    .action(async (market: string, timeframe: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ExportOptions>();
      const target = readTarget(options);
      const { instance } = await loadSettings(options);
      await withStore(context, options, { url: instance.storage.url, role: "reader" }, async (store) => {
        const data = LIVE_EXPORTS.find((known) => known === timeframe);
        if (data !== undefined) return exportLive(store, { market, data, target }, { options, context });
        const series = await findStoredSeries(store, market, timeframe);
        const range = await readExportRange(store, series, options);
        await exportCandles(store, { series, range, target, options, context });
      });
    });
}

/** `[since, until)` on the grid; what is left out is where the series begins or ends. */
async function readExportRange(store: Store, series: Series, options: ExportOptions): Promise<TimeRange> {
  const nowMs = systemClock.nowMs();
  const [state] = await store.seriesStates({ marketId: series.marketId, timeframe: series.timeframe });
  const first = state?.expected[0];
  const last = state?.expected.at(-1);
  if (!first || !last) {
    throw usageError(
      `nothing is stored of ${formatMarketName(series.market)} ${series.timeframe}; see \`tickwell gaps\` for what is`,
    );
  }
  const startMs = options.since === undefined ? first.startMs : readTime("--since", options.since, nowMs);
  const endMs = options.until === undefined ? last.endMs : readTime("--until", options.until, nowMs);
  const range = {
    startMs: ceilToTimeframe(startMs, series.timeframe),
    endMs: ceilToTimeframe(endMs, series.timeframe),
  };
  if (range.startMs < range.endMs) return range;
  throw usageError(
    `export: no ${series.timeframe} candle opens between ${formatTime(startMs)} and ${formatTime(endMs)}; ` +
      `stored is ${formatTime(first.startMs)} to ${formatTime(last.endMs)}`,
  );
}

interface ExportJob {
  readonly series: Series;
  readonly range: TimeRange;
  readonly target: Target;
  readonly options: ExportOptions;
  readonly context: CommandContext;
}

async function exportCandles(store: Store, job: ExportJob): Promise<void> {
  const { series, range, target, context } = job;
  const { signal, setExitStatus } = context;
  let candles = 0;
  const texts = async function* (): AsyncGenerator<string> {
    const header = headerText(target.format);
    if (header !== "") yield header;
    for await (const page of store.readCandles(series, range, signal)) {
      candles += page.length;
      yield candlesText(target.format, page);
    }
  };
  const written = await writeTexts(target, texts(), context);
  if (written === undefined) setExitStatus(EXIT.failed);
  else await report(store, job, { candles, bytes: written.bytes });
}

async function report(
  store: Store,
  { series, range, target, options, context }: ExportJob,
  { candles, bytes }: { candles: number; bytes: number },
): Promise<void> {
  const filter = { marketId: series.marketId, timeframe: series.timeframe, range };
  const [gaps, voids, states] = await Promise.all([
    store.gaps(filter),
    store.voids(filter),
    store.seriesStates(filter),
  ]);
  const slots = (range.endMs - range.startMs) / timeframeMs(series.timeframe);
  const missing = sumCandles(gaps);
  const empty = sumCandles(voids);
  const notCollected = slots - (states[0]?.expectedCandles ?? 0);
  const name = `${formatMarketName(series.market)} ${series.timeframe}`;
  const span = `${formatMinute(range.startMs)} to ${formatMinute(range.endMs)} UTC`;
  context.stderr(
    `${name}, ${span}: ${formatCount(candles)} of ${formatCount(slots)} candles, ${formatPercent(candles + empty, slots)} covered. ` +
      `Not in it: ${formatAbsence(missing, gaps.length, "gap")}; ${formatAbsence(empty, voids.length, "void")}` +
      `${notCollected > 0 ? `; ${formatCount(notCollected)} candles outside what was ever collected` : ""}.\n`,
  );
  if (target.path === undefined) return;
  context.stdout(
    options.json
      ? `${JSON.stringify({
          file: target.path,
          format: target.format,
          market: formatMarketName(series.market),
          timeframe: series.timeframe,
          since: formatTime(range.startMs),
          until: formatTime(range.endMs),
          candles,
          gaps: gaps.length,
          missing_candles: missing,
          voids: voids.length,
          void_candles: empty,
          not_collected_candles: notCollected,
          coverage_percent: Math.floor(((candles + empty) / slots) * 10_000) / 100,
          bytes,
        })}\n`
      : `${target.path}: ${formatCount(candles)} candles, ${formatSize(bytes)}\n`,
  );
}

function sumCandles(ranges: readonly { readonly candles: number }[]): number {
  return ranges.reduce((sum, range) => sum + range.candles, 0);
}

function formatAbsence(candles: number, ranges: number, word: "gap" | "void"): string {
  if (ranges === 0) return `no ${word}s`;
  return `${formatCount(candles)} candles in ${formatCount(ranges)} ${ranges === 1 ? word : `${word}s`}`;
}
