// <symbol>@aggTrade and <symbol>@trade.
import type { SimulatedMarket } from "../simulated-market.js";
import type { AggregateTrade } from "../trade-tape.js";
import type { StreamText } from "./stream-time.js";

type WriteTrades = (aggregate: AggregateTrade) => readonly string[];

export function writeAggTrade(market: SimulatedMarket, text: StreamText): WriteTrades {
  const isSpot = market.venue === "binance";
  return (aggregate) => {
    const q = text.qty(market, aggregate.lots);
    return [
      JSON.stringify({
        e: "aggTrade",
        E: text.time(aggregate.timeMs),
        s: market.nativeSymbol,
        a: aggregate.id,
        p: text.price(market, aggregate.ticks),
        q,
        ...(isSpot ? {} : { nq: q }),
        f: market.tape.firstTradeId(aggregate.id),
        l: market.tape.firstTradeId(aggregate.id + 1) - 1,
        T: text.timeOfTrade(market.timeUsOf(aggregate)),
        m: aggregate.isBuyerMaker,
        ...(isSpot ? { M: true } : {}),
      }),
    ];
  };
}

export function writeTrade(market: SimulatedMarket, text: StreamText): WriteTrades {
  const isSpot = market.venue === "binance";
  return (aggregate) => {
    const firstId = market.tape.firstTradeId(aggregate.id);
    return market.tape.fillsOf(aggregate).map((lots, i) =>
      JSON.stringify({
        e: "trade",
        E: text.time(aggregate.timeMs),
        ...(isSpot ? {} : { T: text.timeOfTrade(market.timeUsOf(aggregate)) }),
        s: market.nativeSymbol,
        t: firstId + i,
        p: text.price(market, aggregate.ticks),
        q: text.qty(market, lots),
        ...(isSpot ? { T: text.timeOfTrade(market.timeUsOf(aggregate)) } : { X: "MARKET" }),
        m: aggregate.isBuyerMaker,
        ...(isSpot ? { M: true } : {}),
      }),
    );
  };
}
