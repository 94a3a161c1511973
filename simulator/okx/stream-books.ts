// Channels of the book: books (a snapshot, then changes chained by prevSeqId), books5 and bbo-tbt (the best levels).
import { crc32 } from "node:zlib";
import type { SimulatedMarket } from "../simulated-market.js";
import type { BookPush } from "../ws/book-feed.js";
import type { Topic } from "../ws/feed.js";
import type { StreamFaults } from "../ws/stream-faults.js";
import { writeSides, type OkxLevel } from "./levels.js";

type WriteBook = (push: BookPush) => readonly string[];

/** What `prevSeqId` is of a snapshot. */
const NO_SEQUENCE = -1;
const CHECKSUM_LEVELS = 25;

export interface OkxBookContext {
  readonly market: SimulatedMarket;
  readonly topic: Topic;
  readonly faults: StreamFaults;
  /** False writes 0 for a checksum, as OKX does since June 2026. */
  readonly checksums: boolean;
}

/** The payload is the part of a message behind its `arg`. */
export function writeBooks({ market, topic, faults, checksums }: OkxBookContext): WriteBook {
  const { book, bookSequence } = market;
  // As sent: a reset changes the numbers of steps, not what was said before it.
  let lastSeqId = NO_SEQUENCE;
  return ({ fromStep, toStep, eventMs }) => {
    const asked = { key: String(toStep), nowMs: eventMs };
    const isSnapshot = fromStep === undefined;
    const odd = isSnapshot ? undefined : faults.strike("ws_sequence_reset", topic, asked);
    if (odd?.how === "reset") bookSequence.resetAt(toStep);
    const sides = isSnapshot ? book.at(toStep) : book.changes(fromStep, toStep);
    const seqId = bookSequence.of(toStep);
    const prevSeqId = lastSeqId + (odd?.how === "break" ? 1 : 0);
    lastSeqId = seqId;
    const isWrong = faults.strike("ws_wrong_checksum", topic, asked) !== undefined;
    const data = {
      ...writeSides(market, sides),
      ts: String(toStep * book.stepMs),
      checksum: (checksums ? checksumOf(market, toStep) : 0) + (isWrong ? 1 : 0),
      prevSeqId,
      seqId,
    };
    const action = isSnapshot ? "snapshot" : "update";
    return [`"action":"${action}","data":[${JSON.stringify(data)}]`];
  };
}

export function writeBestLevels({ market }: OkxBookContext, levels: number): WriteBook {
  const { book, bookSequence } = market;
  return ({ toStep }) => {
    const data = {
      ...writeSides(market, book.at(toStep, levels)),
      instId: market.nativeSymbol,
      ts: String(toStep * book.stepMs),
      seqId: bookSequence.of(toStep),
    };
    return [`"data":[${JSON.stringify(data)}]`];
  };
}

/**
 * The signed CRC32 of the best 25 levels, a bid and an ask in turn, price and size as they are written; when one side is
 * shorter, what is left of the other follows.
 */
function checksumOf(market: SimulatedMarket, step: number): number {
  const { bids, asks } = writeSides(market, market.book.at(step, CHECKSUM_LEVELS));
  const parts: string[] = [];
  const add = (level: OkxLevel | undefined): void => {
    if (level) parts.push(level[0], level[1]);
  };
  for (let i = 0; i < CHECKSUM_LEVELS; i++) {
    add(bids[i]);
    add(asks[i]);
  }
  return crc32(parts.join(":")) | 0;
}
