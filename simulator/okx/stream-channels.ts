// From an argument of a subscription to what it says: {"channel":"books","instId":"BTC-USDT"}.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { BookFeed } from "../ws/book-feed.js";
import { CandleFeed } from "../ws/candle-feed.js";
import type { Feed, Topic } from "../ws/feed.js";
import { PacedFeed } from "../ws/paced-feed.js";
import type { StreamFaults } from "../ws/stream-faults.js";
import { TradeFeed } from "../ws/trade-feed.js";
import { findBar } from "./bars.js";
import { writeRow } from "./candles.js";
import { writeInstrument, instrumentType } from "./public-data.js";
import { writeBestLevels, writeBooks } from "./stream-books.js";
import { writeJoinedTrades, writeSingleTrades } from "./stream-trades.js";
import { writeTicker } from "./tickers.js";

export interface OpenedChannel {
  readonly topic: Topic;
  readonly feed: Feed;
}

export interface ChannelContext {
  readonly markets: readonly SimulatedMarket[];
  readonly injector: FaultInjector;
  readonly faults: StreamFaults;
  readonly checksums: boolean;
  readonly fromMs: number;
}

/** The two public paths, `/ws/v5/public` and `/ws/v5/business`. */
export type OkxPath = "public" | "business";

const CANDLE = "candle";
const CANDLE_MS = 1_000;
const BOOKS_MS = 100;
const BBO_MS = 10;
const TICKER_MS = 1_000;
const HEARTBEAT_MS = 60_000;
const BEST_LEVELS = 5;

/** The channel of that argument on that path; undefined where there is none. */
export function openChannel(
  arg: Readonly<Record<string, unknown>>,
  path: OkxPath,
  context: ChannelContext,
): OpenedChannel | undefined {
  const { channel, instId, instType } = arg;
  const { markets, fromMs } = context;
  if (typeof channel !== "string") return undefined;
  if (path === "public" && channel === "instruments") return instruments(instType, context);
  const market = markets.find((each) => each.nativeSymbol === instId && each.isTradingAt(fromMs));
  if (market === undefined) return undefined;
  return path === "public"
    ? publicChannel(market, channel, context)
    : businessChannel(market, channel, context);
}

function publicChannel(
  market: SimulatedMarket,
  channel: string,
  context: ChannelContext,
): OpenedChannel | undefined {
  const { fromMs, injector } = context;
  if (channel === "trades") {
    const topic: Topic = { market, channel, kind: "trades" };
    return { topic, feed: new TradeFeed(market, { fromMs, faults: injector }, writeJoinedTrades(market)) };
  }
  if (channel === "tickers") {
    const say = (nowMs: number): readonly string[] => [
      `"data":[${JSON.stringify(writeTicker(market, nowMs))}]`,
    ];
    return {
      topic: { market, channel, kind: "other" },
      feed: new PacedFeed({ fromMs, everyMs: TICKER_MS, say }),
    };
  }
  const topic: Topic = { market, channel, kind: "orderbook" };
  const book = { ...context, market, topic };
  switch (channel) {
    case "books": {
      const write = writeBooks(book);
      const pace = { everyMs: BOOKS_MS, startsWhole: true, heartbeatMs: HEARTBEAT_MS };
      return { topic, feed: new BookFeed({ market, fromMs, ...pace, write }) };
    }
    case "books5": {
      const write = writeBestLevels(book, BEST_LEVELS);
      return { topic, feed: new BookFeed({ market, fromMs, everyMs: BOOKS_MS, startsWhole: true, write }) };
    }
    case "bbo-tbt": {
      const write = writeBestLevels(book, 1);
      return { topic, feed: new BookFeed({ market, fromMs, everyMs: BBO_MS, startsWhole: true, write }) };
    }
    default:
      return undefined;
  }
}

function businessChannel(
  market: SimulatedMarket,
  channel: string,
  { fromMs, injector, faults }: ChannelContext,
): OpenedChannel | undefined {
  if (channel === "trades-all") {
    const topic: Topic = { market, channel, kind: "trades" };
    return { topic, feed: new TradeFeed(market, { fromMs, faults: injector }, writeSingleTrades(market)) };
  }
  const bar = channel.startsWith(CANDLE) ? findBar(channel.slice(CANDLE.length)) : undefined;
  if (bar === undefined) return undefined;
  const topic: Topic = { market, channel, kind: "candles" };
  const feed = new CandleFeed({
    market,
    ...bar,
    fromMs,
    everyMs: CANDLE_MS,
    topic,
    faults,
    write: (candle) => `"data":[${JSON.stringify(writeRow(market, candle, candle.isClosed))}]`,
  });
  return { topic, feed };
}

/** All instruments of a type, once: nothing about them changes unannounced here. */
function instruments(instType: unknown, { markets, fromMs }: ChannelContext): OpenedChannel | undefined {
  if (instType !== "SPOT" && instType !== "SWAP") return undefined;
  const say = (nowMs: number): readonly string[] => {
    const live = markets.filter((each) => each.isTradingAt(nowMs) && instrumentType(each) === instType);
    return [`"data":${JSON.stringify(live.map(writeInstrument))}`];
  };
  return {
    topic: { market: undefined, channel: "instruments", kind: "other" },
    feed: new PacedFeed({ fromMs, everyMs: Infinity, say }),
  };
}
