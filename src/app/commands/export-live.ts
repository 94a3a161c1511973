// `tickwell export <market> trades|book`: stored trades or order books, and what is not among them on stderr.
import { systemClock } from "../../core/clock.js";
import { formatDuration, formatSize } from "../../core/duration.js";
import { formatMarketName } from "../../core/model/market.js";
import { totalMs, type TimeRange } from "../../core/range.js";
import { formatMinute, formatTime } from "../../core/time.js";
import type { Store, StoredMarket } from "../../store/store.js";
import { readTime, usageError } from "../arguments.js";
import type { ExportFormat } from "../candle-files/candle-text.js";
import { BOOK_TEXT, TRADE_TEXT } from "../candle-files/live-text.js";
import { EXIT, type CommandContext } from "../command-context.js";
import { writeTexts, type ExportOptions, type Target } from "../export-target.js";
import { findStoredMarket } from "../stored-series.js";
import { formatCount } from "../table.js";

/** What the command line calls them. */
export const LIVE_EXPORTS = ["trades", "book"] as const;
export type LiveExport = (typeof LIVE_EXPORTS)[number];

export async function exportLive(
  store: Store,
  wanted: { readonly market: string; readonly data: LiveExport; readonly target: Target },
  { options, context }: { options: ExportOptions; context: CommandContext },
): Promise<void> {
  const { data, target } = wanted;
  const market = await findStoredMarket(store, wanted.market);
  const range = await readRange(store, { market, data }, options);
  const { signal, stderr, stdout, setExitStatus } = context;
  let records = 0;
  const count = <T>(page: readonly T[]): readonly T[] => {
    records += page.length;
    return page;
  };
  const texts = async function* (format: ExportFormat): AsyncGenerator<string> {
    const header = (data === "trades" ? TRADE_TEXT : BOOK_TEXT).header(format);
    if (header !== "") yield header;
    if (data === "trades")
      for await (const page of store.live.readTrades(market.id, range, signal))
        yield TRADE_TEXT.lines(format, count(page));
    else
      for await (const page of store.live.readBooks(market.id, range, signal))
        yield BOOK_TEXT.lines(format, count(page));
  };
  const written = await writeTexts(target, texts(target.format), context);
  if (written === undefined) {
    setExitStatus(EXIT.failed);
    return;
  }
  const name = `${formatMarketName(market)} ${data}`;
  const missing = await describeMissing(store, { market, data, range });
  stderr(
    `${name}, ${formatMinute(range.startMs)} to ${formatMinute(range.endMs)} UTC: ${formatCount(records)} records. Not in it: ${missing}.\n`,
  );
  if (target.path === undefined) return;
  stdout(
    options.json
      ? `${JSON.stringify({
          file: target.path,
          format: target.format,
          market: formatMarketName(market),
          data_type: data === "trades" ? "trades" : "orderbook",
          since: formatTime(range.startMs),
          until: formatTime(range.endMs),
          records,
          bytes: written.bytes,
        })}\n`
      : `${target.path}: ${formatCount(records)} records, ${formatSize(written.bytes)}\n`,
  );
}

/** As asked for; otherwise all that is stored. */
async function readRange(
  store: Store,
  { market, data }: { market: StoredMarket; data: LiveExport },
  options: ExportOptions,
): Promise<TimeRange> {
  const nowMs = systemClock.nowMs();
  const window = { startMs: 0, endMs: nowMs + 60_000 };
  const measured = await store.live.measure({ window, marketIds: [market.id] });
  const wanted = data === "trades" ? "trades" : "orderbook";
  if (!measured.some(({ dataType }) => dataType === wanted))
    throw usageError(
      `nothing is stored of the ${data === "trades" ? "trades" : "order book"} of ${formatMarketName(market)}; see \`tickwell status\` for what is`,
    );
  const startMs = options.since === undefined ? 0 : readTime("--since", options.since, nowMs);
  const endMs = options.until === undefined ? window.endMs : readTime("--until", options.until, nowMs);
  if (startMs < endMs) return { startMs, endMs };
  throw usageError(`--since ${formatTime(startMs)} is not before --until ${formatTime(endMs)}`);
}

async function describeMissing(
  store: Store,
  { market, data, range }: { market: StoredMarket; data: LiveExport; range: TimeRange },
): Promise<string> {
  if (data === "trades") {
    const holes = await store.live.missingTrades(market.id, range);
    return holes.length === 0
      ? "nothing, by the ids"
      : `${formatCount(holes.length)} ${holes.length === 1 ? "gap" : "gaps"} of ${formatDuration(totalMs(holes))} in all`;
  }
  const outages = await store.live.outages(market.id, range);
  return outages.length === 0
    ? "no time without a valid book"
    : `${formatDuration(totalMs(outages))} without a valid book, in ${formatCount(outages.length)} ${outages.length === 1 ? "piece" : "pieces"}`;
}
