// GET /api/v3/ticker/price, /ticker/bookTicker and /ticker/24hr: one market, a list of them, or all.
import { fixedText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { take } from "../take.js";
import { findMarket, listedMarkets, type Endpoint, type Venue } from "./endpoint.js";
import type { Parameters } from "./parameters.js";

const HOUR_MS = 3_600_000;

type WriteTicker = (market: SimulatedMarket, lastTicks: number, nowMs: number) => object;

export const tickerPrice: Endpoint = {
  path: "/api/v3/ticker/price",
  parameters: ["symbol", "symbols"],
  weight: (query) => (query.has("symbol") ? 2 : 4),
  answer: (parameters, venue) =>
    tickers(parameters, venue, (market, lastTicks) => ({
      symbol: market.nativeSymbol,
      price: fixedText(lastTicks, market.spec.priceDecimals),
    })),
};

export const bookTicker: Endpoint = {
  path: "/api/v3/ticker/bookTicker",
  parameters: ["symbol", "symbols"],
  weight: (query) => (query.has("symbol") ? 2 : 4),
  answer: (parameters, venue) =>
    tickers(parameters, venue, (market, lastTicks, nowMs) => ({
      symbol: market.nativeSymbol,
      ...writeBest(market, lastTicks, nowMs),
    })),
};

export const ticker24hr: Endpoint = {
  path: "/api/v3/ticker/24hr",
  parameters: ["symbol", "symbols", "type"],
  weight: (query) => (query.has("symbol") ? 2 : 80),
  answer: (parameters, venue) => tickers(parameters, venue, writeDay),
};

function tickers(parameters: Parameters, venue: Venue, write: WriteTicker): object | object[] {
  const symbols = parameters.symbols();
  const markets = symbols ? symbols.map((symbol) => findMarket(venue, symbol)) : listedMarkets(venue);
  const written = markets.flatMap((market) => {
    const lastTicks = market.lastTicks(venue.nowMs);
    return lastTicks === undefined ? [] : [write(market, lastTicks, venue.nowMs)];
  });
  return parameters.has("symbol") ? (written[0] ?? {}) : written;
}

/** The best levels of the book; around the last price of a market that has none any more. */
function writeBest(market: SimulatedMarket, lastTicks: number, nowMs: number) {
  const { priceDecimals, qtyDecimals, typicalLots: lots } = market.spec;
  const { bid, ask } = market.bestLevels(nowMs) ?? {
    bid: { ticks: Math.max(1, lastTicks - 1), lots },
    ask: { ticks: lastTicks + 1, lots },
  };
  return {
    bidPrice: fixedText(bid.ticks, priceDecimals),
    bidQty: fixedText(bid.lots, qtyDecimals),
    askPrice: fixedText(ask.ticks, priceDecimals),
    askQty: fixedText(ask.lots, qtyDecimals),
  };
}

/** From the first full hour of the last 24 to now: near enough for a ticker, and consistent in itself. */
function writeDay(market: SimulatedMarket, lastTicks: number, nowMs: number): object {
  const { priceDecimals, qtyDecimals } = market.spec;
  const opened = take(market.barsFrom(nowMs - 24 * HOUR_MS, "1h", nowMs), 25);
  const fromMs = opened[0]?.openTimeMs ?? nowMs;
  const hours = opened.map(({ bar }) => bar);
  const open = hours[0]?.open ?? lastTicks;
  const lots = hours.reduce((sum, bar) => sum + bar.lots, 0);
  const notional = hours.reduce((sum, bar) => sum + bar.notional, 0n);
  const change = lastTicks - open;
  const sign = change < 0 ? "-" : "";
  const average = lots === 0 ? lastTicks : Number(notional / BigInt(lots));
  const firstAggregate = take(market.aggregatesFrom(fromMs, nowMs), 1)[0];
  const lastAggregate = take(market.aggregatesBackFrom(nowMs), 1)[0];
  const firstId = firstAggregate ? market.tape.firstTradeId(firstAggregate.id) : -1;
  const lastId = firstAggregate && lastAggregate ? market.tape.firstTradeId(lastAggregate.id + 1) - 1 : -1;
  return {
    symbol: market.nativeSymbol,
    priceChange: sign + fixedText(Math.abs(change), priceDecimals),
    priceChangePercent: ((100 * change) / open).toFixed(3),
    weightedAvgPrice: fixedText(average, priceDecimals),
    prevClosePrice: fixedText(open, priceDecimals),
    lastPrice: fixedText(lastTicks, priceDecimals),
    lastQty: fixedText(lastAggregate?.lots ?? 0, qtyDecimals),
    ...writeBest(market, lastTicks, nowMs),
    openPrice: fixedText(open, priceDecimals),
    highPrice: fixedText(Math.max(lastTicks, ...hours.map((bar) => bar.high)), priceDecimals),
    lowPrice: fixedText(Math.min(lastTicks, ...hours.map((bar) => bar.low)), priceDecimals),
    volume: fixedText(lots, qtyDecimals),
    quoteVolume: fixedText(notional, market.notionalDecimals),
    openTime: fromMs,
    closeTime: nowMs,
    firstId,
    lastId,
    count: firstId < 0 ? 0 : lastId - firstId + 1,
  };
}
