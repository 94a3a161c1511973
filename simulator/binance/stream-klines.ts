// <symbol>@kline_<interval>.
import { timeframeMs, type Timeframe } from "../../src/core/timeframe.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { MINUTE_MS } from "../trade-tape.js";
import type { PushedCandle } from "../ws/candle-feed.js";
import type { StreamText } from "./stream-time.js";

/** A candle without trades has no ids. */
const NO_TRADE = -1;

export function writeKline(
  market: SimulatedMarket,
  timeframe: Timeframe,
  text: StreamText,
): (candle: PushedCandle) => string {
  return ({ openTimeMs, bar, isClosed, eventMs }) => {
    const firstId = market.tape.firstTradeId(market.tape.aggregatesBefore(openTimeMs / MINUTE_MS));
    return JSON.stringify({
      e: "kline",
      E: text.time(eventMs),
      s: market.nativeSymbol,
      k: {
        t: text.time(openTimeMs),
        // The last unit of time that belongs to it.
        T: text.time(openTimeMs + timeframeMs(timeframe)) - 1,
        s: market.nativeSymbol,
        i: timeframe,
        f: bar.trades === 0 ? NO_TRADE : firstId,
        L: bar.trades === 0 ? NO_TRADE : firstId + bar.trades - 1,
        o: text.price(market, bar.open),
        c: text.price(market, bar.close),
        h: text.price(market, bar.high),
        l: text.price(market, bar.low),
        v: text.qty(market, bar.lots),
        n: bar.trades,
        x: isClosed,
        q: text.notional(market, bar.notional),
        V: text.qty(market, bar.takerBuyLots),
        Q: text.notional(market, bar.takerBuyNotional),
        B: "0",
      },
    });
  };
}
