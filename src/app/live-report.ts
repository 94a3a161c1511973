// Trades and order books as `gaps` and `status` show them: how much of their time is proven, and what is not.
import { systemClock } from "../core/clock.js";
import { formatDuration } from "../core/duration.js";
import type { TimeRange } from "../core/range.js";
import { formatMillisecond, formatSecond, formatTime } from "../core/time.js";
import type { LiveMeasurement } from "../store/live-quality.js";
import type { MissingTradeRange } from "../store/live-records.js";
import type { SeriesFilter, Store } from "../store/store.js";
import { formatCount, formatPercent, formatTable } from "./table.js";

/** One market's trades or books, over all that is stored of them or over a range. */
export interface LiveSeriesReport {
  readonly measured: LiveMeasurement;
  /** Of trades, with the ids between which they lie. */
  readonly missingTrades: readonly MissingTradeRange[];
}

/** Holes listed of each series. */
const HOLES_MAX = 20;
/** Nothing is stored before, and nobody asks for what comes after. */
const ALWAYS: TimeRange = { startMs: 0, endMs: Date.UTC(9999, 0, 1) };

/**
 * Empty where a timeframe is asked for: trades and books have none.
 * @param only one of the two
 */
export async function readLiveReport(
  store: Store,
  filter: SeriesFilter,
  only?: "trades" | "book",
): Promise<LiveSeriesReport[]> {
  if (filter.timeframe !== undefined) return [];
  const measurements = await store.live.measure({
    window: filter.range ?? ALWAYS,
    marketIds: filter.marketId === undefined ? undefined : [filter.marketId],
  });
  const reports: LiveSeriesReport[] = [];
  for (const measured of measurements) {
    const isTrades = measured.dataType === "trades";
    if (only !== undefined && (only === "trades") !== isTrades) continue;
    const missingTrades = isTrades ? await store.live.missingTrades(measured.marketId, filter.range) : [];
    reports.push({ measured, missingTrades });
  }
  return reports;
}

/** What is missing, a table each for trades and books; empty text where nothing is. */
export function formatLiveGaps(reports: readonly LiveSeriesReport[]): string {
  const trades = rowsOf(
    reports.flatMap(({ measured: { market }, missingTrades }) =>
      missingTrades.slice(-HOLES_MAX).map((hole) => ({ market, hole, words: idsOf(hole) })),
    ),
  );
  const books = rowsOf(
    reports
      .filter(({ measured }) => measured.dataType === "orderbook")
      .flatMap(({ measured: { market, holes } }) =>
        holes.map((hole) => ({ market, hole, words: `${hole.reason}: ${hole.detail}` })),
      ),
  );
  const columns = (what: string) => [
    { title: "market" },
    { title: "from (UTC)" },
    { title: "to, exclusive" },
    { title: what },
  ];
  return [
    trades.length > 0
      ? `Trades: known to be missing, and being fetched\n${formatTable(columns("ids"), trades)}\n`
      : "",
    books.length > 0
      ? `Order books: times without a valid one, which no exchange gives afterwards (the latest ${HOLES_MAX} a market)\n${formatTable(columns("why"), books)}\n`
      : "",
  ].join("");
}

export function formatLiveStates(reports: readonly LiveSeriesReport[]): string {
  if (reports.length === 0) return "";
  return formatTable(
    [
      { title: "market" },
      { title: "data" },
      { title: "followed", align: "right" },
      { title: "stored", align: "right" },
      { title: "missing", align: "right" },
      { title: "proven", align: "right" },
    ],
    reports.map(({ measured }) => {
      const { market, dataType, expectedMs, coveredMs, voidMs, stored, missingIds } = measured;
      const gapMs = Math.max(0, expectedMs - coveredMs - voidMs);
      return [
        market,
        dataType === "trades" ? "trades" : "book",
        formatDuration(expectedMs),
        formatCount(stored),
        dataType === "trades" ? formatCount(missingIds) : formatDuration(gapMs),
        formatPercent(coveredMs + voidMs, expectedMs),
      ];
    }),
  );
}

/** For `--json`. */
export function liveJson(reports: readonly LiveSeriesReport[]): object[] {
  return reports.map(({ measured, missingTrades }) => ({
    market: measured.market,
    data_type: measured.dataType,
    expected_seconds: measured.expectedMs / 1_000,
    covered_seconds: measured.coveredMs / 1_000,
    void_seconds: measured.voidMs / 1_000,
    stored: measured.stored,
    ...(measured.dataType === "trades"
      ? {
          missing_ids: measured.missingIds,
          gaps: missingTrades.map((hole) => ({
            start: formatTime(hole.startMs),
            end: formatTime(hole.endMs),
            after_id: hole.afterId ?? null,
            before_id: hole.beforeId ?? null,
          })),
        }
      : {
          gaps: measured.holes.map(({ startMs, endMs, reason, detail }) => ({
            start: formatTime(startMs),
            end: formatTime(endMs),
            reason,
            detail,
          })),
        }),
  }));
}

/** To the second, or all to the millisecond: an outage of a book may last a fraction of a second. */
function rowsOf(
  holes: readonly { readonly market: string; readonly hole: TimeRange; readonly words: string }[],
): string[][] {
  const isFine = holes.some(({ hole: { startMs, endMs } }) => startMs % 1_000 !== 0 || endMs % 1_000 !== 0);
  const format = isFine ? formatMillisecond : formatSecond;
  return holes.map(({ market, hole, words }) => [market, format(hole.startMs), format(hole.endMs), words]);
}

function idsOf({ afterId, beforeId, endMs }: MissingTradeRange): string {
  if (afterId !== undefined && beforeId !== undefined)
    return beforeId - afterId > 1 ? `${afterId + 1} to ${beforeId - 1}` : "none between its neighbours";
  if (endMs > systemClock.nowMs() - 10_000) return "the present";
  return afterId === undefined ? `before ${beforeId ?? "the first"}` : `after ${afterId}`;
}
