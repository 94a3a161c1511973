// Channels of trades: `trades` joins the fills of a taker order at one price, `trades-all` has each of them.
import { shortText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { AggregateTrade } from "../trade-tape.js";
import { sizeText } from "./endpoint.js";

type WriteTrades = (aggregate: AggregateTrade) => readonly string[];

/** `tradeId` is the last of `count` ids. */
export function writeJoinedTrades(market: SimulatedMarket): WriteTrades {
  return (aggregate) => {
    const firstId = market.tape.firstTradeId(aggregate.id);
    const nextId = market.tape.firstTradeId(aggregate.id + 1);
    const step = market.book.stepAt(aggregate.timeMs);
    return [
      payload(market, aggregate, {
        tradeId: String(nextId - 1),
        sz: sizeText(market, aggregate.lots),
        count: String(nextId - firstId),
        source: "0",
        seqId: step === undefined ? 0 : market.bookSequence.of(step),
      }),
    ];
  };
}

export function writeSingleTrades(market: SimulatedMarket): WriteTrades {
  return (aggregate) => {
    const firstId = market.tape.firstTradeId(aggregate.id);
    return market.tape.fillsOf(aggregate).map((lots, i) =>
      payload(market, aggregate, {
        tradeId: String(firstId + i),
        sz: sizeText(market, lots),
        source: "0",
      }),
    );
  };
}

function payload(market: SimulatedMarket, aggregate: AggregateTrade, own: object): string {
  const trade = {
    instId: market.nativeSymbol,
    px: shortText(aggregate.ticks, market.spec.priceDecimals),
    side: aggregate.isBuyerMaker ? "sell" : "buy",
    ts: String(aggregate.timeMs),
    ...own,
  };
  return `"data":[${JSON.stringify(trade)}]`;
}
