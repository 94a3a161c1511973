// GET /api/v3/klines and /fapi/v1/klines. Both bounds are inclusive on the open time; a start alone gives the oldest rows
// from there, an end alone the newest up to there, neither the latest. The last row is the forming candle when its time
// has come.
import { timeframeMs, type Timeframe } from "../../src/core/timeframe.js";
import type { Bar } from "../bar-maker.js";
import { withoutLate, writeCandleRows, type CandleRow } from "../candle-rows.js";
import type { OpenedBar, SimulatedMarket } from "../simulated-market.js";
import { notValid } from "./api-error.js";
import { findMarket, type Endpoint, type Venue } from "./endpoint.js";
import type { Parameters } from "./parameters.js";

const SPOT_PARAMETERS = ["symbol", "interval", "startTime", "endTime", "timeZone", "limit"];

const spotKlines = (path: string): Endpoint => ({
  path,
  parameters: SPOT_PARAMETERS,
  isPage: true,
  weight: () => 2,
  answer: (parameters, venue) => answerKlines(parameters, venue, 1_000),
});

export const klines: Endpoint = spotKlines("/api/v3/klines");
/** The same rows; Binance smooths these for charts. */
export const uiKlines: Endpoint = spotKlines("/api/v3/uiKlines");

export const futuresKlines: Endpoint = {
  path: "/fapi/v1/klines",
  parameters: SPOT_PARAMETERS.filter((name) => name !== "timeZone"),
  isPage: true,
  weight(query) {
    const limit = Number(query.get("limit") ?? 500);
    if (limit < 100) return 1;
    if (limit < 500) return 2;
    return limit <= 1_000 ? 5 : 10;
  },
  answer: (parameters, venue) => answerKlines(parameters, venue, 1_500),
};

function answerKlines(parameters: Parameters, venue: Venue, limitMax: number): CandleRow[] {
  const market = findMarket(venue, parameters.symbol());
  const timeframe = parameters.timeframe("interval");
  const fromMs = parameters.timeMs("startTime");
  const toMs = parameters.timeMs("endTime") ?? Infinity;
  const limit = parameters.limit({ fallback: 500, max: limitMax });
  // Shifted days are not simulated; refusing beats answering something else than what was asked for.
  const zone = parameters.text("timeZone");
  if (zone !== undefined && !/^[+-]?0{1,2}(:00)?$/.test(zone)) throw notValid("timeZone");

  const { nowMs, faults } = venue;
  const context = { market, timeframe, faults, nowMs };
  const bars =
    fromMs === undefined
      ? market.barsBackFrom(toMs, timeframe, nowMs)
      : market.barsFrom(fromMs, timeframe, nowMs);
  const page: OpenedBar[] = [];
  for (const opened of withoutLate(upTo(bars, toMs), context)) {
    page.push(opened);
    if (page.length >= limit) break;
  }
  if (fromMs === undefined) page.reverse();
  return writeCandleRows(page, context, (openTimeMs, bar) =>
    writeRow({ market, timeframe, openTimeMs, bar }, venue),
  );
}

function* upTo(bars: Iterable<OpenedBar>, toMs: number): Generator<OpenedBar> {
  for (const opened of bars) {
    if (opened.openTimeMs > toMs) return;
    yield opened;
  }
}

/** [openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBuyBase, takerBuyQuote, "0"] */
function writeRow(
  candle: { market: SimulatedMarket; timeframe: Timeframe; openTimeMs: number; bar: Bar },
  { text, inMicroseconds = false }: Venue,
): CandleRow {
  const { market, timeframe, openTimeMs, bar } = candle;
  const { priceDecimals, qtyDecimals } = market.spec;
  const units = inMicroseconds ? 1_000 : 1;
  return [
    openTimeMs * units,
    text(bar.open, priceDecimals),
    text(bar.high, priceDecimals),
    text(bar.low, priceDecimals),
    text(bar.close, priceDecimals),
    text(bar.lots, qtyDecimals),
    (openTimeMs + timeframeMs(timeframe)) * units - 1,
    text(bar.notional, market.notionalDecimals),
    bar.trades,
    text(bar.takerBuyLots, qtyDecimals),
    text(bar.takerBuyNotional, market.notionalDecimals),
    "0",
  ];
}
