// `tickwell import <file> --market M --timeframe TF`: brings candles of a file in, through the same gate, stage and
// writer as an exchange's. What the file lacks between its first and last candle is listed by `tickwell gaps`.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatSize } from "../../core/duration.js";
import { classifyError, describeError } from "../../core/fault.js";
import { formatMarketName, type MarketInfo, type MarketName } from "../../core/model/market.js";
import { formatMinute, formatTime } from "../../core/time.js";
import { timeframeMs, type Timeframe } from "../../core/timeframe.js";
import { isExchangeName, unknownExchange } from "../../exchanges/registry.js";
import { Pipeline } from "../../pipeline/pipeline.js";
import type { CommitResult, SeriesKey, Store, StoredMarket } from "../../store/store.js";
import { usageError } from "../arguments.js";
import { openCandleFile, readFileFormat, type CandleFile } from "../candle-files/candle-file.js";
import { CandleImporter } from "../candle-files/candle-importer.js";
import type { FileRow } from "../candle-files/file-row.js";
import { checkRows, type RefusedRow } from "../candle-files/row-check.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { findMarket, readMarketName, readTimeframe } from "../market-lookup.js";
import { Progress } from "../progress.js";
import { loadSettings, withStore } from "../settings.js";
import { formatCount } from "../table.js";

interface ImportOptions extends GlobalOptions {
  readonly market: string;
  readonly timeframe: string;
  readonly format?: string;
  readonly timeIs: string;
}

/** Refused rows that are shown one by one. */
const REFUSED_SHOWN_MAX = 10;
const RAW_CHARS_SHOWN = 120;

export function addImportCommand(program: Command, context: CommandContext): void {
  program
    .command("import")
    .description("bring candles of a file in, through the same checks as an exchange's")
    .argument(
      "<file>",
      "CSV, JSON as freqtrade writes it (either may be gzip), or a ZIP of Binance's archive",
    )
    .requiredOption("--market <market>", "whose candles they are, such as binance:BTC/USDT")
    .requiredOption("--timeframe <timeframe>", "such as 1m")
    .option(
      "--format <format>",
      "csv, freqtrade-json or binance-zip; default by the file's name or beginning",
    )
    .option("--time-is <end>", "whether the file's times are the candles' open or close", "open")
    .action(async (file: string, _options: unknown, command: Command) => {
      await importFile(file, command.optsWithGlobals<ImportOptions>(), context);
    });
}

async function importFile(file: string, options: ImportOptions, context: CommandContext): Promise<void> {
  const name = readImportMarket(options.market);
  const timeframe = readTimeframe(options.timeframe);
  const timeIs = readTimeIs(options.timeIs);
  const format = options.format === undefined ? undefined : readFileFormat(options.format);
  const settings = await loadSettings(options);
  let onBytes = (_bytes: number): void => undefined;
  let headBytes = 0;
  const candleFile = await openCandleFile(file, {
    format,
    timeframe,
    timeIs,
    assets: assetsOf(name.symbol),
    onBytes: (bytes) => {
      headBytes += bytes;
      onBytes(bytes);
    },
  });
  try {
    // Before anything is stored, the file has shown that it is one of candles.
    const first = await readFirstRows(file, candleFile, timeframe);
    const { url } = settings.instance.storage;
    await withStore(context, options, { url, role: "owner" }, async (store) => {
      const run = new ImportRun({ file, candleFile, first, options, context });
      onBytes = run.startProgress(headBytes);
      const market = await resolveMarket(store, name, context);
      await run.run(store, { market, timeframe }, settings.instance.stage.itemsMax);
    });
  } finally {
    await candleFile.close();
  }
}

/** @throws TickwellError `config` naming the nearest exchange */
function readImportMarket(text: string): MarketName {
  const name = readMarketName(text);
  if (isExchangeName(name.exchange)) return name;
  throw unknownExchange(name.exchange);
}

function readTimeIs(text: string): "open" | "close" {
  if (text === "open" || text === "close") return text;
  throw usageError(
    `--time-is: found "${text}", expected open (the candle's start) or close (the candle's end)`,
  );
}

const UNIFIED_SYMBOL = /^([^\s/:]+)\/([^\s/:]+)(?::([^\s/:]+))?$/u;

function assetsOf(symbol: string): { baseAsset: string; quoteAsset: string } {
  const [, baseAsset = "", quoteAsset = ""] = UNIFIED_SYMBOL.exec(symbol.toUpperCase()) ?? [];
  return { baseAsset, quoteAsset };
}

