// <symbol>@depth and @depth@100ms (changes), @depth5, 10 and 20 (the best levels), and @bookTicker.
//
// Of spot, an event's U follows the last event's u; of USDⓈ-M ids are shared by all markets, and pu is the last event's u.
import type { BookLevel, BookSides } from "../simulated-book.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { BookPush } from "../ws/book-feed.js";
import type { Topic } from "../ws/feed.js";
import type { StreamFaults } from "../ws/stream-faults.js";
import type { StreamText } from "./stream-time.js";

type WriteBook = (push: BookPush) => readonly string[];
type Rows = readonly (readonly [price: string, qty: string])[];

export interface DepthContext {
  readonly market: SimulatedMarket;
  readonly text: StreamText;
  readonly topic: Topic;
  readonly faults: StreamFaults;
}

export function writeDepth(context: DepthContext): WriteBook {
  const { market, faults, topic } = context;
  return (push) => {
    const { fromStep, toStep, eventMs } = push;
    const sides = fromStep === undefined ? market.book.at(toStep) : market.book.changes(fromStep, toStep);
    const isBroken = faults.strike("ws_sequence_reset", topic, { key: String(toStep), nowMs: eventMs });
    return [JSON.stringify({ ...event(context, push, isBroken ? 1 : 0), ...writeSides(context, sides) })];
  };
}

/** Of spot without a word on market and time; of USDⓈ-M an event like a change. */
export function writePartialDepth(context: DepthContext, levels: number): WriteBook {
  const { market } = context;
  return (push) => {
    const { bids, asks } = writeSidesLong(context, market.book.at(push.toStep, levels));
    if (market.venue === "binance") {
      return [JSON.stringify({ lastUpdateId: market.bookSequence.of(push.toStep), bids, asks })];
    }
    return [JSON.stringify({ ...event(context, push, 0), b: bids, a: asks })];
  };
}

/** Only when one of the two best levels is another one. */
export function writeBookTicker(context: DepthContext): WriteBook {
  const { market, text } = context;
  return ({ toStep, eventMs }) => {
    const { bids, asks } = writeSidesLong(context, market.book.at(toStep, 1));
    const [[bid, bidQty] = ["0", "0"]] = bids;
    const [[ask, askQty] = ["0", "0"]] = asks;
    const best = { s: market.nativeSymbol, b: bid, B: bidQty, a: ask, A: askQty };
    const u = market.bookSequence.of(toStep);
    return [
      JSON.stringify(
        market.venue === "binance"
          ? { u, ...best }
          : { e: "bookTicker", u, ...best, T: text.time(bookMs(market, toStep)), E: text.time(eventMs) },
      ),
    ];
  };
}

/** @param skipped ids that are missing before it */
function event({ market, text }: DepthContext, { fromStep, toStep, eventMs }: BookPush, skipped: number) {
  const { bookSequence } = market;
  const u = bookSequence.of(toStep);
  const U = fromStep === undefined ? u : bookSequence.firstAfter(fromStep) + skipped;
  const named = { e: "depthUpdate", E: text.time(eventMs) };
  if (market.venue === "binance") return { ...named, s: market.nativeSymbol, U, u };
  const pu = (fromStep === undefined ? U - 1 : bookSequence.of(fromStep)) + skipped;
  return { ...named, T: text.time(bookMs(market, toStep)), s: market.nativeSymbol, U, u, pu };
}

function bookMs({ book }: SimulatedMarket, step: number): number {
  return step * book.stepMs;
}

function writeSides(context: DepthContext, sides: BookSides): { readonly b: Rows; readonly a: Rows } {
  const { bids, asks } = writeSidesLong(context, sides);
  return { b: bids, a: asks };
}

function writeSidesLong({ market, text }: DepthContext, sides: BookSides): { bids: Rows; asks: Rows } {
  const write = ({ ticks, lots }: BookLevel): readonly [string, string] => [
    text.price(market, ticks),
    text.qty(market, lots),
  ];
  return { bids: sides.bids.map(write), asks: sides.asks.map(write) };
}
