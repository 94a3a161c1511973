// How an order book of OKX is kept: the stream itself begins with a snapshot. The steps of the exchange's algorithm:
//
// 1. Subscribe; the snapshot (prevSeqId −1) is the book, L = seqId.
// 2. An update names its predecessor: prevSeqId = L. Apply it, L = seqId. Ids grow by any step.
// 3. An update without levels and with seqId = prevSeqId = L only says that nothing has changed.
// 4. After maintenance ids begin anew: seqId < prevSeqId, while prevSeqId = L still. That continues the book.
// 5. Anything else: subscribe again, and ignore what comes until the next snapshot.
// 6. Where no snapshot comes, the book is started from REST: updates it holds are skipped (seqId ≤ S), the first one applied
//    must reach across it (prevSeqId ≤ S < seqId). Where ids begin anew meanwhile, another page is asked for.
// 7. Until June 2026 each message carried a checksum: CRC32 of the best 25 levels. Since then the field is 0.
// @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
import { crc32 } from "node:zlib";
import type { BookRules, BookStep } from "../book-rules.js";

const APPLY: BookStep = { do: "apply" };
const CHECKSUM_LEVELS = 25;

export const OKX_BOOK_RULES: BookRules = {
  startsFrom: "stream",
  pageLevels: 400,
  levelsMax: 400,
  checksumLevels: CHECKSUM_LEVELS,
  isPageTooOld: ({ sequence }, { previousId = -1 }) => sequence < previousId, // 6
  first({ sequence }, update) {
    const { lastId, previousId = -1 } = update;
    if (previousId === sequence) return APPLY; // 4, 6
    // Whether the page is from before or after ids began anew, they cannot tell.
    if (lastId < previousId) return resync(previousId, sequence);
    if (lastId <= sequence) return { do: "skip" };
    if (previousId <= sequence) return APPLY; // 6
    return resync(previousId, sequence);
  },
  next(lastId, { previousId = -1 }) {
    return previousId === lastId ? APPLY : resync(previousId, lastId); // 2 to 5: identity, nothing else
  },
  checksum(bids, asks) {
    const parts: string[] = [];
    for (let i = 0; i < CHECKSUM_LEVELS; i++) {
      const bid = bids[i];
      const ask = asks[i];
      if (bid) parts.push(bid[0], bid[1]);
      if (ask) parts.push(ask[0], ask[1]);
    }
    // As OKX sends it: signed.
    return crc32(parts.join(":")) | 0; // 7
  },
};

function resync(previousId: number, lastId: number): BookStep {
  return { do: "resync", detail: `update with prevSeqId=${previousId} does not continue seqId=${lastId}` };
}
