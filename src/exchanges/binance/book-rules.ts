// How an order book of Binance is kept: it starts from REST and is continued by the stream. The steps of the exchange's own
// procedure, by their numbers; spot and USDⓈ-M differ in how events follow each other.
// @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly
//
// 1. Open the stream and hold its events; U, u are an event's first and last update id, L the last id of the book.
// 2. Fetch the book by REST; its lastUpdateId becomes L.
// 3. A page older than the first event held (L < U − 1) leaves an unknown piece between the two: fetch another.
// 4. Skip events that lie wholly within the page (u ≤ L).
// 5. Spot: the first event applied must hold L + 1 (U ≤ L + 1 ≤ u). The documents once said L itself, which fails where an
//    event ends exactly at L and the next one begins at L + 1.
// 6. Spot: each further event begins where the one before ended (U = L + 1).
// 7. USDⓈ-M: ids are shared by all symbols, so that U never follows u. The first event applied must hold L (U ≤ L ≤ u) or
//    name it as its predecessor (pu = L); each further one names it (pu = L).
import type { BookUpdate } from "../../core/model/book.js";
import type { BookRules, BookStep } from "../book-rules.js";

const APPLY: BookStep = { do: "apply" };
const SKIP: BookStep = { do: "skip" };

export const SPOT_BOOK_RULES: BookRules = {
  startsFrom: "rest",
  // 50 of 6,000 weight a minute; 5,000 levels would cost 250.
  pageLevels: 1_000,
  // The stream speaks of every level there is.
  levelsMax: undefined,
  isPageTooOld: ({ sequence }, firstBuffered) => sequence < firstBuffered.firstId - 1, // 3
  first({ sequence }, update) {
    if (update.lastId <= sequence) return SKIP; // 4
    return update.firstId <= sequence + 1 ? APPLY : resync(update, `L=${sequence}`); // 5
  },
  next(lastId, update) {
    if (update.lastId <= lastId) return SKIP;
    return update.firstId === lastId + 1 ? APPLY : resync(update, `u=${lastId}`); // 6
  },
};

export const USDM_BOOK_RULES: BookRules = {
  ...SPOT_BOOK_RULES,
  isPageTooOld: ({ sequence }, { firstId, previousId }) =>
    sequence < firstId && !(previousId !== undefined && previousId <= sequence), // 3
  first({ sequence }, update) {
    // 7. Unlike spot: an event that ends exactly at L is applied again, which changes nothing.
    if (update.lastId < sequence) return SKIP;
    const holds = update.firstId <= sequence;
    return holds || update.previousId === sequence ? APPLY : resync(update, `L=${sequence}`);
  },
  next(lastId, update) {
    if (update.lastId <= lastId) return SKIP;
    return update.previousId === lastId ? APPLY : resync(update, `u=${lastId}`); // 7
  },
};

function resync({ firstId, lastId, previousId }: BookUpdate, known: string): BookStep {
  const pu = previousId === undefined ? "" : ` pu=${previousId}`;
  return { do: "resync", detail: `event U=${firstId} u=${lastId}${pu} does not continue ${known}` };
}
