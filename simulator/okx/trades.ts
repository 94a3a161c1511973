// GET /api/v5/market/trades and /market/history-trades: single trades, newest first. Ids have no holes.
//
// history-trades pages by id (type 1, the default), `after` and `before` exclusive; or by time (type 2), where `after`
// includes its millisecond, so that rows come twice, and trades of one millisecond can be cut apart by the page's end.
import { canonicalText } from "../fixed-text.js";
import { servedTrades } from "../served-trades.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { take } from "../take.js";
import { MINUTE_MS } from "../trade-tape.js";
import { findMarket, sizeText, type OkxEndpoint, type OkxVenue } from "./endpoint.js";
import { OkxError, parameterError } from "./okx-error.js";

/** Three months; nothing older is told. */
const HISTORY_MS = 90 * 86_400_000;

interface OkxTrade {
  readonly id: number;
  readonly timeMs: number;
  readonly row: object;
}

export const trades: OkxEndpoint = {
  path: "/api/v5/market/trades",
  requests: 100,
  isPage: true,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.required("instId"));
    const limit = parameters.limit({ fallback: 100, max: 500 });
    return rows(tradesBackFrom(market, venue.nowMs, venue), limit);
  },
};

export const historyTrades: OkxEndpoint = {
  path: "/api/v5/market/history-trades",
  requests: 20,
  isPage: true,
  answer(parameters, venue) {
    const market = findMarket(venue, parameters.required("instId"));
    const type = parameters.text("type") ?? "1";
    const after = parameters.integer("after") ?? Infinity;
    const before = parameters.integer("before");
    const limit = parameters.limit({ fallback: 100, max: 100 });
    if (type !== "1" && type !== "2") throw parameterError("type");
    if (type === "2" && before !== undefined) {
      throw new OkxError("50039", "Parameter before is not supported when type is 2.");
    }
    const oldestMs = venue.nowMs - HISTORY_MS;
    const fromMs = type === "2" ? after : timeOfTrade(market, after);
    return rows(
      within(tradesBackFrom(market, fromMs, venue), {
        oldestMs,
        belowId: type === "2" ? Infinity : after,
        aboveId: before ?? -1,
      }),
      limit,
    );
  },
};

/** A time at or after the trade's; Infinity when there will be no such trade. */
function timeOfTrade({ tape }: SimulatedMarket, tradeId: number): number {
  if (tradeId === Infinity) return Infinity;
  const minute = tape.minuteOfAggregate(tape.aggregateOfTrade(tradeId));
  return minute === undefined ? Infinity : (minute + 1 + tape.strayMinutes) * MINUTE_MS;
}

function* tradesBackFrom(market: SimulatedMarket, toMs: number, venue: OkxVenue): Generator<OkxTrade> {
  const aggregates = market.aggregatesBackFrom(Math.min(toMs, venue.nowMs));
  for (const aggregate of servedTrades(aggregates, { market, ...venue })) {
    const firstId = market.tape.firstTradeId(aggregate.id);
    const fills = market.tape.fillsOf(aggregate);
    for (let i = fills.length - 1; i >= 0; i--) {
      yield {
        id: firstId + i,
        timeMs: aggregate.timeMs,
        row: {
          instId: market.nativeSymbol,
          side: aggregate.isBuyerMaker ? "sell" : "buy",
          sz: sizeText(market, fills[i] ?? 0),
          source: "0",
          px: canonicalText(aggregate.ticks, market.spec.priceDecimals),
          tradeId: String(firstId + i),
          ts: String(aggregate.timeMs),
        },
      };
    }
  }
}

function* within(
  newestFirst: Iterable<OkxTrade>,
  { oldestMs, belowId, aboveId }: { oldestMs: number; belowId: number; aboveId: number },
): Generator<OkxTrade> {
  for (const trade of newestFirst) {
    if (trade.timeMs < oldestMs || trade.id <= aboveId) return;
    if (trade.id < belowId) yield trade;
  }
}

function rows(newestFirst: Iterable<OkxTrade>, limit: number): readonly object[] {
  return take(newestFirst, limit).map((trade) => trade.row);
}
