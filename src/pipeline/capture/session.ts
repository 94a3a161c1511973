// A session of a live feed: what it follows, as it is captured and as it is replayed.
import type { Exchange } from "../../exchanges/exchange.js";
import type { LiveChannel } from "../../exchanges/live.js";
import type { StoredMarket } from "../../store/store.js";
import { MarketStreams, type MarketStreamsOptions } from "../feed/live/market-streams.js";
import type { CapturedMarket } from "./capture-event.js";

export type SessionHands = Pick<
  MarketStreamsOptions,
  "pages" | "resubscribe" | "onPage" | "onTrade" | "exchangeNowMs" | "nowMs"
>;

/** The streams of every market, and all of their channels in a fixed order, by which captures name them. */
export interface Session {
  readonly markets: readonly MarketStreams[];
  readonly channels: readonly LiveChannel[];
  readonly streamsOf: ReadonlyMap<LiveChannel, MarketStreams>;
}

/** @param stored the markets, in the order of `captured` */
export function openSession(
  exchange: Pick<Exchange, "live" | "traits">,
  captured: readonly CapturedMarket[],
  stored: readonly StoredMarket[],
  hands: SessionHands,
): Session {
  const markets = captured.flatMap(({ trades, book, validation, candles }, i) => {
    const market = stored[i];
    if (market === undefined) return [];
    return new MarketStreams({
      ...hands,
      market,
      rules: exchange.live.bookRules,
      numbering: exchange.traits.tradeNumbering,
      trades,
      book,
      candles,
      validation,
    });
  });
  const streamsOf = new Map<LiveChannel, MarketStreams>();
  for (const streams of markets) for (const channel of streams.channels) streamsOf.set(channel, streams);
  return { markets, channels: [...streamsOf.keys()], streamsOf };
}
