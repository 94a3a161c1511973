// `tickwell export <market> <timeframe>`: stored candles as a file or on stdout, and what is not among them on stderr.
import { once } from "node:events";
import type { Command } from "commander";
import { closest } from "fastest-levenshtein";
import { systemClock } from "../../core/clock.js";
import { formatSize } from "../../core/duration.js";
import { formatMarketName } from "../../core/model/market.js";
import type { TimeRange } from "../../core/range.js";
import { formatMinute, formatTime } from "../../core/time.js";
import { ceilToTimeframe, timeframeMs } from "../../core/timeframe.js";
import type { SeriesKey, Store, StoredMarket } from "../../store/store.js";
import { readTime, usageError } from "../arguments.js";
import { candlesText, EXPORT_FORMATS, headerText, type ExportFormat } from "../candle-files/candle-text.js";
import { writeOutputFile } from "../candle-files/output-file.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { loadSettings, withStore } from "../settings.js";
import { findStoredSeries } from "../stored-series.js";
import { formatCount, formatPercent } from "../table.js";

interface ExportOptions extends GlobalOptions {
  readonly since?: string;
  readonly until?: string;
  readonly format?: string;
  readonly out?: string;
}

interface Target {
  /** Undefined for stdout. */
  readonly path: string | undefined;
  readonly format: ExportFormat;
}

type Series = SeriesKey & { readonly market: StoredMarket };

export function addExportCommand(program: Command, context: CommandContext): void {
  program
    .command("export")
    .description("write stored candles to a file or stdout, and say what is missing in them")
    .argument("<market>", "such as binance:BTC/USDT")
    .argument("<timeframe>", "such as 1m")
    .option("--since <time>", "from this time on; default the first that is stored")
    .option("--until <time>", "up to this time; default the last that is stored")
    .option("--format <format>", "csv or ndjson; default by the ending of --out, else csv")
    .option("--out <path>", "the file; .gz packs it; - or nothing is stdout")
    .action(async (market: string, timeframe: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ExportOptions>();
      if (["trades", "book", "orderbook"].includes(timeframe)) {
        throw usageError(
          `export: ${timeframe} cannot be exported yet; this version exports candles: name a timeframe such as 1m`,
        );
      }
      const target = readTarget(options);
      const { instance } = await loadSettings(options);
      await withStore(context, options, { url: instance.storage.url, role: "reader" }, async (store) => {
        const series = await findStoredSeries(store, market, timeframe);
        const range = await readExportRange(store, series, options);
        await exportCandles(store, { series, range, target, options, context });
      });
    });
}

function readTarget({ format, out, json }: ExportOptions): Target {
  const path = out === undefined || out === "-" ? undefined : out;
  const known = format === undefined ? undefined : readFormat(format);
  if (path !== undefined) return { path, format: known ?? formatOfName(path) };
  if (json && known === "csv") {
    throw usageError(
      "export: --json promises JSON on stdout, and --format csv writes CSV there: leave out one, or name a file with --out",
    );
  }
  return { path, format: known ?? (json ? "ndjson" : "csv") };
}

/** @throws TickwellError `config` for a format that cannot be written */
function readFormat(text: string): ExportFormat {
  const format = EXPORT_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  const supported = `this version writes ${EXPORT_FORMATS.join(" and ")}`;
  if (text === "parquet") throw usageError(`--format: parquet cannot be written yet; ${supported}`);
  throw usageError(
    `--format: found "${text}", did you mean ${closest(text, [...EXPORT_FORMATS])}? ${supported}`,
  );
}

function formatOfName(path: string): ExportFormat {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  if (name.endsWith(".parquet")) return readFormat("parquet");
  return /\.(ndjson|jsonl)$/.test(name) ? "ndjson" : "csv";
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
  const { signal, stderr, setExitStatus } = context;
  let candles = 0;
  const texts = async function* (): AsyncGenerator<string> {
    const header = headerText(target.format);
    if (header !== "") yield header;
    for await (const page of store.readCandles(series, range, signal)) {
      candles += page.length;
      yield candlesText(target.format, page);
    }
  };
  let bytes: number | undefined;
  try {
    if (target.path === undefined) await writeStdout(texts(), context);
    else bytes = await writeOutputFile(target.path, texts(), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    stderr(
      target.path === undefined
        ? "Interrupted: the candles above are not all.\n"
        : `Interrupted: ${target.path} was not written.\n`,
    );
    setExitStatus(EXIT.failed);
    return;
  }
  await report(store, job, { candles, bytes });
}

/** A slow reader of the pipe holds us up instead of filling our memory. */
async function writeStdout(texts: AsyncIterable<string>, { stdout, signal }: CommandContext): Promise<void> {
  for await (const text of texts) {
    stdout(text);
    if (process.stdout.writableNeedDrain) await once(process.stdout, "drain", { signal });
  }
}

async function report(
  store: Store,
  { series, range, target, options, context }: ExportJob,
  { candles, bytes }: { candles: number; bytes: number | undefined },
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
          bytes: bytes ?? 0,
        })}\n`
      : `${target.path}: ${formatCount(candles)} candles, ${formatSize(bytes ?? 0)}\n`,
  );
}

function sumCandles(ranges: readonly { readonly candles: number }[]): number {
  return ranges.reduce((sum, range) => sum + range.candles, 0);
}

function formatAbsence(candles: number, ranges: number, word: "gap" | "void"): string {
  if (ranges === 0) return `no ${word}s`;
  return `${formatCount(candles)} candles in ${formatCount(ranges)} ${ranges === 1 ? word : `${word}s`}`;
}