/** The stored market of that name, or a new one: importing needs no network, so the symbol alone must do. */
async function resolveMarket(
  store: Store,
  { exchange, symbol }: MarketName,
  context: CommandContext,
): Promise<StoredMarket> {
  const stored = (await store.listMarkets()).filter((market) => market.exchange === exchange);
  const unified = UNIFIED_SYMBOL.exec(symbol.toUpperCase());
  const isStored = stored.some((market) => market.symbol.toUpperCase() === symbol.toUpperCase());
  if (isStored || (unified === null && stored.length > 0)) return findMarket(exchange, stored, symbol);
  if (unified === null) {
    throw usageError(
      `market: found "${exchange}:${symbol}", expected <exchange>:<base>/<quote> such as ${exchange}:BTC/USDT`,
    );
  }
  const [unifiedSymbol, baseAsset = "", quoteAsset = "", settleAsset] = unified;
  const info: MarketInfo = {
    symbol: unifiedSymbol,
    nativeSymbol: baseAsset + quoteAsset,
    baseAsset,
    quoteAsset,
    marketType: settleAsset === undefined ? "spot" : "swap",
    isActive: true,
  };
  const [market] = await store.putMarkets(exchange, [info], { isSimulated: false });
  if (!market) throw new Error(`${exchange}:${info.symbol} was stored and is not there`);
  context.stderr(`${formatMarketName(market)} is new to the store.\n`);
  return market;
}

/** @throws TickwellError `config` when no row is a candle of this timeframe */
async function readFirstRows(
  file: string,
  { rows, format }: CandleFile,
  timeframe: Timeframe,
): Promise<readonly FileRow[]> {
  let first: readonly FileRow[] | undefined;
  try {
    const next = await rows.next();
    first = next.done ? undefined : next.value;
  } catch (error) {
    throw classifyError(error).kind === "malformed_payload" ? usageError(describeError(error)) : error;
  }
  if (first === undefined) throw usageError(`${file}: holds no rows, expected candles (read as ${format})`);
  const checked = checkRows(first, { timeframe, nowMs: systemClock.nowMs(), previousTimeMs: undefined });
  if (checked.readable > 0) return first;
  const [refused] = checked.refused;
  const example = refused ? ` ${formatRefused(file, refused)}` : "";
  throw usageError(
    `${file}: none of its first ${formatCount(first.length)} rows is a closed ${timeframe} candle (read as ${format}); ` +
      `nothing was stored. Are --timeframe, --time-is and --format right?${example}`,
  );
}

/** `data.csv:17: high 99.1 < low 99.4: "1704067200,…"` */
function formatRefused(file: string, { line, row, rejection }: RefusedRow): string {
  const place = row === undefined ? `${file}:${line}` : `${file}:${line}: row ${row}`;
  return `${place}: ${rejection.detail}: ${JSON.stringify(rejection.raw.slice(0, RAW_CHARS_SHOWN))}`;
}

class ImportRun {
  readonly #file: string;
  readonly #candleFile: CandleFile;
  readonly #first: readonly FileRow[];
  readonly #options: ImportOptions;
  readonly #context: CommandContext;
  readonly #committed = { inserted: 0, revised: 0, refused: 0 };
  readonly #shown: string[] = [];
  #rejected = 0;
  #progress: Progress | undefined;

  constructor(parts: {
    file: string;
    candleFile: CandleFile;
    first: readonly FileRow[];
    options: ImportOptions;
    context: CommandContext;
  }) {
    this.#file = parts.file;
    this.#candleFile = parts.candleFile;
    this.#first = parts.first;
    this.#options = parts.options;
    this.#context = parts.context;
  }

  /** @returns counts bytes read from now on */
  startProgress(alreadyRead: number): (bytes: number) => void {
    const { sizeBytes } = this.#candleFile;
    if (sizeBytes === 0) return () => undefined;
    const progress = new Progress({
      title: this.#file,
      total: sizeBytes,
      clock: systemClock,
      write: this.#context.stderr,
      unit: "read",
      show: formatSize,
    });
    progress.add(alreadyRead);
    this.#progress = progress;
    return (bytes) => progress.add(bytes);
  }

