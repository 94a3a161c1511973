// GET /api/v3/klines. Both bounds are inclusive on the open time; a start alone gives the oldest rows from there, an end
// alone the newest up to there, neither the latest. The last row is the forming candle when its time has come.
import { timeframeMs, type Timeframe } from "../../src/core/timeframe.js";
import type { Bar } from "../bar-maker.js";
import type { RowLie } from "../fault-injector.js";
import { fixedText } from "../fixed-text.js";
import type { OpenedBar, SimulatedMarket } from "../simulated-market.js";
import { notValid } from "./api-error.js";
import { findMarket, namesOf, type Endpoint, type Venue } from "./endpoint.js";
import type { Parameters } from "./parameters.js";

const LIMIT_MAX = 1_000;

type KlineField = string | number;
/** [openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBuyBase, takerBuyQuote, "0"] */
type KlineRow = KlineField[];

const kline = (path: string): Endpoint => ({
  path,
  parameters: ["symbol", "interval", "startTime", "endTime", "timeZone", "limit"],
  weight: () => 2,
  answer: answerKlines,
});

export const klines: Endpoint = kline("/api/v3/klines");
/** The same rows; Binance smooths these for charts. */
export const uiKlines: Endpoint = kline("/api/v3/uiKlines");

function answerKlines(parameters: Parameters, venue: Venue): KlineRow[] {
  const market = findMarket(venue, parameters.symbol());
  const timeframe = parameters.timeframe("interval");
  const fromMs = parameters.timeMs("startTime");
  const toMs = parameters.timeMs("endTime") ?? Infinity;
  const limit = parameters.limit({ fallback: 500, max: LIMIT_MAX });
  // Shifted days are not simulated; refusing beats answering something else than what was asked for.
  const zone = parameters.text("timeZone");
  if (zone !== undefined && !/^[+-]?0{1,2}(:00)?$/.test(zone)) throw notValid("timeZone");

  const { nowMs } = venue;
  const bars =
    fromMs === undefined
      ? market.barsBackFrom(toMs, timeframe, nowMs)
      : market.barsFrom(fromMs, timeframe, nowMs);
  const page: OpenedBar[] = [];
  for (const opened of bars) {
    if (opened.openTimeMs > toMs) break;
    const row = { symbols: namesOf(market), timeframe, openTimeMs: opened.openTimeMs };
    if (venue.faults.isLate(row, nowMs)) continue;
    page.push(opened);
    if (page.length >= limit) break;
  }
  if (fromMs === undefined) page.reverse();
  return writeRows(page, { market, timeframe, venue });
}

function writeRows(
  page: readonly OpenedBar[],
  { market, timeframe, venue }: { market: SimulatedMarket; timeframe: Timeframe; venue: Venue },
): KlineRow[] {
  const { faults, nowMs } = venue;
  const lengthMs = timeframeMs(timeframe);
  const rows: KlineRow[] = [];
  const misplaced: number[] = [];
  for (const { openTimeMs, bar } of page) {
    const asked = { symbols: namesOf(market), timeframe, openTimeMs };
    const isClosed = openTimeMs + lengthMs <= nowMs;
    const row = writeRow(market, openTimeMs, lengthMs, isClosed ? faults.revise(asked, bar, nowMs) : bar);
    const lie = faults.lieAbout(asked, nowMs);
    if (lie === "out_of_order") misplaced.push(rows.length);
    rows.push(lie === undefined ? row : broken(row, lie));
    if (lie === "duplicate") rows.push([...row]);
  }
  for (const at of misplaced) {
    const other = at > 0 ? at - 1 : 1;
    const [a, b] = [rows[at], rows[other]];
    if (a && b) [rows[at], rows[other]] = [b, a];
  }
  return rows;
}

function writeRow(market: SimulatedMarket, openTimeMs: number, lengthMs: number, bar: Bar): KlineRow {
  const { priceDecimals, qtyDecimals } = market.spec;
  return [
    openTimeMs,
    fixedText(bar.open, priceDecimals),
    fixedText(bar.high, priceDecimals),
    fixedText(bar.low, priceDecimals),
    fixedText(bar.close, priceDecimals),
    fixedText(bar.lots, qtyDecimals),
    openTimeMs + lengthMs - 1,
    fixedText(bar.notional, market.notionalDecimals),
    bar.trades,
    fixedText(bar.takerBuyLots, qtyDecimals),
    fixedText(bar.takerBuyNotional, market.notionalDecimals),
    "0",
  ];
}

/** The row with one thing wrong with it. */
function broken(row: KlineRow, lie: RowLie): KlineRow {
  const spoiled = [...row];
  switch (lie) {
    case "high_below_low":
      [spoiled[2], spoiled[3]] = ["1.00000000", "2.00000000"];
      return spoiled;
    case "negative_volume":
      spoiled[5] = "-1.00000000";
      return spoiled;
    case "off_grid":
      spoiled[0] = Number(row[0]) + 1_234;
      return spoiled;
    case "nan":
      spoiled[4] = "NaN";
      return spoiled;
    case "number":
      spoiled[4] = Number(row[4]);
      return spoiled;
    case "short_row":
      return spoiled.slice(0, 5);
    case "duplicate":
    case "out_of_order":
      return spoiled;
  }
}
