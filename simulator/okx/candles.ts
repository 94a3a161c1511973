// GET /api/v5/market/candles and /market/history-candles, newest first. `after` is older than, `before` is newer than,
// both exclusive; a `before` alone gives the latest rows, not the oldest. The two are separate caches: the first knows
// the latest 1,440 bars and the forming one, the second all closed ones but the newest.
import { timeframeMs } from "../../src/core/timeframe.js";
import type { Bar } from "../bar-maker.js";
import { withoutLate, writeCandleRows, type CandleRow } from "../candle-rows.js";
import { canonicalText } from "../fixed-text.js";
import type { OpenedBar, SimulatedMarket } from "../simulated-market.js";
import { parseBar } from "./bars.js";
import { findMarket, sizeText, type OkxEndpoint, type OkxVenue } from "./endpoint.js";
import type { Parameters } from "./parameters.js";

const RECENT_BARS = 1_440;
const RECENT_ROWS_MAX = 300;

export const candles: OkxEndpoint = {
  path: "/api/v5/market/candles",
  requests: 40,
  isPage: true,
  answer: (parameters, venue) => answerCandles(parameters, venue, "recent"),
};

export const historyCandles: OkxEndpoint = {
  path: "/api/v5/market/history-candles",
  requests: 20,
  isPage: true,
  answer: (parameters, venue) => answerCandles(parameters, venue, "history"),
};

function answerCandles(parameters: Parameters, venue: OkxVenue, cache: "recent" | "history"): CandleRow[] {
  const market = findMarket(venue, parameters.required("instId"));
  const { timeframe, aheadMs } = parseBar(parameters.text("bar") ?? "1m");
  const { nowMs, faults, options } = venue;
  const lengthMs = timeframeMs(timeframe);
  const after = parameters.integer("after") ?? Infinity;
  const before = parameters.integer("before") ?? -1;
  const max = cache === "recent" ? RECENT_ROWS_MAX : options.historyRowsMax;
  const limit = parameters.limit({ fallback: 100, max });
  const newestMs = cache === "recent" ? nowMs : nowMs - lengthMs * (1 + options.historyLagBars);
  const oldestMs = cache === "recent" ? nowMs - RECENT_BARS * lengthMs + 1 : 0;
  const context = { market, timeframe, faults, nowMs };
  const bars = market.barsBackFrom(Math.min(after - 1, newestMs), timeframe, nowMs, aheadMs);
  const page: OpenedBar[] = [];
  for (const opened of withoutLate(downTo(bars, Math.max(before + 1, oldestMs)), context)) {
    page.push(opened);
    if (page.length >= limit) break;
  }
  return writeCandleRows(page, context, (openTimeMs, bar, isClosed) =>
    writeRow(market, { openTimeMs, bar }, isClosed),
  );
}

function* downTo(bars: Iterable<OpenedBar>, fromMs: number): Generator<OpenedBar> {
  for (const opened of bars) {
    if (opened.openTimeMs < fromMs) return;
    yield opened;
  }
}

/** [ts, o, h, l, c, vol, volCcy, volCcyQuote, confirm]; of spot base, quote, quote; of a swap contracts, base, quote. */
export function writeRow(
  market: SimulatedMarket,
  { openTimeMs, bar }: OpenedBar,
  isClosed: boolean,
): CandleRow {
  const quote = canonicalText(bar.notional, market.notionalDecimals);
  return [
    String(openTimeMs),
    ...prices(market, bar),
    sizeText(market, bar.lots),
    market.settleAsset === undefined ? quote : canonicalText(bar.lots, market.spec.qtyDecimals),
    quote,
    isClosed ? "1" : "0",
  ];
}

function prices({ spec }: SimulatedMarket, bar: Bar): readonly string[] {
  return [bar.open, bar.high, bar.low, bar.close].map((ticks) => canonicalText(ticks, spec.priceDecimals));
}
