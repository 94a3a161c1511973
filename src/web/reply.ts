// What a route hands to the server: a document, or rows that are streamed. How it is sent, cached and named is decided in
// one place (send.ts).
import type { RowPage } from "../store/api/row-pages.js";
import type { RowFormat } from "./contract.js";

/** How long an answer stays true. */
export interface Freshness {
  /** Another one whenever the answer may have changed; the body's own digest when undefined. */
  readonly version?: string | undefined;
  /** Of the past, complete: a client may keep it for a while without asking. */
  readonly isClosed?: boolean;
}

export interface DocumentReply {
  readonly kind: "document";
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly freshness?: Freshness;
}

/** A file in another form than JSON. */
export interface TextReply {
  readonly kind: "text";
  readonly contentType: string;
  readonly fileName: string;
  readonly body: string;
}

export interface RowsReply {
  readonly kind: "rows";
  readonly format: RowFormat;
  /** Without ending. */
  readonly fileName: string;
  /** The first line of a CSV file. */
  readonly csvHeader: string;
  /** Each page's text has its rows parted by {@link separatorOf}. */
  readonly pages: AsyncIterator<RowPage, void>;
  /** Asked after the last page. */
  readonly nextCursor: () => string | null;
  /** One page, wholly in memory before anything is sent: its cursor can stand in a header. */
  readonly isOnePage: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly freshness: Freshness;
}

export type Reply = DocumentReply | TextReply | RowsReply;

export function document(body: unknown): DocumentReply {
  return { kind: "document", body };
}

/** Between two rows of a page, and of two pages. */
export function separatorOf(format: RowFormat): string {
  return format === "json" ? ",\n" : "\n";
}