  async run(
    store: Store,
    series: { market: StoredMarket; timeframe: Timeframe },
    stageRowsMax: number,
  ): Promise<void> {
    const { signal, stderr, setExitStatus, log } = this.#context;
    const key = { marketId: series.market.id, timeframe: series.timeframe };
    const onCommit = (result: CommitResult): void => this.#count(result);
    const pipeline = new Pipeline({ store, clock: systemClock, log, stageRowsMax, onCommit });
    const importer = new CandleImporter({
      store,
      stage: pipeline.stage,
      clock: systemClock,
      key,
      onRefused: (refused) => this.#note(refused),
    });
    let readError: Error | undefined;
    try {
      // The user's signal is looked at between chunks only: what was read is stored, also after Ctrl-C.
      await importer.add(this.#first, pipeline.failure);
      readError = await this.#addAll(importer, pipeline.failure);
      await importer.finish(pipeline.failure);
    } finally {
      this.#progress?.stop();
      await pipeline.close();
    }
    // What an interrupted run leaves out is on record in the database, for the next one.
    if (!signal.aborted) await store.refreshAggregates(signal);
    this.#showRefused();
    const isComplete = readError === undefined && !signal.aborted;
    await this.#report(store, { ...series, key, importer, isComplete });
    if (readError !== undefined) {
      stderr(`The ${formatCount(importer.rows)} rows before the fault are stored.\n`);
      throw readError;
    }
    if (signal.aborted) {
      stderr(
        `Interrupted: the ${formatCount(importer.rows)} rows read so far are stored. The same command again brings in the rest.\n`,
      );
      setExitStatus(EXIT.failed);
    } else if (this.#rejected + this.#committed.refused > 0) {
      setExitStatus(EXIT.shortfall);
    }
  }

  /** @returns what reading the file failed with: the rows before that are good */
  async #addAll(importer: CandleImporter, signal: AbortSignal): Promise<Error | undefined> {
    while (!this.#context.signal.aborted) {
      let next: IteratorResult<readonly FileRow[]>;
      try {
        next = await this.#candleFile.rows.next();
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error));
      }
      if (next.done) break;
      await importer.add(next.value, signal);
    }
    return undefined;
  }

  #count({ inserted, revised, refused }: CommitResult): void {
    this.#committed.inserted += inserted;
    this.#committed.revised += revised;
    this.#committed.refused += refused;
  }

  #note(refused: RefusedRow): void {
    this.#rejected++;
    if (this.#shown.length < REFUSED_SHOWN_MAX) this.#shown.push(formatRefused(this.#file, refused));
  }

  #showRefused(): void {
    const { stderr } = this.#context;
    for (const line of this.#shown) stderr(`${line}\n`);
    const rest = this.#rejected - this.#shown.length;
    if (rest > 0) stderr(`… and ${formatCount(rest)} more refused; all are in the table quarantine.\n`);
    if (this.#committed.refused > 0) {
      stderr(
        `${formatCount(this.#committed.refused)} rows contradict what the exchange itself has sent; the exchange's values stay.\n`,
      );
    }
  }

  async #report(
    store: Store,
    {
      market,
      timeframe,
      key,
      importer,
      isComplete,
    }: {
      market: StoredMarket;
      timeframe: Timeframe;
      key: SeriesKey;
      importer: CandleImporter;
      isComplete: boolean;
    },
  ): Promise<void> {
    const { inserted, revised, refused } = this.#committed;
    const { extent, rows, accepted } = importer;
    const gaps = extent ? await store.gaps({ ...key, range: extent }) : [];
    const lastMs = extent ? extent.endMs - timeframeMs(timeframe) : undefined;
    const result = {
      file: this.#file,
      market: formatMarketName(market),
      timeframe,
      rows,
      stored: inserted,
      revised,
      unchanged: accepted - inserted - revised - refused,
      rejected: this.#rejected,
      contradicting: refused,
      first: extent ? formatTime(extent.startMs) : null,
      last: lastMs === undefined ? null : formatTime(lastMs),
      gaps: gaps.length,
      missing_candles: gaps.reduce((sum, gap) => sum + gap.candles, 0),
      complete: isComplete,
    };
    this.#context.stdout(
      this.#options.json
        ? `${JSON.stringify(result)}\n`
        : formatResult(result, { startMs: extent?.startMs, lastMs }),
    );
  }
}

interface ImportResult {
  readonly file: string;
  readonly market: string;
  readonly timeframe: Timeframe;
  readonly rows: number;
  readonly stored: number;
  readonly revised: number;
  readonly unchanged: number;
  readonly rejected: number;
  readonly contradicting: number;
  readonly gaps: number;
  readonly missing_candles: number;
}

function formatResult(
  result: ImportResult,
  { startMs, lastMs }: { startMs: number | undefined; lastMs: number | undefined },
): string {
  const counts = [
    `${formatCount(result.stored)} new`,
    ...(result.revised > 0 ? [`${formatCount(result.revised)} changed`] : []),
    `${formatCount(result.unchanged)} stored before`,
    ...(result.contradicting > 0 ? [`${formatCount(result.contradicting)} contradicting the exchange`] : []),
    `${formatCount(result.rejected)} refused`,
  ];
  const span =
    startMs === undefined || lastMs === undefined
      ? ""
      : ` from ${formatMinute(startMs)} to ${formatMinute(lastMs)} UTC`;
  const holes =
    result.gaps === 0
      ? "No candle is missing in between.\n"
      : `${formatCount(result.missing_candles)} candles are missing in between, in ${formatCount(result.gaps)} ${result.gaps === 1 ? "gap" : "gaps"}: see \`tickwell gaps\`.\n`;
  return `${result.file} → ${result.market} ${result.timeframe}: ${formatCount(result.rows)} rows${span}: ${counts.join(", ")}.\n${holes}`;
}
