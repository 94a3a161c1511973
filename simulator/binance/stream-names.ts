// From the name of a stream to what it says: `btcusdt@kline_1m`.
import { isTimeframe } from "../../src/core/timeframe.js";
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { BookFeed } from "../ws/book-feed.js";
import { CandleFeed } from "../ws/candle-feed.js";
import { type Feed, type Topic } from "../ws/feed.js";
import type { StreamFaults } from "../ws/stream-faults.js";
import { TradeFeed } from "../ws/trade-feed.js";
import { writeBookTicker, writeDepth, writePartialDepth } from "./stream-depth.js";
import { writeKline } from "./stream-klines.js";
import type { StreamText } from "./stream-time.js";
import { writeAggTrade, writeTrade } from "./stream-trades.js";

/** The paths on which USDⓈ-M serves a stream. */
export type StreamCategory = "public" | "market";

export interface OpenedStream {
  readonly topic: Topic;
  readonly category: StreamCategory;
  readonly feed: Feed;
}

export interface StreamContext {
  readonly markets: readonly SimulatedMarket[];
  readonly injector: FaultInjector;
  readonly faults: StreamFaults;
  readonly text: StreamText;
  readonly isSpot: boolean;
  readonly fromMs: number;
}

const DEPTH = /^depth(5|10|20)?(?:@(0|100|250|500|1000)ms)?$/;
const SPOT_KLINE_MS = 2_000;
const FUTURES_KLINE_MS = 250;
/** `@depth` without a speed. */
const SPOT_DEPTH_MS = 1_000;
const FUTURES_DEPTH_MS = 250;
const SPOT_SPEEDS = new Set([100, 1_000]);
/** 0 is no longer documented, and still served: as often as the book changes. */
const FUTURES_SPEEDS = new Set([0, 100, 250, 500]);

/** The stream of that name; undefined for one that does not exist. */
export function openStream(name: string, context: StreamContext): OpenedStream | undefined {
  const at = name.indexOf("@");
  const symbol = name.slice(0, at);
  const channel = name.slice(at + 1);
  const { fromMs, faults, injector, text, isSpot } = context;
  const market = context.markets.find(
    (each) => each.nativeSymbol.toLowerCase() === symbol && each.isListedAt(fromMs),
  );
  if (at <= 0 || market === undefined) return undefined;
  const topicOf = (kind: Topic["kind"]): Topic => ({ market, channel, kind });
  const from = { fromMs, faults: injector };
  if (channel === "aggTrade") {
    const feed = new TradeFeed(market, from, writeAggTrade(market, text));
    return { topic: topicOf("trades"), category: "market", feed };
  }
  if (channel === "trade") {
    const feed = new TradeFeed(market, from, writeTrade(market, text));
    return { topic: topicOf("trades"), category: "public", feed };
  }
  if (channel.startsWith("kline_")) {
    const timeframe = channel.slice("kline_".length);
    if (!isTimeframe(timeframe)) return undefined;
    const topic = topicOf("candles");
    const everyMs = isSpot ? SPOT_KLINE_MS : FUTURES_KLINE_MS;
    const write = writeKline(market, timeframe, text);
    const feed = new CandleFeed({ market, timeframe, fromMs, everyMs, topic, faults, write });
    return { topic, category: "market", feed };
  }
  const topic = topicOf("orderbook");
  const book = { market, text, topic, faults };
  if (channel === "bookTicker") {
    const write = writeBookTicker(book);
    const feed = new BookFeed({ market, fromMs, everyMs: market.book.stepMs, startsWhole: false, write });
    return { topic, category: "public", feed };
  }
  const [isDepth, levels, speed] = DEPTH.exec(channel) ?? [];
  if (isDepth === undefined) return undefined;
  const everyMs = speed === undefined ? (isSpot ? SPOT_DEPTH_MS : FUTURES_DEPTH_MS) : Number(speed);
  if (!(isSpot ? SPOT_SPEEDS : FUTURES_SPEEDS).has(everyMs)) return undefined;
  const write = levels === undefined ? writeDepth(book) : writePartialDepth(book, Number(levels));
  return {
    topic,
    category: "public",
    feed: new BookFeed({ market, fromMs, everyMs, startsWhole: false, write }),
  };
}
