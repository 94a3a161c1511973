// What a venue's book needs beside its levels: how it starts, and whether a change continues it. Each venue has its own
// in `<venue>/book-rules.ts`; the book itself is `src/pipeline/fold/order-book.ts`.
import type { BookPage, BookUpdate } from "../core/model/book.js";

/** Whether an update may be applied to the book whose last id is known. */
export type BookStep =
  | { readonly do: "apply" }
  /** Old news: it lies wholly before the book. */
  | { readonly do: "skip" }
  /** The book is lost: start again. */
  | { readonly do: "resync"; readonly detail: string };

/** Stateless: what is known is handed in. */
export interface BookRules {
  /**
   * `rest`: changes are buffered until a page of REST is there, then those that continue it are applied.
   * `stream`: the stream itself begins with a snapshot; REST is asked when none arrives in time.
   */
  readonly startsFrom: "rest" | "stream";
  /** Levels a side to ask for when starting from REST, and the request's weight is paid for. */
  readonly pageLevels: number;
  /** The first change after a page of REST. `skip` for those the page holds already. */
  first(page: Pick<BookPage, "sequence">, update: BookUpdate): BookStep;
  /** Any later change. */
  next(lastId: number, update: BookUpdate): BookStep;
  /** True where the page is older than the first buffered change, so that changes between the two are unknown. */
  isPageTooOld(page: Pick<BookPage, "sequence">, firstBuffered: BookUpdate): boolean;
  /** Levels a side the venue keeps; levels beyond are cut after each update. Undefined: all are kept. */
  readonly levelsMax: number | undefined;
  /** How many of the best levels a side the checksum is made of. */
  readonly checksumLevels?: number | undefined;
  /** Checksum of the book's best levels as the venue reckons it; undefined where the venue sends none. */
  checksum?(
    bids: readonly (readonly [string, string])[],
    asks: readonly (readonly [string, string])[],
  ): number;
}
